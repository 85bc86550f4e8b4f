from functools import cache

import pytest

from edge.errors import ConfigurationError
from edge.simulators.scene.composed import DURATION_S, FRAMES_PER_S, SIZE, STORIES, composed_scene
from edge.simulators.scene.truth import Event, EventKind, Truth

IN_TIME_S = 20.0
"""Whoever looks on has to see something by then, whenever he comes."""


@cache
def truth(name: str) -> Truth:
    return composed_scene(name).truth()


def lasts(event: Event) -> float:
    return (DURATION_S if event.end_s is None else event.end_s) - event.begin_s


def of(name: str, kind: EventKind, *, label: str, where: str | None = None) -> list[Event]:
    return [event for event in truth(name).of(kind) if (event.label, event.where) == (label, where)]


@pytest.mark.parametrize("name", STORIES)
def test_a_story_is_a_scene_of_the_size_and_length_that_it_says(name: str) -> None:
    scene = composed_scene(name)
    assert (scene.head.size, scene.head.duration_s) == (SIZE, DURATION_S)
    assert scene.count == DURATION_S * FRAMES_PER_S
    assert composed_scene(name).truth() == truth(name)


def test_at_the_gate_people_wait_for_long() -> None:
    waiting = [lasts(event) for event in of("gate", EventKind.DWELL, label="person", where="yard")]
    assert sum(waited > 16.5 for waited in waiting) >= 2


def test_at_the_gate_nobody_has_to_wait_for_somebody_in_the_yard() -> None:
    spans = [(e.begin_s, e.begin_s + lasts(e)) for e in of("gate", EventKind.STAY, label="person", where="yard")]
    times = [number * IN_TIME_S / 4 for number in range(round(DURATION_S / IN_TIME_S * 4))]
    assert all(any(begin <= at + IN_TIME_S and end > at for begin, end in spans) for at in times)


def test_at_the_gate_a_bin_overflows_and_rubbish_stays() -> None:
    for kind, label in ((EventKind.OVERFLOW, "bin_overflow"), (EventKind.LITTER, "litter")):
        [event] = of("gate", kind, label=label)
        assert event.begin_s < IN_TIME_S
        assert event.end_s is None


def test_in_the_fire_lane_two_cars_stay() -> None:
    stays = [lasts(event) for event in of("fire-lane", EventKind.DWELL, label="car", where="fire_lane")]
    assert len(stays) == 2
    assert min(stays) > 40.0


def test_in_the_fire_lane_somebody_falls_and_does_not_get_up() -> None:
    [event] = of("fire-lane", EventKind.FALL, label="fallen_person")
    assert event.begin_s < IN_TIME_S
    assert event.end_s is None


@pytest.mark.parametrize("name", STORIES)
def test_what_a_story_is_about_is_in_the_picture_and_large_enough(name: str) -> None:
    moment = truth(name).moments[30 * FRAMES_PER_S]
    about = {"litter", "bin_overflow", "fallen_person"}
    seen = [thing for thing in moment.objects if thing.label in about]
    assert seen
    for thing in seen:
        left, top, right, bottom = thing.visible
        assert thing.share > 0.85
        assert (right - left) * SIZE[0] * (bottom - top) * SIZE[1] > 20 * 20


def test_an_unknown_story_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="gate, fire-lane"):
        composed_scene("ghost")
