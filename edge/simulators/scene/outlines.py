"""Areas and lines of the ground as a camera sees them: polygons in shares of the picture, cut at its edges. Pure."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from edge.simulators.scene.place import Rectangle
from edge.simulators.scene.view import NEAREST_M, Floats, View

Point = tuple[float, float]

_SIDES: Final = np.array(
    [
        [0.0, 0.0, 1.0, -NEAREST_M],
        [1.0, 0.0, 0.0, 0.0],
        [-1.0, 0.0, 1.0, 0.0],
        [0.0, 1.0, 0.0, 0.0],
        [0.0, -1.0, 1.0, 0.0],
    ]
)
"""What lies in the picture, and before the lens, in homogeneous coordinates: each row's product is not negative."""
LEAST_AREA: Final = 0.004


def zone(view: View, ground: Rectangle) -> tuple[Point, ...] | None:
    """The part of an area that is in the picture; None where that is next to nothing."""
    x1, y1, x2, y2 = ground
    corners = _cut(_homogeneous(view, [(x1, y1), (x1, y2), (x2, y2), (x2, y1)]), closed=True)
    if len(corners) < 3:
        return None
    x, y = np.array([corner[0] for corner in corners]), np.array([corner[1] for corner in corners])
    area = abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2
    return corners if area >= LEAST_AREA else None


def line(view: View, begin: Point, end: Point) -> tuple[Point, Point] | None:
    """The part of a line on the ground that is in the picture; None where that is next to nothing."""
    ends = _cut(_homogeneous(view, [begin, end]), closed=False)
    if len(ends) < 2 or np.hypot(ends[-1][0] - ends[0][0], ends[-1][1] - ends[0][1]) < 0.15:
        return None
    return ends[0], ends[-1]


def _homogeneous(view: View, ground: Sequence[Point]) -> Floats:
    points = np.array([[x, y, 0.0, 1.0] for x, y in ground])
    seen: Floats = points @ view.matrix.T
    return np.hstack([seen, np.ones((len(seen), 1))])


def _cut(points: Floats, *, closed: bool) -> tuple[Point, ...]:
    for side in _SIDES:
        kept: list[Floats] = []
        count = len(points)
        for index in range(count):
            here = points[index]
            inside = float(here @ side)
            if inside >= 0:
                kept.append(here)
            if not closed and index == count - 1:
                break
            after = points[(index + 1) % count]
            other = float(after @ side)
            if (inside >= 0) != (other >= 0):
                kept.append(here + (after - here) * (inside / (inside - other)))
        if not kept:
            return ()
        points = np.array(kept)
    return tuple((min(max(float(x / w), 0.0), 1.0), min(max(float(y / w), 0.0), 1.0)) for x, y, w, _ in points)
