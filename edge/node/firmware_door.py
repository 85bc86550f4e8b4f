"""Where devices fetch a firmware (固件下载口): over HTTP in the station's own network, one file under one address that nobody can guess.

A device has no token of the cloud's and often no way to it: the node has the bytes, verified, and hands them on. The port is open only
while something is handed out. Each address is for one device and one step, ends with it, and gives so many bytes and no more.
"""

import hashlib
import io
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import structlog

PREFIX: Final = "/firmware/"
FILE: Final = "/firmware.bin"
TOKEN_BYTES: Final = 32
MOST_CALLERS: Final = 16
MOST_OF_ONE: Final = 4
"""So many of them from one address: whoever calls and says nothing leaves places to others."""

MOST_TIMES: Final = 10
"""So often as the file is large may a device take bytes of it: downloads break off and begin anew."""

HEAD_S: Final = 10.0
"""So long a caller may take to say what it wants, however it spreads its bytes."""

TIMEOUT_S: Final = 30.0
LONGEST_S: Final = 3_600.0
"""One answer takes no longer: a caller that reads a byte a second holds a place."""

CHUNK_BYTES: Final = 1 << 16

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Offer:
    file: Path
    size_bytes: int
    until: datetime
    left_bytes: int


class FirmwareDoor:
    """Hands files out under addresses that were opened for them. Any thread."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        told: Callable[[], datetime],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host, self._port, self._told = host, port, told
        self.monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._offers: dict[bytes, _Offer] = {}
        self._server: _Server | None = None
        self.refused: Counter[str] = Counter()

    @property
    def port(self) -> int | None:
        """Where it listens at present."""
        server = self._server
        return None if server is None else int(server.server_address[1])

    def open(self, token: str, file: Path, size_bytes: int, until: datetime) -> None:
        """Hand a file out under the address of a token, or longer where it is already. Raises OSError where the port is not to be had."""
        with self._lock:
            offer = self._offers.setdefault(_digest(token), _Offer(file, size_bytes, until, MOST_TIMES * size_bytes))
            offer.until = max(offer.until, until)
            if self._server is None:
                self._server = _Server(self._host, self._port, self)
                self._server.begin()

    def close(self, token: str) -> None:
        """End an address; without any the port is closed."""
        with self._lock:
            self._offers.pop(_digest(token), None)
        self._shut_if_idle()

    def sweep(self) -> None:
        """End addresses whose time is over."""
        now = self._told()
        with self._lock:
            for key in [key for key, offer in self._offers.items() if offer.until <= now]:
                del self._offers[key]
        self._shut_if_idle()

    def stop(self) -> None:
        """End all of them."""
        with self._lock:
            self._offers.clear()
        self._shut_if_idle()

    def _shut_if_idle(self) -> None:
        with self._lock:
            if self._offers or self._server is None:
                return
            server, self._server = self._server, None
            server.end()  # before anybody else asks for the port

    def find(self, path: str) -> _Offer | None:
        """What an address stands for; None for one that is not open."""
        if not (path.startswith(PREFIX) and path.endswith(FILE)):
            return None
        with self._lock:  # found by a hash: how long it takes says nothing of how much of a guess was right
            offer = self._offers.get(_digest(path[len(PREFIX) : -len(FILE)]))
        return None if offer is None or offer.until <= self._told() else offer

    def take(self, offer: _Offer, size_bytes: int) -> bool:
        """Whether so many more bytes may go out."""
        with self._lock:
            if offer.left_bytes < size_bytes:
                return False
            offer.left_bytes -= size_bytes
            return True

    def is_open(self, offer: _Offer) -> bool:
        """Whether it still is: what was ended goes out no further."""
        with self._lock:
            return any(each is offer for each in self._offers.values()) and offer.until > self._told()


def new_token() -> str:
    """An address that nobody can guess."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def location(host: str, port: int, token: str) -> str:
    """The address as a device is told it."""
    named = f"[{host}]" if ":" in host else host
    return f"http://{named}:{port}{PREFIX}{token}{FILE}"


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def __init__(self, host: str, port: int, door: FirmwareDoor) -> None:
        self.door = door
        self._callers: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def begin(self) -> None:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.2}, name="firmware", daemon=True).start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()

    def server_bind(self) -> None:
        socket_server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._has_place(client_address[0]):
            self.door.refused["too_many"] += 1
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def _has_place(self, address: str) -> bool:
        with self._lock:
            if self._callers.total() >= MOST_CALLERS or self._callers[address] >= MOST_OF_ONE:
                return False
            self._callers[address] += 1
            return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._callers.subtract([client_address[0]])
                self._callers += Counter()  # without those that have none any more

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        self.door.refused["broken_off"] += 1
        _log.info("a device broke a download off")


def socket_server_bind(server: ThreadingHTTPServer) -> None:
    """Bind without asking the name service for the machine's name, which may take minutes where there is none."""
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.socket.bind(server.server_address)
    server.server_address = server.socket.getsockname()
    server.server_name, server.server_port = str(server.server_address[0]), int(server.server_address[1])


class Head(io.RawIOBase):
    """What a caller sends, up to a time of `monotonic_s`."""

    def __init__(self, connection: socket.socket, until_s: float, monotonic_s: Callable[[], float]) -> None:
        self._connection, self._until_s, self._monotonic_s = connection, until_s, monotonic_s

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """What has come, at most until the time is over. Raises TimeoutError then."""
        left_s = self._until_s - self._monotonic_s()
        if left_s <= 0:
            raise TimeoutError
        self._connection.settimeout(left_s)
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = TIMEOUT_S
    server_version, sys_version = "gridward", ""

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        monotonic_s = self.server.door.monotonic_s
        self.rfile = io.BufferedReader(Head(self.connection, monotonic_s() + HEAD_S, monotonic_s))

    def parse_request(self) -> bool:
        is_understood = super().parse_request()
        self.connection.settimeout(TIMEOUT_S)
        return is_understood

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *_: Any) -> None:
        """Nothing: the address is a secret."""

    def _answer(self, *, with_body: bool) -> None:
        door, offer = self.server.door, self.server.door.find(self.path)
        self.close_connection = True
        if offer is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        asked = range_of(self.headers.get("Range"), offer.size_bytes)
        if asked is None:
            self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, {"Content-Range": f"bytes */{offer.size_bytes}"})
            return
        start, end = asked
        if with_body and not door.take(offer, end - start):
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS)
            return
        is_part = end - start != offer.size_bytes
        self.send_response(HTTPStatus.PARTIAL_CONTENT if is_part else HTTPStatus.OK)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(end - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        if is_part:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{offer.size_bytes}")
        self.end_headers()
        if with_body:
            self._send(offer, start, end)

    def _send(self, offer: _Offer, start: int, end: int) -> None:
        until_s = time.monotonic() + LONGEST_S
        with offer.file.open("rb") as opened:
            opened.seek(start)
            left = end - start
            while left > 0 and self.server.door.is_open(offer) and time.monotonic() < until_s:
                chunk = opened.read(min(CHUNK_BYTES, left))
                if not chunk:
                    return
                self.wfile.write(chunk)
                left -= len(chunk)

    def _refuse(self, status: HTTPStatus, more: dict[str, str] | None = None) -> None:
        self.server.door.refused[status.name.lower()] += 1
        self.send_response(status)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()


def range_of(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """From which byte to before which (RFC 9110 §14.2): all where nothing is asked that is understood, None where nothing can be had."""
    whole = 0, size_bytes
    if header is None or not header.startswith("bytes=") or "," in header or len(header) > 100:
        return whole
    first, dash, last = header.removeprefix("bytes=").strip().partition("-")
    if not dash or not all(part == "" or (part.isascii() and part.isdigit()) for part in (first, last)):
        return whole
    if first == "":
        return None if last == "" or int(last) == 0 else (max(0, size_bytes - int(last)), size_bytes)
    start, end = int(first), size_bytes if last == "" else min(int(last) + 1, size_bytes)
    if last != "" and int(last) < start:
        return whole
    return None if start >= size_bytes else (start, end)
