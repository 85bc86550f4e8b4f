"""What a threshold would have cost and saved."""

from hypothesis import given
from hypothesis import strategies as st

from cloud.verdicts.advice import (
    LEAST_FALSE,
    LEAST_JUDGEMENTS,
    LEAST_TRUE,
    HintCode,
    Outcome,
    Side,
    Sighting,
    advise,
    alarms_of,
    hints,
    weigh,
)
from cloud.verdicts.model import Verdict
from edge.contract.incident import Severity


def sighting(
    number: int,
    measured: float | None,
    verdict: Verdict = Verdict.FALSE_ALARM,
    severity: Severity = Severity.MEDIUM,
    *,
    reason: str | None = None,
    hour: int = 3,
) -> Sighting:
    return Sighting(
        event_id=number,
        case_id=number,
        case_number=f"110105-{number}",
        verdict=verdict,
        reason=reason,
        severity=severity,
        measured=measured,
        hour=hour,
    )


def usual(severity: Severity = Severity.MEDIUM) -> list[Sighting]:
    """Fifteen false alarms of up to 75 s, ten true ones from 70 s on."""
    false = [sighting(number, 5.0 * number) for number in range(1, 16)]
    true = [sighting(100 + number, 70.0 + number, Verdict.TRUE, severity) for number in range(10)]
    return false + true


def test_it_advises_what_spares_most_and_loses_nothing() -> None:
    found = advise("loitering", usual())
    assert found.outcome is Outcome.ADVISED
    assert found.advised is not None
    assert found.advised.threshold == 66.0, "the mildest whole second that does it"
    assert (found.advised.lost.part, found.advised.saved.part, found.advised.saved.whole) == (0, 13, 15)
    assert found.advised.lost.high > 0.2, "none of ten is no promise"
    assert found.lowest == 5.0


def test_the_dearer_ones_are_shown_with_what_they_cost() -> None:
    found = advise("loitering", usual(Severity.HIGH))
    dearest = found.candidates[-1]
    assert dearest.saved.part == 15
    assert dearest.lost.part == dearest.lost_severe > 0
    assert [each.reach for each in found.true_alarms] == sorted(each.reach for each in found.true_alarms)


def test_a_case_is_spared_only_with_all_of_its_incidents() -> None:
    alarms, unmeasured = alarms_of([sighting(1, 3.0), sighting(1, 30.0), sighting(2, None)], Side.ABOVE)
    assert (len(alarms), alarms[0].reach, unmeasured) == (1, 30.0, 1)


def test_unsure_ones_and_tests_say_nothing() -> None:
    assert alarms_of([sighting(1, 3.0, Verdict.UNSURE), sighting(2, 3.0, Verdict.TEST)], Side.ABOVE) == ([], 0)


def test_too_few_is_said() -> None:
    found = advise("loitering", usual()[:12])
    assert (found.outcome, found.advised) == (Outcome.NOT_ENOUGH, None)
    assert (found.needed.judgements, found.needed.false_alarms, found.needed.true_alarms) == (8, 0, LEAST_TRUE)


def test_nothing_safe() -> None:
    true = [sighting(100 + number, 1.0, Verdict.TRUE) for number in range(10)]
    assert advise("loitering", [*usual()[:15], *true]).outcome is Outcome.NOTHING_SAFE


def test_kinds_without_a_threshold() -> None:
    assert advise("sos", usual()).outcome is Outcome.NO_THRESHOLD


def test_a_true_one_just_past_a_false_one_is_not_stepped_over() -> None:
    false = [sighting(number, 60.25) for number in range(15)]
    true = [sighting(100 + number, 60.5, Verdict.TRUE, Severity.HIGH) for number in range(6)]
    found = advise("loitering", false + true)
    assert found.advised is not None
    assert (found.advised.threshold, found.advised.saved.part) == (60.251, 15)
    assert [each.threshold for each in found.candidates] == [60.251, 61.0]


def test_counts_are_whole() -> None:
    people = [sighting(number, float(5 + number % 4)) for number in range(20)]
    crowd = [sighting(100 + number, 12.0, Verdict.TRUE, Severity.HIGH) for number in range(5)]
    found = advise("crowd", people + crowd)
    assert found.advised is not None
    assert found.advised.threshold == 9.0
    assert found.knob is not None
    assert found.knob.brief, "who were as many for a moment only would be lost as well"


def test_a_limit_below() -> None:
    low = [sighting(number, 2.0 + number / 10) for number in range(15)]
    true = [sighting(100 + number, 1.0 - number / 10, Verdict.TRUE, Severity.CRITICAL) for number in range(6)]
    found = advise("threshold", low + true, Side.BELOW)
    assert found.lowest == 3.4
    assert found.advised is not None
    assert 1.0 <= found.advised.threshold < 2.0
    assert found.advised.saved.part == 15


SIGHTINGS = st.lists(
    st.builds(
        sighting,
        st.integers(1, 60),
        st.floats(0, 600),
        st.sampled_from([Verdict.TRUE, Verdict.FALSE_ALARM, Verdict.DUPLICATE, Verdict.UNSURE]),
        st.sampled_from(list(Severity)),
    ),
    max_size=60,
    unique_by=lambda each: each.event_id,
)


@given(SIGHTINGS, st.sampled_from(list(Side)), st.sampled_from(["loitering", "crowd", "threshold"]))
def test_what_is_advised_never_loses_a_true_one(sightings: list[Sighting], side: Side, kind: str) -> None:
    found = advise(kind, sightings, side)
    alarms, _ = alarms_of(sightings, side)
    sign = 1 if side is Side.ABOVE else -1
    for each in found.candidates:
        gone = [alarm for alarm in alarms if sign * alarm.reach < sign * each.threshold]
        assert each.lost.part == sum(alarm.is_right for alarm in gone)
        assert each.saved.part == len(gone) - each.lost.part
    if found.advised is not None:
        assert found.advised.lost.part == found.advised.lost_severe == 0
        assert found.advised.saved.part == max(each.saved.part for each in found.candidates if not each.lost.part)
        assert len(alarms) >= LEAST_JUDGEMENTS
        assert sum(not alarm.is_right for alarm in alarms) >= LEAST_FALSE


@given(SIGHTINGS, st.floats(0, 600), st.floats(0, 600))
def test_a_higher_threshold_costs_and_saves_no_less(sightings: list[Sighting], one: float, other: float) -> None:
    alarms, _ = alarms_of(sightings, Side.ABOVE)
    low, high = weigh(alarms, min(one, other)), weigh(alarms, max(one, other))
    assert low.lost.part <= high.lost.part
    assert low.saved.part <= high.saved.part


def test_hours_and_reasons() -> None:
    night = [sighting(number, 1.0, reason="light", hour=2) for number in range(20)]
    day = [sighting(100 + number, 1.0, Verdict.TRUE, hour=12) for number in range(20)]
    schedule, mask = hints(night + day)
    assert (schedule.code, schedule.hours, schedule.share.part) == (HintCode.SCHEDULE, (2,), 0)
    assert (mask.code, mask.share.part, mask.share.whole) == (HintCode.MASK, 20, 20)
    severe = sighting(200, 1.0, Verdict.TRUE, Severity.CRITICAL, hour=2)
    assert [each.code for each in hints([*night, *day, severe])] == [HintCode.MASK]
    assert hints(night[:3]) == ()
