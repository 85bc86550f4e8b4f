"""Intrusion and loitering: stays in a zone, told once, whatever the frame rate."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.clock import NodeClock
from edge.contract.incident import IncidentState
from edge.flow import Box as Place
from edge.flow import Finding, Scene, SceneObserver
from edge.rules.held import UPDATE_S
from edge.rules.intrusion import IntrusionRule
from edge.rules.loitering import LoiteringRule
from edge.rules.zones import GRACE_S
from edge.settings import IntrusionSettings, LoiteringSettings
from edge.sources.timing import EventClock
from tests.edge.test_clock import Box
from tests.fakes.scenes import at, findings, seconds, standing_at, walk

LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
INSIDE, OUTSIDE = standing_at(0.25, 0.8), standing_at(0.75, 0.8)
OPEN, UPDATE, ENDED = IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED


def intrusion() -> IntrusionRule:
    return IntrusionRule(IntrusionSettings(kind="intrusion", zone="left"), LEFT_HALF, "c")


def loitering(limit_s: float = 10.0) -> LoiteringRule:
    return LoiteringRule(LoiteringSettings(kind="loitering", zone="left", limit_s=limit_s), LEFT_HALF, "c")


def sampled(stretches: list[tuple[float, Place]], hertz: float, *, offset_s: float = 0.0) -> list[tuple[float, Place]]:
    """Places over time: stays of so many seconds at a box, one after the other, seen `hertz` times a second."""
    total_s = sum(duration_s for duration_s, _ in stretches)
    places = []
    for index in range(int((total_s - offset_s) * hertz) + 1):
        time_s, rest_s = offset_s + index / hertz, offset_s + index / hertz
        for duration_s, box in stretches:
            if rest_s <= duration_s:
                places.append((time_s, box))
                break
            rest_s -= duration_s
    return places


def states(said: list[Finding]) -> list[IncidentState]:
    return [finding.state for finding in said]


def test_one_walk_through_is_one_intrusion_from_the_first_sight_inside_to_the_last() -> None:
    said = findings(intrusion(), walk(7, sampled([(2, OUTSIDE), (3, INSIDE), (4, OUTSIDE)], 5), confirmed_after=3))
    assert states(said) == [OPEN, ENDED]
    assert seconds(said[0].started_at) == pytest.approx(2.2)
    assert said[1].ended_at == at(5.0)
    assert said[1].dwell_s == pytest.approx(2.8)
    assert said[0].key == said[1].key
    assert said[0].track_ids == (7,)
    assert {seconds(finding.at) for finding in said} == {2.2, 8.2}


def test_an_intrusion_started_with_the_first_frame_of_the_later_confirmed_track() -> None:
    said = findings(intrusion(), walk(1, sampled([(3, INSIDE)], 5), confirmed_after=4))
    assert seconds(said[0].started_at) == 0
    assert seconds(said[0].at) == pytest.approx(0.6)
    assert len(said[0].path) == 4


def test_who_is_back_within_the_grace_has_not_left() -> None:
    short = [(2.0, INSIDE), (GRACE_S - 1, OUTSIDE), (2.0, INSIDE)]
    assert states(findings(intrusion(), walk(1, sampled(short, 5)))) == [OPEN, ENDED]
    long = [(2.0, INSIDE), (GRACE_S + 1, OUTSIDE), (2.0, INSIDE)]
    assert states(findings(intrusion(), walk(1, sampled(long, 5)))) == [OPEN, ENDED, OPEN, ENDED]


def expected(scene: Scene, box: Place, later_s: float = 0.2) -> Scene:
    """A moment in which nobody looked: everybody is where he should be by then."""
    moment = scene.at + timedelta(seconds=later_s)
    tracks = tuple(replace(track, box=box, last_seen_at=moment) for track in scene.tracks)
    return replace(scene, at=moment, tracks=tracks)


def test_who_is_only_expected_in_the_zone_opens_nothing_until_he_is_seen_there() -> None:
    *scenes, ended = walk(1, [(0, OUTSIDE), (1, OUTSIDE), (2, OUTSIDE)])
    guesses = [expected(scene, INSIDE) for scene in scenes]
    rules = intrusion(), loitering(0.1)
    for rule in rules:
        both = sorted([*scenes, *guesses], key=lambda scene: scene.at)
        assert findings(rule, iter([*both, ended])) == []
    *scenes, ended = walk(1, [(0, OUTSIDE), (1, INSIDE), (2, INSIDE)])
    said = findings(intrusion(), iter([scenes[0], expected(scenes[0], INSIDE), *scenes[1:], ended]))
    assert [(each.state, seconds(each.started_at)) for each in said] == [(OPEN, 1.0), (ENDED, 1.0)]


def test_who_is_only_expected_to_have_stayed_long_enough_opens_nothing() -> None:
    *scenes, _ = walk(1, [(step, INSIDE) for step in range(10)])
    guess = expected(scenes[-1], INSIDE, 1.5)
    rule = loitering(10)
    assert findings(rule, iter([*scenes, guess])) == []
    *again, _ = walk(1, [(step, INSIDE) for step in range(12)])
    assert states(findings(rule, iter(again[10:]))) == [OPEN]


def test_who_is_in_the_zone_stays_there_where_he_is_expected_in_it() -> None:
    *scenes, ended = walk(1, [(step, INSIDE) for step in range(3)])
    both = sorted([*scenes, *(expected(scene, INSIDE) for scene in scenes)], key=lambda scene: scene.at)
    rule = intrusion()
    assert states(findings(rule, iter(both))) == [OPEN]
    [over] = rule.observe(ended)
    assert (over.state, over.ended_at) == (ENDED, at(2))


def test_other_labels_are_none_of_its_business() -> None:
    assert findings(intrusion(), walk(1, sampled([(3, INSIDE)], 5), label="car")) == []


def test_loitering_opens_the_moment_the_limit_is_passed_and_tells_when_it_began() -> None:
    said = findings(loitering(10), walk(1, sampled([(14, INSIDE)], 5)))
    assert states(said) == [OPEN, ENDED]
    assert said[0].at == at(10)
    assert said[0].started_at == at(0)
    assert said[1].dwell_s == pytest.approx(14)


def test_a_stay_up_to_just_below_the_limit_is_none() -> None:
    assert findings(loitering(10), walk(1, sampled([(9.8, INSIDE)], 5))) == []


def test_time_outside_of_the_zone_does_not_count() -> None:
    places = sampled([(6, INSIDE), (GRACE_S + 1, OUTSIDE), (6, INSIDE)], 5)
    assert findings(loitering(10), walk(1, places)) == []


def test_what_goes_on_is_told_again_now_and_then() -> None:
    said = findings(loitering(10), walk(1, sampled([(10 + 2 * UPDATE_S + 1, INSIDE)], 5)))
    assert states(said) == [OPEN, UPDATE, UPDATE, ENDED]
    assert said[-1].dwell_s == pytest.approx(10 + 2 * UPDATE_S + 1)


def test_a_stop_ends_what_is_open_with_its_last_sight() -> None:
    scenes = list(walk(1, sampled([(3, INSIDE)], 5)))[:-1]
    said = findings(intrusion(), iter(scenes), finish_s=9)
    assert states(said) == [OPEN, ENDED]
    assert said[1].ended_at == at(3)
    assert said[1].at == at(9)


def test_a_track_that_faded_ends_with_the_sight_that_it_says_itself() -> None:
    *scenes, last = walk(1, sampled([(5, INSIDE)], 5))
    ended = tuple(replace(track, last_seen_at=at(3)) for track in last.ended)
    said = findings(intrusion(), iter([*scenes, replace(last, ended=ended)]))
    assert said[-1].ended_at == at(3)
    assert said[-1].path[-1].at_us == said[-1].path[0].at_us + 3_000_000


@given(
    st.lists(st.tuples(st.floats(1.5, 20), st.booleans()), min_size=1, max_size=6),
    st.sampled_from([3.0, 5.0, 10.0, 25.0]),
    st.floats(0, 0.3),
)
def test_the_frame_rate_does_not_change_what_is_found(
    stretches: list[tuple[float, bool]], hertz: float, offset_s: float
) -> None:
    places = [(duration_s, INSIDE if inside else OUTSIDE) for duration_s, inside in stretches]
    limit_s = 10.0
    merged = _stays(stretches)
    assume(all(abs(end_s - start_s - limit_s) > 1 for start_s, end_s in merged))
    assume(not any(abs(duration_s - GRACE_S) < 1 for duration_s, inside in _runs(stretches) if not inside))
    for make, wanted in (
        (intrusion, merged),
        (loitering, [(start_s, end_s) for start_s, end_s in merged if end_s - start_s > limit_s]),
    ):
        rule: SceneObserver = make()
        said = findings(rule, walk(1, sampled(places, hertz, offset_s=offset_s)), finish_s=1000)
        ended = [finding for finding in said if finding.state is ENDED]
        assert len(ended) == len(wanted)
        for finding, (start_s, end_s) in zip(ended, wanted, strict=True):
            assert seconds(finding.started_at) == pytest.approx(max(start_s, offset_s), abs=1 / hertz + 1e-6)
            assert finding.ended_at is not None
            assert seconds(finding.ended_at) == pytest.approx(end_s, abs=1 / hertz + 1e-6)


def _runs(stretches: list[tuple[float, bool]]) -> list[tuple[float, bool]]:
    runs: list[tuple[float, bool]] = []
    for duration_s, inside in stretches:
        if runs and runs[-1][1] == inside:
            runs[-1] = runs[-1][0] + duration_s, inside
        else:
            runs.append((duration_s, inside))
    return runs


def _stays(stretches: list[tuple[float, bool]]) -> list[tuple[float, float]]:
    """From when to when someone was in, absences within the grace left out."""
    stays: list[tuple[float, float]] = []
    now_s = 0.0
    for duration_s, inside in _runs(stretches):
        if inside and stays and now_s - stays[-1][1] <= GRACE_S:
            stays[-1] = stays[-1][0], now_s + duration_s
        elif inside:
            stays.append((now_s, now_s + duration_s))
        now_s += duration_s
    return stays


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), max_size=60))
def test_each_open_is_ended_once_and_nothing_is_told_of_what_is_not_open(
    moments: list[tuple[int, bool, bool]],
) -> None:
    rule = intrusion()
    living: set[str] = set()
    finished: set[str] = set()
    for index, (track_id, inside, ending) in enumerate(moments):
        *scenes, last = walk(track_id, [(float(index), INSIDE if inside else OUTSIDE)])
        scene = replace(last, at=at(index)) if ending else scenes[0]
        for finding in rule.observe(scene):
            if finding.state is OPEN:
                assert finding.key not in living | finished
                living.add(finding.key)
            else:
                assert finding.key in living
            if finding.state is ENDED:
                living.remove(finding.key)
                finished.add(finding.key)
    assert {finding.key for finding in rule.finish(at(1000))} == living
    assert rule.finish(at(1001)) == []


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    rate=st.sampled_from([0.99, 1.0, 1.01]),
    jumps=st.lists(
        st.tuples(st.integers(1, 58), st.sampled_from([-86_400.0, -30.0, -1.0, 20.0, 86_400.0])), max_size=3
    ),
    steps=st.lists(
        st.tuples(st.integers(1, 58), st.sampled_from([-86_400.0, -3_600.0, 3_600.0, 86_400.0])), max_size=3
    ),
    stays_s=st.sampled_from([20.0, 50.0]),
)
def test_a_stay_lasts_as_long_as_it_did_whatever_the_cameras_and_the_machines_clocks_do(
    rate: float, jumps: list[tuple[int, float]], steps: list[tuple[int, float]], stays_s: float
) -> None:
    box, hertz = Box(), 5
    clock, camera = NodeClock(box), EventClock()
    places = []
    for index in range(60 * hertz):
        second = index / hertz
        if index % hertz == 0:
            box.wrong_s += sum(step_s for at_s, step_s in steps if at_s == second)
            clock.check()
        pts_s = second * rate + sum(jump_s for at_s, jump_s in jumps if at_s <= second)
        captured_at = camera.time_of(pts_s, clock()).captured_at
        places.append((seconds(captured_at), INSIDE if second <= stays_s else OUTSIDE))
        box.run(1 / hertz)
    said = findings(loitering(35.0), walk(1, places))
    assert [finding.state for finding in said if finding.state is not UPDATE] == ([OPEN, ENDED] if stays_s > 35 else [])
    for finding in said[-1:]:
        assert finding.dwell_s == pytest.approx(stays_s, abs=1.5)
