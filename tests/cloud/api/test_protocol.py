import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from cloud.api.protocol import PatientProtocol
from tests.cloud.api.conftest import Cloud


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientProtocol, "patience_s", 0.5)


@contextmanager
def connected(cloud: Cloud) -> Iterator[socket.socket]:
    parts = urlsplit(cloud.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as client:
        yield client


def drip_until_closed(client: socket.socket, drop: bytes) -> bool:
    """Send a little again and again; whether the other side ends it before the time of the socket is over."""
    over = threading.Event()

    def send() -> None:
        try:
            while not over.wait(0.1):
                client.sendall(drop)
        except OSError:
            return

    sender = threading.Thread(target=send)
    sender.start()
    try:
        while client.recv(65_536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    finally:
        over.set()
        sender.join()
    return True


def test_a_client_that_says_nothing_is_left(cloud: Cloud) -> None:
    with connected(cloud) as client:
        assert client.recv(100) == b""


def test_a_head_that_drips_is_cut_off(cloud: Cloud) -> None:
    with connected(cloud) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        assert drip_until_closed(client, b"X: y\r\n")


def test_the_second_head_has_no_more_time_than_the_first(cloud: Cloud) -> None:
    with connected(cloud) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\n")
        assert drip_until_closed(client, b"X: y\r\n")


def test_a_body_that_goes_on_behind_its_answer_is_cut_off(cloud: Cloud) -> None:
    with connected(cloud) as client:
        client.sendall(b"PUT /api/v1/evidence/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n" % (b"0" * 64))
        assert drip_until_closed(client, b"x")


def test_a_stream_outlives_the_patience(cloud: Cloud) -> None:
    token = cloud.token("chief")
    with connected(cloud) as client:
        client.sendall(f"GET /api/v1/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            assert client.recv(65_536) != b""
