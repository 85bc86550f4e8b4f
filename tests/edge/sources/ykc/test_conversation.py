import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract.telemetry import ReadingFlag
from edge.flow import Reading
from edge.settings import YkcSettings
from edge.sources.knocks import MOST_KNOCKED
from edge.sources.ykc import answers, messages
from edge.sources.ykc.answers import answer_of
from edge.sources.ykc.conversation import ASK_AGAIN_S, CLOCK_EVERY_S, Conversation, Turn
from edge.sources.ykc.frame import Frame
from edge.sources.ykc.messages import frame_of
from edge.sources.ykc.moment import AS_GOOD_AS_LIVE_S, STORED_AT_MOST_S, STORED_PACE_S
from edge.sources.ykc.platform import Platform
from tests.edge.sources.ykc.saying import NOW, NUMBER, TRANSACTION, data, login, record, settings


class Talk:
    """A conversation that has begun, at a time that the test moves."""

    def __init__(
        self, *, receipts: Sequence[bytes] = (), live: bool = True, logged_in: bool = True, **more: Any
    ) -> None:
        self.platform = Platform(settings(**more), receipts=receipts)
        self.now, self.now_s = NOW, 1_000.0
        self.sequence = 0
        self.begin()
        if logged_in:
            self.hear(login())
        if live:
            self.hear(messages.TariffCheck(NUMBER, "0100"))

    def begin(self) -> None:
        self.conversation = Conversation(self.platform)
        self.sequence = 0

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.now_s += seconds

    def frame(self, frame: Frame) -> Turn:
        self.now += timedelta(microseconds=1)
        return self.conversation.hear(frame, self.now, self.now_s)

    def hear(self, message: messages.Message, *, kept: bool = True) -> Turn:
        turn = self.frame(frame_of(message, self.sequence))
        self.sequence += 1
        if kept:
            self.platform.records.settle(turn.marks)
        return turn


def said(turn: Turn) -> list[answers.Answer | None]:
    return [answer_of(frame) for frame in turn.frames]


def values(readings: Sequence[Reading]) -> dict[str, float | str]:
    return {reading.point: reading.value for reading in readings}


def test_login_is_answered_with_its_sequence_and_the_clock_is_set() -> None:
    talk = Talk(logged_in=False, live=False)
    talk.sequence = 7
    turn = talk.hear(login())
    welcome, clock = turn.frames
    assert (welcome.sequence, answer_of(welcome)) == (7, answers.LoginAnswer(NUMBER, 0))
    order = answer_of(clock)
    assert isinstance(order, answers.ClockOrder)
    assert clock.sequence == 0
    assert abs(order.time - NOW) < timedelta(milliseconds=2)
    assert values(turn.readings) == {"firmware": "V1.2"}
    assert turn.login == "pile-1"


def test_nothing_is_said_to_whom_nobody_knows() -> None:
    talk = Talk(logged_in=False, live=False)
    for message in (data(), messages.Heartbeat(NUMBER, 1, 0), record()):
        assert talk.hear(message) == Turn()
    assert talk.platform.figures.before_login == 3
    turn = talk.hear(login("1" * 14))
    assert said(turn) == [answers.LoginAnswer("1" * 14, 1)]
    assert turn.farewell == "its number is not configured"
    assert talk.platform.knocks.total == 1
    for number in range(200):
        talk.hear(login(f"{number:014}"))
    talk.hear(login(f"{199:014}"))
    knocked = talk.platform.knocks.by_name
    assert len(knocked) == MOST_KNOCKED
    assert list(knocked.items())[-1] == (f"{199:014}", 2)


def test_a_clock_that_was_never_set_sets_no_other() -> None:
    talk = Talk(logged_in=False, live=False)
    talk.now = datetime(1970, 1, 1, tzinfo=UTC)
    assert len(talk.hear(login()).frames) == 1


def test_the_clock_is_set_daily() -> None:
    talk = Talk()
    talk.wait(CLOCK_EVERY_S - 1)
    assert talk.conversation.tick(talk.now, talk.now_s) == []
    talk.wait(1)
    (order,) = talk.conversation.tick(talk.now, talk.now_s)
    assert isinstance(answer_of(order), answers.ClockOrder)
    turn = talk.hear(messages.ClockAnswer(NUMBER, talk.now + timedelta(seconds=3)))
    assert turn.outcome is not None
    assert talk.platform.figures.skew_s == {"pile-1": 3.0}


def test_heartbeats_are_answered_also_of_a_gun_that_is_not_configured() -> None:
    talk = Talk()
    assert said(talk.hear(messages.Heartbeat(NUMBER, 1, 0))) == [answers.HeartbeatAnswer(NUMBER, 1)]
    assert said(talk.hear(messages.Heartbeat(NUMBER, 9, 0))) == [answers.HeartbeatAnswer(NUMBER, 9)]
    assert talk.platform.refused() == {"pile-1: unknown_gun": 1}


def test_a_heartbeat_that_says_fault_is_told_and_asked_about_once_in_a_while() -> None:
    talk = Talk()
    talk.hear(data())
    turn = talk.hear(messages.Heartbeat(NUMBER, 1, 1))
    assert values(turn.readings) == {"status.1": "faulted"}
    assert said(turn)[1:] == [answers.DataRequest(NUMBER, 1)]
    talk.hear(data())  # it says that it is not
    assert said(talk.hear(messages.Heartbeat(NUMBER, 1, 1))) == [answers.HeartbeatAnswer(NUMBER, 1)]
    talk.hear(data())
    talk.wait(ASK_AGAIN_S)
    assert len(talk.hear(messages.Heartbeat(NUMBER, 1, 1)).frames) == 2


def test_the_tariff_is_checked_and_told() -> None:
    talk = Talk(tariff={"energy_yuan": (2.0, 3.0, 4.0, 5.0), "service_yuan": (0.4,) * 4})
    assert said(talk.hear(messages.TariffCheck(NUMBER, "0000"))) == [answers.TariffCheckAnswer(NUMBER, "0100", 1)]
    assert said(talk.hear(messages.TariffCheck(NUMBER, "0100"))) == [answers.TariffCheckAnswer(NUMBER, "0100", 0)]
    (tariff,) = said(talk.hear(messages.TariffRequest(NUMBER)))
    assert isinstance(tariff, answers.Tariff)
    assert tariff.prices == (200_000, 40_000, 300_000, 40_000, 400_000, 40_000, 500_000, 40_000)
    assert tariff.slots == (2,) * 48


def test_whoever_asks_may_charge_or_not() -> None:
    asked = messages.StartRequest(NUMBER, 1, 1, 0, "00000000d14b0a54", bytes(16), bytes(17))
    (permission,) = said(Talk().hear(asked))
    assert isinstance(permission, answers.StartPermission)
    assert (permission.result, permission.card) == (1, "00000000d14b0a54")
    assert permission.transaction == f"{NUMBER}01" + "260316171447" + "0001"
    (permission,) = said(Talk(accept_starts=False).hear(asked))
    assert isinstance(permission, answers.StartPermission)
    assert permission.result == 0


def test_a_charging_gun_tells_what_it_measures() -> None:
    turn = Talk().hear(data(charging=True))
    assert values(turn.readings) == {
        "voltage_v.1": 380.0,
        "current_a.1": 32.0,
        "power_w.1": 12_160.0,
        "temperature_c.1": 38.0,
        "battery_temperature_c.1": 30.0,
        "energy_wh.1": 3_000.0,
        "soc_pct.1": 40.0,
        "status.1": "charging",
        "plugged.1": "yes",
        "charging.1": TRANSACTION,
        "faults.1": "none",
        "raw_code.1": "none",
    }
    assert not any(reading.flag for reading in turn.readings)


def test_a_temperature_of_nought_in_an_idle_gun_is_not_measured() -> None:
    told = values(Talk().hear(data()).readings)
    assert not {"temperature_c.1", "battery_temperature_c.1", "soc_pct.1", "energy_wh.1"} & told.keys()
    assert told["current_a.1"] == 0.0
    assert told["status.1"] == "available"
    assert values(Talk().hear(data(plugged=1)).readings)["status.1"] == "preparing"


@pytest.mark.parametrize("state", [0, 1, 2, 4, 255])
def test_nought_is_not_measured_in_any_state_but_charging(state: int) -> None:
    assert "temperature_c.1" not in values(Talk().hear(data(state=state)).readings)


def test_fifty_below_in_a_charging_gun_is_refused_and_counted() -> None:
    talk = Talk()
    assert "temperature_c.1" not in values(talk.hear(data(charging=True, cable_temperature_raw=0)).readings)
    assert talk.platform.refused() == {"pile-1: out_of_range temperature_c.1": 1}


@given(st.integers(1, 255))
def test_the_offset_of_fifty_degrees(raw: int) -> None:
    told = values(Talk().hear(data(charging=True, cable_temperature_raw=raw)).readings)
    assert told.get("temperature_c.1") == (float(raw - 50) if -40 <= raw - 50 <= 200 else None)


def test_hardware_bits_become_faults_with_their_raw_code() -> None:
    turn = Talk().hear(data(charging=True, hardware_faults=1 << 2 | 1 << 11 | 1 << 15))
    faults = next(reading for reading in turn.readings if reading.point == "faults.1")
    assert faults.value == "contactor+other+over_temperature"
    assert faults.raw_code == "0x13 bit 3,12,16"
    assert values(turn.readings)["raw_code.1"] == "0x13 bit 3,12,16"


def test_a_gun_that_is_faulted_and_does_not_say_by_what() -> None:
    told = values(Talk().hear(data(state=1)).readings)
    assert (told["status.1"], told["faults.1"], told["raw_code.1"]) == ("faulted", "other", "0x13 state 1")


def test_what_the_battery_says_stays_until_it_says_otherwise_or_the_charge_ends() -> None:
    talk = Talk()
    hot = messages.BatteryState(TRANSACTION, NUMBER, 1, 0, 110, 1, 90, 2, 1 << 6)
    assert values(talk.hear(hot).readings) == {"battery_temperature_c.1": 60.0}
    told = values(talk.hear(data(charging=True)).readings)
    assert (told["faults.1"], told["raw_code.1"]) == ("battery_over_temperature", "0x25 0040")
    talk.hear(dataclasses.replace(hot, states=0))
    assert values(talk.hear(data(charging=True)).readings)["faults.1"] == "none"
    talk.hear(hot)
    assert values(talk.hear(data()).readings)["faults.1"] == "none"


def test_aborts_are_events_with_their_raw_code() -> None:
    talk = Talk()
    (reason, code) = talk.hear(messages.BmsAbort(TRANSACTION, NUMBER, 1, 0, 1 << 8, 0)).readings
    assert (reason.point, reason.value) == ("stop_reason.1", "battery_over_temperature")
    assert reason.is_event
    assert reason.raw_code == code.value == "0x1D 00 0100 00"
    (reason, _) = talk.hear(messages.ChargerAbort(TRANSACTION, NUMBER, 2, 0b0100, 0, 0)).readings
    assert (reason.point, reason.value) == ("stop_reason.2", "local")
    assert not talk.hear(messages.ChargeError(TRANSACTION, NUMBER, 1, bytes(8))).readings
    (reason, _) = talk.hear(messages.ChargeError(TRANSACTION, NUMBER, 1, b"\1" + bytes(7))).readings
    assert reason.value == "communication"


def test_what_is_told_of_an_update_and_at_the_end_of_a_charge() -> None:
    talk = Talk()
    assert values(talk.hear(messages.UpdateAnswer(NUMBER, 3)).readings) == {"firmware_status": "download_failed"}
    end = messages.ChargeEnd(TRANSACTION, NUMBER, 1, 96, 0, 0, 70, 95, 60, 300, 1)
    assert values(talk.hear(end).readings) == {"soc_pct.1": 96.0, "battery_temperature_c.1": 45.0}


def test_a_record_is_told_once_and_answered_always() -> None:
    talk = Talk()
    talk.hear(data(charging=True))
    turn = talk.hear(record())
    assert values(turn.readings) == {
        "stop_reason.1": "over_temperature",
        "stop_code.1": "0x3B 74",
        "energy_wh.1": 5_000.0,
        "charging.1": "none",
    }
    assert said(turn) == [answers.RecordAnswer(TRANSACTION, 0)]
    for _ in range(3):
        talk.wait(30)
        again = talk.hear(record())
        assert (again.readings, again.again, again.marks) == ((), (), ())
        assert said(again) == [answers.RecordAnswer(TRANSACTION, 0)]
    assert (talk.platform.figures.records, talk.platform.figures.doubled) == (1, 3)


def test_a_record_on_its_way_is_not_answered_yet() -> None:
    talk = Talk()
    first = talk.hear(record(), kept=False)
    assert talk.hear(record()) == Turn()
    talk.platform.records.settle(first.marks)
    assert said(talk.hear(record())) == [answers.RecordAnswer(TRANSACTION, 0)]


def test_a_record_that_could_not_be_kept_is_new_when_it_comes_again() -> None:
    talk = Talk()
    talk.platform.records.forget(talk.hear(record(), kept=False).marks)
    assert talk.hear(record()).readings


def test_a_record_that_another_process_kept_reaches_the_rules_once_more() -> None:
    marks = Talk().hear(record()).marks
    talk = Talk(receipts=marks)
    talk.wait(45)
    turn = talk.hear(record())
    assert (turn.readings, turn.marks) == ((), ())
    assert values(turn.again)["stop_reason.1"] == "over_temperature"
    assert {reading.observed_at for reading in turn.again} == {NOW}
    assert talk.hear(record()).again == ()


def test_records_without_a_number_are_known_by_what_they_say() -> None:
    talk = Talk()
    nameless = record(transaction=messages.NO_TRANSACTION)
    assert talk.hear(nameless).readings
    assert not talk.hear(nameless).readings
    assert talk.hear(dataclasses.replace(nameless, card="1" * 16)).readings


def test_the_end_of_a_charge_that_was_heard_lies_behind_what_was_heard() -> None:
    """A pile whose clock is eight hours behind does not make history of what happens now."""
    talk = Talk()
    talk.hear(data(charging=True))
    heard_at = talk.now
    talk.wait(5)
    turn = talk.hear(record(ended_at=NOW - timedelta(hours=8)))
    reason = turn.readings[0]
    assert reason.observed_at == heard_at + timedelta(microseconds=1)
    assert ReadingFlag.REPLAYED not in reason.flag


def test_a_record_of_long_ago_is_history() -> None:
    talk = Talk()
    turn = talk.hear(record(ended_at=NOW - timedelta(hours=1)))
    assert all(ReadingFlag.REPLAYED in reading.flag for reading in turn.readings)
    assert {reading.observed_at for reading in turn.readings} == {NOW - timedelta(hours=1)}


def test_times_that_can_not_be_are_those_of_the_node() -> None:
    talk = Talk()
    turn = talk.hear(record(ended_at=None))
    assert {reading.observed_at for reading in turn.readings} == {talk.now}
    other = record(ended_at=NOW + timedelta(hours=1), transaction="9" * 32)
    turn = talk.hear(other)
    assert all(ReadingFlag.CLAMPED in reading.flag for reading in turn.readings)
    assert talk.platform.figures.clamped["pile-1"] == 3


def test_what_comes_before_the_tariff_is_asked_for_was_stored() -> None:
    talk = Talk(live=False)
    talk.hear(messages.Heartbeat(NUMBER, 1, 0))
    turn = talk.hear(data(charging=True, cable_temperature_raw=140, charging_min=5))
    assert all(ReadingFlag.REPLAYED in reading.flag for reading in turn.readings)
    began_at = datetime(2026, 3, 16, 9, tzinfo=UTC)
    assert {reading.observed_at for reading in turn.readings} == {began_at + timedelta(minutes=5)}
    again = talk.hear(data(charging=True, cable_temperature_raw=141, charging_min=5))
    numbers = {reading.observed_at for reading in again.readings}
    assert numbers == {began_at + timedelta(minutes=5, seconds=15, microseconds=1)}
    assert {reading.point for reading in again.readings if isinstance(reading.value, str)} == set(), "told already"
    asked = talk.hear(messages.TariffCheck(NUMBER, "0100"))
    assert said(asked)[1:] == [answers.DataRequest(NUMBER, 1), answers.DataRequest(NUMBER, 2)]
    live = talk.hear(data(charging=True))
    assert not any(reading.flag for reading in live.readings)


def test_what_was_stored_leaves_no_trace_in_the_present() -> None:
    talk = Talk()
    talk.hear(data(charging=True))
    talk.begin()
    talk.hear(login())
    talk.hear(data(state=1, hardware_faults=1))
    assert talk.platform.readings(NUMBER) is not None
    turn = talk.hear(messages.TariffCheck(NUMBER, "0100"))
    assert len(turn.frames) == 3
    assert values(talk.hear(record()).readings)["charging.1"] == "none", "the charge is known still"


def test_stored_data_of_the_last_minutes_is_as_good_as_live() -> None:
    talk = Talk(live=False)
    turn = talk.hear(data(charging=True, charging_min=14))
    assert not any(reading.flag for reading in turn.readings)
    assert NOW - datetime(2026, 3, 16, 9, 14, tzinfo=UTC) < timedelta(seconds=AS_GOOD_AS_LIVE_S)


def test_a_pile_that_never_asks_for_its_tariff_is_live_after_a_pause() -> None:
    talk = Talk(live=False)
    assert talk.hear(data()).readings[0].flag == ReadingFlag.REPLAYED
    talk.wait(STORED_PACE_S + 1)
    assert len(talk.conversation.tick(talk.now, talk.now_s)) == 2
    assert talk.conversation.tick(talk.now, talk.now_s) == []
    assert not talk.hear(data()).readings[0].flag


def test_history_does_not_silence_a_pile_for_ever() -> None:
    talk = Talk(live=False)
    for _ in range(int(STORED_AT_MOST_S) + 1):
        talk.wait(1.0)
        last = talk.hear(data())
    assert not last.readings[0].flag


def test_data_of_a_charge_whose_record_has_come_is_history() -> None:
    talk = Talk()
    talk.hear(record())
    turn = talk.hear(data(charging=True, cable_temperature_raw=140))
    assert all(ReadingFlag.REPLAYED in reading.flag for reading in turn.readings)
    assert not any(reading.flag for reading in talk.hear(data()).readings)


def test_a_pile_speaks_for_itself_only() -> None:
    talk = Talk()
    assert talk.hear(data(pile="1" * 14)) == Turn()
    assert talk.hear(data(gun=3)) == Turn()
    assert talk.hear(record(gun=0)) == Turn()
    assert talk.platform.refused() == {"pile-1: wrong_pile": 1, "pile-1: unknown_gun": 2}


def test_encrypted_malformed_and_unknown_frames_are_counted() -> None:
    talk = Talk()
    assert talk.frame(Frame(0, 0x13, bytes(80), encryption=1)) == Turn()
    assert talk.frame(Frame(0, 0x13, bytes(10))) == Turn()
    assert talk.frame(Frame(0, 0x61, bytes(16))) == Turn()
    assert talk.frame(Frame(0, 0x03, bytes.fromhex("5503141278230500FF"))).frames
    assert talk.frame(Frame(0, 0x03, bytes.fromhex("55031412782305AA00"))) == Turn()
    figures = talk.platform.figures
    assert (figures.encrypted, figures.malformed, figures.unknown_type) == (1, {"13": 1, "03": 1}, {"61": 1})
    stranger = Talk(logged_in=False, live=False)
    assert stranger.frame(Frame(0, 0x01, bytes(32), encryption=1)).farewell == "it encrypts, and no key is agreed"


def test_piles_that_stay_are_known_over_a_reload() -> None:
    talk = Talk()
    talk.hear(data(charging=True))
    talk.platform.adopt(settings(guns=1))
    assert talk.hear(data(gun=2)) == Turn()
    assert values(talk.hear(record()).readings)["charging.1"] == "none"
    talk.platform.adopt(YkcSettings())
    assert talk.hear(data()) == Turn()


frames = st.builds(
    Frame,
    st.integers(0, 0xFFFF),
    st.sampled_from([*messages.LAYOUTS, 0x00, 0x61, 0xA1, 0xFF]),
    st.binary(max_size=196).flatmap(
        lambda tail: st.sampled_from(
            [
                tail,
                bytes.fromhex(NUMBER) + tail[:189],
                bytes.fromhex(TRANSACTION + NUMBER + "01") + tail[:172],
                bytes.fromhex(NUMBER + "02") + tail[:188],
            ]
        )
    ),
    st.sampled_from([0, 0, 0, 0, 1, 255]),
)


@given(st.lists(frames, max_size=20), st.booleans())
def test_whatever_a_pile_says_raises_nothing_and_makes_sound_readings(said_: list[Frame], live: bool) -> None:
    talk = Talk(live=live)
    declared = {point.name: point for point in talk.platform.piles[NUMBER].declared}
    for frame in said_:
        turn = talk.frame(frame)
        for answer in turn.frames:
            assert len(answer.encoded()) <= 204
        for reading in (*turn.readings, *turn.again):
            point = declared[reading.point]
            assert isinstance(reading.value, str) == (point.kind != "number")
            assert reading.is_event == (point.kind == "event")
            assert reading.observed_at <= talk.now
            if isinstance(reading.value, float) and point.minimum is not None and point.maximum is not None:
                assert point.minimum <= reading.value <= point.maximum


steps = st.lists(
    st.tuples(st.sampled_from(["kept", "kept", "failed", "restart", "reconnect"]), st.integers(0, 3)), max_size=40
)


@given(steps)
def test_each_record_is_told_once_and_none_is_answered_before_it_is_kept(said_: list[tuple[str, int]]) -> None:
    """Whatever fails, is doubled or starts anew: of the answered ones each was kept once, and rules of each process see it once at most."""
    talk, marks, kept, seen = Talk(), list[bytes](), list[str](), dict[str, int]()
    for event, number in said_:
        transaction = f"{TRANSACTION[:-1]}{number}"
        if event == "restart":
            talk, seen = Talk(receipts=marks), {}
        elif event == "reconnect":
            talk.begin()
            talk.hear(login())
        turn = talk.hear(record(transaction=transaction), kept=False)
        if event == "failed":
            talk.platform.records.forget(turn.marks)
            continue
        marks += turn.marks
        talk.platform.records.settle(turn.marks)
        kept += [transaction for reading in turn.readings if reading.point == "stop_reason.1"]
        events = [each for each in (*turn.readings, *turn.again) if each.point == "stop_reason.1"]
        seen[transaction] = seen.get(transaction, 0) + len(events)
        assert seen[transaction] <= 1
        assert said(turn) == [answers.RecordAnswer(transaction, 0)]
        assert kept.count(transaction) == 1
