from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract.telemetry import ReadingFlag
from edge.sources.ocpp.station_clock import Moment, StationClock, instant

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def heard(clock: StationClock, device_at: datetime, received_at: datetime) -> Moment:
    clock.hear(device_at, received_at)
    return clock.moment(device_at, received_at)


def test_a_right_clock_is_believed_to_the_microsecond() -> None:
    said = NOW - timedelta(seconds=1, microseconds=17)
    moment = heard(StationClock(), said, NOW)
    assert (moment.observed_at, moment.flag, moment.own_time) == (said, ReadingFlag.NONE, True)


def test_an_hour_that_is_played_back_is_history_at_its_own_time() -> None:
    clock = StationClock()
    for minute in range(60):
        said, came = after(60.0 * minute - 3_600), after(0.02 * minute)
        moment = heard(clock, said, came)
        assert moment.replayed == ((came - said).total_seconds() > 60)
        assert moment.observed_at == said
    assert clock.skew_s == pytest.approx(0, abs=0.1)


def test_a_slow_clock_is_told_from_a_replay_by_its_pace() -> None:
    clock = StationClock()
    moments = [heard(clock, after(10.0 * each - 7_200), after(10.0 * each)) for each in range(6)]
    assert [moment.replayed for moment in moments] == [True, True, False, False, False, False]
    assert clock.skew_s == -7_200
    assert moments[-1].observed_at == after(50)
    assert moments[-1].flag == ReadingFlag.CLAMPED
    assert not moments[-1].own_time


def test_what_a_slow_clock_plays_back_is_history_nevertheless() -> None:
    clock = StationClock()
    for each in range(4):
        heard(clock, after(10.0 * each - 7_200), after(10.0 * each))
    moment = heard(clock, after(-7_200 - 1_800), after(31))
    assert moment.replayed
    assert (moment.observed_at - after(-1_800)).total_seconds() == pytest.approx(0, abs=2)


def test_a_future_time_is_clamped_and_its_replay_known_once_the_skew_is() -> None:
    clock = StationClock()
    first = heard(clock, after(28_800), NOW)
    assert (first.observed_at, first.flag) == (NOW, ReadingFlag.CLAMPED)
    for each in range(1, 4):
        heard(clock, after(28_800 + 10.0 * each), after(10.0 * each))
    assert clock.skew_s == 28_800
    assert heard(clock, after(28_800 - 3_600), after(31)).replayed


def test_a_clock_that_was_set_right_is_right_at_once() -> None:
    clock = StationClock()
    for each in range(4):
        heard(clock, after(10.0 * each + 500), after(10.0 * each))
    assert clock.skew_s == 500
    moment = heard(clock, after(40), after(40))
    assert (moment.observed_at, moment.flag, moment.own_time) == (after(40), ReadingFlag.NONE, True)


def test_the_same_message_sent_again_and_again_is_no_clock() -> None:
    clock = StationClock()
    for each in range(20):
        heard(clock, after(-600), after(10.0 * each))
    assert clock.skew_s == 0


def test_the_nodes_own_correction_is_taken_into_account() -> None:
    clock, correction = StationClock(), timedelta(hours=5)
    true_now = NOW + correction
    clock.hear(true_now, NOW, correction)
    moment = clock.moment(true_now, NOW, correction)
    assert (moment.observed_at, moment.own_time) == (NOW, True)


@pytest.mark.parametrize(
    "value", [None, 7, "", "yesterday", "2026-13-01T00:00:00Z", "9" * 41, "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_time_is_none(value: object) -> None:
    assert instant(value) is None


def test_a_time_without_a_zone_is_utc() -> None:
    assert instant("2026-03-01T12:00:00") == NOW


def test_a_clock_that_was_never_set_is_not_believed() -> None:
    moment = heard(StationClock(), datetime(1970, 1, 1, 0, 5, tzinfo=UTC), NOW)
    assert (moment.observed_at, moment.device_at) == (NOW, None)


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(0, 120)), max_size=40))
def test_whatever_a_station_says_nothing_lies_in_the_future(said: list[tuple[float, float]]) -> None:
    clock, now = StationClock(), NOW
    for offset_s, pause_s in said:
        now += timedelta(seconds=pause_s)
        moment = heard(clock, now + timedelta(seconds=offset_s), now)
        assert moment.observed_at <= now + timedelta(seconds=0)


@given(st.floats(-50_000, 50_000), st.integers(5, 40), st.floats(1, 30))
def test_a_clock_at_any_distance_is_known_after_a_while(skew_s: float, messages: int, period_s: float) -> None:
    clock = StationClock()
    for each in range(messages):
        clock.hear(after(each * period_s + skew_s), after(each * period_s))
    if (messages - 1) * period_s >= 20 + period_s:
        assert clock.skew_s == pytest.approx(skew_s, abs=2.1)
