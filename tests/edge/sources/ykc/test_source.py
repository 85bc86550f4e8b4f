import dataclasses
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.contract.device_command import DeviceAction
from edge.errors import CommandRefused, DeviceUnreachable
from edge.flow import Health
from edge.settings import YkcPileSettings
from edge.sources.ykc import answers, callers, messages
from edge.sources.ykc.connection import READ_BYTES, RECEIVE_BYTES
from edge.sources.ykc.frame import LARGEST_FRAME_BYTES
from edge.sources.ykc.source import Timing, YkcSource
from tests.edge.sources.ykc.running import LONG, MOST_BYTES, OTHER, Keeper, Pile, port_of, source
from tests.edge.sources.ykc.saying import NUMBER, TRANSACTION, data, login, record, settings
from tests.edge.waiting import wait_until


def test_a_pile_logs_in_and_is_heard() -> None:
    keeper = Keeper()
    with source(keeper) as made, Pile(port_of(made)) as pile:
        pile.log_in()
        pile.say(messages.Heartbeat(NUMBER, 1, 0), data(charging=True))
        assert pile.hear(answers.HeartbeatAnswer).gun == 1
        wait_until(lambda: keeper.values("temperature_c.1") == [38.0], "the reading")
        wait_until(lambda: ("pile-1", Health.OK) in keeper.statuses, "the presence")
        pile.say(data(charging=True))
        wait_until(lambda: len(keeper.values("temperature_c.1")) == 2, "the second reading")
        assert keeper.values("status.1") == ["charging"], "a state is told when it changes"
        assert made.tally()["connected"] == 1
    assert keeper.values("firmware") == ["V1.2"]


def test_nobody_is_answered_before_what_he_said_is_kept() -> None:
    keeper = Keeper()
    with source(keeper) as made, Pile(port_of(made)) as pile:
        pile.log_in()
        keeper.refusing = True
        pile.say(record())
        wait_until(lambda: keeper.refused > 0, "the refusal")
        assert not pile.has_heard(answers.RecordAnswer)
        keeper.refusing = False
        assert pile.hear(answers.RecordAnswer).transaction == TRANSACTION
        assert keeper.values("stop_reason.1") == ["over_temperature"]


def test_a_record_that_can_not_be_kept_is_not_answered_and_kept_when_it_comes_again() -> None:
    keeper = Keeper()
    with source(keeper) as made:
        with Pile(port_of(made)) as pile:
            pile.log_in()
            wait_until(lambda: keeper.values("firmware"), "the login to be kept")
            keeper.failing = True
            pile.say(record())
            assert pile.is_hung_up_on()
        keeper.failing = False
        with Pile(port_of(made)) as pile:
            pile.log_in().say(record())
            assert pile.hear(answers.RecordAnswer).result == 0
        assert keeper.values("stop_reason.1") == ["over_temperature"]


def test_doubled_records_are_told_once_over_a_restart() -> None:
    keeper, after = Keeper(), Keeper()
    with source(keeper) as made, Pile(port_of(made)) as pile:
        pile.log_in().say(record(), record(), record())
        pile.hear(answers.RecordAnswer)
    assert len(keeper.values("stop_reason.1")) == 1
    with source(after, receipts=keeper.marks) as made, Pile(port_of(made)) as pile:
        pile.log_in().say(record())
        pile.hear(answers.RecordAnswer)
        pile.say(record())
        pile.hear(answers.RecordAnswer)
    assert after.values("stop_reason.1") == []
    (event,) = [reading for reading in after.again if reading.point == "stop_reason.1"]
    (first,) = [reading for reading in keeper.kept if reading.point == "stop_reason.1"]
    assert event.observed_at == first.observed_at


def test_who_is_not_configured_is_refused_and_hung_up_on() -> None:
    keeper = Keeper()
    with source(keeper) as made, Pile(port_of(made), "9" * 14) as pile:
        pile.say(login())
        assert pile.hear(answers.LoginAnswer).result == 1
        assert pile.is_hung_up_on()
        assert made.tally()["not_configured"] == 1
    assert keeper.kept == []


def test_who_logs_in_anew_replaces_himself() -> None:
    keeper = Keeper()
    with source(keeper) as made, Pile(port_of(made)) as first, Pile(port_of(made)) as second:
        first.log_in()
        second.log_in()
        assert first.is_hung_up_on()
        second.say(messages.Heartbeat(NUMBER, 1, 0))
        second.hear(answers.HeartbeatAnswer)
        assert made.tally()["replaced"] == 1
        assert list(made.callers.by_device) == ["pile-1"]
    assert ("pile-1", Health.LOST) not in keeper.statuses


def test_from_elsewhere_nobody_calls() -> None:
    keeper = Keeper()
    configured = settings(networks=("10.0.0.0/8", "fd00::/8"))
    with source(keeper, configured=configured) as made, Pile(port_of(made)) as pile:
        assert pile.is_hung_up_on()
        assert made.tally()["from_elsewhere"] == 1


@pytest.mark.parametrize("said", [b"", b"\x68\x0c\x00", b"\x68" * 3_000, bytes(5_000)])
def test_who_does_not_log_in_is_hung_up_on(said: bytes) -> None:
    keeper = Keeper()
    limits = dataclasses.replace(LONG, login_s=0.1)
    with source(keeper, limits) as made, Pile(port_of(made)) as pile:
        pile.link.sendall(said)
        assert pile.is_hung_up_on()


def test_who_is_silent_is_lost_and_comes_back() -> None:
    keeper = Keeper()
    limits = dataclasses.replace(LONG, silent_s=0.2)
    with source(keeper, limits, grace_s=0.2) as made:
        with Pile(port_of(made)) as pile:
            pile.log_in()
            assert pile.is_hung_up_on()
            wait_until(lambda: ("pile-1", Health.LOST) in keeper.statuses, "the loss")
        keeper.statuses.clear()
        with Pile(port_of(made)) as pile:
            pile.log_in()
            wait_until(lambda: ("pile-1", Health.OK) in keeper.statuses, "the return")


def test_noise_between_frames_and_frames_in_pieces() -> None:
    keeper = Keeper()
    with source(keeper) as made, Pile(port_of(made)) as pile:
        pile.log_in()
        frame = messages.frame_of(data(charging=True), 9).encoded()
        broken = frame[:-1] + bytes((frame[-1] ^ 1,))
        for piece in (b"\x00\x68\x02noise", broken, frame[:10], frame[10:11], frame[11:]):
            pile.link.sendall(piece)
        wait_until(lambda: keeper.values("temperature_c.1") == [38.0], "the reading")
        pile.link.sendall(b"\x68\xc8")  # promises two hundred bytes that never come
        pile.say(messages.Heartbeat(NUMBER, 1, 0))
        assert pile.hear(answers.HeartbeatAnswer).gun == 1


def test_a_flood_of_one_holds_nobody_else_up() -> None:
    """By counting: while one pile says thousands of frames and waits, each heartbeat of another is answered."""
    keeper = Keeper()
    limits = dataclasses.replace(LONG, frames_per_s=20.0, most_frames=50.0)
    with ExitStack() as stack:
        made = stack.enter_context(source(keeper, limits))
        flood, calm = (stack.enter_context(Pile(port_of(made), number)) for number in (NUMBER, OTHER))
        flood.log_in()
        calm.log_in()
        flood.link.setblocking(False)
        sent = flood.flood(messages.Heartbeat(NUMBER, 1, 0))
        for _ in range(30):
            calm.say(messages.Heartbeat(OTHER, 1, 0))
            calm.hear(answers.HeartbeatAnswer)
        assert sent < MOST_BYTES, "held back by TCP itself"
        waiting = [len(each._reader._buffer) + each.frames.waiting_bytes for each in made.callers]  # type: ignore[attr-defined]
        assert max(waiting) <= 2 * READ_BYTES + 2 * RECEIVE_BYTES + LARGEST_FRAME_BYTES
        assert made.platform.figures.frames < sent / 17


def test_a_client_that_does_not_read_is_hung_up_on() -> None:
    keeper = Keeper()
    limits = dataclasses.replace(LONG, write_s=0.1, frames_per_s=1e9, most_frames=1e9)
    with source(keeper, limits) as made, Pile(port_of(made)) as pile:
        pile.log_in()
        wait_until(lambda: pile.flood(messages.TariffRequest(NUMBER)) == 0, "that it takes no more")
        wait_until(lambda: not made.callers.by_device, "its end")


def test_strangers_take_no_place_from_piles() -> None:
    keeper = Keeper()
    limits = dataclasses.replace(LONG, strangers=4)
    with ExitStack() as stack:
        made = stack.enter_context(source(keeper, limits))
        silent = [stack.enter_context(Pile(port_of(made))) for _ in range(20)]
        wait_until(lambda: made.callers.counts["strangers_dropped"] == 20 - 6, "that the oldest go")
        wait_until(lambda: len(made.callers) <= 2 + 4, "the strangers' share")
        with Pile(port_of(made)) as pile:
            pile.log_in()
        assert len(silent) == 20


def test_beyond_all_bounds_callers_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "BACKLOG", -5)
    limits = dataclasses.replace(LONG, strangers=4)
    with ExitStack() as stack:
        made = stack.enter_context(source(Keeper(), limits))
        silent = [stack.enter_context(Pile(port_of(made))) for _ in range(4)]
        assert silent[-1].is_hung_up_on()
        assert made.callers.counts["turned_away"] == 1
        assert len(made.callers) == 3


def test_all_piles_may_come_back_at_once() -> None:
    """Before the first of them is heard each of them has called."""
    keeper = Keeper()
    numbers = [f"{index:014}" for index in range(60)]
    piles = tuple(YkcPileSettings(id=f"pile-{number}", number=number) for number in numbers)
    with ExitStack() as stack:
        made = stack.enter_context(source(keeper, configured=settings(piles=piles)))
        called = [stack.enter_context(Pile(port_of(made), number)) for number in numbers]
        for each in called:
            each.log_in()
        assert made.callers.counts["strangers_dropped"] == made.callers.counts["turned_away"] == 0
        assert len(made.callers.by_device) == 60


def test_orders_and_their_answers() -> None:
    keeper = Keeper()
    with source(keeper) as made, Pile(port_of(made)) as pile:
        pile.log_in().say(data(charging=True), data(gun=2))
        wait_until(lambda: len(keeper.values("status.2")) == 1, "both guns")

        def order(action: DeviceAction, reply: Callable[[], None], **arguments: Any) -> dict[str, Any]:
            thread = threading.Thread(target=reply)
            thread.start()
            try:
                return made.act("pile-1", action, arguments, wait_s=10.0)
            finally:
                thread.join()

        def stop(result: int, reason: int) -> Callable[[], None]:
            def reply() -> None:
                assert pile.hear(answers.StopOrder).gun == 1, "the one that charges"
                pile.say(messages.StopAnswer(NUMBER, 1, result, reason))

            return reply

        assert order(DeviceAction.STOP_CHARGE, stop(1, 0)) == {"result": "accepted", "connector": 1}
        assert pile.hear(answers.DataRequest) == answers.DataRequest(NUMBER, 1), "whether current still flows"
        assert pile.hear(answers.DataRequest) == answers.DataRequest(NUMBER, 1), "as often as is configured"
        with pytest.raises(CommandRefused, match="the gun is not charging"):
            order(DeviceAction.STOP_CHARGE, stop(0, 2))
        assert pile.hear(answers.DataRequest) == answers.DataRequest(NUMBER, 1), "all the more where it refuses"

        def reboot() -> None:
            assert pile.hear(answers.RebootOrder).when == 2
            pile.say(messages.RebootAnswer(NUMBER, 1))

        assert order(DeviceAction.RESET, reboot) == {"result": "accepted"}

        def clock() -> None:
            pile.say(messages.ClockAnswer(NUMBER, pile.hear(answers.ClockOrder).time))

        assert abs(order(DeviceAction.SET_CLOCK, clock)["skew_s"]) < 10

        def update() -> None:
            told = pile.hear(answers.UpdateOrder)
            assert (told.host, told.port, told.user, told.word, told.path) == ("10.0.0.9", 2121, "u", "p", "a/b.bin")
            pile.say(messages.UpdateAnswer(NUMBER, 2))

        with pytest.raises(CommandRefused, match="not its program"):
            order(DeviceAction.UPDATE_FIRMWARE, update, location="ftp://u:p@10.0.0.9:2121/a/b.bin")


def test_orders_that_make_no_sense_or_find_nobody() -> None:
    keeper = Keeper()
    with source(keeper) as made:
        assert made.control("sensor-1") is None
        assert made.control("pile-1") is made
        with pytest.raises(CommandRefused, match="no pile"):
            made.act("sensor-1", DeviceAction.RESET, {}, wait_s=0.1)
        with pytest.raises(DeviceUnreachable, match="not connected"):
            made.act("pile-1", DeviceAction.RESET, {}, wait_s=0.1)
        with Pile(port_of(made)) as pile:
            pile.log_in()
            wait_until(lambda: "pile-1" in made.callers.by_device, "the login")
            for action, arguments, words in (
                (DeviceAction.CHANGE_CONFIGURATION, {"key": "a", "value": "b"}, "can't be asked to"),
                (DeviceAction.STOP_CHARGE, {}, "say which one"),
                (DeviceAction.RESET, {"kind": "gentle"}, "gentle"),
                (DeviceAction.TRIGGER_MESSAGE, {"message": "heartbeat"}, "can't be asked for"),
                (DeviceAction.UPDATE_FIRMWARE, {"location": "http://10.0.0.9/a"}, "ftp://"),
                (DeviceAction.UPDATE_FIRMWARE, {"location": "ftp://a-host-with-a-long-name/a"}, "16 characters"),
                (DeviceAction.UPDATE_FIRMWARE, {"location": "ftp://10.0.0.9/"}, "a file"),
            ):
                with pytest.raises(CommandRefused, match=words):
                    made.act("pile-1", action, arguments, wait_s=1.0)
            with pytest.raises(CommandRefused, match="no gun 3"):
                made.act("pile-1", DeviceAction.STOP_CHARGE, {}, connector=3, wait_s=1.0)
            with pytest.raises(DeviceUnreachable, match="did not answer"):
                made.act("pile-1", DeviceAction.STOP_CHARGE, {}, connector=1, wait_s=0.05)
            location = {"location": "ftp://10.0.0.9/a.bin"}
            assert made.act("pile-1", DeviceAction.UPDATE_FIRMWARE, location, wait_s=0.05) == {"result": "under way"}


def test_an_order_ends_with_the_connection() -> None:
    keeper = Keeper()
    with source(keeper) as made, Pile(port_of(made)) as pile:
        pile.log_in()

        def leave() -> None:
            pile.hear(answers.StopOrder)
            pile.link.close()

        thread = threading.Thread(target=leave)
        thread.start()
        with pytest.raises(DeviceUnreachable, match="the connection ended"):
            made.act("pile-1", DeviceAction.STOP_CHARGE, {}, connector=1, wait_s=10.0)
        thread.join()


def test_a_port_that_is_taken_is_waited_for() -> None:
    keeper = Keeper()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        made = YkcSource(
            settings(port=port),
            keeper.keep,
            keeper.on_status,
            clock=lambda: datetime.now(UTC),
            timing=Timing(LONG, look_s=0.02, listen_s=0.02),
        )
        made.start()
        wait_until(lambda: ("pile-1", Health.LOST) in keeper.statuses, "that nobody can call")
    try:
        wait_until(lambda: made.port == port, "the port")
        with Pile(port) as pile:
            pile.log_in()
    finally:
        made.stop()


def test_stopping_waits_for_nobody() -> None:
    keeper = Keeper()
    with source(keeper) as made, Pile(port_of(made)) as pile:
        pile.log_in()
        keeper.refusing = True
        pile.say(record())
        wait_until(lambda: keeper.refused > 0, "the refusal")
        begun_s = time.monotonic()
        made.stop()
        assert time.monotonic() - begun_s < 5.0
        assert pile.is_hung_up_on()
    assert keeper.values("stop_reason.1") == []


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.binary(max_size=400), st.just(b"\x68\x0d\x00\x00\x00")), max_size=6), st.booleans())
def test_whatever_is_thrown_at_it_others_are_served(
    live_source: YkcSource, thrown: list[bytes], logged_in: bool
) -> None:
    port = port_of(live_source)
    with Pile(port, OTHER) as calm, Pile(port) as wild:
        if logged_in:
            wild.log_in()
        for data_ in thrown:
            wild.link.sendall(data_)
        calm.log_in()
        calm.say(messages.Heartbeat(OTHER, 1, 0))
        calm.hear(answers.HeartbeatAnswer)
    assert live_source.callers.counts["failed"] == 0


@pytest.fixture(scope="module")
def live_source() -> Iterator[YkcSource]:
    with source(Keeper()) as made:
        yield made
