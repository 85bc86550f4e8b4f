"""Motion tracks: whatever moves is followed, under ids that no detected thing has."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.perception.motion import Motion
from edge.perception.motion_tracks import MotionTracker
from edge.perception.tracker import Step
from tests.fakes.scenes import at


def moving(left: int, *, size: int = 20) -> Motion:
    cells = np.zeros((90, 160), dtype=np.bool_)
    cells[30 : 30 + size, left : left + size] = True
    return Motion(cells, moving=True)


def run(tracker: MotionTracker, motions: list[Motion]) -> list[Step]:
    return [tracker.update(at(index / 5), motion) for index, motion in enumerate(motions)]


def test_something_that_moves_across_is_one_track_and_ends_where_it_was_last_seen() -> None:
    tracker = MotionTracker()
    still = Motion(np.zeros((90, 160), dtype=np.bool_), moving=False)
    steps = run(tracker, [moving(4 * index) for index in range(20)] + [still] * 30)
    seen = {track.track_id for step in steps for track in step.seen}
    [ended] = [track for step in steps for track in step.ended]
    assert len(seen) == 1
    assert ended.track_id in seen
    assert ended.track_id < 0
    assert ended.label == "motion"
    assert ended.last_seen_at == at(19 / 5)


def test_what_is_small_is_not_followed() -> None:
    assert not any(step.seen for step in run(MotionTracker(), [moving(4 * index, size=4) for index in range(20)]))


def test_a_camera_that_goes_away_ends_them() -> None:
    tracker = MotionTracker()
    run(tracker, [moving(4 * index) for index in range(10)])
    assert len(tracker.finish()) == 1
    assert tracker.finish() == ()


def ground(level: float = 100.0) -> NDArray[np.uint8]:
    stones = np.random.default_rng(2).uniform(-30, 30, (90, 160))
    return np.clip(level + stones, 0, 255).astype(np.uint8).repeat(3, axis=0).repeat(3, axis=1)


def shown(kind: str, left: int) -> NDArray[np.uint8]:
    picture = ground()
    place = slice(90, 150), slice(3 * left, 3 * left + 60)
    if kind == "beam":
        picture[place] = np.clip(picture[place] * 1.6, 0, 255)
    else:
        picture[place] = np.random.default_rng(left).integers(0, 255, (60, 60))
    return picture


@pytest.mark.parametrize(("kind", "tracks"), [("beam", 0), ("car", 1)])
def test_a_beam_of_light_that_crosses_the_ground_is_not_followed(kind: str, tracks: int) -> None:
    tracker = MotionTracker()
    still = Motion(np.zeros((90, 160), dtype=np.bool_), moving=False)
    seen = set()
    for index in range(5):
        tracker.update(at(index / 5), still, ground())
    for index in range(5, 25):
        step = tracker.update(at(index / 5), moving(4 * index), shown(kind, 4 * index))
        seen |= {track.track_id for track in step.seen}
    assert len(seen) == tracks
