"""The way of one followed thing, thinned (轨迹抽稀): few points, between which it went straight on as far as anybody can tell. Pure.

A point is kept where the straight line from the one kept before would miss a sight in between by more than `TOLERANCE_STEPS` at one of
the four edges of the box ("swing filter": Elmeleegy et al., "Online Piece-wise Linear Approximation of Numerical Streams with
Precision Guarantees", VLDB 2009). Which moments it was seen in is kept exactly: a way has holes where it was not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from edge.flow import Box

STEPS: Final = 10_000
"""Edges are kept in these steps over the picture's width or height, as a track's path has them."""

TOLERANCE_STEPS: Final = 0.5
"""Boxes of a detector tremble by more than any tolerance that does no harm: one of 0.5 % of the picture takes 14 % less room, and moves
who stands on the edge of a zone into it and out of it.
"""

LARGEST_ERROR: Final = 0.0002
"""No edge of a remembered box is farther than this share of the picture from where it was: tolerance and rounding together."""

_NUMBERS = 5
Edges = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class KeyPoint:
    """Where a thing was, in steps. One that `begins` is not joined to the one before: there were looks without a sight. `expected`: it
    was taken to be there, nobody looked; what lies between two points of this kind was as well.
    """

    at_ms: int
    edges: Edges
    begins: bool = False
    expected: bool = False


@dataclass(slots=True)
class CourseThinner:
    """Takes the sights of one thing in order of time, and gives the points that are left."""

    _kept: list[KeyPoint] = field(default_factory=list)
    _last: KeyPoint | None = None
    _anchor: KeyPoint | None = None
    _slopes: list[tuple[float, float]] = field(default_factory=list)
    _missed: bool = True

    def __len__(self) -> int:
        """How many points wait for `cut`."""
        return len(self._kept)

    def see(self, at_ms: int, box: Box, *, expected: bool = False) -> None:
        """A sight. One that is not later than the last is left out."""
        if self._last is not None and at_ms <= self._last.at_ms:
            return
        point = KeyPoint(at_ms, in_steps(box), self._missed, expected)
        if self._missed or (self._last is not None and self._last.expected is not expected):
            self._keep_last()
            self._kept.append(point)
            self._anchor, self._slopes = point, []
        else:
            self._go_on(point)
        self._last, self._missed = point, False

    def miss(self) -> None:
        """A look in which it was not seen."""
        self._missed = True

    def cut(self) -> tuple[KeyPoint, ...]:
        """What was kept since the last cut, up to the last sight; what follows begins with the same point again."""
        self._keep_last()
        kept, self._kept = tuple(self._kept), []
        if self._missed:
            self._last = None
        if self._last is not None:
            self._kept = [replace(self._last, begins=False)]
            self._anchor, self._slopes = self._kept[0], []
        return kept

    def _keep_last(self) -> None:
        if self._last is not None and (not self._kept or self._kept[-1].at_ms < self._last.at_ms):
            self._kept.append(self._last)

    def _go_on(self, point: KeyPoint) -> None:
        if self._slopes and not all(
            low <= slope <= high for slope, (low, high) in zip(self._slopes_to(point), self._slopes, strict=True)
        ):
            self._keep_last()
            self._anchor, self._slopes = self._last, []
        self._narrow(point)

    def _slopes_to(self, point: KeyPoint) -> list[float]:
        """In steps per millisecond, edge by edge."""
        anchor = self._anchor or point
        elapsed_ms = max(point.at_ms - anchor.at_ms, 1)
        return [(edge - before) / elapsed_ms for edge, before in zip(point.edges, anchor.edges, strict=True)]

    def _narrow(self, point: KeyPoint) -> None:
        """From now on only lines that pass this point nearly enough."""
        anchor = self._anchor or point
        leeway = TOLERANCE_STEPS / max(point.at_ms - anchor.at_ms, 1)
        cone = [(slope - leeway, slope + leeway) for slope in self._slopes_to(point)]
        if self._slopes:
            cone = [
                (max(low, lower), min(high, upper))
                for (low, high), (lower, upper) in zip(cone, self._slopes, strict=True)
            ]
        self._slopes = cone


def in_steps(box: Box) -> Edges:
    """A box in steps; what lies outside of the picture is moved to its edge."""
    left, top, right, bottom = (min(max(round(edge * STEPS), 0), STEPS) for edge in box)
    return left, top, right, bottom


def as_box(edges: Sequence[float]) -> Box:
    """The box again."""
    left, top, right, bottom = (edge / STEPS for edge in edges)
    return left, top, right, bottom


def packed(points: Sequence[KeyPoint], from_ms: int) -> tuple[int, ...]:
    """Points as differences, five numbers each: small numbers take little room."""
    numbers: list[int] = []
    before_ms, before = from_ms, (0, 0, 0, 0)
    for point in points:
        numbers.append(4 * (point.at_ms - before_ms) + 2 * point.expected + point.begins)
        numbers += [edge - last for edge, last in zip(point.edges, before, strict=True)]
        before_ms, before = point.at_ms, point.edges
    return tuple(numbers)


def unpacked(numbers: Sequence[int], from_ms: int) -> Iterator[KeyPoint]:
    """The points again. Raises ValueError for what `packed` has not made."""
    if len(numbers) % _NUMBERS:
        raise ValueError("a way has five numbers for each point")
    at_ms, edges = from_ms, [0, 0, 0, 0]
    for index in range(0, len(numbers), _NUMBERS):
        first, *steps = numbers[index : index + _NUMBERS]
        at_ms += first >> 2
        edges = [edge + step for edge, step in zip(edges, steps, strict=True)]
        yield KeyPoint(at_ms, (edges[0], edges[1], edges[2], edges[3]), bool(first & 1), bool(first & 2))


class Course:
    """A thinned way, to be asked in order of time where the thing was."""

    def __init__(self, points: Sequence[KeyPoint]) -> None:
        self.points = points
        self._asked = self._next = 0

    @property
    def passed(self) -> Sequence[KeyPoint]:
        """The points that `at` has come past since it was asked before, and the one before them."""
        return self.points[max(self._asked - 1, 0) : self._next]

    def at(self, at_ms: int) -> tuple[Box, bool] | None:
        """Where it was at a moment in which there was a look, and whether it was only expected there; None where it was not seen.
        Times may not go back.
        """
        points, self._asked = self.points, self._next
        while self._next < len(points) and points[self._next].at_ms <= at_ms:
            self._next += 1
        if not self._next:
            return None
        before = points[self._next - 1]
        if before.at_ms == at_ms:
            return as_box(before.edges), before.expected
        after = points[self._next] if self._next < len(points) else None
        if after is None or after.begins:
            return None
        share = (at_ms - before.at_ms) / (after.at_ms - before.at_ms)
        box = as_box([edge + share * (to - edge) for edge, to in zip(before.edges, after.edges, strict=True)])
        return box, after.expected
