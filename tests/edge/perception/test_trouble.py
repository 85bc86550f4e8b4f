"""Camera trouble on real footage: each change is found in time and by its name, and nothing is found in footage as it is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.contract.incident import CameraTrouble
from edge.perception.trouble import LOOK_S, TroubleWatch
from tests.fakes.troubles import CHANGES, FOUND_WITHIN_S, ONSET_S, Luma, changed, frozen, pictures, troubles_in
from tests.fakes.visits import CLIP

CLIPS = (CLIP, "car_detection", "house_fire")


@pytest.fixture(scope="session")
def footage(clip: Callable[[str], Path]) -> Callable[[str], list[tuple[float, Luma]]]:
    kept: dict[str, list[tuple[float, Luma]]] = {}

    def taken(name: str) -> list[tuple[float, Luma]]:
        if name not in kept:
            kept[name] = pictures(clip(name))
        return kept[name]

    return taken


Footage = Callable[[str], list[tuple[float, Luma]]]


@pytest.mark.parametrize("name", CLIPS)
def test_nothing_is_found_in_footage_as_it_is(name: str, footage: Footage) -> None:
    assert troubles_in(iter(footage(name))) == []


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_found_in_time_and_by_its_name(name: str, change: str, footage: Footage) -> None:
    wanted, apply = CHANGES[change]
    first, *_ = troubles_in(changed(footage(name)[:150], apply))
    assert first.trouble in wanted
    assert ONSET_S <= first.reported_s <= ONSET_S + FOUND_WITHIN_S
    assert first.started_s == pytest.approx(ONSET_S, abs=2 * LOOK_S + 0.2)


@pytest.mark.parametrize("name", CLIPS)
def test_a_picture_that_comes_again_and_again_is_frozen(name: str, footage: Footage) -> None:
    [found] = troubles_in(frozen(footage(name)[:150]))
    assert found.trouble is CameraTrouble.FROZEN
    assert found.reported_s <= ONSET_S + FOUND_WITHIN_S


def noise(seed: int, *, level: float = 100.0, grain: float = 2.0) -> Luma:
    rng = np.random.default_rng(seed)
    scene = np.kron(np.random.default_rng(1).uniform(-60, 60, (9, 16)), np.ones((24, 24)))
    return np.asarray(np.clip(level + scene + rng.normal(0, grain, scene.shape), 0, 255), dtype=np.uint8)


def test_a_camera_whose_picture_stands_still_now_and_then_is_not_frozen() -> None:
    watch = TroubleWatch()
    said = [watch.look(noise(second // 6), second) for second in range(120)]
    assert all(not troubles for troubles in said[6:])


def test_a_picture_that_an_encoder_refines_over_and_over_is_frozen() -> None:
    watch = TroubleWatch()
    for second in range(30):
        assert watch.look(noise(second), second) == frozenset()
    still, rng = noise(29).astype(np.int16), np.random.default_rng(7)
    for second in range(30, 50):
        refined = still + rng.integers(-1, 2, still.shape) + 6 * (rng.random(still.shape) < 0.01)
        said = watch.look(np.clip(refined, 0, 255).astype(np.uint8), second)
        assert said == (frozenset({CameraTrouble.FROZEN}) if second >= 31 else frozenset()), second


def test_a_picture_that_key_frames_at_a_constant_rate_change_again_and_again_is_frozen() -> None:
    """Shares as an encoder gave them: 2 to 13 % differ by more than two levels before and 0.5 to 2 % afterwards, 38 to 70 % and 10 to 28 % at
    all.
    """
    watch = TroubleWatch()
    for second in range(40):
        assert watch.look(noise(second, grain=0.76 if second % 4 < 2 else 1.3), second) == frozenset()
    still, rng = noise(39).astype(np.int16), np.random.default_rng(7)
    for second in range(40, 60):
        key = second % 2
        step = rng.integers(0, 2, still.shape) * (rng.random(still.shape) < (0.22 if key else 0.1))
        changed_now = still + step + 5 * (rng.random(still.shape) < (0.009 if key else 0.003))
        said = watch.look(np.clip(changed_now, 0, 255).astype(np.uint8), second)
        assert said == (frozenset({CameraTrouble.FROZEN}) if second >= 41 else frozenset()), second


@pytest.mark.parametrize("grain", [0.5, 0.8, 1.5])
def test_a_busy_street_in_which_nothing_moves_any_longer_is_not_frozen(grain: float) -> None:
    watch = TroubleWatch()
    for second in range(120):
        luma = noise(second, grain=grain)
        if second < 40 or 60 <= second < 80:  # something that passes through a good part of the picture
            left = 16 * (second % 20)
            luma[40:200, left : left + 60] = np.roll(luma[40:200, left : left + 60], 24 + 8 * second, axis=0)
        assert CameraTrouble.FROZEN not in (watch.look(luma, second) or ()), second


def test_a_picture_with_less_grain_in_another_light_is_not_frozen() -> None:
    watch = TroubleWatch()
    for second in range(60):
        assert watch.look(noise(second, level=90.0, grain=8.0), second) == frozenset()
    for second in range(60, 120):
        assert watch.look(noise(second, level=100.0, grain=1.2), second) == frozenset()


def test_a_look_is_taken_about_once_a_second_whatever_the_frame_rate() -> None:
    watch = TroubleWatch()
    looks = [watch.look(noise(index), index / 25) for index in range(100)]
    assert sum(look is not None for look in looks) == 5


def test_a_new_view_is_the_cameras_view_after_ten_minutes() -> None:
    watch = TroubleWatch()
    for second in range(10):
        assert watch.look(noise(second), second) == frozenset()
    turned = [np.roll(noise(second), (13, 40), axis=(0, 1)) for second in range(10, 640)]
    said = [watch.look(luma, second) for second, luma in enumerate(turned, 10)]
    assert said[0] == frozenset({CameraTrouble.MOVED})
    assert said[590] == frozenset({CameraTrouble.MOVED})
    assert said[-1] == frozenset()


def test_what_was_covered_from_the_start_is_found() -> None:
    watch = TroubleWatch()
    blank = [np.asarray(np.random.default_rng(second).normal(90, 3, (216, 384)), dtype=np.uint8) for second in range(8)]
    assert {watch.look(luma, second) for second, luma in enumerate(blank)} == {frozenset({CameraTrouble.COVERED})}


def test_another_size_of_picture_is_learnt_anew() -> None:
    watch = TroubleWatch()
    for second in range(10):
        watch.look(noise(second), second)
    wide = np.ascontiguousarray(noise(1)[:100])
    assert watch.look(wide, 10.0) == frozenset()


def dim_lane(seed: int, *, lines: float) -> Luma:
    """Plain ground at night with painted lines on it, and grain."""
    ground = np.full((432, 768), 45.0)
    for left in (100, 300, 520, 640):
        ground[:, left : left + 6] += lines
    return np.asarray(np.clip(ground + np.random.default_rng(seed).normal(0, 6, ground.shape), 0, 255), dtype=np.uint8)


def test_plain_ground_with_lines_is_no_cover_and_a_grey_cover_is_one() -> None:
    lane, cover = TroubleWatch(), TroubleWatch()
    said = [lane.look(dim_lane(second, lines=30.0), second) for second in range(30)]
    assert said[1:] == [frozenset()] * 29, "the first look has none before it to be held against"
    assert all(
        cover.look(dim_lane(second, lines=0.0), second) == frozenset({CameraTrouble.COVERED}) for second in range(10)
    ), "grain stays nowhere"
