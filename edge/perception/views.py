"""Which part of a picture a network looks at, and in an input of which size: no larger than what is worth looking at. Pure.

A picture is 16:9 and the input that a network was exported with is square: a third to a half of each whole look is spent on
padding. And what moves fills seldom more than a quarter of the picture. So the input follows the picture: the scale is
that of a whole look, whatever the part, since scores depend on the size in which a network sees things; it is smaller only where all that
is followed is so large that it will be found all the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Final

from edge.flow import Box
from edge.geometry import clamped_box

STRIDE: Final = 32
"""The sides of an input are whole multiples of the coarsest cell."""

CONTEXT: Final = 24
"""So many pixels of the input are shown around what is looked at: at a cut edge a network sees worse."""

LEAST_SIDE: Final = 128
"""A part that is smaller is shown with more around it: the price of a look no longer falls with its size."""

LARGE: Final = 128.0
"""Something of so many pixels of the input is seen as well as anything larger."""

LEAST_DETAIL: Final = 0.5
"""No part is shown smaller than this share of a whole look's scale, however large all things in it are."""

WORTH: Final = 0.85
"""A part that costs more than this share of the whole is no saving; then all of it is looked at."""


@dataclass(frozen=True, slots=True)
class View:
    """A part of a picture, in pixels of the picture, and the input (width, height) that it fills from the upper left corner.

    `scale`: pixels of the input per pixel of the picture.
    """

    left: int
    top: int
    width: int
    height: int
    input_width: int
    input_height: int
    scale: float

    @property
    def input_pixels(self) -> int:
        """What a look costs, nearly."""
        return self.input_width * self.input_height


def whole_view(columns: int, rows: int, *, width: int, height: int) -> View:
    """All of a picture, as large as it fits into an input of `width` × `height`, and no more padding than the cells need."""
    scale = min(width / columns, height / rows)
    return View(
        0,
        0,
        columns,
        rows,
        min(_in_cells(columns * scale), width),
        min(_in_cells(rows * scale), height),
        scale,
    )


def view_of(things: Sequence[Box], columns: int, rows: int, *, width: int, height: int) -> View:
    """The part of a picture that holds some things (normalised) and context; the whole picture where that costs hardly more."""
    whole, region = whole_view(columns, rows, width=width, height=height), around(things)
    if region is None:
        return whole
    scale = whole.scale * _detail(things, columns * whole.scale, rows * whole.scale)
    left, right, input_width = _span(region[0], region[2], columns, scale, whole.input_width)
    top, bottom, input_height = _span(region[1], region[3], rows, scale, whole.input_height)
    if input_width * input_height > WORTH * whole.input_pixels:
        return whole
    return View(left, top, right - left, bottom - top, input_width, input_height, scale)


def around(boxes: Iterable[Box]) -> Box | None:
    """The smallest region that holds all boxes, within the picture; None without any."""
    found = [clamped_box(box) for box in boxes]
    if not found:
        return None
    lefts, tops, rights, bottoms = zip(*found, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def holds(region: Box, box: Box) -> bool:
    """Whether the middle of a box lies in a region."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return region[0] <= x <= region[2] and region[1] <= y <= region[3]


def _detail(things: Iterable[Box], across: float, down: float) -> float:
    """The share of a whole look's scale in which the smallest of the things is still large. What is small is never shown smaller."""
    smallest = min(max((right - left) * across, (bottom - top) * down) for left, top, right, bottom in things)
    return min(max(LARGE / max(smallest, 1.0), LEAST_DETAIL), 1.0)


def _span(first: float, last: float, length: int, scale: float, most: int) -> tuple[int, int, int]:
    """From a part of a side (normalised) to pixels of the picture, from and to, and to the side of the input."""
    wanted = max((last - first) * length * scale + 2 * CONTEXT, LEAST_SIDE)
    side = min(_in_cells(wanted), most)
    shown = min(floor(side / scale), length)
    middle = (first + last) / 2 * length
    begin = min(max(round(middle - shown / 2), 0), length - shown)
    return begin, begin + shown, side


def _in_cells(length: float) -> int:
    """Rounded up to whole cells; what a rounding error adds is no cell more."""
    return max(ceil(length / STRIDE - 1e-6), 1) * STRIDE
