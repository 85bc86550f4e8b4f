import numpy as np
from numpy.typing import NDArray

from edge.perception.motion import MotionDetector, regions

ROOM = np.random.default_rng(1).integers(40, 200, (54, 96)).repeat(4, axis=0).repeat(4, axis=1).astype(np.uint8)


def with_someone(x: float, *, grey: int = 20) -> NDArray[np.uint8]:
    picture = ROOM.copy()
    left = int(x * picture.shape[1])
    picture[60:180, left : left + 30] = grey
    return picture


def test_an_empty_room_is_still() -> None:
    motion = MotionDetector()
    assert not any(motion.observe(ROOM, index / 5).moving for index in range(50))


def test_someone_who_comes_in_moves_where_he_is() -> None:
    motion = MotionDetector()
    motion.observe(ROOM, 0)
    seen = motion.observe(with_someone(0.5), 0.2)
    assert seen.moving
    assert seen.share_in((0.5, 0.28, 0.57, 0.83)) > 0.8
    assert seen.share_in((0.0, 0.0, 0.4, 1.0)) == 0
    ((left, top, right, bottom),) = seen.regions()
    assert 0.45 < left < 0.52
    assert 0.55 < right < 0.63
    assert 0.2 < top < 0.3
    assert 0.8 < bottom < 0.9


def test_the_place_that_a_visitor_left_is_quiet_again_within_seconds() -> None:
    motion = MotionDetector()
    now_s = 0.0
    for picture in [ROOM] * 10 + [with_someone(0.5)] * 150 + [ROOM] * 50:
        last = motion.observe(picture, now_s)
        now_s += 0.2
    assert not last.moving


def test_where_someone_was_followed_there_is_no_ghost_of_him() -> None:
    motion = MotionDetector()
    followed = (0.48, 0.25, 0.6, 0.85)
    for index in range(200):
        picture, boxes = (with_someone(0.5), [followed]) if index >= 10 else (ROOM, [])
        motion.observe(picture, index / 5, boxes)
    assert not motion.observe(ROOM, 40.0).moving


def test_something_put_down_is_background_after_a_while() -> None:
    motion = MotionDetector()
    moving = [motion.observe(ROOM if index < 10 else with_someone(0.5), index / 5).moving for index in range(60)]
    assert moving[10]
    assert not any(moving[40:])


def test_the_cameras_gain_is_no_motion() -> None:
    motion = MotionDetector()
    moved = [
        motion.observe(np.clip(ROOM.astype(np.int16) + offset, 0, 255).astype(np.uint8), index / 5).moving
        for index, offset in enumerate((0, 5, 15, 25, 20, 0))
    ]
    assert not any(moved)


def test_a_noisy_night_is_still_and_someone_in_it_is_not() -> None:
    chance = np.random.default_rng(2)
    motion = MotionDetector()

    def noisy(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.clip(picture * 0.5 + chance.normal(0, 14, picture.shape), 0, 255).astype(np.uint8)

    assert not any(motion.observe(noisy(ROOM), index / 5).moving for index in range(60))
    assert motion.observe(noisy(with_someone(0.3)), 12.0).moving


def test_another_resolution_starts_anew() -> None:
    motion = MotionDetector()
    motion.observe(ROOM, 0)
    tall = np.ascontiguousarray(np.rot90(with_someone(0.5)))
    assert not motion.observe(tall, 0.2).moving
    assert motion.observe(np.ascontiguousarray(np.rot90(ROOM)), 0.4).moving


def test_what_moved_is_remembered_for_masking() -> None:
    motion = MotionDetector()
    for index in range(100):
        motion.observe(ROOM if index < 5 else with_someone(0.5), index / 5)
    assert motion.moved_since(0.5).any()
    assert not motion.moved_since(19.0).any()


def test_it_is_known_what_moved_as_far_back_as_there_were_pictures_without_a_gap() -> None:
    motion = MotionDetector()
    reached = []
    for at_s in (100.0, 105.0, 115.0, 126.0, 130.0, 50.0, 51.0):
        motion.observe(ROOM if at_s < 130 else with_someone(0.5), at_s)
        reached.append(motion.reach_s)
    assert reached == [0, 5, 15, 0, 4, 0, 1]
    assert not motion.moved_since(52.0).any()  # what moved before the clock was set back did not move later than now


def test_what_a_box_explains_is_no_region() -> None:
    cells = np.zeros((90, 160), dtype=np.bool_)
    cells[20:60, 40:60] = True
    cells[20:60, 100:120] = True
    (region,) = regions(cells, [(0.2, 0.1, 0.5, 0.8)])
    assert region[0] > 0.6
    assert regions(np.zeros((90, 160), dtype=np.bool_)) == ()
