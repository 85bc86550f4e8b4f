"""The listener against callers that mean harm, or are broken: others notice nothing, and nothing grows."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from edge.sources.ocpp.admission import SUBPROTOCOL
from edge.sources.ocpp.pace import LARGEST_FRAME_BYTES, Pace
from edge.sources.ocpp.server import Limits
from edge.sources.ocpp.source import OcppSource
from edge.sources.ocpp.station import MOST_FLAWS
from tests.edge.sources.ocpp import running
from tests.edge.sources.ocpp.running import QUIET, Keeper, address, piles, source
from tests.edge.sources.ocpp.test_frames import ANY_JSON
from tests.edge.waiting import wait_until
from tests.fakes.ocpp_client import stations

PATIENT_S = 30
HELLO = (
    b"GET /ocpp/pile-1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
)


@contextmanager
def caller(made: OcppSource, identity: str = "pile-1") -> Iterator[ClientConnection]:
    """Somebody who has a connection and sends what he likes."""
    with connect(
        f"{address(made)}/{identity}",
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        proxy=None,
        compression=None,
        close_timeout=0.2,
    ) as connection:
        assert isinstance(connection, ClientConnection)
        yield connection


@contextmanager
def stranger(made: OcppSource, sends: bytes = b"") -> Iterator[socket.socket]:
    """Somebody who has a socket."""
    with socket.create_connection(("127.0.0.1", made.port or 0), timeout=PATIENT_S) as connection:
        connection.sendall(sends)
        yield connection


def others_go_on(made: OcppSource, keeper: Keeper, identity: str = "good") -> None:
    before = len(keeper.values("temperature_c.1", identity))
    with stations() as come:
        station = come(address(made), identity)
        for value in range(20):
            station.meter({"Temperature": float(value)})
    assert keeper.values("temperature_c.1", identity)[before:] == [float(value) for value in range(20)]


def test_what_is_no_frame_is_counted_and_who_sends_nothing_else_is_sent_away() -> None:
    keeper = Keeper()
    with source(keeper, running.settings(*piles("pile-1", "good"))) as made, caller(made) as bad:
        bad.send(b"\x00\x01binary")
        bad.send('[2,"1","Heartbeat"]')
        assert json.loads(bad.recv(PATIENT_S))[:3] == [4, "1", "FormationViolation"]
        bad.send('[2,"2","Heartbeat",{}]')
        assert json.loads(bad.recv(PATIENT_S))[0] == 3
        with contextlib.suppress(ConnectionClosed):
            for _ in range(MOST_FLAWS):
                bad.send("garbage")
        with pytest.raises(ConnectionClosed) as closed:
            bad.recv(PATIENT_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert made.tally()["flaws"] == {"binary": 1, "no_frame": 1, "malformed": MOST_FLAWS}
        others_go_on(made, keeper)


def test_a_frame_that_is_too_large_ends_its_connection_only() -> None:
    keeper = Keeper()
    with source(keeper, running.settings(*piles("pile-1", "good"))) as made, caller(made) as bad:
        with contextlib.suppress(ConnectionClosed):
            bad.send('[2,"1","DataTransfer",{"data":"' + "x" * LARGEST_FRAME_BYTES + '"}]')
        with pytest.raises(ConnectionClosed) as closed:
            bad.recv(PATIENT_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        others_go_on(made, keeper)


def test_the_wrong_subprotocol_ends_at_once() -> None:
    with source(Keeper()) as made:
        later = connect(f"{address(made)}/pile-1", subprotocols=[Subprotocol("ocpp2.0.1")], proxy=None)
        with later as other, pytest.raises(ConnectionClosed) as closed:
            other.recv(PATIENT_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1002
        assert made.tally()["denied"] == {"wrong_subprotocol": 1}


def test_strangers_have_few_places_and_a_short_time() -> None:
    keeper = Keeper()
    limits = Limits(handshake_s=1.0, strangers=8, after_denial_s=0.0)
    configured = running.settings(*piles("pile-1", "good"))
    with source(keeper, configured, timing=replace(QUIET, limits=limits)) as made, ExitStack() as crowd:
        for sends in [b"", b"GET /ocpp/pile-1 HTTP/1.1\r\nX-A: b\r\n", b"\x16\x03\x01", b"GET"] * 10:
            with contextlib.suppress(OSError):
                crowd.enter_context(stranger(made, sends))
        wait_until(lambda: made.tally()["turned_away"] >= 32, "those who found no place")
        assert len(made._listener._strangers) <= 8
        wait_until(lambda: not made._listener._strangers, "those who said nothing in time")
        others_go_on(made, keeper)


def test_one_who_sends_a_frame_byte_by_byte_holds_nobody_up() -> None:
    keeper = Keeper()
    with source(keeper, running.settings(*piles("pile-1", "good"))) as made, caller(made) as slow:
        slow.socket.sendall(b"\x81\xfe\x40\x00\x00\x00")  # a text of 16 KiB begins, and never ends
        others_go_on(made, keeper)
        slow.socket.sendall(b"\x00")
        others_go_on(made, keeper)


def test_one_who_is_silent_is_closed_when_he_answers_no_ping() -> None:
    keeper = Keeper()
    limits = Limits(ping_s=0.1, pong_s=0.3, close_s=0.1, after_denial_s=0.0)
    configured = running.settings(*piles("pile-1", "good"))
    with source(keeper, configured, timing=replace(QUIET, limits=limits)) as made, stranger(made, HELLO) as silent:
        assert silent.recv(4).startswith(b"HTTP")
        wait_until(lambda: "pile-1" in made._listener.stations, "its connection")
        wait_until(lambda: "pile-1" not in made._listener.stations, "the end of it")


def test_a_flood_waits_in_its_own_connection() -> None:
    keeper = Keeper()
    with source(keeper, running.settings(*piles("pile-1", "good"))) as made, stranger(made, HELLO) as flood:
        wait_until(lambda: "pile-1" in made._listener.stations, "its connection")
        since_s = time.monotonic()
        flood.setblocking(False)
        waves, sent = _masked(b'[2,"1","Heartbeat",{}]') * 200_000, 0
        with contextlib.suppress(BlockingIOError):
            while sent < len(waves):
                sent += flood.send(waves[sent : sent + 65_536])
        assert sent > 1_000
        others_go_on(made, keeper)
        measure = 500 + 20 * (time.monotonic() - since_s + 1)
        assert made.tally()["messages"] <= measure + 20, "what is its own, and the twenty of the other"


def _masked(payload: bytes) -> bytes:
    return bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload


def test_the_measure_of_a_station() -> None:
    pace = Pace(0.0, messages_per_s=10.0, most_messages=5.0, bytes_per_s=1_000.0, most_bytes=10_000.0)
    assert [pace.wait_s(10, 0.0) for _ in range(5)] == [0.0] * 5
    assert pace.wait_s(10, 0.0) == pytest.approx(0.1)
    assert pace.wait_s(10, 10.0) == 0.0
    assert pace.wait_s(20_000, 10.0) == pytest.approx(10.0, abs=0.1)


def test_knocking_under_many_names_fills_nothing() -> None:
    with source(Keeper()) as made:
        for number in range(200):
            with pytest.raises(Exception, match="404"), caller(made, f"nobody-{number}"):
                pass
        assert made.tally()["denied"] == {"unknown": 200}
        assert list(made.tally()["knocked"]) == [f"nobody-{number}" for number in range(150, 200)]


FRAMES = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200),
    st.lists(ANY_JSON, max_size=5).map(json.dumps),
    st.tuples(
        st.just(2),
        st.text(min_size=1, max_size=5),
        st.sampled_from(
            ["StatusNotification", "MeterValues", "StartTransaction", "StopTransaction", "BootNotification"]
        ),
        st.dictionaries(
            st.sampled_from(
                ["connectorId", "status", "errorCode", "timestamp", "meterValue", "transactionId", "idTag"]
            ),
            ANY_JSON,
        ),
    ).map(json.dumps),
)


def test_whatever_is_sent_the_listener_lives() -> None:
    keeper = Keeper()
    with source(keeper, running.settings(*piles("pile-1", "good"))) as made:

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(FRAMES, max_size=8))
        def send(frames: list[Any]) -> None:
            with contextlib.suppress(ConnectionClosed), caller(made) as bad:
                for frame in frames:
                    bad.send(frame)
                bad.send('[2,"last","Heartbeat",{}]')
                while json.loads(bad.recv(PATIENT_S))[1] != "last":
                    pass

        send()
        others_go_on(made, keeper)
        assert made.tally()["faults"] == 0
        points = {point.name for point in made._piles["pile-1"].settings.declared}
        assert {reading.point for reading in keeper.kept} <= points
