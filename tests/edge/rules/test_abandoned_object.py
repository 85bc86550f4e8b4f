"""Abandoned object: what stands long enough with nobody near; whose owner is there is not abandoned."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.contract.incident import CameraTrouble, IncidentState, Severity
from edge.flow import Box, Finding, Scene, StillObject, Track
from edge.rules.abandoned_object import AbandonedObjectRule
from edge.rules.held import UPDATE_S
from edge.settings import AbandonedObjectSettings
from tests.fakes.scenes import at, seconds, standing_at

OPEN, UPDATE, ENDED = IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED
FLOOR = ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0))
BAG = standing_at(0.5, 0.8, width=0.05, height=0.08)
FAR, BESIDE = standing_at(0.9, 0.8), standing_at(0.6, 0.8)


def made(for_s: float = 30.0, away_s: float = 10.0) -> AbandonedObjectRule:
    settings = AbandonedObjectSettings(kind="abandoned_object", zone="floor", for_s=for_s, away_s=away_s)
    return AbandonedObjectRule(settings, FLOOR, "c")


def scene(
    second: float, *, bag: Box | None = BAG, since: float = 0.0, person: Box | None = None, looked: bool = True
) -> Scene:
    things = () if bag is None else (StillObject(1, bag, at(since)),)
    people = () if person is None else (Track(7, "person", person, 0.9, at(0), at(second), 0.9),)
    return Scene("c", at(second), people, objects=things if looked else None)


def run(rule: AbandonedObjectRule, scenes: Iterable[Scene]) -> list[Finding]:
    return [finding for each in scenes for finding in rule.observe(each)]


def told(said: list[Finding]) -> list[tuple[IncidentState, float]]:
    return [(finding.state, seconds(finding.at)) for finding in said]


def test_it_opens_once_it_has_stood_long_enough_and_ends_when_it_is_gone() -> None:
    said = run(made(), (scene(second, bag=BAG if second <= 50 else None) for second in range(80)))
    assert told(said) == [(OPEN, 30), (ENDED, 55)]
    opened, ended = said
    assert (opened.kind, opened.category, opened.severity) == ("abandoned_object", "public_safety", Severity.HIGH)
    assert (opened.zone, opened.started_at, ended.ended_at, ended.dwell_s) == ("floor", at(0), at(50), 50.0)
    assert opened.key == ended.key
    assert (opened.path[0].left, opened.path[-1].at_us) == (0.475, opened.path[0].at_us + 30_000_000)


def test_whose_owner_is_beside_it_waits_until_he_has_been_away() -> None:
    said = run(made(), (scene(second, person=BESIDE if second < 60 else FAR) for second in range(100)))
    assert told(said)[0] == (OPEN, 69)
    assert said[0].started_at == at(0)


def test_who_comes_near_afterwards_ends_nothing() -> None:
    said = run(made(), (scene(second, person=BESIDE if second > 40 else None) for second in range(59)))
    assert told(said) == [(OPEN, 30)]


def test_what_stands_elsewhere_or_goes_in_time_is_not_told() -> None:
    above = standing_at(0.5, 0.4, width=0.05, height=0.08)
    assert run(made(), (scene(second, bag=above) for second in range(100))) == []
    assert run(made(), (scene(second, bag=BAG if second < 29 else None) for second in range(100))) == []


def lost(second: float) -> Scene:
    return Scene("c", at(second), (), moving=False, troubles=frozenset({CameraTrouble.STREAM_LOST}))


def test_while_the_camera_is_lost_or_not_looking_nobody_is_taken_to_be_away() -> None:
    watched = [scene(second, person=BESIDE) for second in range(40)]
    for blind in (lost, lambda second: scene(second, looked=False)):
        rule = made()
        assert run(rule, [*watched, *(blind(second) for second in range(40, 100))]) == []
        back = [scene(100.0), *(scene(second, person=BESIDE if second < 120 else FAR) for second in range(101, 140))]
        assert told(run(rule, back)) == [(OPEN, 129)]


def test_it_is_told_again_now_and_then_and_the_end_of_the_watch_ends_it() -> None:
    rule = made()
    said = run(rule, (scene(second) for second in range(100)))
    assert told(said) == [(OPEN, 30), (UPDATE, 30 + UPDATE_S), (UPDATE, 30 + 2 * UPDATE_S)]
    [ended] = rule.finish(at(100))
    assert (ended.state, ended.ended_at) == (ENDED, at(99))
    assert rule.finish(at(101)) == []


@hypothesis_settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([1, 2, 5]),
    st.lists(st.tuples(st.integers(5, 40), st.sampled_from(["nobody", "beside", "far"])), min_size=1, max_size=6),
)
def test_between_looks_nothing_is_known_and_the_frame_rate_changes_nothing(
    hertz: int, stretches: list[tuple[int, str]]
) -> None:
    where = [place for duration_s, place in stretches for _ in range(duration_s)]
    persons: dict[str, Box | None] = {"nobody": None, "beside": BESIDE, "far": FAR}
    scenes = [
        scene(frame / hertz, person=persons[where[frame // hertz]], looked=frame % hertz == 0)
        for frame in range(len(where) * hertz)
    ]
    said = run(made(), scenes)
    near = [second for second, place in enumerate(where) if place == "beside"]
    alone = [
        second
        for second in range(len(where))
        if second >= 30 and all(second - last >= 11 for last in near if last <= second)
    ]
    opened = [seconds(finding.at) for finding in said if finding.state is OPEN]
    assert len(opened) <= 1
    if alone:
        assert opened
    if opened:
        assert opened[0] >= 30
        assert all(opened[0] - last >= 9 for last in near if last <= opened[0])
        assert opened[0] <= (alone or [len(where)])[0]
