"""Servers that are no cameras, or bad ones: each answers whoever connects with what its name says."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Self

Answers = Callable[[str], Iterator[bytes]]
"""From the address that the client asked for to what it gets, bit by bit."""

_CHUNK = b"\xa5" * 65_536


def _reply(body: bytes = b"", *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    lines = [f"RTSP/1.0 {status}", "CSeq: 1", *headers]
    if body or length is not None:
        lines += ["Content-Type: application/sdp", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _for_ever(chunk: bytes) -> Iterator[bytes]:
    while True:
        yield chunk


def _silent(_url: str) -> Iterator[bytes]:
    threading.Event().wait(60)
    yield b""


def _gone(_url: str) -> Iterator[bytes]:
    yield from ()


def _web_page(_url: str) -> Iterator[bytes]:
    yield b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello"


def _noise(_url: str) -> Iterator[bytes]:
    yield from _for_ever(_CHUNK)


def _headers(_url: str) -> Iterator[bytes]:
    yield b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n"
    yield from _for_ever(b"X-More: and more\r\n" * 1000)


def _one_long_line(_url: str) -> Iterator[bytes]:
    yield b"RTSP/1.0 200 OK\r\nX: "
    yield from _for_ever(b"x" * 65_536)


def _redirects(url: str) -> Iterator[bytes]:
    yield from _for_ever(_reply(b"", f"Location: {url}", status="302 Found"))


def _redirects_to_a_file(_url: str) -> Iterator[bytes]:
    yield from _for_ever(_reply(b"", "Location: file:///etc/passwd", status="302 Found"))


def _asks_for_a_password(_url: str) -> Iterator[bytes]:
    yield from _for_ever(_reply(b"", 'WWW-Authenticate: Basic realm="x"', status="401 Unauthorized"))


def _tls(_url: str) -> Iterator[bytes]:
    yield b"\x15\x03\x01\x00\x02\x02\x28"


def _hundred_megabytes(_url: str) -> Iterator[bytes]:
    yield _reply()
    yield _reply(length=100 << 20)
    for _ in range((100 << 20) // len(_CHUNK)):
        yield _CHUNK


def _promises_much(_url: str) -> Iterator[bytes]:
    yield _reply()
    yield _reply(length=2_000_000_000)
    threading.Event().wait(60)


def _promises_less_than_nothing(_url: str) -> Iterator[bytes]:
    yield _reply()
    yield _reply(length=-5)
    yield b"v=0\r\n"


def _thousand_streams(_url: str) -> Iterator[bytes]:
    yield _reply()
    media = b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t\r\n" * 5_000
    yield _reply(b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n" + media)
    yield from _for_ever(_reply(b"", "Session: 1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"))


def _half_a_frame(_url: str) -> Iterator[bytes]:
    yield _reply(b"", "Public: DESCRIBE, SETUP, PLAY")
    media = b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t\r\n"
    yield _reply(b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n" + media)
    yield _reply(b"", "Session: 1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
    yield _reply(b"", "Session: 1")
    yield b"$\0\xff\xff\x80\x60\0\1\0\0\0\0\0\0\0\1\x7c\x85" + bytes(1000)
    threading.Event().wait(60)


def _drips(_url: str) -> Iterator[bytes]:
    for byte in _reply(b"v=0\r\n" * 1000):
        yield bytes((byte,))
        threading.Event().wait(0.2)


KINDS: Mapping[str, Answers] = {
    "silent": _silent,
    "gone": _gone,
    "web page": _web_page,
    "noise": _noise,
    "headers for ever": _headers,
    "one line for ever": _one_long_line,
    "redirects for ever": _redirects,
    "redirects to a file": _redirects_to_a_file,
    "asks for a password for ever": _asks_for_a_password,
    "TLS": _tls,
    "description of 100 MB": _hundred_megabytes,
    "promises 2 GB": _promises_much,
    "promises less than nothing": _promises_less_than_nothing,
    "five thousand streams": _thousand_streams,
    "half a frame for ever": _half_a_frame,
    "a byte now and then": _drips,
}


class HostileCamera:
    """One such server on the loopback address; a context manager."""

    def __init__(self, kind: str) -> None:
        self._answers = KINDS[kind]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/live"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65_536)
            for chunk in self._answers(self.url):
                connection.sendall(chunk)
