"""Crowd: enough in a zone at once, for long enough; who is missed for a moment disperses nobody."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from edge.contract.incident import IncidentState, TrackPoint
from edge.contract.telemetry import to_microseconds
from edge.flow import Finding, Scene, Track
from edge.rules.crowd import CrowdRule
from edge.rules.held import UPDATE_S
from edge.settings import CrowdSettings
from tests.fakes.scenes import at, seconds, standing_at

SQUARE = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
OPEN, UPDATE, ENDED = IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED


def made(at_least: int = 3, still: int | None = None) -> CrowdRule:
    settings = CrowdSettings(
        kind="crowd", zone="yard", at_least=at_least, still_at_least=still, for_s=10, clear_for_s=5
    )
    return CrowdRule(settings, SQUARE, "c")


def track(number: int, second: float, *, x: float = 0.25) -> Track:
    box = standing_at(x, 0.8)
    point = TrackPoint(to_microseconds(at(second)), *box)
    return Track(number, "person", box, 0.9, at(second), at(second), 0.9, (point,))


def scene(second: float, people: Sequence[int], *, ended: Sequence[int] = (), x: float = 0.25) -> Scene:
    return Scene(
        "c",
        at(second),
        tuple(track(number, second, x=x) for number in people),
        tuple(track(number, second) for number in ended),
    )


def told(said: Sequence[Finding]) -> list[tuple[IncidentState, float, int | None]]:
    return [(finding.state, seconds(finding.at), finding.count) for finding in said]


def run(rule: CrowdRule, counts: Sequence[int]) -> list[Finding]:
    said: list[Finding] = []
    before: set[int] = set()
    for second, count in enumerate(counts):
        now = set(range(count))
        said += rule.observe(scene(second, sorted(now), ended=sorted(before - now)))
        before = now
    return said


def test_who_is_only_expected_in_the_zone_makes_no_crowd() -> None:
    rule = made()
    said: list[Finding] = []
    for second in range(30):
        seen = scene(second, [0, 1])
        beside = track(2, second - 0.2, x=0.75)
        expected = replace(beside, box=standing_at(0.25, 0.8), last_seen_at=seen.at)
        said += rule.observe(replace(seen, tracks=(*seen.tracks, expected)))
    assert said == []


def test_enough_for_long_enough_is_one_incident_with_its_largest_number() -> None:
    said = run(made(), [0] * 2 + [3] * 8 + [5] * 40 + [1] * 10)
    assert told(said) == [(OPEN, 12, 5), (UPDATE, 12 + UPDATE_S, 5), (ENDED, 54, 5)]
    assert said[0].started_at == at(2)
    assert said[-1].ended_at == at(49)
    assert said[0].track_ids == (0, 1, 2, 3, 4)


def test_enough_for_too_short_a_time_is_none() -> None:
    assert run(made(), [3] * 9 + [2] + [3] * 9) == []


def test_one_fewer_for_a_moment_is_still_the_same() -> None:
    assert [finding.state for finding in run(made(), [3] * 12 + [2] * 4 + [3] * 5 + [0] * 10)] == [OPEN, ENDED]


def test_it_may_be_over_only_with_fewer_than_it_began_with() -> None:
    assert [finding.state for finding in run(made(5, 3), [5] * 12 + [3] * 20 + [2] * 5)] == [OPEN, ENDED]


def test_who_is_missed_within_the_grace_still_counts() -> None:
    rule = made()
    said = [
        finding for second in range(15) for finding in rule.observe(scene(second, [0, 1] if second % 3 else [0, 1, 2]))
    ]
    assert told(said) == [(OPEN, 10, 3)]


def test_outside_of_the_zone_nobody_counts() -> None:
    rule = made()
    assert [finding for second in range(30) for finding in rule.observe(scene(second, range(5), x=0.8))] == []


def test_a_stop_ends_what_is_open() -> None:
    rule = made()
    for second in range(12):
        rule.observe(scene(second, range(3)))
    assert told(rule.finish(at(20))) == [(ENDED, 20, 3)]
    assert rule.finish(at(21)) == ()


@given(st.lists(st.integers(0, 6), max_size=120))
def test_each_open_is_ended_once_and_is_as_long_as_it_says(counts: list[int]) -> None:
    rule = made()
    said = [*run(rule, counts), *rule.finish(at(len(counts)))]
    states = [finding.state for finding in said if finding.state is not UPDATE]
    assert states == [OPEN, ENDED] * (len(states) // 2)
    for opened in (finding for finding in said if finding.state is OPEN):
        start, now = int(seconds(opened.started_at)), int(seconds(opened.at))
        assert now - start == 10
        assert all(count >= 3 for count in counts[start : now + 1])
    for finding in said:
        assert replace(finding, key="").device == "c"
        assert finding.ended_at is None or finding.started_at <= finding.ended_at <= finding.at
