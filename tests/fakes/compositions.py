"""Footage put together from real parts: a real thing, cut out of one clip, stands in another; light falls where none fell.

What is cut out differs from the clip's own empty background; what is set in stands behind whoever passes before it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.flow import Box, Image
from edge.video import Video

Shot = tuple[float, Image]
"""Seconds and a picture."""

Mask = NDArray[np.float32]
"""How much of each pixel belongs to a thing or to a light, shape (height, width), 0–1."""

_APART = 25.0
"""Grey levels by which what stands before the background differs from it."""


@dataclass(frozen=True, slots=True)
class CutOut:
    """A thing of a clip: its pixels, and how much of each is the thing's."""

    image: Image = field(repr=False)
    mask: Mask = field(repr=False)


def shots(clip: Path, hertz: float, from_s: float = 0.0, to_s: float = 1e9) -> list[Shot]:
    """Pictures of a stretch of a clip; its times begin at 0."""
    taken: list[Shot] = []
    with Video(clip) as video:
        for decoded in video.frames():
            at_s = (decoded.pts_s or 0.0) - from_s
            if at_s + from_s > to_s:
                break
            if at_s >= -1e-6 and at_s + 1e-6 >= len(taken) / hertz:
                taken.append((at_s, decoded.picture.image))
    return taken


def to_and_fro(images: Sequence[Image], duration_s: float, hertz: float) -> Iterator[Shot]:
    """A short stretch played forwards and backwards for as long as is asked for, with its own noise."""
    way = [*images, *images[-2:0:-1]] or list(images)
    return ((index / hertz, way[index % len(way)]) for index in range(round(duration_s * hertz)))


def background(images: Sequence[Image]) -> Image:
    """The middle of some pictures, pixel by pixel."""
    return np.asarray(np.median(np.stack(images), axis=0), dtype=np.uint8)


def apart(image: Image, empty: Image) -> Mask:
    """What stands before the background, closed and softened at its outline. The camera's gain is taken out."""
    gain = float(np.median(image.astype(np.float32) / np.maximum(empty, 1)))
    away = np.abs(image.astype(np.float32) - gain * empty.astype(np.float32)).max(axis=2)
    differs = (cv2.GaussianBlur(away, (5, 5), 0) > _APART).astype(np.uint8)
    closed = cv2.morphologyEx(differs, cv2.MORPH_CLOSE, np.ones((9, 9), dtype=np.uint8))
    return np.asarray(cv2.GaussianBlur(closed.astype(np.float32), (3, 3), 0), dtype=np.float32)


def cut_out(image: Image, empty: Image, box: Box) -> CutOut:
    """The largest thing in a part of a picture (normalised box)."""
    height, width = image.shape[:2]
    columns = slice(int(box[0] * width), int(box[2] * width))
    rows = slice(int(box[1] * height), int(box[3] * height))
    mask = apart(image, empty)[rows, columns]
    _, labels, parts, _ = cv2.connectedComponentsWithStats((mask > 0.5).astype(np.uint8))
    largest = 1 + int(parts[1:, cv2.CC_STAT_AREA].argmax())
    left, top, wide, high = parts[largest, :4].tolist()
    whole = np.where(cv2.dilate((labels == largest).astype(np.uint8), np.ones((3, 3), dtype=np.uint8)) > 0, mask, 0.0)
    around = slice(top, top + high), slice(left, left + wide)
    return CutOut(image[rows, columns][around].copy(), whole[around].astype(np.float32))


def set_in(image: Image, thing: CutOut, foot: tuple[float, float], width: float, empty: Image | None = None) -> Image:
    """A picture in which a thing stands: `foot` is the middle of its lower edge, `width` its width, both normalised.

    With the clip's own empty background it stands behind whatever else is in the picture.
    """
    rows, columns = image.shape[:2]
    wide = max(round(width * columns), 2)
    high = max(round(wide * thing.image.shape[0] / thing.image.shape[1]), 2)
    pixels = cv2.resize(thing.image, (wide, high), interpolation=cv2.INTER_AREA).astype(np.float32)
    mask = cv2.resize(thing.mask, (wide, high), interpolation=cv2.INTER_AREA)
    left, top = round(foot[0] * columns - wide / 2), round(foot[1] * rows - high)
    if left < 0 or top < 0 or left + wide > columns or top + high > rows:
        raise ValueError("the thing does not stand in the picture")
    place = slice(top, top + high), slice(left, left + wide)
    if empty is not None:
        mask = mask * (1.0 - apart(image, empty)[place])
    made = image.copy()
    share = mask[:, :, None]
    made[place] = (share * pixels + (1.0 - share) * image[place].astype(np.float32)).astype(np.uint8)
    return made


def going_by(image: Image, thing: CutOut, foot: tuple[float, float], width: float) -> Image:
    """The same for a thing that may be partly outside of the picture, at its left or right."""
    columns = image.shape[1]
    margin = round(2 * width * columns)
    wide = np.asarray(cv2.copyMakeBorder(image, 0, 0, margin, margin, cv2.BORDER_REPLICATE), dtype=np.uint8)
    scale = columns / (columns + 2 * margin)
    x = (foot[0] * columns + margin) / (columns + 2 * margin)
    return set_in(wide, thing, (x, foot[1]), width * scale)[:, margin : margin + columns]


def mirrored(thing: CutOut) -> CutOut:
    """A thing as seen in a mirror."""
    return CutOut(np.ascontiguousarray(thing.image[:, ::-1]), np.ascontiguousarray(thing.mask[:, ::-1]))


def lit(image: Image, patch: Mask, gain: float) -> Image:
    """A picture in which light falls on a patch, or a shadow, where the gain is below 1."""
    factor = 1.0 + (gain - 1.0) * patch[:, :, None]
    return np.clip(image * factor, 0, 255).astype(np.uint8)


def patch(shape: tuple[int, ...], corners: Sequence[tuple[float, float]], softness_px: int = 5) -> Mask:
    """A patch of light with normalised corners and a soft edge."""
    height, width = shape[:2]
    area = np.zeros((height, width), dtype=np.float32)
    outline = np.array([(x * width, y * height) for x, y in corners], dtype=np.int32)
    cv2.fillPoly(area, [outline], 1.0)
    side = softness_px | 1
    return np.asarray(cv2.GaussianBlur(area, (side, side), 0), dtype=np.float32)
