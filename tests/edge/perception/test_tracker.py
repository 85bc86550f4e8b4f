from datetime import timedelta

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.flow import Box, Detections, Track
from edge.perception.lineage import MOST_PATH_POINTS, TrackerSettings
from edge.perception.motion import Motion
from edge.perception.tracker import Tracker
from tests.fakes.scenes import at, detections, seconds, standing_at

STILL = Motion(np.zeros((90, 160), dtype=np.bool_), moving=False)
NOTHING = detections()
MIDDLE = standing_at(0.5, 0.8)


class Watch:
    """A tracker that is fed at a rate, with what it said."""

    def __init__(self, hertz: float = 5.0, settings: TrackerSettings | None = None) -> None:
        self.tracker = Tracker(settings)
        self.hertz, self.frame = hertz, 0
        self.seen: list[tuple[float, Track]] = []
        self.ended: list[Track] = []

    @property
    def now_s(self) -> float:
        return self.frame / self.hertz

    def look(self, found: Detections, motion: Motion | None = None) -> None:
        step = self.tracker.update(at(self.now_s), found, motion)
        self.seen += [(self.now_s, track) for track in step.seen]
        self.ended += step.ended
        self.frame += 1

    def look_for(self, duration_s: float, found: Detections, motion: Motion | None = None) -> None:
        for _ in range(round(duration_s * self.hertz)):
            self.look(found, motion)

    def walk(self, start: Box, end: Box, duration_s: float, score: float = 0.9) -> None:
        frames = max(round(duration_s * self.hertz), 1)
        for index in range(frames):
            share = index / frames
            left, top, right, bottom = (a + (b - a) * share for a, b in zip(start, end, strict=True))
            self.look(detections(((left, top, right, bottom), score)))

    @property
    def ids(self) -> set[int]:
        return {track.track_id for _, track in self.seen}


@pytest.mark.parametrize("hertz", [3, 5, 10, 25])
def test_two_sure_sights_confirm_and_the_first_frame_stays_the_start(hertz: float) -> None:
    watch = Watch(hertz)
    watch.look_for(2, detections((MIDDLE, 0.8)))
    told_s, track = watch.seen[0]
    assert told_s <= 0.34
    assert track.first_seen_at == at(0)
    assert len(watch.ids) == 1


def test_one_flash_is_nothing() -> None:
    watch = Watch()
    watch.look(detections((MIDDLE, 0.9)))
    watch.look_for(5, NOTHING)
    watch.look(detections((MIDDLE, 0.9)))
    watch.look_for(5, NOTHING)
    assert not watch.seen
    assert not watch.ended
    assert not watch.tracker.alive


def test_a_picture_on_the_wall_is_told_later_than_what_moves() -> None:
    watch = Watch()
    watch.look_for(1.9, detections((MIDDLE, 0.8)), STILL)
    assert not watch.seen
    watch.look_for(0.5, detections((MIDDLE, 0.8)), STILL)
    assert watch.seen


def test_an_unsure_sight_that_moves_begins_a_track_and_a_still_one_does_not() -> None:
    for motion, start_s in ((None, 0.0), (STILL, 0.4)):
        watch = Watch()
        watch.look_for(0.4, detections((MIDDLE, 0.3)), motion)
        watch.look_for(3, detections((MIDDLE, 0.8)), motion)
        assert seconds(watch.seen[0][1].first_seen_at) == pytest.approx(start_s)


def test_a_long_unsure_past_does_not_move_the_start_back_for_ever() -> None:
    watch = Watch()
    watch.look_for(20, detections((MIDDLE, 0.3)))
    watch.look_for(1, detections((MIDDLE, 0.8)))
    assert 18.9 <= seconds(watch.seen[0][1].first_seen_at) <= 20


@pytest.mark.parametrize("missing_s", [0.4, 1.0, 2.6])
def test_missed_sights_do_not_break_a_track(missing_s: float) -> None:
    watch = Watch()
    watch.look_for(3, detections((MIDDLE, 0.9)))
    watch.look_for(missing_s, NOTHING, STILL)
    watch.look_for(3, detections((MIDDLE, 0.9)))
    assert len(watch.ids) == 1
    assert not watch.ended


def test_who_stands_still_for_an_hour_is_one_track_of_bounded_memory() -> None:
    watch = Watch(hertz=2)
    watch.walk(standing_at(0.1, 0.8), MIDDLE, 3)
    watch.look_for(3600, detections((MIDDLE, 0.85)), STILL)
    assert len(watch.ids) == 1
    last = watch.seen[-1][1]
    assert len(last.path) <= MOST_PATH_POINTS
    assert last.first_seen_at == at(0)
    assert last.path[0].at_us == watch.seen[0][1].path[0].at_us


def test_a_track_ends_with_its_last_sight() -> None:
    watch = Watch()
    watch.look_for(4, detections((MIDDLE, 0.9)))
    watch.look_for(6, NOTHING)
    (track,) = watch.ended
    assert seconds(track.last_seen_at) == pytest.approx(3.8)


def test_who_leaves_by_the_edge_is_given_up_soon_and_the_next_one_there_is_someone_else() -> None:
    watch = Watch()
    watch.walk(MIDDLE, standing_at(1.02, 0.8), 1.5)
    watch.look_for(1.4, NOTHING)
    watch.walk(standing_at(1.02, 0.8), MIDDLE, 1.5)
    assert len(watch.ids) == 2
    assert watch.seen[-1][1].first_seen_at > at(2.5)


def test_who_comes_in_part_by_part_is_one_track() -> None:
    watch = Watch()
    for box in ((0.25, 0.9, 0.38, 1.0), (0.32, 0.5, 0.62, 1.0), (0.36, 0.35, 0.63, 1.0), (0.45, 0.2, 0.65, 1.0)):
        watch.look(detections((box, 0.8)))
    assert len(watch.ids) == 1
    assert watch.seen[-1][1].first_seen_at == at(0)


def test_two_who_pass_each_other_keep_their_ids() -> None:
    watch = Watch(hertz=10)
    for index in range(41):
        share = index / 40
        watch.look(detections((standing_at(0.2 + 0.6 * share, 0.70), 0.9), (standing_at(0.8 - 0.6 * share, 0.85), 0.9)))
    assert len(watch.ids) == 2
    right = {track.track_id for time_s, track in watch.seen if time_s > 3.9 and track.box[0] > 0.5}
    left_before = {track.track_id for time_s, track in watch.seen if time_s < 0.5 and track.box[0] < 0.5}
    assert right == left_before


def test_a_coat_left_on_a_chair_does_not_keep_its_owner_there() -> None:
    watch = Watch()
    watch.look_for(4, detections((MIDDLE, 0.9)))
    watch.look_for(30, detections((MIDDLE, 0.25)), STILL)
    (track,) = watch.ended
    assert seconds(track.last_seen_at) == pytest.approx(3.8)
    assert not watch.tracker.alive


def test_a_second_box_on_the_same_person_is_not_a_second_person() -> None:
    watch = Watch()
    left, top, right, _ = MIDDLE
    fragment = (left, top, right, top + 0.2)
    watch.look_for(4, detections((MIDDLE, 0.9), (fragment, 0.4)))
    assert len(watch.ids) == 1


def test_a_thing_that_is_a_car_now_and_a_truck_then_is_one_with_the_label_of_most_votes() -> None:
    watch = Watch()
    for index in range(10):
        watch.look(detections((MIDDLE, 0.8), label="truck" if index % 3 == 0 else "car"))
    assert len(watch.ids) == 1
    assert watch.seen[-1][1].label == "car"


def test_people_and_vehicles_never_share_a_track() -> None:
    watch = Watch()
    watch.look_for(2, detections((MIDDLE, 0.8), label="person"))
    watch.look_for(2, detections((MIDDLE, 0.8), label="car"))
    assert len(watch.ids) == 2


def test_after_a_long_blindness_nothing_is_taken_for_the_same() -> None:
    watch = Watch()
    watch.look_for(4, detections((MIDDLE, 0.9)))
    watch.frame += 12 * 5
    watch.look_for(2, detections((MIDDLE, 0.9)))
    assert len(watch.ids) == 2
    assert seconds(watch.ended[0].last_seen_at) == pytest.approx(3.8)


def test_a_moment_that_is_not_later_changes_nothing() -> None:
    tracker = Tracker()
    tracker.update(at(1), detections((MIDDLE, 0.9)))
    for moment in (at(1), at(0), at(1) - timedelta(days=1)):
        step = tracker.update(moment, detections((MIDDLE, 0.9)))
        assert not step.seen
    assert tracker.update(at(1.2), detections((MIDDLE, 0.9))).seen


EDGES = st.one_of(st.floats(-2, 3, width=32), st.sampled_from([float("nan"), float("inf"), float("-inf")]))
ANYTHING = st.lists(
    st.tuples(st.tuples(EDGES, EDGES, EDGES, EDGES), st.one_of(st.floats(0, 1, width=32), st.just(float("nan")))),
    max_size=6,
)


@hypothesis_settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 5), ANYTHING), max_size=25))
def test_whatever_a_detector_says_the_tracker_keeps_its_promises(
    moments: list[tuple[float, list[tuple[Box, float]]]],
) -> None:
    tracker, now_s = Tracker(), 0.0
    ended: set[int] = set()
    for step_s, found in moments:
        now_s += step_s
        step = tracker.update(at(now_s), detections(*found))
        ids = [track.track_id for track in step.seen]
        assert len(ids) == len(set(ids))
        assert not ended & set(ids)
        for track in step.seen:
            left, top, right, bottom = track.box
            assert 0 <= left < right <= 1
            assert 0 <= top < bottom <= 1
            assert track.first_seen_at <= track.last_seen_at == at(now_s)
            times = [point.at_us for point in track.path]
            assert times == sorted(set(times))
        ended |= {track.track_id for track in step.ended}
    tracker.finish()
    assert not tracker.alive


@hypothesis_settings(deadline=None, max_examples=40)
@given(
    st.sampled_from([3.0, 5.0, 10.0, 25.0]),
    st.floats(0.15, 0.85),
    st.floats(0.15, 0.85),
    st.floats(2, 8),
    st.lists(st.booleans(), min_size=25, max_size=25),
)
@example(3.0, 0.84375, 0.1875, 2.0, [False] * 25)  # 1.1 of his own widths from one look to the next
@example(3.0, 0.85, 0.15, 2.0, [False] * 25)
def test_one_person_is_one_track_at_any_frame_rate(
    hertz: float, from_x: float, to_x: float, duration_s: float, missed: list[bool]
) -> None:
    watch = Watch(hertz)
    frames = round(duration_s * hertz)
    for index in range(frames):
        x = from_x + (to_x - from_x) * index / frames
        gap = missed[index % 25] and index % 3 == 1 and index > hertz
        watch.look(NOTHING if gap else detections((standing_at(x, 0.8), 0.8)))
    assert len(watch.ids) == 1
