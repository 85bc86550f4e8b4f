"""Signs that meet at a spot are one worse incident; the single ones are untouched."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.contract.incident import IncidentState, Severity
from edge.flow import Finding
from edge.rules.composite import CompositeRule
from edge.settings import CompositeSettings
from tests.fakes.scenes import at, seconds

OPEN, UPDATE, ENDED = IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED

FIRE = {
    "id": "pile-fire",
    "within_s": 120,
    "signs": [
        {"name": "heat", "kinds": ["threshold"], "points": ["temperature_c"], "required": True},
        {"name": "heat", "faults": ["over_temperature"]},
        {"name": "smoke", "faults": ["smoke"]},
        {"name": "people", "kinds": ["intrusion"]},
        {"name": "people", "sees": ["person"]},
    ],
}


def rule(**changed: object) -> CompositeRule:
    return CompositeRule(CompositeSettings.model_validate(FIRE | changed), "shed")


def finding(device: str, kind: str, since_s: float, until_s: float | None = None, **more: Any) -> Finding:
    return replace(
        Finding(
            key=f"{device}/{kind}",
            state=OPEN if until_s is None else ENDED,
            rule=kind,
            kind=kind,
            category="fire_safety",
            severity=Severity.HIGH,
            device=device,
            started_at=at(since_s),
            at=at(since_s if until_s is None else until_s),
            ended_at=None if until_s is None else at(until_s),
        ),
        **more,
    )


def heat(since_s: float, until_s: float | None = None, **more: Any) -> Finding:
    return finding("pile-1", "threshold", since_s, until_s, point="temperature_c.1", **more)


def smoke(since_s: float, until_s: float | None = None, **more: Any) -> Finding:
    return finding("smoke-1", "device_fault", since_s, until_s, fault="smoke", point="faults", **more)


def told(of: CompositeRule, findings: Sequence[Finding]) -> list[Finding]:
    return [each for finding in findings for each in of.observe(finding)]


def test_heat_and_smoke_within_the_time_are_one_critical_incident_that_names_both() -> None:
    (opened,) = told(rule(), [heat(0), smoke(100)])
    assert (opened.state, opened.severity, opened.device, opened.kind) == (
        OPEN,
        Severity.CRITICAL,
        "pile-1",
        "composite",
    )
    assert seconds(opened.started_at) == 100
    assert opened.note == "heat: pile-1 temperature_c.1; smoke: smoke-1 smoke"


def test_too_far_apart_or_the_same_sign_twice_is_none() -> None:
    assert told(rule(), [heat(0, 10), smoke(131)]) == []
    assert told(rule(), [heat(0), finding("pile-2", "device_fault", 5, fault="over_temperature")]) == []
    assert told(rule(), [smoke(0), finding("cam-1", "intrusion", 5)]) == []


def test_a_further_sign_joins_and_it_is_over_when_all_are() -> None:
    said = told(rule(), [heat(0), smoke(10), finding("cam-1", "intrusion", 60), smoke(10, 90), heat(0, 300)])
    assert [each.state for each in said] == [OPEN, UPDATE]
    of = rule()
    said = told(of, [heat(0), smoke(10), smoke(10, 90), heat(0, 300)])
    assert [each.state for each in said] == [OPEN, ENDED]
    assert said[-1].ended_at == at(300)
    assert told(of, [heat(900)]) == []


def test_people_whom_a_camera_sees_are_a_sign() -> None:
    of = rule()
    assert told(of, [heat(0)]) == []
    (opened,) = of.saw("cam-1", ["person", "vehicle"], at(2))
    assert opened.note == "heat: pile-1 temperature_c.1; people: cam-1 sees person, vehicle"
    assert [each.state for each in told(of, [heat(0, 60)])] == [ENDED]


def test_what_was_found_in_history_alone_is_told_as_history() -> None:
    (ended,) = told(rule(), [heat(0, 60, replayed=True), smoke(30, 90, replayed=True)])
    assert (ended.state, ended.replayed) == (ENDED, True)
    said = told(rule(), [heat(0, 60), smoke(30, 90, replayed=True)])
    assert [(each.state, each.replayed) for each in said] == [(OPEN, False), (ENDED, False)]


def test_nothing_worse_is_hidden() -> None:
    (opened,) = told(rule(severity="medium"), [heat(0), smoke(1, severity=Severity.CRITICAL)])
    assert opened.severity is Severity.CRITICAL


@pytest.mark.parametrize(
    "wrong",
    [
        {"signs": [{"name": "heat"}, {"name": "smoke", "faults": ["smoke"]}]},
        {"at_least": 4},
        {"signs": [{"name": "a", "sees": ["person"], "kinds": ["sos"]}, {"name": "b", "kinds": ["sos"]}]},
    ],
)
def test_senseless_composites_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CompositeSettings.model_validate(FIRE | wrong)


SIGNS = st.lists(
    st.tuples(st.sampled_from([heat, smoke]), st.integers(0, 1000), st.integers(1, 200)), min_size=1, max_size=8
)


@settings(max_examples=150, deadline=None)
@given(SIGNS, st.randoms(use_true_random=False))
def test_in_any_order_and_doubled_opens_and_ends_alternate_and_the_end_leaves_nothing_open(
    signs: list[tuple[object, int, int]], chance: object
) -> None:
    findings = []
    for index, (make, since_s, lasts_s) in enumerate(signs):
        for each in (make(since_s), make(since_s, since_s + lasts_s)):  # type: ignore[operator]
            findings += [replace(each, key=f"{each.key}/{index}")] * 2
    chance.shuffle(findings)  # type: ignore[attr-defined]
    of = rule()
    said = told(of, findings)
    wanted = OPEN
    for each in said:
        if each.state is not UPDATE:
            assert each.state is wanted
            wanted = ENDED if wanted is OPEN else OPEN
        assert each.started_at <= (each.ended_at or each.at)
    assert wanted is OPEN
    spans = [(make.__name__, since, since + lasts) for make, since, lasts in signs]  # type: ignore[attr-defined]
    meets = any(
        one[0] != other[0] and other[1] - one[2] <= 120 and one[1] - other[2] <= 120 for one in spans for other in spans
    )
    assert said or not meets
    in_order = sorted(findings, key=lambda each: (each.at, each.state is ENDED))
    assert bool(told(rule(), in_order)) == meets
