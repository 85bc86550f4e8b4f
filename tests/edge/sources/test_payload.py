import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.telemetry import ReadingFlag
from edge.settings import PointSettings, SensorSettings
from edge.sources.payload import (
    FUTURE_TOLERANCE_S,
    LARGEST_PAYLOAD_BYTES,
    REPLAYED_AFTER_S,
    Parsed,
    Refusal,
    StateMemory,
    parse,
)

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def sensor(**changes: Any) -> SensorSettings:
    points = (
        PointSettings(name="temperature_c", path="body.temperatures.1", minimum=-40, maximum=150),
        PointSettings(name="door", kind="state"),
    )
    return SensorSettings(**{"id": "pile-1", "topic": "piles/1", "points": points, **changes})


def message(temperature: Any = 21.5, **more: Any) -> bytes:
    return json.dumps({"body": {"temperatures": [0, temperature]}, **more}).encode()


def values(parsed: Parsed) -> dict[str, float | str]:
    return {reading.point: reading.value for reading in parsed.readings}


def test_declared_points_are_read_along_their_paths() -> None:
    parsed = parse(message(door="open", more={"ignored": True}), sensor(), NOW)
    assert values(parsed) == {"temperature_c": 21.5, "door": "open"}
    assert parsed.refusals == ()
    assert {reading.observed_at for reading in parsed.readings} == {NOW}


def test_a_message_may_hold_a_part_of_the_points() -> None:
    parsed = parse(message(), sensor(), NOW)
    assert values(parsed) == {"temperature_c": 21.5}
    assert parsed.refusals == ()
    assert parse(b"{}", sensor(), NOW).refusals == (Refusal.MISSING, Refusal.MISSING)


@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        ("21.5", Refusal.WRONG_TYPE),
        (True, Refusal.WRONG_TYPE),
        ([21.5], Refusal.WRONG_TYPE),
        ({"value": 21.5}, Refusal.WRONG_TYPE),
        (150.1, Refusal.OUT_OF_RANGE),
        (-41, Refusal.OUT_OF_RANGE),
        (10**400, Refusal.OUT_OF_RANGE),
    ],
)
def test_values_that_are_not_what_was_declared_are_refused_alone(value: Any, refusal: Refusal) -> None:
    parsed = parse(message(value, door="shut"), sensor(), NOW)
    assert values(parsed) == {"door": "shut"}
    assert parsed.refusals == (refusal,)


@pytest.mark.parametrize(
    ("payload", "refusal"),
    [
        (b"", Refusal.MALFORMED),
        (b"\xff\xfe", Refusal.MALFORMED),
        (b'{"body":', Refusal.MALFORMED),
        (b"[" * 20_000, Refusal.MALFORMED),
        (b'{"body":{"temperatures":[0,NaN]}}', Refusal.MALFORMED),
        (b" " * (LARGEST_PAYLOAD_BYTES + 1), Refusal.OVERSIZED),
    ],
)
def test_messages_that_cannot_be_read_are_counted(payload: bytes, refusal: Refusal) -> None:
    assert parse(payload, sensor(), NOW) == Parsed(refusals=(refusal,))


@pytest.mark.parametrize("state", [True, 3, "open"])
def test_states_of_several_types_become_text(state: Any) -> None:
    expected = "true" if state is True else str(state)
    assert values(parse(message(door=state), sensor(), NOW))["door"] == expected


@pytest.mark.parametrize("state", ["x" * 201, "a\0b", 1.5, ["open"], 10**30])
def test_states_that_are_none_are_refused(state: Any) -> None:
    assert "door" not in values(parse(message(door=state), sensor(), NOW))


def at(**offset: float) -> datetime:
    return NOW + timedelta(**offset)


@pytest.mark.parametrize(
    ("time", "observed_at", "flag"),
    [
        (at(seconds=-5).isoformat(), at(seconds=-5), ReadingFlag.NONE),
        ("2026-03-01T15:59:55+08:00", at(seconds=-5), ReadingFlag.NONE),
        (at(seconds=-5).timestamp(), at(seconds=-5), ReadingFlag.NONE),
        (int(at(seconds=-5).timestamp() * 1000), at(seconds=-5), ReadingFlag.NONE),
        (at(seconds=1).isoformat(), NOW, ReadingFlag.NONE),
        (at(hours=1).isoformat(), NOW, ReadingFlag.CLAMPED),
        (at(hours=-1).isoformat(), at(hours=-1), ReadingFlag.REPLAYED),
    ],
)
def test_the_devices_time_holds_where_it_can(time: Any, observed_at: datetime, flag: ReadingFlag) -> None:
    parsed = parse(message(sent_at=time), sensor(time="sent_at"), NOW)
    [reading] = parsed.readings
    assert (reading.observed_at, reading.flag, reading.received_at) == (observed_at, flag, NOW)
    assert parsed.skew_s is not None


@pytest.mark.parametrize(
    "time",
    ["yesterday", "2026-03-01T08:00:00", None, True, 0, 1e300, -1e300, [], {}, "9999-12-31T23:59:59-23:00", 10**400],
)
def test_a_time_that_cannot_be_is_replaced_and_counted(time: Any) -> None:
    parsed = parse(message(sent_at=time), sensor(time="sent_at"), NOW)
    assert parsed.refusals == (Refusal.BAD_TIME,)
    assert parsed.readings[0].observed_at == NOW


def test_neither_clock_was_ever_set_and_the_devices_is_in_another_zone() -> None:
    start = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    parsed = parse(message(sent_at="1970-01-01T00:00:30+08:00"), sensor(time="sent_at"), start)
    assert parsed.refusals == (Refusal.BAD_TIME,)
    assert parsed.readings[0].told_at == start


def test_simulated_sensors_say_so() -> None:
    assert parse(message(), sensor(simulated=True), NOW).readings[0].flag is ReadingFlag.SIMULATED


def test_states_are_told_when_they_change_and_only_what_was_kept_is_remembered() -> None:
    memory = StateMemory()

    def states(*doors: str) -> list[str | float]:
        readings = [reading for door in doors for reading in parse(message(door=door), sensor(), NOW).readings]
        return [reading.value for reading in memory.changes(readings) if reading.point == "door"]

    assert states("open", "open", "shut", "open") == ["open", "shut", "open"]
    assert states("open") == ["open"]
    memory.kept(parse(message(door="open"), sensor(), NOW).readings)
    assert states("open", "open", "shut") == ["shut"]


def test_after_a_replayed_state_the_present_one_is_told_again() -> None:
    memory = StateMemory()
    door = parse(message(door="open"), sensor(), NOW).readings
    late = [replace(reading, value="shut", flag=ReadingFlag.REPLAYED) for reading in door if reading.point == "door"]
    memory.kept(list(memory.changes(door)))
    assert [reading.value for reading in memory.changes([*late, *door, *door]) if reading.point == "door"] == [
        "shut",
        "open",
    ]
    memory.kept(list(memory.changes(late)))
    told = list(memory.changes(door))
    assert "open" in [reading.value for reading in told]
    memory.kept(told)
    assert "open" not in [reading.value for reading in memory.changes(door)]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=50), JSON.map(lambda value: json.dumps(value).encode())), JSON)
def test_nothing_a_sensor_says_raises_or_gives_a_value_that_is_none(payload: bytes, value: Any) -> None:
    told = json.dumps({"body": {"temperatures": [value, value]}, "door": value, "sent_at": value}).encode()
    for each in (payload, told):
        parsed = parse(each, sensor(time="sent_at"), NOW)
        for reading in parsed.readings:
            assert isinstance(reading.value, str) or (math.isfinite(reading.value) and -40 <= reading.value <= 150)
            assert NOW - timedelta(days=367) <= reading.observed_at <= NOW


TIMED = sensor(time="at")


@given(
    wrong_s=st.sampled_from([0.0, -86_400.0, 86_400.0, -1_700_000_000.0]),
    known=st.booleans(),
    device_s=st.one_of(st.floats(-3_000_000, 3_000_000), st.sampled_from([0.0, 1.5, 2.5, -59.0, -61.0, 250e9])),
)
def test_whatever_clocks_say_a_reading_lies_in_the_past_and_a_believed_time_of_the_device_stays_its_own(
    wrong_s: float, known: bool, device_s: float
) -> None:
    # the node's clock is `wrong_s` off, and the node may know it; the device's is `device_s` off
    truth = NOW
    received_at = truth + timedelta(seconds=wrong_s)
    correction = timedelta(seconds=-wrong_s) if known else timedelta(0)
    try:
        device_at = truth + timedelta(seconds=device_s)
    except OverflowError:
        device_at = datetime(9999, 12, 30, tzinfo=UTC)
    parsed = parse(message(at=device_at.isoformat()), TIMED, received_at, correction=correction)
    for reading in parsed.readings:
        assert reading.observed_at <= received_at
        assert reading.own_time == (reading.told_at == device_at and reading.flag & ReadingFlag.CLAMPED == 0)
        if reading.own_time:
            assert reading.told_at - reading.observed_at == correction
        else:
            assert reading.observed_at == received_at
        if known and -REPLAYED_AFTER_S < device_s < 0:
            assert reading.told_at == device_at
        if known and device_s > FUTURE_TOLERANCE_S:
            assert ReadingFlag.CLAMPED in reading.flag


def test_a_device_with_the_right_time_is_believed_as_soon_as_the_node_knows_that_its_own_is_wrong() -> None:
    slow = timedelta(days=1)
    said = message(at=(NOW - timedelta(seconds=1)).isoformat())
    [before] = parse(said, TIMED, NOW - slow).readings
    [after] = parse(said, TIMED, NOW - slow, correction=slow).readings
    assert (before.flag, before.told_at) == (ReadingFlag.CLAMPED, NOW - slow)
    assert (after.flag, after.told_at) == (ReadingFlag.NONE, NOW - timedelta(seconds=1))
    assert after.observed_at == NOW - slow - timedelta(seconds=1)


def test_of_an_event_what_has_not_occurred_is_no_reading_and_no_mistake() -> None:
    post = sensor(points=(PointSettings(name="sos", kind="event"), PointSettings(name="door", kind="state")))
    for quiet in (False, 0, ""):
        parsed = parse(json.dumps({"sos": quiet, "door": "shut"}).encode(), post, NOW)
        assert values(parsed) == {"door": "shut"}
        assert parsed.refusals == ()
    for pressed, word in ((True, "true"), (7, "7"), ("pressed", "pressed")):
        (reading,) = parse(json.dumps({"sos": pressed}).encode(), post, NOW).readings
        assert (reading.value, reading.is_event) == (word, True)
    assert parse(b'{"sos": {}}', post, NOW).refusals == (Refusal.WRONG_TYPE, Refusal.MISSING)


def test_an_event_that_the_broker_kept_is_history_unless_it_tells_its_time() -> None:
    post = sensor(points=(PointSettings(name="sos", kind="event"), PointSettings(name="door", kind="state")), time="at")
    said = {"sos": True, "door": "open"}
    flags = [reading.flag for reading in parse(json.dumps(said).encode(), post, NOW, retained=True).readings]
    assert flags == [ReadingFlag.REPLAYED, ReadingFlag.NONE]
    timed = json.dumps({**said, "at": (NOW - timedelta(seconds=3)).isoformat()}).encode()
    assert {reading.flag for reading in parse(timed, post, NOW, retained=True).readings} == {ReadingFlag.NONE}
