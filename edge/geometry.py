"""Polygons and boxes in normalised image coordinates (0–1 from the upper left corner). Pure."""

from collections.abc import Sequence
from math import hypot

import numpy as np
from numpy.typing import NDArray

from edge.flow import Box, Boxes

Point = tuple[float, float]

_ON_EDGE = 1e-9


def clamped(value: float) -> float:
    """The value, moved into 0–1."""
    return min(max(value, 0.0), 1.0)


def clamped_box(box: Box) -> Box:
    """The part of a box that lies in the picture."""
    left, top, right, bottom = box
    return clamped(left), clamped(top), clamped(right), clamped(bottom)


def foot_point(box: Box) -> Point:
    """Where a thing stands: the middle of the lower edge, moved into the picture."""
    left, _, right, bottom = box
    return clamped((left + right) / 2), clamped(bottom)


def contains(polygon: Sequence[Point], point: Point) -> bool:
    """Whether the point lies in the polygon or on its edge (even-odd rule, so that self-crossing outlines are defined)."""
    x, y = point
    inside = False
    for start, end in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if _lies_on(start, end, point):
            return True
        (x1, y1), (x2, y2) = start, end
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
    return inside


def side_of(line: Sequence[Point], point: Point) -> float:
    """How far a point lies off a directed line, in shares of the picture: positive at the right hand of one who walks along it."""
    (x1, y1), (x2, y2) = line
    x, y = point
    return ((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)) / max(hypot(x2 - x1, y2 - y1), 1e-12)


def passage(line: Sequence[Point], start: Point, end: Point) -> float | None:
    """Which share of the way from `start` to `end` lies before the line; None when the way does not pass through it.

    Who stands on the line is on its right, so that a way in several steps passes through it once.
    """
    before, after = side_of(line, start), side_of(line, end)
    if (before < 0) == (after < 0):
        return None
    share = before / (before - after)
    (x1, y1), (x2, y2) = line
    x, y = start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])
    along = ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / max((x2 - x1) ** 2 + (y2 - y1) ** 2, 1e-24)
    return share if 0.0 <= along <= 1.0 else None


def _lies_on(start: Point, end: Point, point: Point) -> bool:
    (x1, y1), (x2, y2), (x, y) = start, end, point
    off_line = abs((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1))
    beside = off_line > _ON_EDGE * max(1.0, abs(x2 - x1) + abs(y2 - y1))
    across = min(x1, x2) - _ON_EDGE <= x <= max(x1, x2) + _ON_EDGE
    down = min(y1, y2) - _ON_EDGE <= y <= max(y1, y2) + _ON_EDGE
    return across and down and not beside


def overlap(box: Box, other: Box) -> float:
    """How much of their common area two boxes share, 0–1."""
    across = max(min(box[2], other[2]) - max(box[0], other[0]), 0.0)
    down = max(min(box[3], other[3]) - max(box[1], other[1]), 0.0)
    shared = across * down
    both = max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0) + max(other[2] - other[0], 0.0) * max(
        other[3] - other[1], 0.0
    )
    return shared / max(both - shared, 1e-12)


def areas(boxes: Boxes) -> NDArray[np.float32]:
    """The area of each box (n, 4), zero where it is turned inside out; shape (n,)."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1], dtype=np.float32)


def overlaps(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """The area that each of `boxes` (n, 4) shares with each of `others` (m, 4); shape (n, m)."""
    upper_left = np.maximum(boxes[:, None, :2], others[None, :, :2])
    lower_right = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    sides = np.maximum(lower_right - upper_left, 0)
    return np.asarray(sides[..., 0] * sides[..., 1], dtype=np.float32)


def intersection_over_union(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """How much of their common area boxes share; shape (n, m), 0–1."""
    shared = overlaps(boxes, others)
    union = areas(boxes)[:, None] + areas(others)[None, :] - shared
    return np.asarray(shared / np.maximum(union, 1e-12), dtype=np.float32)


def intersection_over_smaller(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """Which share of the smaller one of two boxes lies in the other; shape (n, m), 0–1."""
    shared = overlaps(boxes, others)
    smaller = np.minimum(areas(boxes)[:, None], areas(others)[None, :])
    return np.asarray(shared / np.maximum(smaller, 1e-12), dtype=np.float32)


def grown(boxes: Boxes, share: float) -> Boxes:
    """Boxes (n, 4) made larger on each side by `share` of their own width and height."""
    margin = np.tile(np.maximum(boxes[:, 2:] - boxes[:, :2], 0) * np.float32(share), 2)
    margin[:, :2] *= -1
    return np.asarray(boxes + margin, dtype=np.float32)
