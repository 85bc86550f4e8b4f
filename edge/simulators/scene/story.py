"""What happens in a made scene: a place, a camera, weather, and actors with their ways, all from one seed. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from math import pi
from typing import Final

import numpy as np
from numpy.random import Generator

from edge.errors import ConfigurationError
from edge.simulators.scene import outlines, people, things, vehicles
from edge.simulators.scene.actors import Actor, Fall
from edge.simulators.scene.motion import Course, Point, standing, travel
from edge.simulators.scene.place import Place, Rectangle, ground_between, random_place, random_view
from edge.simulators.scene.shapes import Shape
from edge.simulators.scene.view import View
from edge.simulators.scene.weather import Conditions, random_conditions

FAR_END_M: Final = 48.0
_MOST_VIEWS: Final = 1_000
ROAD_END_M: Final = 95.0
"""Vehicles come from where they are next to nothing, and go there: one that vanished in view would be the next one for whoever follows it."""


@dataclass(frozen=True, slots=True)
class Story:
    """One made scene. `zones` and `lines` are outlines in shares of the picture, for a node's configuration; `standing_from_m` is the
    distance from which the ground is in the picture.
    """

    seed: int
    duration_s: float
    place: Place
    view: View
    conditions: Conditions
    actors: tuple[Actor, ...]
    zones: Mapping[str, tuple[Point, ...]]
    lines: Mapping[str, tuple[Point, Point]]


@dataclass(frozen=True, slots=True)
class Parameters:
    """How much happens: means for each minute, or chances for a whole scene. `conditions` None: any weather."""

    duration_s: float = 60.0
    aspect: float = 16 / 9
    walkers: float = 3.0
    crossers: float = 1.0
    riders: float = 1.2
    drivers: float = 1.5
    fire_lane_parkers: float = 0.5
    lingerers: float = 0.5
    gatherings: float = 0.2
    falls: float = 0.25
    droppers: float = 0.4
    overflows: float = 0.3
    conditions: Conditions | None = None


def random_story(seed: int, parameters: Parameters | None = None) -> Story:
    """A varied scene; the same seed and parameters give the same story."""
    told = parameters or Parameters()
    chance = np.random.default_rng([seed, 7])
    view = _view(chance, told.aspect)
    near = view.ground_at((0.5, 0.96))
    near_m = min(max(near[1] if near is not None else 6.0, 4.0), 14.0)
    place = random_place(chance, near_m)
    conditions = told.conditions or random_conditions(chance)
    cast = _Cast(chance, place, told, near_m)
    return Story(
        seed=seed,
        duration_s=told.duration_s,
        place=place,
        view=view,
        conditions=conditions,
        actors=tuple(cast.actors()),
        zones={name: seen for name, area in cast.areas.items() if (seen := outlines.zone(view, area)) is not None},
        lines={name: seen for name, ends in cast.lines.items() if (seen := outlines.line(view, *ends)) is not None},
    )


def _view(chance: Generator, aspect: float) -> View:
    """A camera that has the ground before it in the picture. Raises ConfigurationError where pictures of that shape show too little of it."""
    for _ in range(_MOST_VIEWS):
        view = random_view(chance, aspect)
        low, middle = view.ground_at((0.5, 0.96)), view.ground_at((0.5, 0.45))
        if low is not None and low[1] < 14.0 and (middle is None or middle[1] > 18.0):
            return view
    raise ConfigurationError(
        f"pictures {aspect:.1f} times as wide as high show too little of the ground; choose another size (--size 1280x720, say)"
    )


@dataclass(slots=True)
class _Cast:
    """Makes the actors of a story."""

    chance: Generator
    place: Place
    told: Parameters
    near_m: float
    areas: dict[str, Rectangle] = field(default_factory=dict)
    lines: dict[str, tuple[Point, Point]] = field(default_factory=dict)
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        """Areas and lines follow from the place."""
        left, right = self.place.strip
        near = self.near_m
        self.areas = {
            "fire_lane": self.place.fire_lane,
            "charging": self.place.charging,
            "yard": (left + 0.2, near + 2.0, self.place.lane[0] + 1.0, near + 13.0),
            "ground": (left, near, right, near + 24.0),
        }
        across = near + float(self.chance.uniform(4.0, 8.0))
        self.lines = {"gate": ((left, across), (right, across))}

    def actors(self) -> Iterator[Actor]:
        """All of them; bins and what is parked first."""
        yield from self._bins()
        yield from self._parked()
        yield from self._traffic()
        told = self.told
        for _ in range(self._number(told.walkers)):
            yield self._person(self._way_along(self.place.strip), self._speed())
        for _ in range(self._number(told.crossers)):
            yield self._person(self._way_across(), self._speed())
        for _ in range(self._number(told.riders)):
            yield from self._rider()
        for _ in range(self._number(told.lingerers)):
            yield self._lingerer(self._spot("yard"), float(self.chance.uniform(12.0, 45.0)))
        for _ in range(self._number(told.gatherings)):
            yield from self._gathering()
        if self.chance.random() < told.falls:
            yield self._faller()
        for _ in range(self._number(told.droppers)):
            yield from self._dropper()

    def _number(self, each_minute: float) -> int:
        return int(self.chance.poisson(each_minute * self.told.duration_s / 60.0))

    def _actor(self, label: str, shape: Shape, course: Course, fall: Fall | None = None) -> Actor:
        return Actor(next(self._ids), label, shape, course, fall)

    def _figure(self) -> people.Figure:
        return people.Figure(people.random_looks(self.chance))

    def _speed(self) -> float:
        return float(self.chance.uniform(0.8, 1.6))

    def _start(self, before_s: float = 15.0) -> float:
        return float(self.chance.uniform(-before_s, self.told.duration_s))

    def _spot(self, area: str) -> Point:
        return ground_between(self.chance, self.areas[area])

    def _way_along(self, between: tuple[float, float]) -> list[Point]:
        x = float(self.chance.uniform(between[0] + 0.5, between[1] - 0.5))
        ends = [(x, 1.0), (x + float(self.chance.normal(0, 0.5)), 20.0), (x, FAR_END_M)]
        kept = [(min(max(a, between[0] + 0.3), between[1] - 0.3), b) for a, b in ends]
        return kept if self.chance.random() < 0.5 else kept[::-1]

    def _way_across(self) -> list[Point]:
        left, right = self.place.strip
        y = self.near_m + float(self.chance.uniform(2.0, 16.0))
        ends = [(left + 0.2, y), (right - 0.2, y + float(self.chance.normal(0, 1.5)))]
        return ends if self.chance.random() < 0.5 else ends[::-1]

    def _person(self, way: list[Point], speed_mps: float) -> Actor:
        return self._actor("person", self._figure(), travel(way, speed_mps, self._start()))

    def _through(self, spot: Point, stay_s: float, start_s: float | None = None) -> Course:
        """In from one end, a stay, and on to one of the ends."""
        ends = [(spot[0] * 0.8, 1.0), (spot[0] * 0.8, FAR_END_M)]
        first, last = (ends[int(self.chance.integers(2))] for _ in range(2))
        begin = self._start(10.0) if start_s is None else start_s
        return travel([first, spot, last], self._speed(), begin, {1: stay_s})

    def _lingerer(self, spot: Point, stay_s: float) -> Actor:
        return self._actor("person", self._figure(), self._through(spot, stay_s))

    def _gathering(self) -> Iterator[Actor]:
        x, y = self._spot("yard")
        begin, stay = self._start(5.0), float(self.chance.uniform(20.0, 45.0))
        for number in range(int(self.chance.integers(4, 8))):
            angle = number * 2.4
            spot = (x + 0.9 * np.cos(angle) + 0.1 * number, y + 1.3 * np.sin(angle))
            yield self._actor("person", self._figure(), self._through(spot, stay, begin + number * 0.8))

    def _faller(self) -> Actor:
        """Walks, falls, lies; gets up and goes on, or does not."""
        spot = (float(self.chance.uniform(*self.place.strip)) * 0.8, self.near_m + float(self.chance.uniform(2.0, 9.0)))
        start_s = float(self.chance.uniform(0.0, self.told.duration_s * 0.3))
        up = self.chance.random() < 0.6
        lying_s = float(self.chance.uniform(6.0, 30.0)) if up else self.told.duration_s + 1_000.0
        course = self._through(spot, lying_s + 4.0, start_s - 5.0)
        falls_s = course.halts_s[0] + 0.1
        fall = Fall(falls_s, falls_s + lying_s if up else None)
        return self._actor("person", self._figure(), course, fall)

    def _dropper(self) -> Iterator[Actor]:
        """Leaves something; it stays, or somebody takes it away."""
        spot = self._spot("ground")
        course = self._through(spot, 1.5)
        yield self._actor("person", self._figure(), course)
        dropped_s = course.halts_s[0] + 1.0
        removed_s = self.told.duration_s + 1_000.0
        beside = (spot[0] + 0.35, spot[1])
        if self.chance.random() < 0.3:
            cleaner = self._through(beside, 1.5, dropped_s + float(self.chance.uniform(-5.0, 25.0)))
            taken_s = cleaner.halts_s[0] + 1.0
            if taken_s > dropped_s + 1.0:
                removed_s = taken_s
                yield self._actor("person", self._figure(), cleaner)
        litter = things.random_litter(self.chance)
        yield self._actor("litter", litter, standing(beside, float(self.chance.uniform(0, 6.28)), removed_s, dropped_s))

    def _rider(self) -> Iterator[Actor]:
        way = self._way_along(self.place.lane)
        course = travel(way, float(self.chance.uniform(2.5, 5.0)), self._start())
        yield self._actor("two_wheeler", vehicles.random_two_wheeler(self.chance), course)
        rider = people.Figure(people.random_looks(self.chance), people.Posture.RIDING)
        yield self._actor("person", rider, course)

    def _vehicle(self) -> tuple[str, Shape, float]:
        drawn = self.chance.random()
        if drawn < 0.72:
            return "car", *vehicles.random_car(self.chance)
        if drawn < 0.88:
            return "truck", *vehicles.random_lorry(self.chance)
        return "bus", *vehicles.random_bus(self.chance)

    def _traffic(self) -> Iterator[Actor]:
        """Vehicles one after the other on the left half, and some that stop in the fire lane on the right."""
        driving_x = self.place.lane[0] + 1.3
        free_s = float(self.chance.uniform(-15.0, 10.0))
        for _ in range(self._number(self.told.drivers)):
            label, shape, _ = self._vehicle()
            way = [(driving_x, -4.0), (driving_x, ROAD_END_M)]
            course = travel(
                way if self.chance.random() < 0.5 else way[::-1], float(self.chance.uniform(4.5, 9.0)), free_s
            )
            free_s = course.times_s[-1] + float(self.chance.exponential(8.0))
            yield self._actor(label, shape, course)
        free_s = float(self.chance.uniform(-12.0, 8.0))
        for _ in range(min(2, self._number(self.told.fire_lane_parkers))):
            label, shape, long = self._vehicle()
            x1, y1, x2, y2 = self.place.fire_lane
            if long > y2 - y1:
                continue
            spot = ((x1 + x2) / 2, (y1 + y2) / 2)
            way = [
                (spot[0] - 0.4, ROAD_END_M),
                (spot[0], spot[1] + 8.0),
                spot,
                (spot[0], spot[1] - 3.0),
                (spot[0] - 0.4, -6.0),
            ]
            course = travel(way, 6.0, free_s, {2: float(self.chance.uniform(8.0, 50.0))})
            free_s = course.times_s[-1] + 4.0
            yield self._actor(label, shape, course)

    def _bins(self) -> Iterator[Actor]:
        until_s = self.told.duration_s + 1.0
        turn = pi / 2 if self.place.bins[0][0] < 0 else -pi / 2
        for at in self.place.bins:
            paint = things.BIN_PAINTS[self.chance.integers(len(things.BIN_PAINTS))]
            closed = things.bin_body(paint, 1.0)
            course = standing(at, turn, until_s)
            if self.chance.random() >= self.told.overflows:
                yield self._actor("bin", closed, course)
                continue
            full = things.overflowing_bin(paint, 1.0, self.chance)
            since_s = float(self.chance.uniform(-self.told.duration_s / 2, self.told.duration_s))
            yield Actor(next(self._ids), "bin", closed, course, turns_s=since_s, turned=("bin_overflow", full))

    def _parked(self) -> Iterator[Actor]:
        """Two-wheelers that charge, from before the beginning until after the end."""
        x1, y1, x2, y2 = self.place.charging
        turn = pi / 2 if x1 > 0 else -pi / 2
        for y in np.arange(y1 + 0.4, y2, 0.8):
            if self.chance.random() < 0.45:
                course = standing(
                    ((x1 + x2) / 2, float(y)), turn + float(self.chance.normal(0, 0.1)), self.told.duration_s + 1.0
                )
                yield self._actor("two_wheeler", vehicles.random_two_wheeler(self.chance), course)
