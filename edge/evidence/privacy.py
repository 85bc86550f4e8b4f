"""The privacy mask (隐私遮挡): what could make someone recognisable is painted over before a picture leaves the node.

Regions become a few large squares of one colour each, so few that nothing can be computed back: what a region's shorter
side shows is told in `_SQUARES` colours. One sees that somebody stands there, not who. Masked are the head part of every
person, the plate part of every vehicle, moving regions that nobody can name, and, in black, the camera's fixed polygons.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from edge.flow import Box, Image, PrivateParts
from edge.geometry import Point, clamped

_HEAD_SHARE: Final = 0.35
_UPRIGHT: Final = 1.6
_CROUCHED: Final = 1.0
_HEAD_MARGIN: Final = 0.12
_PLATE_SHARE: Final = 0.55
_SQUARES: Final = 4
_LEAST_SQUARE_PIXELS: Final = 8


def masked(image: Image, parts: PrivateParts, polygons: Sequence[Sequence[Point]], *, colours: int = _SQUARES) -> Image:
    """A copy of the picture (height, width, 3) in which nobody can be recognised; each masked region shows so many `colours` along
    its shorter side.

    Raises ValueError when a box is not finite: what can't be placed can't be masked, and the picture must not be used.
    """
    picture = image.copy()
    height_by_width = image.shape[0] / image.shape[1]
    for box in parts.moving:
        _paint(picture, box, colours)
    for box in parts.vehicles:
        _paint(picture, plate_part(box), colours)
    for box in parts.people:
        _paint(picture, head_part(box, height_by_width), colours)
    for polygon in polygons:
        _paint_polygon(picture, polygon)
    return picture


def head_part(box: Box, height_by_width: float) -> Box:
    """The upper part of a person's box, wider than the box: a third of someone upright, all of someone who is not.

    A box that is cut off by the picture's edge, or of someone who crouches or lies, says little about where the head is.
    `height_by_width` is the picture's own proportion.
    """
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    slender = height * height_by_width / max(width, 1e-6)
    upright = clamped((slender - _CROUCHED) / (_UPRIGHT - _CROUCHED))
    share = 1.0 - upright * (1.0 - _HEAD_SHARE)
    margin = _HEAD_MARGIN * width
    return left - margin, top - _HEAD_MARGIN * height, right + margin, top + share * height


def plate_part(box: Box) -> Box:
    """The lower part of a vehicle's box."""
    left, top, right, bottom = box
    return left, bottom - _PLATE_SHARE * (bottom - top), right, bottom


def _paint(picture: Image, box: Box, colours: int) -> None:
    if not np.isfinite(box).all():
        raise ValueError("a region that is not finite can't be masked")
    rows, columns = picture.shape[:2]
    left, top, right, bottom = (clamped(edge) for edge in box)
    first, last = int(left * columns), int(np.ceil(right * columns))
    upper, lower = int(top * rows), int(np.ceil(bottom * rows))
    region = picture[upper:lower, first:last]
    if not region.size:
        return
    square = max(min(region.shape[:2]) / colours, _LEAST_SQUARE_PIXELS)
    few = (max(int(region.shape[1] / square), 1), max(int(region.shape[0] / square), 1))
    shown = cv2.resize(region, few, interpolation=cv2.INTER_AREA)
    region[:] = cv2.resize(shown, (region.shape[1], region.shape[0]), interpolation=cv2.INTER_NEAREST)


def _paint_polygon(picture: Image, polygon: Sequence[Point]) -> None:
    rows, columns = picture.shape[:2]
    outline = np.array([[round(x * columns), round(y * rows)] for x, y in polygon], dtype=np.int32)
    cv2.fillPoly(picture, [outline], (0, 0, 0))
