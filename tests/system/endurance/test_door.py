import socket
import threading
from collections.abc import Iterator

import pytest

from tests.system.endurance.door import Door, Manner
from tests.waiting import wait_until


@pytest.fixture
def echo_port() -> Iterator[int]:
    """A server that says back what it hears."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(client,), daemon=True).start()

        def answer(client: socket.socket) -> None:
            with client:
                while heard := client.recv(1_000):
                    client.sendall(heard)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def door(echo_port: int) -> Iterator[Door]:
    with Door(echo_port) as door:
        yield door


def visit(door: Door, *, patience_s: float = 10.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", door.port), timeout=patience_s)


def is_over(visitor: socket.socket) -> bool:
    try:
        return visitor.recv(1) == b""
    except ConnectionError:
        return True


def test_an_open_door_leads_through_both_ways(door: Door) -> None:
    with visit(door) as visitor:
        visitor.sendall(b"hello")
        assert visitor.recv(5) == b"hello"
        door.set(Manner.REFUSING)
        assert is_over(visitor)


def test_nobody_listens_behind_a_refusing_door_and_the_port_is_kept(door: Door) -> None:
    port = door.port
    door.set(Manner.REFUSING)
    with pytest.raises(ConnectionRefusedError):
        visit(door)
    door.set(Manner.OPEN)
    with visit(door) as visitor:
        visitor.sendall(b"back")
        assert visitor.recv(4) == b"back"
    assert door.port == port


def test_a_silent_door_takes_in_and_says_nothing(door: Door) -> None:
    door.set(Manner.SILENT)
    with visit(door, patience_s=0.3) as visitor:
        visitor.sendall(b"hello")
        with pytest.raises(TimeoutError):
            visitor.recv(1)


def test_a_slamming_door_throws_out_at_once(door: Door) -> None:
    door.set(Manner.SLAMMING)
    with visit(door) as visitor:
        assert is_over(visitor)


def test_a_breaking_door_leads_through_and_cuts_off(door: Door) -> None:
    door.set(Manner.BREAKING)
    with visit(door) as visitor:
        visitor.sendall(b"hello")
        assert visitor.recv(5) == b"hello"
        assert is_over(visitor)


def test_whoever_has_left_is_forgotten(door: Door) -> None:
    for _ in range(5):
        with visit(door) as visitor:
            visitor.sendall(b"x")
            visitor.recv(1)
    wait_until(lambda: door.guests == 0, what="sockets of visitors who left")
