"""The tracker against made courses: flicker, gaps, occlusion, people who cross; how many tracks they leave."""

from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.flow import Box
from edge.perception.lineage import MOST_PATH_POINTS, Lineage, TrackerSettings
from edge.perception.motion import Motion
from edge.perception.tracker import Tracker
from tests.fakes.scenes import at, detections, standing_at

HERTZ = st.sampled_from([3.0, 5.0, 10.0])
Course = Callable[[float], Box | None]


def followed(
    courses: list[Course],
    duration_s: float,
    hertz: float,
    *,
    missed: Callable[[int, int], bool] = lambda _frame, _who: False,
    score: Callable[[int, int], float] = lambda _frame, _who: 0.8,
    motion: Motion | None = None,
) -> tuple[set[int], int]:
    """The ids of the tracks that were told of, and how many of them have ended before the end."""
    tracker, ids, ended = Tracker(), set[int](), 0
    for frame in range(round(duration_s * hertz)):
        found = []
        for who, course in enumerate(courses):
            box = course(frame / hertz)
            if box is not None and not missed(frame, who):
                found.append((box, score(frame, who)))
        step = tracker.update(at(frame / hertz), detections(*found), motion)
        ids |= {track.track_id for track in step.seen}
        ended += len(step.ended)
    return ids, ended


@hypothesis_settings(deadline=None, max_examples=15)
@given(HERTZ, st.floats(0.0, 0.45), st.randoms(use_true_random=False))
def test_who_stands_is_one_track_however_often_he_flickers(hertz: float, share: float, chance: Random) -> None:
    """Up to nearly half of all sights are missed; three seconds without any come once in a thousand."""
    rolls = [chance.random() for _ in range(round(20 * hertz))]
    gaps = [rolls[index] < share for index in range(len(rolls))]
    for index in range(len(gaps)):  # what is waited for is three seconds: a longer gap is another matter
        if all(gaps[max(index - round(2.4 * hertz), 0) : index + 1]):
            gaps[index] = False
    place = standing_at(0.5, 0.8)
    ids, ended = followed([lambda _: place], 20, hertz, missed=lambda frame, _: gaps[frame])
    assert (len(ids), ended) == (1, 0)


@hypothesis_settings(deadline=None, max_examples=15)
@given(HERTZ, st.floats(0.05, 0.2), st.floats(0.55, 0.9), st.floats(0.6, 0.9))
def test_two_who_cross_are_two_and_neither_is_lost(hertz: float, speed: float, y: float, other_y: float) -> None:
    """They walk towards each other on different lines, the one behind hidden while they pass."""

    def one(second: float) -> Box:
        return standing_at(0.15 + speed * second, y, width=0.08)

    def other(second: float) -> Box | None:
        box = standing_at(0.85 - speed * second, other_y, width=0.08)
        hidden = other_y < y and abs((box[0] + box[2]) / 2 - (0.15 + speed * second)) < 0.04
        return None if hidden else box

    if abs(y - other_y) < 0.1:
        return
    ids, ended = followed([one, other], 0.7 / speed, hertz)
    assert (len(ids), ended) == (2, 0)


@hypothesis_settings(deadline=None, max_examples=15)
@given(HERTZ, st.floats(0.08, 0.2), st.floats(0.3, 2.4))
def test_who_passes_behind_a_pillar_is_one(hertz: float, speed: float, hidden_s: float) -> None:
    """Hidden for up to the time for which he is waited for: far enough not to overlap with where he was."""
    pillar = speed * hidden_s

    def course(second: float) -> Box | None:
        x = 0.1 + speed * second
        return None if 0.4 < x < 0.4 + pillar else standing_at(x, 0.8)

    ids, ended = followed([course], 0.8 / speed, hertz)
    assert (len(ids), ended) == (1, 0)


@hypothesis_settings(deadline=None, max_examples=15)
@given(HERTZ, st.floats(0.1, 0.15), st.floats(0.4, 2.0))
def test_two_who_follow_each_other_behind_a_pillar_stay_two(hertz: float, speed: float, apart_s: float) -> None:
    def course(late_s: float) -> Course:
        def walk(second: float) -> Box | None:
            x = 0.05 + speed * (second - late_s)
            hidden = second < late_s or 0.4 < x < 0.5
            return None if hidden else standing_at(x, 0.8, width=0.06)

        return walk

    if speed * apart_s < 0.08:
        return
    ids, ended = followed([course(0.0), course(apart_s)], 0.8 / speed, hertz)
    assert (len(ids), ended) == (2, 0)


@pytest.mark.parametrize("hertz", [3.0, 5.0, 10.0])
def test_who_stands_unseen_for_a_moment_is_not_taken_for_one_who_comes_by(hertz: float) -> None:
    def stands(second: float) -> Box | None:
        return None if 4 <= second < 5.5 else standing_at(0.3, 0.8, width=0.06)

    def comes(second: float) -> Box | None:
        return standing_at(0.45 + 0.05 * (second - 4.4), 0.8, width=0.06) if second >= 4.4 else None

    tracker, first, last = Tracker(), set[int](), dict[int, float]()
    for frame in range(round(8 * hertz)):
        second = frame / hertz
        found = [(box, 0.8) for box in (stands(second), comes(second)) if box is not None]
        for track in tracker.update(at(second), detections(*found)).seen:
            last[track.track_id] = track.box[0]
            if second < 4:
                first.add(track.track_id)
    [one] = first
    assert len(last) == 2
    assert last[one] == pytest.approx(0.27)


def walked(x: float, speed: float, *, from_s: float = 0.0, to_s: float = 2.0, height: float = 0.3) -> Lineage:
    """One who has walked for some time and was seen last at a place."""
    lineage = Lineage(1, "person", TrackerSettings())
    for frame in range(round(5 * from_s), round(5 * to_s) + 1):
        box = standing_at(x - speed * (to_s - frame / 5), 0.8, width=0.06, height=height)
        lineage.see(at(frame / 5), box, 0.9, "person", moving=True)
    return lineage


def came_out(x: float, *, speed: float = 0.1, height: float = 0.3) -> Lineage:
    """One who was seen for the first time two seconds later."""
    return walked(x + 0.2 * speed, speed, from_s=4.0, to_s=4.2, height=height)


def test_where_one_who_was_on_his_way_may_come_out() -> None:
    lineage = walked(0.4, 0.1)
    near, far = (lineage.came_out_as(came_out(x)) for x in (0.5, 0.6))
    assert near is not None
    assert far is not None
    assert 0 < near < far < 1
    assert lineage.came_out_as(came_out(0.9)) is None, "nobody is that fast"
    assert lineage.came_out_as(came_out(0.3)) is None, "he went the other way"
    assert lineage.came_out_as(came_out(0.5, speed=-0.1)) is None, "that one comes towards him"
    assert lineage.came_out_as(came_out(0.6, height=0.1)) is None, "another size"
    assert lineage.came_out_as(walked(0.4, 0.1)) is None, "that one was there before"
    assert walked(0.9, 0.1).came_out_as(came_out(0.93)) is None, "he has left the picture"
    assert walked(0.4, 0.01).came_out_as(came_out(0.5, speed=0.01)) is None, "neither of them goes anywhere"


def test_who_is_known_again_has_one_path_and_the_best_of_both() -> None:
    lineage, later = walked(0.4, 0.1), came_out(0.6)
    lineage.go_on_as(later)
    track = lineage.track()
    assert (track.first_seen_at, track.last_seen_at) == (at(0), at(4.2))
    assert [point.at_us for point in track.path] == sorted(point.at_us for point in track.path)
    assert len(track.path) == 11 + 2
    assert track.box == later.box


@hypothesis_settings(max_examples=6, deadline=None)
@given(st.floats(1.0, 2.0), st.sampled_from([0.0, 0.02]), st.integers(0, 1000))
def test_hints_that_never_count_are_of_bounded_memory_for_an_hour(hertz: float, share: float, seed: int) -> None:
    """Sure once or now and then, and too seldom to count: its first sight and its last are kept, and some between."""
    lineage, chance = Lineage(1, "person", TrackerSettings()), Random(seed)  # noqa: S311 (a made course)
    box = standing_at(0.5, 0.8)
    for frame in range(round(3600 * hertz)):
        score = 0.9 if not frame or chance.random() < share else 0.3
        lineage.see(at(frame / hertz), box, score, "person", moving=False)
        if lineage.confirmed:
            return
        sights = lineage.first_sights
        assert len(sights) <= MOST_PATH_POINTS
        assert (sights[0].at, sights[-1].at) == (at(0), at(frame / hertz))
    assert lineage.first_speed == (0.0, 0.0, 0.0, 0.0)


def test_who_counts_after_very_many_hints_is_known_again_by_the_first_and_the_last() -> None:
    lineage, lost = Lineage(2, "person", TrackerSettings()), walked(0.4, 0.1)
    for frame in range(3 * MOST_PATH_POINTS):
        box = standing_at(0.55 + 0.0001 * frame, 0.8, width=0.06)
        lineage.see(at(4 + frame / 5), box, 0.3 if frame else 0.9, "person", moving=False)
    speed = lineage.first_speed
    lineage.see(at(4 + 3 * MOST_PATH_POINTS / 5), box, 0.9, "person", moving=True)
    assert lineage.confirmed
    assert speed[0] == pytest.approx(0.0005, abs=1e-5)
    lost.go_on_as(lineage)
    assert lost.track().last_seen_at == lineage.last_seen_at
    assert len(lost.track().path) <= MOST_PATH_POINTS


@pytest.mark.parametrize("hertz", [3.0, 5.0, 10.0])
@pytest.mark.parametrize(("every", "tracks"), [(10, 0), (3, 1)])
def test_what_is_still_is_a_person_only_if_it_is_often_enough(hertz: float, every: int, tracks: int) -> None:
    """In grain a bag is one now and then; somebody who sits there is one in every third picture."""
    still = Motion(np.zeros((90, 160), dtype=np.bool_), moving=False)
    place = standing_at(0.5, 0.8)
    score: Callable[[int, int], float] = lambda frame, _: 0.8 if frame % every == 0 else 0.2  # noqa: E731 (of a line)
    ids, _ = followed([lambda _: place], 30, hertz, score=score, motion=still)
    assert len(ids) == tracks


def test_what_moved_long_ago_is_still() -> None:
    """A thing that was set down is surely a person twice, nine seconds later."""
    tracker = Tracker()
    moved, still = (Motion(np.full((90, 160), moving), moving=moving) for moving in (True, False))
    place = standing_at(0.5, 0.8)
    for frame in range(75):
        score = 0.7 if frame in {46, 47} else 0.2
        step = tracker.update(at(frame / 5), detections((place, score)), moved if frame < 2 else still)
        assert step.seen == ()
        assert bool(tracker.present(at(frame / 5))) == (frame < 5), "what is not followed hides nothing"


@hypothesis_settings(deadline=None, max_examples=15)
@given(HERTZ, st.lists(st.tuples(st.floats(0.1, 0.9), st.floats(0.4, 0.95)), min_size=60, max_size=60))
def test_what_a_detector_sees_for_one_picture_at_a_time_is_nothing(
    hertz: float, places: list[tuple[float, float]]
) -> None:
    def course(second: float) -> Box | None:
        frame = round(second * hertz)
        x, y = places[frame % 60]
        return standing_at(x, y, width=0.05, height=0.1) if frame % round(2 * hertz) == 0 else None

    ids, _ = followed([course], 20, hertz)
    assert ids == set()
