"""What notices are sent to: an HTTPS server, a mail server and a browser with its push service, made by hand for tests."""

import json
import socketserver
import ssl
import threading
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cloud.api.certificate import demo_certificate
from cloud.notify.post import Addresses, Post

LOOPBACK = ("127.0.0.0/8",)


@dataclass
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpsSink:
    """Takes what is posted; answers with the next of `statuses`, and with the last for ever."""

    port: int
    trust: ssl.SSLContext
    statuses: list[int] = field(default_factory=lambda: [201])
    received: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/hook"

    def post(self, *allowed: str) -> Post:
        return Post(Addresses(allowed or LOOPBACK), trust=self.trust)


def tls_of(directory: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The side of a server at 127.0.0.1, and that of those who trust it."""
    made = demo_certificate(directory / "tls", ["127.0.0.1"], now=datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    return context, ssl.create_default_context(cafile=made.authority)


@contextmanager
def https_sink(directory: Path) -> Iterator[HttpsSink]:
    context, trust = tls_of(directory)
    sink: list[HttpsSink] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            sink[0].received.append(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            statuses = sink[0].statuses
            status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
            self.send_response(status)
            if status in {301, 302, 307}:
                self.send_header("location", sink[0].url)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    sink.append(HttpsSink(server.server_address[1], trust))
    try:
        yield sink[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class MailSink:
    """Takes mail by SMTP (RFC 5321), as little of it as is needed."""

    port: int
    messages: list[str] = field(default_factory=list)


class _MailServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None, *, at_once: bool) -> None:
        super().__init__(("127.0.0.1", 0), _MailHandler)
        self.tls, self.at_once = tls, at_once
        self.sink = MailSink(self.server_address[1])


class _MailHandler(socketserver.StreamRequestHandler):
    server: _MailServer

    def handle(self) -> None:
        with suppress(OSError):  # of who does not trust it
            if self.server.at_once:
                self._secure()
            self._say("220 sink")
            while line := self.rfile.readline().decode().strip():
                self._answer(line.split()[0].upper())

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.request.close()

    def _answer(self, command: str) -> None:
        match command:
            case "DATA":
                self._say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.sink.messages.append(b"".join(lines).decode())
                self._say("250 taken")
            case "EHLO" if self.server.tls is not None:
                self._say("250-sink")
                self._say("250 STARTTLS")
            case "STARTTLS":
                self._say("220 go on")
                self._secure()
            case "QUIT":
                self._say("221 bye")
            case _:
                self._say("250 ok")

    def _secure(self) -> None:
        assert self.server.tls is not None
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self.setup()

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def mail_sink(tls: ssl.SSLContext | None = None, *, at_once: bool = False) -> Iterator[MailSink]:
    """With `tls` it speaks it `at_once`, or when it is asked to (STARTTLS, RFC 3207)."""
    with _MailServer(tls, at_once=at_once) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server.sink
        server.shutdown()
        thread.join()


def unbase64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Phone:
    """A browser: subscribes with a key of its own, and reads what its push service took (RFC 8291 from the other side)."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.secret = bytes(range(16))
        self.public_key = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def read(self, body: bytes) -> dict[str, Any]:
        salt, record_size, length = body[:16], int.from_bytes(body[16:20]), body[20]
        theirs, sealed = body[21 : 21 + length], body[21 + length :]
        assert len(sealed) <= record_size
        shared = self._key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))
        info = b"WebPush: info\x00" + self.public_key + theirs
        material = HKDF(hashes.SHA256(), 32, self.secret, info).derive(shared)
        key = HKDF(hashes.SHA256(), 16, salt, b"Content-Encoding: aes128gcm\x00").derive(material)
        nonce = HKDF(hashes.SHA256(), 12, salt, b"Content-Encoding: nonce\x00").derive(material)
        message = AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\x00")
        assert message.endswith(b"\x02"), "the last record"
        told: dict[str, Any] = json.loads(message[:-1])
        return told


def check_vapid(header: str, origin: str, public_key: bytes, *, now: datetime) -> dict[str, Any]:
    """What a push service checks (RFC 8292 §4.2); the claims come back."""
    scheme, _, rest = header.partition(" ")
    assert scheme == "vapid"
    given = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert unbase64(given["k"]) == public_key
    head, claims, signature = given["t"].split(".")
    assert json.loads(unbase64(head)) == {"typ": "JWT", "alg": "ES256"}
    raw = unbase64(signature)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key.verify(der, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    told: dict[str, Any] = json.loads(unbase64(claims))
    assert told["aud"] == origin
    assert now.timestamp() < told["exp"] <= now.timestamp() + 24 * 3_600
    return told
