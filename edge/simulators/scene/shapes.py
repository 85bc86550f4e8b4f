"""What a thing of a made scene is drawn from: points in its own frame, flat facets and round strokes between them. Pure.

Own frame: x to the thing's right, y ahead, z up, in metres, the origin on the ground below its middle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from edge.simulators.scene.view import NEAREST_M, Floats, View

Colour = tuple[int, int, int]
"""Blue, green, red."""

Bounds = tuple[float, float, float, float]

_WHEEL_CORNERS: Final = 14


@dataclass(frozen=True, slots=True)
class Pose:
    """Where something is and how it holds itself. `heading` 0 is away from the camera, growing to the right, in radians.

    `phase`: radians of a step; `speed_mps`; `tilt`: 0 upright, 1 lying.
    """

    x_m: float
    y_m: float
    heading: float
    phase: float = 0.0
    speed_mps: float = 0.0
    tilt: float = 0.0


@dataclass(frozen=True, slots=True)
class Facet:
    """A flat face through the points `first` … `last` − 1. A `closed` one belongs to a body and is seen from outside alone.

    `glow`: shines at night, as lamps do.
    """

    first: int
    last: int
    colour: Colour
    closed: bool = True
    glow: bool = False


@dataclass(frozen=True, slots=True)
class Stroke:
    """A limb between two points with a radius at each, or a ball where both are one."""

    begin: int
    end: int
    colour: Colour


class Shape(Protocol):
    """Something that can be drawn."""

    @property
    def pieces(self) -> tuple[Facet | Stroke, ...]:
        """What is drawn, in that order."""
        ...

    @property
    def radii(self) -> Floats:
        """(n,) metres around the points."""
        ...

    @property
    def sorted_by_depth(self) -> bool:
        """Whether pieces pass before each other, so that the farthest has to be drawn first."""
        ...

    def points(self, pose: Pose) -> Floats:
        """Its points (n, 3) in its own frame."""
        ...


@dataclass(frozen=True, slots=True)
class Rigid:
    """A shape whose points do not move against each other."""

    at: Floats
    pieces: tuple[Facet | Stroke, ...]
    radii: Floats
    sorted_by_depth: bool = False

    def points(self, pose: Pose) -> Floats:
        """They are always the same."""
        del pose
        return self.at


@dataclass(slots=True)
class Builder:
    """Collects points and pieces in the order in which they are drawn."""

    _points: list[tuple[float, float, float]] = field(default_factory=list)
    _radii: list[float] = field(default_factory=list)
    _pieces: list[Facet | Stroke] = field(default_factory=list)

    def point(self, x: float, y: float, z: float, radius_m: float = 0.0) -> int:
        """Add a point; its number."""
        self._points.append((float(x), float(y), float(z)))
        self._radii.append(radius_m)
        return len(self._points) - 1

    def face(
        self,
        corners: Sequence[tuple[float, float, float]],
        colour: Colour,
        *,
        closed: bool = True,
        glow: bool = False,
    ) -> None:
        """A flat face; corners of a closed one run clockwise for who sees it from outside."""
        first = len(self._points)
        for corner in corners:
            self.point(*corner)
        self._pieces.append(Facet(first, len(self._points), colour, closed, glow))

    def ball(self, x: float, y: float, z: float, radius_m: float, colour: Colour) -> None:
        """A ball."""
        at = self.point(x, y, z, radius_m)
        self._pieces.append(Stroke(at, at, colour))

    def rod(
        self, begin: tuple[float, float, float], end: tuple[float, float, float], radius_m: float, colour: Colour
    ) -> None:
        """A round rod."""
        self._pieces.append(Stroke(self.point(*begin, radius_m), self.point(*end, radius_m), colour))

    def sides(self, outline: Sequence[tuple[float, float]], low: float, high: float, colour: Colour) -> None:
        """The left and right faces of an outline (y, z) that stands `low` at its bottom and `high` at its top off the middle.

        The outline runs from the rear over the top to the front.
        """
        bottom = min(z for _, z in outline)
        top = max(z for _, z in outline)
        right = [(low + (high - low) * (z - bottom) / max(top - bottom, 1e-6), y, z) for y, z in outline]
        self.face(right, shaded(colour, 0.82))
        self.face([(-x, y, z) for x, y, z in reversed(right)], shaded(colour, 0.82))

    def strip(
        self, begin: tuple[float, float], end: tuple[float, float], widths: tuple[float, float], colour: Colour
    ) -> None:
        """A face across the thing, between two points (y, z) of an outline that runs from the rear over the top to the front."""
        (y1, z1), (y2, z2) = begin, end
        first, second = widths
        self.face([(-first, y1, z1), (-second, y2, z2), (second, y2, z2), (first, y1, z1)], colour)

    def box(
        self, across: tuple[float, float], along: tuple[float, float], up: tuple[float, float], colour: Colour
    ) -> None:
        """A box without a bottom."""
        (x1, x2), (y1, y2), (z1, z2) = across, along, up
        self.face([(x1, y1, z1), (x1, y1, z2), (x2, y1, z2), (x2, y1, z1)], shaded(colour, 0.75))
        self.face([(x2, y2, z1), (x2, y2, z2), (x1, y2, z2), (x1, y2, z1)], shaded(colour, 0.9))
        self.face([(x2, y1, z1), (x2, y1, z2), (x2, y2, z2), (x2, y2, z1)], shaded(colour, 0.82))
        self.face([(x1, y2, z1), (x1, y2, z2), (x1, y1, z2), (x1, y1, z1)], shaded(colour, 0.82))
        self.face([(x1, y1, z2), (x1, y2, z2), (x2, y2, z2), (x2, y1, z2)], shaded(colour, 1.06))

    def wheel(self, x: float, y: float, radius_m: float, *, closed: bool, colour: Colour = (28, 26, 26)) -> None:
        """A disc that stands on the ground, with a hub; seen from outside where it belongs to a body, else from both sides."""
        turn = 1 if x >= 0 else -1
        for share, shade in ((1.0, colour), (0.62, (120, 120, 122)), (0.2, (60, 60, 62))):
            angles = np.linspace(0, 2 * np.pi, _WHEEL_CORNERS, endpoint=False) * turn
            reach = radius_m * share
            corners = [(x, float(y - np.cos(a) * reach), float(radius_m + np.sin(a) * reach)) for a in angles]
            self.face(corners, shade, closed=closed)

    def built(self, *, sorted_by_depth: bool = False) -> Rigid:
        """The shape."""
        return Rigid(np.array(self._points), tuple(self._pieces), np.array(self._radii), sorted_by_depth)


def shaded(colour: Colour, share: float) -> Colour:
    """A colour in more or less light."""
    blue, green, red = (min(255, max(0, round(value * share))) for value in colour)
    return blue, green, red


def placed(points: Floats, pose: Pose) -> Floats:
    """Points of a thing's own frame, in the world."""
    sin, cos = np.sin(pose.heading), np.cos(pose.heading)
    world = np.empty_like(points)
    world[:, 0] = pose.x_m + points[:, 0] * cos + points[:, 1] * sin
    world[:, 1] = pose.y_m - points[:, 0] * sin + points[:, 1] * cos
    world[:, 2] = points[:, 2]
    return world


def outlined(shape: Shape, pose: Pose, view: View) -> tuple[Bounds, Floats] | None:
    """The box around all that is drawn of a shape, also outside of the picture, and where its points are (n, 2), in shares of the picture.

    None where it is too near to show.
    """
    places, depths = view.project(placed(shape.points(pose), pose))
    if depths.min() < NEAREST_M:
        return None
    across = shape.radii * (view.focal / depths)
    down = across * view.aspect
    x, y = places[:, 0], places[:, 1]
    box = float((x - across).min()), float((y - down).min()), float((x + across).max()), float((y + down).max())
    return box, places
