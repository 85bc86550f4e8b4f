"""Shapes of a made scene on a canvas: facets and strokes in perspective, with shadows and lamps."""

from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.flow import Image
from edge.simulators.scene.shapes import Colour, Facet, Pose, Shape, Stroke, placed, shaded
from edge.simulators.scene.view import NEAREST_M, Floats, View

_SHIFT: Final = 4
_UNIT: Final = 1 << _SHIFT
_ROUND_FROM_PX: Final = 1.0
_LARGEST_PX: Final = 20_000.0


def paint(canvas: Image, view: View, shape: Shape, pose: Pose) -> None:
    """Draw one shape over what is there; nothing where it is too near to show."""
    places, depths, around = _on_canvas(canvas, view, shape, pose)
    if depths.min() < NEAREST_M or not _touches(canvas, places, around):
        return
    fixed = np.round(places * _UNIT).astype(np.int32)
    pieces = list(shape.pieces)
    if shape.sorted_by_depth:
        pieces.sort(key=lambda piece: -_depth(piece, depths))
    for piece in pieces:
        if isinstance(piece, Facet):
            corners = fixed[piece.first : piece.last]
            if not piece.closed or _faces_us(corners):
                _fill(canvas, corners, piece.colour)
        else:
            _stroke(canvas, piece, places, around)


def _on_canvas(canvas: Image, view: View, shape: Shape, pose: Pose) -> tuple[Floats, Floats, Floats]:
    """Places in pixels, depths in metres, radii in pixels."""
    height, width = canvas.shape[:2]
    places, depths = view.project(placed(shape.points(pose), pose))
    return (
        np.clip(places * (width, height), -_LARGEST_PX, _LARGEST_PX),
        depths,
        shape.radii * (view.focal * width) / np.maximum(depths, NEAREST_M),
    )


def _touches(canvas: Image, places: Floats, around: Floats) -> bool:
    height, width = canvas.shape[:2]
    most = float(around.max())
    (left, top), (right, bottom) = places.min(axis=0), places.max(axis=0)
    return bool(right + most > 0 and bottom + most > 0 and left - most < width and top - most < height)


def _depth(piece: Facet | Stroke, depths: Floats) -> float:
    if isinstance(piece, Facet):
        return float(depths[piece.first : piece.last].mean())
    return float(depths[piece.begin] + depths[piece.end]) / 2


def _faces_us(corners: NDArray[np.int32]) -> bool:
    (x1, y1), (x2, y2), (x3, y3) = corners[:3].tolist()
    turned = (x2 - x1) * (y3 - y1) - (x3 - x1) * (y2 - y1)
    return cast("int", turned) > 0


def _fill(canvas: Image, corners: NDArray[np.int32], colour: Colour) -> None:
    if len(corners) == 4:
        cv2.fillConvexPoly(canvas, corners, colour, cv2.LINE_AA, _SHIFT)
    else:
        cv2.fillPoly(canvas, [corners], colour, cv2.LINE_AA, _SHIFT)


def _stroke(canvas: Image, piece: Stroke, places: Floats, around: Floats) -> None:
    """A limb, lighter at its upper left, where it is large enough to show that."""
    begin, end = places[piece.begin], places[piece.end]
    radius = max(float(around[piece.begin]), float(around[piece.end]))
    _limb(canvas, begin, end, (float(around[piece.begin]), float(around[piece.end])), piece.colour)
    if radius > 4:
        off = np.array([-0.3, -0.22]) * radius
        inner = float(around[piece.begin]) * 0.55, float(around[piece.end]) * 0.55
        _limb(canvas, begin + off, end + off, inner, shaded(piece.colour, 1.13))


def _limb(canvas: Image, begin: Floats, end: Floats, radii: tuple[float, float], colour: Colour) -> None:
    x1, y1, x2, y2 = float(begin[0]), float(begin[1]), float(end[0]), float(end[1])
    long = float(np.hypot(x2 - x1, y2 - y1))
    if max(radii) < _ROUND_FROM_PX:
        cv2.line(canvas, _fixed(x1, y1), _fixed(x2, y2), colour, 1, cv2.LINE_AA, _SHIFT)
        return
    for (x, y), radius in (((x1, y1), radii[0]), ((x2, y2), radii[1])):
        cv2.circle(canvas, _fixed(x, y), round(radius * _UNIT), colour, -1, cv2.LINE_AA, _SHIFT)
    if long > 0.5:
        dx, dy = -(y2 - y1) / long, (x2 - x1) / long
        corners = np.array(
            [
                (x1 + dx * radii[0], y1 + dy * radii[0]),
                (x2 + dx * radii[1], y2 + dy * radii[1]),
                (x2 - dx * radii[1], y2 - dy * radii[1]),
                (x1 - dx * radii[0], y1 - dy * radii[0]),
            ]
        )
        cv2.fillConvexPoly(canvas, np.round(corners * _UNIT).astype(np.int32), colour, cv2.LINE_AA, _SHIFT)


def _fixed(x: float, y: float) -> tuple[int, int]:
    return round(x * _UNIT), round(y * _UNIT)


def paint_shadow(
    canvas: Image, view: View, thing: tuple[Shape, Pose], sun: tuple[float, float], strength: float
) -> None:
    """Darken the ground where a thing keeps the light off. `sun`: metres of shadow along x and y for each metre of height."""
    height, width = canvas.shape[:2]
    shape, pose = thing
    world = placed(shape.points(pose), pose)
    world[:, 0] += world[:, 2] * sun[0]
    world[:, 1] += world[:, 2] * sun[1]
    world[:, 2] = 0.0
    places, depths = view.project(world)
    if depths.min() < NEAREST_M:
        return
    hull = cv2.convexHull(np.clip(places * (width, height), -width, 2 * width).astype(np.float32))
    x, y, wide, tall = cv2.boundingRect(hull)
    soft = max(1, min(wide, tall) // 6) | 1
    left, top = max(x - soft, 0), max(y - soft, 0)
    right, bottom = min(x + wide + soft, width), min(y + tall + soft, height)
    if right - left < 2 or bottom - top < 2:
        return
    part = canvas[top:bottom, left:right]
    dark: NDArray[np.uint8] = np.full(part.shape[:2], 255, np.uint8)
    corners = np.round((hull[:, 0] - (left, top)) * _UNIT).astype(np.int32)
    cv2.fillConvexPoly(dark, corners, round(255 * (1 - strength)), cv2.LINE_AA, _SHIFT)
    if soft > 1:
        dark = cast("NDArray[np.uint8]", cv2.blur(dark, (soft, soft)))
    part[:] = cv2.multiply(part, cv2.merge([dark, dark, dark]), scale=1 / 255)


def paint_lamps(canvas: Image, glow: Image, view: View, shape: Shape, pose: Pose) -> None:
    """Draw a thing's lamps as they shine at night: on the canvas, and wider on `glow`, which is blurred and added later."""
    lamps = [piece for piece in shape.pieces if isinstance(piece, Facet) and piece.glow]
    if not lamps:
        return
    places, depths, around = _on_canvas(canvas, view, shape, pose)
    if depths.min() < NEAREST_M or not _touches(canvas, places, around):
        return
    share = glow.shape[1] / canvas.shape[1]
    for lamp in lamps:
        corners = np.round(places[lamp.first : lamp.last] * _UNIT).astype(np.int32)
        if _faces_us(corners):
            _fill(canvas, corners, lamp.colour)
            middle = places[lamp.first : lamp.last].mean(axis=0) * share
            reach = max(2.0, float(np.ptp(places[lamp.first : lamp.last], axis=0).max()) * share * 1.6)
            cv2.circle(glow, (round(middle[0]), round(middle[1])), round(reach), lamp.colour, -1, cv2.LINE_AA)


def paint_plane(canvas: Image, view: View, plane: tuple[Floats, Floats, Floats], texture: Image) -> None:
    """Lay a picture on a flat piece of the world: `plane` is its left upper corner, and
    its whole width and height there, in metres.
    """
    origin, along, across = plane
    height, width = canvas.shape[:2]
    tall, wide = texture.shape[:2]
    to_canvas = np.diag([width, height, 1.0]) @ view.plane(origin, along / wide, across / tall)
    if abs(np.linalg.det(to_canvas)) < 1e-12:
        return
    back = np.linalg.inv(to_canvas)
    laid = cv2.warpPerspective(
        texture, back, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    u, v, w = (back[row, 0] * x + back[row, 1] * y + back[row, 2] for row in range(3))
    ahead = w > 1 / 400
    safe = np.where(ahead, w, 1.0)
    inside = ahead & (u >= 0) & (v >= 0) & (u <= wide * safe) & (v <= tall * safe)
    canvas[inside] = laid[inside]
