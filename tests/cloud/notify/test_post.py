import itertools
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cloud.errors import ChannelAway, ChannelRefused
from cloud.notify.post import Addresses, Post, resolve
from tests.cloud.notify.sinks import LOOPBACK, https_sink, tls_of

INSIDE = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",  # noqa: S104  # what is to be refused
    "10.0.0.5",
    "172.16.3.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1%eth0",
    "fd00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.5",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
    "2001:0:7f00:1::",
    "64:ff9b:1::a00:1",
    "64:ff9b:1:fffe::7f00:1",
    "2002:5db8:d70e::1",
    "::10.0.0.1",
    "::ffff:0:10.0.0.1",
    "2606:4700::5efe:a00:1",
    "2606:4700::200:5efe:a00:1",
    "no address",
]


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    addresses = Addresses(resolve=lambda _host, _port: ["93.184.215.14", address])
    with pytest.raises(ChannelRefused, match="forbidden_address"):
        addresses.admit("innocent.example.org", 443)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_addresses_are_taken(address: str) -> None:
    assert Addresses(resolve=lambda _host, _port: [address]).admit("example.org", 443) == address


def test_a_network_that_the_operator_named_is_taken_and_its_neighbour_is_not() -> None:
    addresses = Addresses(["10.1.2.0/30"], resolve=lambda host, _port: [host])
    assert addresses.admit("10.1.2.3", 443) == "10.1.2.3"
    with pytest.raises(ChannelRefused):
        addresses.admit("10.1.2.4", 443)


def test_the_name_is_asked_for_once_and_the_connection_goes_where_was_looked(tmp_path: Path) -> None:
    """A name that answers otherwise the second time (DNS rebinding) gains nothing."""
    asked: list[str] = []

    def once(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    with https_sink(tmp_path) as sink:
        trust = sink.trust
        trust.check_hostname = False
        post = Post(Addresses(["127.0.0.1/32"], resolve=once), trust=trust)
        post.send(f"https://rebinding.example.org:{sink.port}/x", b"{}", {})
        assert len(sink.received) == 1
        assert sink.received[0].headers["host"] == f"rebinding.example.org:{sink.port}"
    assert asked == ["rebinding.example.org"]


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/x", "file:///etc/passwd", "gopher://127.0.0.1/", "https://u:p@127.0.0.1/", "https:///x", "x"],
)
def test_only_https_is_sent(url: str) -> None:
    with pytest.raises(ChannelRefused):
        Post(Addresses(["127.0.0.0/8"])).send(url, b"", {})


def test_our_own_network_is_refused_though_somebody_listens(tmp_path: Path) -> None:
    with https_sink(tmp_path) as sink:
        with pytest.raises(ChannelRefused, match="forbidden_address"):
            Post(Addresses(), trust=sink.trust).send(sink.url, b"", {})
        assert not sink.received


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path: Path) -> None:
    with https_sink(tmp_path) as sink:
        with pytest.raises(ChannelAway, match="unreachable"):
            Post(Addresses(["127.0.0.0/8"]), trust=ssl.create_default_context()).send(sink.url, b"", {})
        assert not sink.received


def test_a_name_that_nobody_has_is_away() -> None:
    with pytest.raises(ChannelAway):
        resolve("nobody.invalid", 443)


@contextmanager
def _endless(directory: Path, pieces: Iterator[bytes], may_say: threading.Semaphore) -> Iterator[tuple[Post, str]]:
    """A server that never ends its answer: it says one piece whenever somebody looks at the clock, by which a second passes."""
    server_side, trust = tls_of(directory)
    seconds = itertools.count()
    over = threading.Event()

    def clock() -> float:
        may_say.release()
        return float(next(seconds))

    def answer(listening: socket.socket) -> None:
        with suppress(OSError):
            plain, _ = listening.accept()
            with server_side.wrap_socket(plain, server_side=True) as talk:
                for piece in pieces:
                    may_say.acquire()
                    if over.is_set():
                        return
                    talk.sendall(piece)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        thread = threading.Thread(target=answer, args=(listening,))
        thread.start()
        try:
            port = listening.getsockname()[1]
            yield Post(Addresses(LOOPBACK), trust=trust, whole_s=30.0, clock=clock), f"https://127.0.0.1:{port}/x"
        finally:
            over.set()
            may_say.release()
            thread.join()


@pytest.mark.parametrize(
    "pieces",
    [
        itertools.chain([b"HTTP/1.1 201 Created\r\nx-slow: "], itertools.repeat(b"x", 1_000)),
        itertools.repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n", 1_000),
    ],
    ids=["drips", "hints"],
)
def test_an_answer_that_never_ends_is_cut_off(tmp_path: Path, pieces: Iterator[bytes]) -> None:
    """A timeout for each read never comes: each brings a little."""
    with _endless(tmp_path, pieces, threading.Semaphore(0)) as (post, url):
        with pytest.raises(ChannelAway, match="timed_out"):
            post.send(url, b"{}", {})
        assert next(pieces, None) is not None, "it had more to say"
