"""Which share of each thing in a picture can be seen, and the box around that. Pure.

What is nearer hides. Two that stand in the very same place are one thing that is ridden and its rider: neither hides the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.simulators.scene.shapes import Bounds, Pose, Shape, outlined
from edge.simulators.scene.view import Floats, View

CELLS: Final = 16
"""A thing's box is looked at in so many columns and rows."""


@dataclass(frozen=True, slots=True)
class Extent:
    """A thing in the picture: the box around all of it, the box around what is visible of it, and that share of its area.

    Boxes in shares of the picture; `visible` lies in it, `full` may reach beyond.
    """

    full: Bounds
    visible: Bounds
    share: float


@dataclass(frozen=True, slots=True)
class _Standing:
    full: Bounds
    distance_m: float
    hull: Floats


class Sight:
    """What a camera sees of things. What has not moved since it was asked for last is not looked at again; memory is one entry a thing."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Shape, Pose, View, _Standing | None]] = {}

    def extents(self, things: Sequence[tuple[Shape, Pose]], view: View) -> list[Extent | None]:
        """What can be seen of each; None for who is not in the picture at all or too near to show."""
        standing = [self._standing(shape, pose, view) for shape, pose in things]
        if len(self._known) > 2 * len(things) + 64:
            self._known.clear()
        found: list[Extent | None] = []
        for own in standing:
            if own is None or not _overlap(own.full, (0.0, 0.0, 1.0, 1.0)):
                found.append(None)
                continue
            before = [
                other
                for other in standing
                if other is not None
                and other is not own
                and other.distance_m < own.distance_m
                and _overlap(own.full, other.full)
            ]
            found.append(_seen(own, before))
        return found

    def _standing(self, shape: Shape, pose: Pose, view: View) -> _Standing | None:
        known = self._known.get(id(shape))
        if known is None or known[0] is not shape or known[1] != pose or known[2] != view:
            known = shape, pose, view, _standing(shape, pose, view)
            self._known[id(shape)] = known
        return known[3]


def _standing(shape: Shape, pose: Pose, view: View) -> _Standing | None:
    outline = outlined(shape, pose, view)
    if outline is None:
        return None
    full, places = outline
    return _Standing(full, hypot(pose.x_m, pose.y_m), places)


def _overlap(first: Bounds, second: Bounds) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _seen(own: _Standing, before: Sequence[_Standing]) -> Extent | None:
    left, top, right, bottom = own.full
    inside = max(left, 0.0), max(top, 0.0), min(right, 1.0), min(bottom, 1.0)
    whole = max((right - left) * (bottom - top), 1e-12)
    if not before:
        share = (inside[2] - inside[0]) * (inside[3] - inside[1]) / whole
        return Extent(own.full, inside, min(1.0, share))
    xs = left + (right - left) * (np.arange(CELLS) + 0.5) / CELLS
    ys = top + (bottom - top) * (np.arange(CELLS) + 0.5) / CELLS
    x, y = np.meshgrid(xs, ys)
    shown = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
    for other in before:
        shown &= ~_covers(other, x, y)
    share = float(shown.mean())
    if share == 0:
        return Extent(own.full, inside, 0.0)
    columns, rows = np.flatnonzero(shown.any(axis=0)), np.flatnonzero(shown.any(axis=1))
    across, down = (right - left) / CELLS, (bottom - top) / CELLS
    visible = (
        max(inside[0], left + across * float(columns[0])),
        max(inside[1], top + down * float(rows[0])),
        min(inside[2], left + across * float(columns[-1] + 1)),
        min(inside[3], top + down * float(rows[-1] + 1)),
    )
    return Extent(own.full, visible, share)


def _covers(other: _Standing, x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Which places lie behind a nearer thing: within the outline that its points have in bands of its height."""
    left, top, right, bottom = other.full
    covered = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    # A body narrows: each of its bands hides only between its own outermost points, with some flesh around them.
    bands = 8
    flesh = 0.12 * (right - left)
    tall = max(bottom - top, 1e-9)
    least, most = np.full(bands, np.inf), np.full(bands, -np.inf)
    rows = np.clip(((other.hull[:, 1] - top) / tall * bands).astype(int), 0, bands - 1)
    np.minimum.at(least, rows, other.hull[:, 0] - flesh)
    np.maximum.at(most, rows, other.hull[:, 0] + flesh)
    known = np.flatnonzero(np.isfinite(least))
    everywhere = np.arange(bands)
    least, most = np.interp(everywhere, known, least[known]), np.interp(everywhere, known, most[known])
    band = np.clip(((y - top) / tall * bands).astype(int), 0, bands - 1)
    hidden: NDArray[np.bool_] = covered & (x >= least[band]) & (x <= most[band])
    return hidden
