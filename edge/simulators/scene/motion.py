"""Ways of actors in a made scene: where something is at a moment, how fast, and where it looks. Pure."""

import itertools
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import atan2, hypot, pi
from typing import Final

from edge.simulators.scene.shapes import Pose

Point = tuple[float, float]

_ROUNDINGS: Final = 2
_STANDS_MPS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Course:
    """A way as points passed at times: `times_s` never falls. Before the first and after the last one nobody is there."""

    times_s: tuple[float, ...]
    points: tuple[Point, ...]
    headings: tuple[float, ...]
    ways_m: tuple[float, ...]

    @property
    def halts_s(self) -> tuple[float, ...]:
        """When stops begin."""
        return tuple(
            self.times_s[index] for index, (way, after) in enumerate(itertools.pairwise(self.ways_m)) if way == after
        )

    def at(self, at_s: float) -> tuple[Pose, float] | None:
        """The pose, without phase or tilt, and the way so far in metres; None where the way has not begun or is over."""
        times = self.times_s
        if not times[0] <= at_s < times[-1]:
            return None
        index = bisect_right(times, at_s) - 1
        span = times[index + 1] - times[index]
        share = (at_s - times[index]) / span
        (x1, y1), (x2, y2) = self.points[index], self.points[index + 1]
        way = self.ways_m[index + 1] - self.ways_m[index]
        speed = way / span
        turn = (self.headings[index + 1] - self.headings[index] + pi) % (2 * pi) - pi
        heading = self.headings[index] + turn * min(1.0, share * 2)
        pose = Pose(
            x1 + (x2 - x1) * share, y1 + (y2 - y1) * share, heading, speed_mps=speed if speed > _STANDS_MPS else 0.0
        )
        return pose, self.ways_m[index] + way * share


def standing(at: Point, heading: float, until_s: float, since_s: float = 0.0) -> Course:
    """Somewhere without moving."""
    return Course((since_s, until_s), (at, at), (heading, heading), (0.0, 0.0))


def travel(
    points: Sequence[Point], speed_mps: float, start_s: float, stops_s: Mapping[int, float] | None = None
) -> Course:
    """A way through points at one speed, with rounded corners, and with stops of so many seconds at some of them."""
    stops = dict(stops_s or {})
    legs: list[list[Point]] = [[points[0]]]
    for index, point in enumerate(points[1:], 1):
        legs[-1].append(point)
        if index in stops and index < len(points) - 1:
            legs.append([point])
    held = [stops[index] for index in sorted(stops) if 0 < index < len(points) - 1]
    times, places, headings, ways = [start_s], [points[0]], [_heading(points[0], points[1])], [0.0]
    for number, leg in enumerate(legs):
        for begin, end in itertools.pairwise(_rounded(leg)):
            long = hypot(end[0] - begin[0], end[1] - begin[1])
            if long < 1e-6:
                continue
            times.append(times[-1] + long / speed_mps)
            places.append(end)
            ways.append(ways[-1] + long)
            headings.append(_heading(begin, end))
        if number < len(held):
            times.append(times[-1] + held[number])
            places.append(places[-1])
            ways.append(ways[-1])
            headings.append(headings[-1])
    return Course(tuple(times), tuple(places), tuple(headings), tuple(ways))


def _heading(begin: Point, end: Point) -> float:
    return atan2(end[0] - begin[0], end[1] - begin[1])


def _rounded(points: Sequence[Point]) -> list[Point]:
    """The corners cut, twice, between a first and a last point that stay."""
    now = list(points)
    for _ in range(_ROUNDINGS if len(points) > 2 else 0):
        cut = [now[0]]
        for (x1, y1), (x2, y2) in itertools.pairwise(now):
            cut += [(0.75 * x1 + 0.25 * x2, 0.75 * y1 + 0.25 * y2), (0.25 * x1 + 0.75 * x2, 0.25 * y1 + 0.75 * y2)]
        now = [*cut, now[-1]]
    return now
