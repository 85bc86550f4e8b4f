"""Thresholds with a schedule, folding and a cool-down: as for rules on cameras, and no worse value is ever hidden."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from edge.contract.incident import Incident, IncidentState, Severity
from edge.flow import Finding, Reading, ReadingRule
from edge.rules.reading_folding import FoldedReadings, folded_always
from edge.rules.threshold import SET_BACK_S, UPDATE_S, ThresholdRule
from edge.settings import ScheduleWindow, ThresholdSettings
from tests.fakes.scenes import at, seconds

OPEN, UPDATE, ENDED = IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED
COOL, HOT, HOTTER, HOTTEST = 40.0, 70.0, 80.0, 90.0


def made(
    *, fold_s: float = 0, cooldown_s: float = 0, schedule: Sequence[ScheduleWindow] = (), below: bool = False
) -> FoldedReadings:
    limit = {"below": -60.0} if below else {"above": 60.0}
    settings = ThresholdSettings(
        kind="threshold", point="t", fold_s=fold_s, cooldown_s=cooldown_s, schedule=tuple(schedule), **limit
    )
    return folded_always(ThresholdRule(settings, "pile-1", period_s=10), settings)


def reading(time_s: float, value: float, *, received_s: float | None = None) -> Reading:
    return Reading("pile-1", "t", at(time_s), value, received_at=at(time_s if received_s is None else received_s))


def told(rule: ReadingRule, values: Iterable[float], *, first_s: float = 0) -> list[Finding]:
    """What is told of values that come every ten seconds."""
    times = enumerate(values)
    return [finding for index, value in times for finding in rule.observe(reading(first_s + 10 * index, value))]


def lines(said: Sequence[Finding]) -> list[tuple[IncidentState, float, float | None, int | None]]:
    return [(finding.state, seconds(finding.at), finding.value, finding.count) for finding in said]


def test_stretches_within_the_fold_are_one_incident_with_their_number_and_the_worst_value() -> None:
    said = told(made(fold_s=25), [HOTTER, COOL, COOL, HOT, COOL, COOL, COOL, COOL, HOT])
    assert lines(said) == [
        (OPEN, 0, HOTTER, None),
        (UPDATE, 30, HOTTER, 2),
        (ENDED, 70, HOTTER, 2),
        (OPEN, 80, HOT, None),
    ]
    assert (said[2].started_at, said[2].ended_at) == (at(0), at(40))


def test_after_an_end_nothing_opens_for_a_while_unless_the_value_is_worse() -> None:
    said = told(made(cooldown_s=100), [HOTTER, COOL, HOT, COOL, HOTTEST, COOL])
    assert lines(said) == [
        (OPEN, 0, HOTTER, None),
        (ENDED, 10, HOTTER, None),
        (OPEN, 40, HOTTEST, None),
        (ENDED, 50, HOTTEST, None),
    ]


def test_below_a_limit_what_lies_lower_is_worse() -> None:
    values = [-HOTTER, COOL, -HOT, COOL, -HOTTEST]
    said = told(made(cooldown_s=100, below=True), values)
    assert [(finding.state, finding.value) for finding in said] == [(OPEN, -HOTTER), (ENDED, -HOTTER), (OPEN, -HOTTEST)]


def test_what_still_holds_after_the_cool_down_opens_with_its_true_beginning() -> None:
    said = told(made(cooldown_s=60), [HOT, COOL, HOT, HOT, HOT, HOT, HOT, HOT])
    assert [(finding.state, seconds(finding.at)) for finding in said] == [(OPEN, 0), (ENDED, 10), (OPEN, 70)]
    assert (said[2].started_at, said[2].dwell_s) == (at(20), 50)


def test_outside_of_its_schedule_nothing_opens() -> None:
    # the tests' time begins at 16:00 in China
    rule = made(schedule=[ScheduleWindow(start="16:01", end="16:02")])
    said = told(rule, [COOL, HOT, COOL, COOL, HOT, HOT, HOT, COOL, HOT, HOT, HOT, HOT, HOT, COOL, HOT])
    assert [(finding.state, seconds(finding.at), seconds(finding.started_at)) for finding in said] == [
        (OPEN, 60, 40),
        (ENDED, 70, 40),
        (OPEN, 80, 80),
        (ENDED, 130, 80),
    ]


def test_a_fold_ends_by_node_time_where_the_sensor_falls_silent() -> None:
    rule = made(fold_s=60)
    rule.observe(reading(0, HOT, received_s=1000))
    rule.observe(reading(10, COOL, received_s=1010))
    assert rule.passed(at(1069)) == []
    [ended] = rule.passed(at(1070))
    assert (ended.state, ended.ended_at, ended.at) == (ENDED, at(10), at(70))
    assert rule.passed(at(5000)) == []


def test_silence_before_the_first_reading_is_nothing() -> None:
    assert made(fold_s=60).passed(at(100)) == ()


def test_other_points_move_no_time() -> None:
    rule = made(fold_s=60)
    told(rule, [HOT, COOL])
    assert rule.observe(Reading("pile-1", "other", at(500), 1.0, at(500))) == ()
    assert rule.observe(Reading("pile-2", "t", at(500), 1.0, at(500))) == ()


def test_a_clock_that_is_set_back_holds_nothing_back_until_its_old_time() -> None:
    rule = made(cooldown_s=3600)
    told(rule, [HOT, COOL], first_s=100_000)
    steps = [index * 10.0 for index in range(int(SET_BACK_S / 10) + 3)]
    back = [rule.observe(reading(1000 + step, COOL, received_s=100_020 + step)) for step in steps]
    assert back[-1] == []
    later_s = 1000 + steps[-1] + 10
    [opened] = rule.observe(reading(later_s, HOT, received_s=100_030 + steps[-1]))
    assert (opened.state, opened.at) == (OPEN, at(later_s))


def incident(*, count: int | None, value: float) -> Incident:
    return Incident(
        incident_id=UUID(int=1),
        revision=2,
        state=UPDATE,
        kind="threshold",
        category="fire_safety",
        severity=Severity.HIGH,
        started_at=at(-100),
        updated_at=at(-10),
        device="pile-1",
        point="t",
        value=value,
        count=count,
    )


def test_after_a_restart_an_incident_goes_on_with_its_number_and_its_worst() -> None:
    rule = made(fold_s=25)
    assert rule.resume(incident(count=3, value=HOTTEST))
    said = told(rule, [COOL, HOT, COOL, COOL, COOL, COOL])
    assert lines(said) == [(UPDATE, 10, HOTTEST, 4), (ENDED, 50, HOTTEST, 4)]
    assert said[1].started_at == at(-100)


values = st.lists(st.sampled_from([COOL, HOT, HOTTER, HOTTEST]), max_size=40)


@given(values)
def test_with_nothing_to_fold_all_is_told_as_it_is(course: list[float]) -> None:
    assert told(made(), course) == told(made().rule, course)


@given(values, st.sampled_from([0.0, 15.0, 60.0]), st.sampled_from([0.0, 35.0, 300.0]))
def test_in_any_course_ends_follow_beginnings_and_no_worse_value_is_hidden(
    course: list[float], fold_s: float, cooldown_s: float
) -> None:
    rule = made(fold_s=fold_s, cooldown_s=cooldown_s)
    said = [*told(rule, course), *rule.passed(at(100_000))]
    is_open = False
    for finding in said:
        assert (finding.state is OPEN) != is_open
        is_open = finding.state is not ENDED
        assert (finding.state is ENDED) == (finding.ended_at is not None)
        assert finding.ended_at is None or finding.started_at <= finding.ended_at <= finding.at
    stretches = [finding for finding in told(made().rule, course) if finding.state is OPEN]
    for finding in stretches:  # what begins worse than all that was there before is told at once
        before = course[: round(seconds(finding.at) / 10)]
        if finding.value is not None and finding.value > max(before, default=0.0):
            assert any(each.at == finding.at and each.value == finding.value for each in said), finding
    assert sum(finding.state is OPEN for finding in said) <= len(stretches)
    if is_open:  # only what is beyond its limit still
        assert course
        assert course[-1] != COOL


def test_what_becomes_worse_while_it_is_held_back_is_told_with_the_next_word_of_its_rule() -> None:
    hot = [HOT] * int(UPDATE_S / 10)
    said = told(made(cooldown_s=3600), [HOTTER, COOL, *hot, HOTTEST])
    assert lines(said)[2:] == [(OPEN, 20 + UPDATE_S, HOTTEST, None)]
