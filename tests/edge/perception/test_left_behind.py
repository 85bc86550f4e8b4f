"""What was left behind, on real footage: things that are set down are found, light and gaps are not."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.configuration.words import camera_from_words
from edge.flow import Box, Detections, Frame, Image, StillObject
from edge.perception.left_behind import LeftBehindWatch
from edge.perception.pipeline import CameraPipeline
from edge.video import ArrayPicture
from tests.fakes.compositions import CutOut, lit, patch, set_in, shots
from tests.fakes.occurrences import EMPTY_VISITS_S, things
from tests.fakes.scenes import at, detections, seconds
from tests.fakes.visits import CLIP

Clip = Callable[[str], Path]
Luma = NDArray[np.uint8]
FOOT, WIDTH = (0.2, 0.75), 0.07
SET_DOWN_S, TAKEN_S, END_S = 12, 40, 60


@pytest.fixture(scope="session")
def floor(clip: Clip) -> list[Image]:
    return [image for _, image in shots(clip(CLIP), 2.0, *EMPTY_VISITS_S[0])]


@pytest.fixture(scope="session")
def left(clip: Clip) -> list[CutOut]:
    clip("car_detection")
    return things()


def grey(image: Image) -> Luma:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def seen(
    pictures: Iterable[Image], *, followed: Callable[[int], Sequence[Box]] = lambda _: (), vehicles: bool = False
) -> list[tuple[StillObject, ...]]:
    """One look a second."""
    watch, said = LeftBehindWatch(), []
    for second, image in enumerate(pictures):
        boxes = followed(second)
        told = watch.look(grey(image), at(second), boxes, boxes if vehicles else ())
        assert told is not None
        said.append(told)
    return said


def course(
    floor: Sequence[Image], change: Callable[[Image], Image], *, from_s: int, to_s: int = END_S
) -> Iterable[Image]:
    for second in range(END_S):
        image = floor[second % len(floor)]
        yield change(image) if from_s <= second < to_s else image


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_thing_that_is_set_down_is_found_where_and_since_when_it_stands(
    index: int, floor: list[Image], left: list[CutOut]
) -> None:
    thing = left[index]
    said = seen(course(floor, lambda image: set_in(image, thing, FOOT, WIDTH), from_s=SET_DOWN_S, to_s=TAKEN_S))
    assert not any(said[:SET_DOWN_S])
    assert not any(said[TAKEN_S + 4 :])
    told = {each.number for objects in said for each in objects}
    assert len(told) == 1
    [found] = said[SET_DOWN_S + 12]
    assert seconds(found.since) == pytest.approx(SET_DOWN_S, abs=1.1)
    assert (found.box[0] + found.box[2]) / 2 == pytest.approx(FOOT[0], abs=0.02)
    assert found.box[3] == pytest.approx(FOOT[1], abs=0.04)
    assert said[TAKEN_S - 1]


def test_what_is_taken_away_leaves_nothing_behind(floor: list[Image], left: list[CutOut]) -> None:
    pictures = course(floor, lambda image: set_in(image, left[0], FOOT, WIDTH), from_s=0, to_s=SET_DOWN_S)
    assert not any(seen(pictures))


@pytest.mark.parametrize("gain", [1.5, 0.6])
@pytest.mark.parametrize(
    "corners", [((0.1, 0.55), (0.35, 0.6), (0.3, 0.9), (0.05, 0.8)), ((0.6, 0.6), (0.7, 0.6), (0.7, 0.75))]
)
def test_light_and_shadow_on_the_floor_are_nothing(
    gain: float, corners: Sequence[tuple[float, float]], floor: list[Image]
) -> None:
    area = patch(floor[0].shape, corners)
    assert not any(seen(course(floor, lambda image: lit(image, area, gain), from_s=SET_DOWN_S)))


def test_lamps_that_go_out_and_clouds_are_nothing(floor: list[Image]) -> None:
    whole = np.ones(floor[0].shape[:2], dtype=np.float32)
    assert not any(seen(course(floor, lambda image: lit(image, whole, 0.55), from_s=SET_DOWN_S)))
    slowly = (lit(floor[second % len(floor)], whole, 1.0 - 0.4 * second / END_S) for second in range(END_S))
    assert not any(seen(slowly))


def grainy(pictures: Iterable[Image]) -> Iterable[Image]:
    """As a camera sends them at night: four tenths of the light, and the grain of the gain."""
    chance = np.random.default_rng(5)
    for image in pictures:
        grain = chance.normal(0.0, 16.0, (*image.shape[:2], 1)).astype(np.float32)
        yield np.clip(image * np.float32(0.4) + grain, 0, 255).astype(np.uint8)


def test_in_the_grain_of_the_night_light_is_nothing_and_a_thing_is_one(floor: list[Image], left: list[CutOut]) -> None:
    area = patch(floor[0].shape, ((0.1, 0.55), (0.35, 0.6), (0.3, 0.9), (0.05, 0.8)))
    assert not any(seen(grainy(course(floor, lambda image: lit(image, area, 1.5), from_s=SET_DOWN_S))))
    pictures = course(floor, lambda image: set_in(image, left[2], (0.75, 0.7), 0.05), from_s=SET_DOWN_S)
    told = [each for objects in seen(grainy(pictures)) for each in objects]
    assert all(seconds(each.since) == pytest.approx(SET_DOWN_S, abs=1.1) for each in told)
    assert len({each.number for each in told}) == 1


def test_who_is_followed_hides_what_stands_behind_him(floor: list[Image], left: list[CutOut]) -> None:
    box = (FOOT[0] - 0.06, FOOT[1] - 0.3, FOOT[0] + 0.06, FOOT[1] + 0.02)
    pictures = list(course(floor, lambda image: set_in(image, left[0], FOOT, WIDTH), from_s=SET_DOWN_S))
    said = seen(pictures, followed=lambda second: (box,) if second < 30 else ())
    assert not any(said[:30])
    assert seconds(said[-1][0].since) >= 28
    passing = seen(pictures, followed=lambda second: (box,) if 35 <= second < 50 else ())
    assert {each.number for objects in passing for each in objects} == {1}


def test_a_vehicle_that_stood_there_leaves_nothing_behind(floor: list[Image], left: list[CutOut]) -> None:
    box = (FOOT[0] - 0.04, FOOT[1] - 0.25, FOOT[0] + 0.04, FOOT[1])
    pictures = course(floor, lambda image: set_in(image, left[0], FOOT, WIDTH), from_s=SET_DOWN_S, to_s=TAKEN_S)
    followed = lambda second: (box,) if SET_DOWN_S <= second < 25 else ()  # noqa: E731 (a course of a line)
    assert not any(seen(pictures, followed=followed, vehicles=True))


def test_another_size_of_picture_and_another_view_are_learnt_anew(floor: list[Image]) -> None:
    watch = LeftBehindWatch()
    for second in range(20):
        watch.look(grey(floor[0]), at(second))
    assert watch.look(grey(floor[0])[:300], at(21)) == ()
    turned = [np.ascontiguousarray(image[:, ::-1]) for image in floor]
    views = [floor[0]] * 15 + [turned[second % len(turned)] for second in range(45)]
    assert not any(seen(views)[-30:])


def test_a_look_is_taken_about_once_a_second(floor: list[Image]) -> None:
    watch = LeftBehindWatch()
    looks = [watch.look(grey(floor[0]), at(index / 25)) for index in range(100)]
    assert sum(look is not None for look in looks) == 5


class Blind:
    """A detector that sees nobody."""

    labels: tuple[str, ...] = ("person",)

    def detect(self, image: Image, things: Sequence[Box] = ()) -> Detections:  # noqa: ARG002 (as detectors are asked)
        return detections()


def test_the_scenes_of_a_camera_with_the_rule_tell_of_it(floor: list[Image], left: list[CutOut]) -> None:
    plain = camera_from_words(["a=0,0 1,0 1,1 0,1"], ["intrusion:a"], model="yolox_nano_416")
    guarded = camera_from_words(["a=0,0 1,0 1,1 0,1"], ["abandoned_object:a:10"], model="yolox_nano_416")
    pictures = list(course(floor, lambda image: set_in(image, left[0], FOOT, WIDTH), from_s=SET_DOWN_S))[:30]
    for camera, told in ((plain, False), (guarded, True)):
        pipeline = CameraPipeline(camera, Blind())
        scenes = [
            pipeline.analyse(Frame("c", second, at(second), second, ArrayPicture(image)))
            for second, image in enumerate(pictures)
        ]
        assert bool(scenes[-1].objects) is told
        assert (scenes[0].objects is not None) is told
