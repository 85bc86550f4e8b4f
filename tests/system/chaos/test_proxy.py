"""The proxy in each weather, with a server that says everything again."""

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.system.chaos.proxy import FAIR, Conduct, Proxy, Weather
from tests.waiting import wait_until

SILENCE_S = 0.3


@pytest.fixture
def echo_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(line: socket.socket) -> None:
            with line:
                try:
                    while chunk := line.recv(65_536):
                        line.sendall(chunk)
                except OSError:
                    return

        def accept() -> None:
            while True:
                try:
                    line, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(line,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(echo_port: int) -> Iterator[Proxy]:
    with Proxy("test", echo_port) as running:
        yield running


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=10)


def said(line: socket.socket, words: bytes) -> bytes:
    line.sendall(words)
    heard = b""
    while len(heard) < len(words) and (chunk := line.recv(65_536)):
        heard += chunk
    return heard


def is_silent(line: socket.socket) -> bool:
    line.settimeout(SILENCE_S)
    try:
        line.recv(1)
    except TimeoutError:
        return True
    return False


def test_in_fair_weather_everything_passes(proxy: Proxy) -> None:
    with connect(proxy) as line:
        assert said(line, b"x" * 1_000_000) == b"x" * 1_000_000


def test_an_end_is_passed_on(proxy: Proxy) -> None:
    with connect(proxy) as line:
        assert said(line, b"one") == b"one"
        line.shutdown(socket.SHUT_WR)
        try:
            assert line.recv(1) == b""
        except ConnectionResetError:
            return


def test_refusing_resets_the_old_and_the_new_and_is_over_when_it_is_lifted(proxy: Proxy) -> None:
    with connect(proxy) as line:
        assert said(line, b"one") == b"one"
        proxy.turn(Weather(Conduct.REFUSE))
        with pytest.raises(ConnectionError):
            line.recv(1)
    with pytest.raises(ConnectionError), connect(proxy) as line:
        line.recv(1)
    proxy.turn(FAIR)
    with connect(proxy) as line:
        assert said(line, b"two") == b"two"


def test_what_fell_into_a_black_hole_stays_silent_while_new_ones_pass(proxy: Proxy) -> None:
    with connect(proxy) as old:
        assert said(old, b"one") == b"one"
        proxy.turn(Weather(Conduct.BLACK_HOLE))
        with connect(proxy) as during:
            during.sendall(b"anybody?")
            old.sendall(b"anybody?")
            assert is_silent(old)
            proxy.turn(FAIR)
            with connect(proxy) as new:
                assert said(new, b"two") == b"two"
            old.sendall(b"now?")
            assert is_silent(old)
            assert is_silent(during)
    wait_until(lambda: proxy.figures.swallowed_bytes >= len(b"anybody?") * 2 + len(b"now?"))


def test_of_a_halved_piece_half_arrives(proxy: Proxy) -> None:
    proxy.turn(Weather(Conduct.HALVE))
    heard = b""
    with connect(proxy) as line:
        try:
            for _ in range(1_000):
                line.sendall(b"12345678")
                heard += line.recv(65_536)
        except ConnectionError:
            pass
    assert 0 < len(heard) < 8_000
    assert proxy.figures.resets >= 1


def test_a_cut_ends_what_there_is_once(proxy: Proxy) -> None:
    with connect(proxy) as line:
        assert said(line, b"one") == b"one"
        proxy.cut()
        with pytest.raises(ConnectionError):
            line.recv(1)
    with connect(proxy) as line:
        assert said(line, b"two") == b"two"


@pytest.mark.parametrize(
    "weather", [Weather(Conduct.DELAY, delay_s=0.05), Weather(Conduct.THROTTLE, bytes_per_s=200_000.0)]
)
def test_slow_weather_loses_nothing(proxy: Proxy, weather: Weather) -> None:
    proxy.turn(weather)
    with connect(proxy) as line:
        assert said(line, b"y" * 10_000) == b"y" * 10_000


def test_a_server_that_is_away_shows_as_a_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with Proxy("test", port) as proxy, pytest.raises(ConnectionError), connect(proxy) as line:
        line.recv(1)
