"""What is looked at again, and when."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from edge.contract.incident import IncidentState, Severity
from edge.flow import Finding, Scene
from edge.node.second_looks import LATE_LOOK_S, SECOND_LOOK_S, SecondLooks
from tests.edge.records import START
from tests.fakes.scenes import standing_at, walk


def finding(
    state: IncidentState, seconds: float, *, key: str = "cam-1/1", severity: Severity = Severity.LOW
) -> Finding:
    at = START + timedelta(seconds=seconds)
    return Finding(
        key=key,
        state=state,
        rule="rule",
        kind="intrusion",
        category="public_order",
        severity=severity,
        device="cam-1",
        started_at=START,
        at=at,
        ended_at=at if state is IncidentState.ENDED else None,
        dwell_s=2.0,
        track_ids=(1,),
    )


def scene(seconds: float, *, empty: bool = False) -> Scene:
    seen = next(walk(1, [(0.0, standing_at(0.5, 0.9))]))
    at: datetime = START + timedelta(seconds=seconds)
    return replace(seen, at=at, tracks=() if empty else seen.tracks)


def test_what_is_still_there_after_a_while_is_looked_at_once_more_as_it_is_by_then() -> None:
    looks = SecondLooks()
    looks.follow(finding(IncidentState.OPEN, 0.0))
    looks.follow(finding(IncidentState.UPDATE, 1.0, severity=Severity.CRITICAL))
    assert not looks.is_due(scene(SECOND_LOOK_S - 0.1), SECOND_LOOK_S)
    assert not looks.is_due(scene(SECOND_LOOK_S), LATE_LOOK_S)
    assert looks.is_due(scene(SECOND_LOOK_S), SECOND_LOOK_S)
    [again] = looks.take(scene(2.0))
    assert (again.state, again.severity, again.dwell_s) == (IncidentState.UPDATE, Severity.CRITICAL, 3.0)
    assert looks.take(scene(9.0)) == []


def test_who_has_left_is_not_looked_at_and_what_has_ended_is_over() -> None:
    looks = SecondLooks()
    looks.follow(finding(IncidentState.OPEN, 0.0))
    assert not looks.is_due(scene(3.0, empty=True), SECOND_LOOK_S)
    looks.follow(finding(IncidentState.ENDED, 3.0))
    assert looks.take(scene(4.0)) == []
    looks.follow(finding(IncidentState.OPEN, 5.0))
    looks.clear()
    assert looks.take(scene(9.0)) == []


@given(st.lists(st.sampled_from([IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED, None]), max_size=30))
def test_each_opening_has_one_second_look_at_most(steps: Sequence[IncidentState | None]) -> None:
    looks, openings, taken = SecondLooks(), 0, 0
    for second, step in enumerate(steps):
        if step is None:
            due = looks.is_due(scene(second), SECOND_LOOK_S)
            found = looks.take(scene(second))
            assert bool(found) is due
            taken += len(found)
        else:
            openings += step is IncidentState.OPEN
            looks.follow(finding(step, second))
        assert taken <= openings
