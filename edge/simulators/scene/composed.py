"""Stories composed by hand: what happens when is written down here, for who looks on and waits for it. Pure.

A story is made to be shown over and over: who is there at its end and not at its beginning (a bag, somebody who has fallen) is seen anew
each time. Metres and seconds as in `view` and `actors`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from math import pi
from typing import Final

import numpy as np
from numpy.random import Generator

from edge.errors import ConfigurationError
from edge.simulators.scene import outlines, people, things, vehicles
from edge.simulators.scene.actors import Actor, Fall
from edge.simulators.scene.motion import Course, Point, standing, travel
from edge.simulators.scene.place import Place, Rectangle, random_place
from edge.simulators.scene.scene import Scene
from edge.simulators.scene.shapes import Shape
from edge.simulators.scene.story import ROAD_END_M, Story
from edge.simulators.scene.view import View
from edge.simulators.scene.weather import Conditions

DURATION_S: Final = 75.0
SIZE: Final = (640, 360)
FRAMES_PER_S: Final = 6
_SUNNY: Final = Conditions(shadow=0.3, sun=(0.7, 0.25), noise=1.5)
_LYING: Final = 15
"""On the back: one of the ways in which people lie."""
_FOREVER_S: Final = DURATION_S + 1.0
_VIEW: Final = View(height_m=3.4, yaw=0.0, pitch=0.21, roll=0.0, focal=0.86, aspect=SIZE[0] / SIZE[1])


@dataclass(slots=True)
class _Cast:
    """Numbers the actors of a story and gives them their looks."""

    chance: Generator
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def stands(self, label: str, shape: Shape, at: Point, heading: float, since_s: float = 0.0) -> Actor:
        """Something that stays where it is."""
        return Actor(next(self._ids), label, shape, standing(at, heading, _FOREVER_S, since_s))

    def drives(self, label: str, shape: Shape, course: Course) -> Actor:
        """Something that moves."""
        return Actor(next(self._ids), label, shape, course)

    def person(self, course: Course, *, fall: Fall | None = None) -> Actor:
        """Somebody tall enough to be a grown-up, with nothing over his head."""
        looks = replace(people.random_looks(self.chance), height_m=1.72, load=people.Load.NONE, lying=_LYING)
        return Actor(next(self._ids), "person", people.Figure(looks), course, fall)

    def rider(self, course: Course) -> Iterator[Actor]:
        """A scooter with who rides it."""
        yield Actor(next(self._ids), "two_wheeler", vehicles.random_two_wheeler(self.chance), course)
        rider = people.Figure(people.random_looks(self.chance), people.Posture.RIDING)
        yield Actor(next(self._ids), "person", rider, course)


def gate(seed: int = 11) -> Story:
    """People wait beside a gate; a bin overflows; a bag is left there and stays."""
    chance = np.random.default_rng([seed, 8])
    place = replace(
        random_place(chance),
        lane=(-2.4, 3.2),
        strip=(-6.2, 7.0),
        fire_lane=(0.8, 16.0, 3.2, 23.0),
        charging=(4.9, 15.0, 6.9, 21.0),
        bins=((4.3, 8.4), (4.35, 9.5)),
        gate_y_m=24.0,
    )
    cast = _Cast(chance)
    areas = {"yard": (-6.0, 6.0, -0.9, 15.0), "ground": (-6.2, 5.5, 7.0, 20.0)}
    return _story(seed, place, areas, tuple(_at_the_gate(cast, place)))


def _at_the_gate(cast: _Cast, place: Place) -> Iterator[Actor]:
    yield from _bins(cast, place, overflows_s=3.0)
    yield from _charging(cast, place)
    yield cast.person(travel([(-2.2, 22.0), (-3.0, 9.3), (-2.6, 40.0)], 1.3, -8.0, {1: 44.0}))
    yield cast.person(travel([(-4.8, 30.0), (-4.3, 10.4), (-5.0, 34.0)], 1.2, -14.0, {1: 36.0}))
    leaves = travel([(-5.0, 2.0), (-2.7, 8.0), (-1.4, 9.4), (-1.6, 36.0)], 1.2, 0.0, {1: 2.0})
    yield cast.person(leaves)
    yield cast.stands("litter", _rubbish(), (-3.0, 7.9), 0.4, leaves.halts_s[0] + 1.0)
    yield cast.person(travel([(6.0, 34.0), (2.2, 14.0), (2.0, 2.5)], 1.25, 24.0))
    yield cast.person(travel([(-5.0, 3.0), (-3.4, 10.6), (-4.0, 40.0)], 1.3, 44.0, {1: 20.0}))
    yield from cast.rider(travel([(1.6, 44.0), (1.7, 12.0), (1.4, -3.0)], 4.0, 33.0))
    car, _ = vehicles.random_car(cast.chance)
    yield cast.drives("car", car, travel([(-0.6, -5.0), (-0.6, ROAD_END_M)], 5.0, 52.0))


def fire_lane(seed: int = 12) -> Story:
    """A car stops in a fire lane and stays, a second one behind it; somebody falls and does not get up."""
    chance = np.random.default_rng([seed, 8])
    place = replace(
        random_place(chance),
        lane=(-3.6, 3.4),
        strip=(-7.0, 7.4),
        fire_lane=(0.6, 8.5, 3.4, 24.0),
        charging=(5.2, 10.0, 7.2, 17.0),
        bins=((-5.6, 11.0),),
        gate_y_m=28.0,
    )
    cast = _Cast(chance)
    areas = {"fire_lane": place.fire_lane, "ground": (-7.0, 5.5, 7.4, 22.0)}
    return _story(seed, place, areas, tuple(_in_the_fire_lane(cast, place)))


def _in_the_fire_lane(cast: _Cast, place: Place) -> Iterator[Actor]:
    yield from _bins(cast, place, overflows_s=None)
    yield from _charging(cast, place)
    middle = (place.fire_lane[0] + place.fire_lane[2]) / 2
    first, _ = vehicles.random_car(cast.chance)
    yield cast.drives("car", first, _parks(middle, 12.0, -7.0, 60.0))
    second, _ = vehicles.random_car(cast.chance)
    yield cast.drives("car", second, _parks(middle + 0.1, 18.5, 8.0, 52.0))
    falls = travel([(-6.6, 8.2), (-1.6, 7.8), (-1.6, 30.0)], 1.4, -1.0, {1: _FOREVER_S})
    yield cast.person(falls, fall=Fall(falls.halts_s[0] + 0.1))
    yield cast.person(travel([(4.6, 3.0), (4.4, 18.0), (4.6, 40.0)], 1.3, 18.0))
    yield cast.person(travel([(-5.0, 36.0), (-4.6, 14.0), (-4.8, 2.5)], 1.25, 30.0))
    yield from cast.rider(travel([(-2.2, 44.0), (-2.9, 12.0), (-3.0, -3.0)], 4.0, 40.0))


def _parks(x_m: float, y_m: float, start_s: float, stays_s: float) -> Course:
    """Comes from afar, stays, and drives on towards the camera."""
    way = [(x_m - 0.3, 60.0), (x_m, y_m + 8.0), (x_m, y_m), (x_m - 2.4, y_m - 7.0), (x_m - 2.8, -6.0)]
    return travel(way, 6.0, start_s, {2: stays_s})


def _bins(cast: _Cast, place: Place, overflows_s: float | None) -> Iterator[Actor]:
    """Bins along the pavement; the first one overflows from a moment on."""
    turn = pi / 2 if place.bins[0][0] < 0 else -pi / 2
    for number, at in enumerate(place.bins):
        closed = things.bin_body(things.BIN_PAINTS[number], 1.0)
        actor = cast.stands("bin", closed, at, turn)
        if number == 0 and overflows_s is not None:
            full = things.overflowing_bin(things.BIN_PAINTS[number], 1.0, cast.chance)
            actor = replace(actor, turns_s=overflows_s, turned=("bin_overflow", full))
        yield actor


def _charging(cast: _Cast, place: Place) -> Iterator[Actor]:
    x1, y1, x2, y2 = place.charging
    for y in np.arange(y1 + 0.5, y2, 1.7):
        yield cast.stands("two_wheeler", vehicles.random_two_wheeler(cast.chance), ((x1 + x2) / 2, float(y)), pi / 2)


def _rubbish() -> Shape:
    """Rubbish, the same in every story."""
    return things.random_litter(np.random.default_rng(8))


def _story(seed: int, place: Place, areas: Mapping[str, Rectangle], actors: tuple[Actor, ...]) -> Story:
    lines = {"gate": ((place.strip[0], 10.0), (place.strip[1], 10.0))}
    return Story(
        seed=seed,
        duration_s=DURATION_S,
        place=place,
        view=_VIEW,
        conditions=_SUNNY,
        actors=actors,
        zones={name: seen for name, area in areas.items() if (seen := outlines.zone(_VIEW, area)) is not None},
        lines={name: seen for name, ends in lines.items() if (seen := outlines.line(_VIEW, *ends)) is not None},
    )


STORIES: Final[Mapping[str, Callable[[], Story]]] = {"gate": gate, "fire-lane": fire_lane}
"""By the names that the command knows them by."""


def composed_scene(name: str) -> Scene:
    """A story of `STORIES` as a scene of `SIZE`. Raises ConfigurationError for another name."""
    if name not in STORIES:
        raise ConfigurationError(f"there is no story {name!r}; there are {', '.join(STORIES)}")
    return Scene(STORIES[name](), size=SIZE, frame_period_s=1 / FRAMES_PER_S)
