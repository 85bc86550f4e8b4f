from collections.abc import Iterable
from uuid import UUID

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.contract.incident import Incident, IncidentState
from edge.errors import ConfigurationError
from edge.flow import Finding, Reading
from edge.rules.threshold import SET_BACK_S, UPDATE_S, ThresholdRule
from edge.settings import ThresholdSettings
from tests.fakes.scenes import at, seconds

OPEN, UPDATE, ENDED = IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED
HOT, WARM, COOL = 75.0, 57.0, 40.0


def rule(
    *, for_s: float = 0, clear: float | None = 55, clear_for_s: float = 0, period_s: float | None = 10
) -> ThresholdRule:
    settings = ThresholdSettings(
        kind="threshold", point="cable_c", above=60, clear=clear, for_s=for_s, clear_for_s=clear_for_s
    )
    return ThresholdRule(settings, "pile-1", unit="°C", period_s=period_s)


def reading(time_s: float, value: float | str) -> Reading:
    return Reading("pile-1", "cable_c", at(time_s), value, received_at=at(time_s))


def told(watching: ThresholdRule, readings: Iterable[tuple[float, float | str]]) -> list[Finding]:
    return [finding for time_s, value in readings for finding in watching.observe(reading(time_s, value))]


def test_a_value_beyond_the_limit_opens_at_once_when_no_duration_is_asked() -> None:
    (finding,) = told(rule(), [(0, COOL), (10, HOT)])
    assert (finding.state, finding.value, finding.unit, finding.point) == (OPEN, HOT, "°C", "cable_c")
    assert finding.started_at == at(10)
    assert finding.key == "pile-1/threshold-cable_c"


def test_the_limit_itself_is_not_beyond_it() -> None:
    assert told(rule(), [(0, 60.0)]) == []


def test_it_must_last_and_began_with_the_first_reading_of_the_stretch() -> None:
    said = told(rule(for_s=30), [(0, HOT), (10, HOT), (20, COOL), (30, HOT), (40, HOT), (50, HOT), (60, HOT)])
    assert [(finding.state, seconds(finding.started_at), seconds(finding.at)) for finding in said] == [(OPEN, 30, 60)]
    assert said[0].dwell_s == 30


def test_between_limit_and_clear_it_goes_on() -> None:
    said = told(rule(), [(0, HOT), (10, WARM), (20, HOT), (30, WARM), (40, COOL)])
    assert [finding.state for finding in said] == [OPEN, ENDED]
    assert said[1].ended_at == at(40)


def test_without_clear_the_limit_itself_clears() -> None:
    assert [finding.state for finding in told(rule(clear=None), [(0, HOT), (10, WARM)])] == [OPEN, ENDED]


def test_it_ends_after_the_clear_duration_with_the_first_clear_reading() -> None:
    said = told(rule(clear_for_s=20), [(0, HOT), (10, COOL), (20, HOT), (30, COOL), (40, COOL), (50, COOL)])
    assert [(finding.state, seconds(finding.at)) for finding in said] == [(OPEN, 0), (ENDED, 50)]
    assert said[1].ended_at == at(30)


def test_silence_is_no_evidence_that_it_lasted() -> None:
    assert told(rule(for_s=30), [(0, HOT), (3600, HOT)]) == []
    assert [finding.state for finding in told(rule(for_s=30), [(0, HOT), (3600, HOT), (3630, HOT)])] == [OPEN]


def test_silence_is_no_evidence_that_it_is_over() -> None:
    said = told(rule(clear_for_s=20), [(0, HOT), (10, COOL), (3600, COOL), (3610, HOT)])
    assert [finding.state for finding in said] == [OPEN]


def test_a_slow_sensor_without_a_declared_period_is_learnt() -> None:
    quiet = [(300.0 * index, COOL) for index in range(5)]
    hot = [(1500.0, HOT), (1800.0, HOT), (2100.0, HOT)]
    assert [finding.state for finding in told(rule(for_s=600, period_s=None), quiet + hot)] == [OPEN]


def test_worse_is_told_but_not_at_every_reading() -> None:
    said = told(rule(), [(float(time_s), 61.0 + time_s) for time_s in range(0, int(3 * UPDATE_S), 5)])
    assert [finding.state for finding in said] == [OPEN, UPDATE, UPDATE]
    assert [finding.value for finding in said] == [61, 61 + UPDATE_S, 61 + 2 * UPDATE_S]


def test_what_is_decided_stays_decided_when_a_reading_comes_late() -> None:
    watching = rule(for_s=20)
    assert len(told(watching, [(0, HOT), (20, HOT)])) == 1
    assert told(watching, [(10, COOL), (20, COOL), (-5, COOL)]) == []


def test_a_late_reading_breaks_a_stretch_that_is_not_decided_yet() -> None:
    said = told(rule(for_s=30), [(0, HOT), (20, HOT), (10, COOL), (30, HOT), (40, HOT), (50, HOT)])
    assert [(finding.state, seconds(finding.started_at)) for finding in said] == [(OPEN, 20)]


def test_texts_other_points_and_numbers_that_are_none_are_left_out() -> None:
    watching = rule()
    assert told(watching, [(0, "hot"), (1, float("nan")), (2, float("inf"))]) == []
    assert watching.observe(Reading("pile-2", "cable_c", at(3), HOT, at(3))) == ()
    assert watching.observe(Reading("pile-1", "other", at(3), HOT, at(3))) == ()


def test_below_is_the_mirror_of_above() -> None:
    settings = ThresholdSettings(kind="threshold", point="cable_c", below=10, clear=12)
    said = told(ThresholdRule(settings, "pile-1"), [(0, 20.0), (10, 9.0), (20, 5.0), (30, 11.0), (40, 12.0)])
    assert [(finding.state, finding.value) for finding in said] == [(OPEN, 9.0), (ENDED, 5.0)]


@pytest.mark.parametrize(
    "limits", [{}, {"above": 1.0, "below": 0.0}, {"above": 60.0, "clear": 61.0}, {"below": 10.0, "clear": 9.0}]
)
def test_senseless_limits_stop_the_start(limits: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="cable_c"):
        ThresholdRule(ThresholdSettings.model_validate({"kind": "threshold", "point": "cable_c", **limits}), "pile-1")


VALUES = st.sampled_from([HOT, WARM, COOL])


@given(st.lists(VALUES, max_size=40), st.sampled_from([0.0, 10.0, 25.0]), st.sampled_from([0.0, 15.0]), st.data())
def test_doubled_readings_change_nothing(
    values: list[float], for_s: float, clear_for_s: float, data: st.DataObject
) -> None:
    readings = [(10.0 * index, value) for index, value in enumerate(values)]
    doubled = [again for each in readings for again in [each] * data.draw(st.integers(1, 3))]
    once = told(rule(for_s=for_s, clear_for_s=clear_for_s), readings)
    assert told(rule(for_s=for_s, clear_for_s=clear_for_s), doubled) == once


@given(st.lists(st.tuples(st.integers(0, 300), VALUES), max_size=60), st.sampled_from([0.0, 10.0, 25.0]))
@example([(31, HOT), (0, HOT), (1, COOL), (30, COOL)], 0.0)
def test_in_any_order_opens_and_ends_alternate_and_time_does_not_run_back(
    readings: list[tuple[int, float]], for_s: float
) -> None:
    """They come in any order; the clock by which they come goes on."""
    watching = rule(for_s=for_s, clear_for_s=10)
    said = [
        finding
        for index, (time_s, value) in enumerate(readings)
        for finding in watching.observe(Reading("pile-1", "cable_c", at(time_s), value, received_at=at(301 + index)))
    ]
    wanted = OPEN
    for finding in said:
        if finding.state is UPDATE:
            assert wanted is ENDED
            continue
        assert finding.state is wanted
        wanted = ENDED if wanted is OPEN else OPEN
        assert finding.started_at <= (finding.ended_at or finding.at) <= finding.at
    decided = [finding.at for finding in said if finding.state is not UPDATE]
    assert decided == sorted(decided)


@hypothesis_settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(2, 8), st.sampled_from([HOT, COOL])), min_size=1, max_size=6))
def test_how_often_it_is_read_does_not_change_what_is_found(stretches: list[tuple[int, float]]) -> None:
    def sampled(step_s: float) -> list[tuple[float, float]]:
        readings, now_s = [], 0.0
        for minutes, value in stretches:
            end_s = now_s + minutes * 60
            while now_s < end_s:
                readings.append((now_s, value))
                now_s += step_s
        return readings

    def summary(step_s: float) -> list[tuple[IncidentState, float]]:
        said = told(rule(for_s=60, clear_for_s=60, period_s=30), sampled(step_s))
        return [
            (finding.state, seconds(finding.ended_at or finding.started_at))
            for finding in said
            if finding.state is not UPDATE
        ]

    assert summary(2) == summary(5) == summary(30)


def test_a_fast_sensor_and_a_long_duration_take_little_memory() -> None:
    watching = rule(for_s=600, period_s=0.1)
    said = told(watching, [(index / 10, HOT) for index in range(6100)])
    assert [(seconds(finding.started_at), seconds(finding.at)) for finding in said][:1] == [(0, 600)]
    assert len(watching._marks) <= 100


def open_incident(**changed: object) -> Incident:
    values: dict[str, object] = {
        "incident_id": UUID(int=1),
        "revision": 3,
        "state": UPDATE,
        "kind": "threshold",
        "category": "fire_safety",
        "severity": "high",
        "started_at": at(-600),
        "updated_at": at(-60),
        "device": "pile-1",
        "point": "cable_c",
        "value": 80.0,
    }
    return msgspec.convert(values | changed, Incident)


def test_after_a_restart_a_value_in_the_band_keeps_open_what_was_open() -> None:
    watching = rule(for_s=30)
    assert watching.resume(open_incident())
    assert told(watching, [(10 * number, WARM) for number in range(100)]) == []
    assert told(watching, [(1000 + 10 * number, HOT) for number in range(10)]) == []
    (ended,) = told(watching, [(1200, COOL)])
    assert (ended.state, ended.started_at, ended.value) == (ENDED, at(-600), 80.0)


def test_after_a_restart_what_is_clear_ends_and_a_worse_value_is_told() -> None:
    watching = rule(clear_for_s=20)
    assert watching.resume(open_incident())
    said = told(watching, [(0, 90.0), (10, COOL), (20, COOL), (30, COOL)])
    assert [(finding.state, finding.value) for finding in said] == [(UPDATE, 90.0), (ENDED, 90.0)]
    assert said[1].ended_at == at(10)


def test_an_incident_of_another_point_is_not_taken_up() -> None:
    watching = rule()
    assert not watching.resume(open_incident(point="humidity"))
    assert [finding.state for finding in told(watching, [(0, HOT)])] == [OPEN]


def test_an_incident_without_a_value_is_taken_up_too() -> None:
    watching = rule()
    assert watching.resume(open_incident(value=None))
    assert [finding.state for finding in told(watching, [(0, HOT), (10, COOL)])] == [UPDATE, ENDED]


def arriving(arrives_s: float, time_s: float, value: float) -> Reading:
    """A reading that arrives at one time and claims another."""
    return Reading("pile-1", "cable_c", at(time_s), value, received_at=at(arrives_s))


def test_a_device_clock_that_is_set_back_makes_the_rule_deaf_for_a_moment_only() -> None:
    watching = rule(for_s=20)
    for second in range(0, 100, 10):
        assert not watching.observe(arriving(second, second, COOL))
    said = [
        finding for second in range(100, 200, 10) for finding in watching.observe(arriving(second, second - 3600, HOT))
    ]
    assert said[0].state is OPEN
    assert said[0].started_at == at(100 - 3600)
    assert watching.set_back == 1


def test_a_clock_that_is_set_back_and_then_forth_is_believed_after_half_a_minute_too() -> None:
    watching = rule(period_s=0.5)
    places = [(0.5 * number, 0.0) for number in range(38)]
    places += [(19 + 0.5 * number, -3_600.0) for number in range(33)]
    for arrives_s, offset_s in places:
        assert not watching.observe(arriving(arrives_s, arrives_s + offset_s, COOL))
    said = [
        finding
        for number in range(round(2 * (SET_BACK_S + 1)))
        for finding in watching.observe(arriving(36 + 0.5 * number, 36 + 0.5 * number - 3_510, HOT))
    ]
    assert [finding.state for finding in said] == [OPEN]


def test_what_was_open_when_the_clock_was_set_back_ends_with_its_true_length() -> None:
    watching = rule()
    (opened,) = watching.observe(arriving(0, 0, HOT))
    said = [
        finding
        for second in range(10, 200, 10)
        for finding in watching.observe(arriving(second, second - 86_400, HOT if second < 100 else COOL))
    ]
    (ended,) = [finding for finding in said if finding.state is ENDED]
    assert ended.key == opened.key
    assert ended.dwell_s == 100


def test_a_buffer_that_is_played_back_is_no_clock_that_was_set_back() -> None:
    watching = rule()
    watching.observe(arriving(0, 0, COOL))
    for number in range(600):
        arrives_s = 1 + number * 0.1
        assert not watching.observe(arriving(arrives_s, -6_100 + 10 * number, HOT if number < 10 else COOL))
        if number % 50 == 0:
            watching.observe(arriving(arrives_s, arrives_s, COOL))
    assert watching.set_back == 0


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    period_s=st.sampled_from([0.5, 1.0, 10.0, 60.0]),
    steps=st.lists(
        st.tuples(st.integers(5, 60), st.sampled_from([-86_400.0, -3_600.0, -90.0, -5.0, 0.0, 5.0, 90.0, 86_400.0])),
        max_size=5,
    ),
    rate=st.sampled_from([0.99, 1.0, 1.01]),
    for_s=st.sampled_from([0.0, 30.0]),
)
def test_whatever_a_devices_clock_does_a_fire_is_seen_and_its_end_too(
    period_s: float, steps: list[tuple[int, float]], rate: float, for_s: float
) -> None:
    watching = rule(period_s=period_s, for_s=for_s, clear_for_s=for_s)
    arrives_s, offset_s = 0.0, 0.0
    said: list[Finding] = []

    def hear(value: float, readings: int) -> None:
        nonlocal arrives_s
        for _ in range(readings):
            arrives_s += period_s
            said.extend(watching.observe(arriving(arrives_s, arrives_s * rate + offset_s, value)))

    for readings, step_s in steps:
        hear(COOL, readings)
        offset_s += step_s
    enough = 4 + int((2 * SET_BACK_S + 2 * for_s) / period_s)
    hear(HOT, enough)
    assert [finding.state for finding in said if finding.state is not UPDATE] == [OPEN]
    for readings, step_s in steps:
        offset_s += step_s
        hear(WARM, readings)
    hear(COOL, enough)
    assert [finding.state for finding in said if finding.state is not UPDATE] == [OPEN, ENDED]
    assert all(finding.dwell_s is not None and finding.dwell_s >= 0 for finding in said)
