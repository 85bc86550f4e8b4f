"""A training picture from one sample or from four: scaled, shifted, mirrored and put together. Labels go along."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training.degradation import degraded
from models.training.pasting import Patch, paste
from models.training.samples import ALL_KNOWN, KNOWN_STRIDE, PADDING, Pixels, Sample

_SCALES_OF_ONE: Final = (0.6, 1.8)
_SCALES_OF_FOUR: Final = (0.8, 2.4)
"""Against a picture that fills its place. Four in one are small: where they are not enlarged, things that fill the picture are missed, and
the more so the larger the input is.
"""
_LEAST_SIDE_PIXELS: Final = 4.0
_LEAST_VISIBLE: Final = 0.25
"""Of a box that the picture's edge cuts, so much has to be left, or it is ignored."""
_MOST_COVERED: Final = 0.5
"""Of a box that a pasted thing covers, or it is ignored."""


@dataclass(frozen=True, slots=True)
class Example:
    """One picture of a batch; `known` (size / 8, size / 8) has a bit per class that the labels tell of at that place."""

    pixels: Pixels
    boxes: NDArray[np.float32]
    classes: NDArray[np.intp]
    ignored: NDArray[np.float32]
    ignored_classes: NDArray[np.intp]
    known: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Tile:
    """Where a sample goes: a rectangle of the canvas, the scale, and where the sample's corner comes to lie."""

    left: int
    top: int
    right: int
    bottom: int
    scale: float
    x: float
    y: float
    mirrored: bool


def example_of_one(
    sample: Sample, size: int, random: Generator, *, patch: Patch | None = None, degrade: bool = True
) -> Example:
    """One sample somewhere in a square of `size` pixels, smaller or larger than it."""
    rows, columns = sample.pixels.shape[:2]
    scale = min(size / columns, size / rows) * random.uniform(*_SCALES_OF_ONE)
    x, y = (random.uniform(min(0, size - scale * side), max(0, size - scale * side)) for side in (columns, rows))
    tile = _Tile(0, 0, size, size, scale, x, y, bool(random.random() < 0.5))
    return _composed([(sample, tile)], size, random, patch=patch, degrade=degrade)


def example_of_four(
    samples: Sequence[Sample], size: int, random: Generator, *, patch: Patch | None = None, degrade: bool = True
) -> Example:
    """Four samples around a point (the mosaic of Bochkovskiy et al., "YOLOv4", 2020)."""
    across, down = (int(size * random.uniform(0.3, 0.7)) for _ in range(2))
    places = ((0, 0, across, down), (across, 0, size, down), (0, down, across, size), (across, down, size, size))
    tiles = []
    for sample, (left, top, right, bottom) in zip(samples, places, strict=True):
        rows, columns = sample.pixels.shape[:2]
        scale = max((right - left) / columns, (bottom - top) / rows) * random.uniform(*_SCALES_OF_FOUR)
        slack_x, slack_y = (right - left) - scale * columns, (bottom - top) - scale * rows
        x = left + random.uniform(min(0, slack_x), max(0, slack_x))
        y = top + random.uniform(min(0, slack_y), max(0, slack_y))
        tiles.append((sample, _Tile(left, top, right, bottom, scale, x, y, bool(random.random() < 0.5))))
    return _composed(tiles, size, random, patch=patch, degrade=degrade)


def _composed(
    tiles: Sequence[tuple[Sample, _Tile]], size: int, random: Generator, *, patch: Patch | None, degrade: bool
) -> Example:
    pixels = np.full((size, size, 3), PADDING, np.uint8)
    known = np.full((size // KNOWN_STRIDE, size // KNOWN_STRIDE), ALL_KNOWN, np.int64)
    boxes, classes, ignored, ignored_classes = [], [], [], []
    for sample, tile in tiles:
        _draw(pixels, sample.pixels, tile)
        _tell(known, sample, tile)
        placed, whole = _placed(sample.boxes, sample, tile)
        boxes.append(placed[whole])
        classes.append(sample.classes[whole])
        cut = ~whole & ((placed[:, 2:] - placed[:, :2]) > 1).all(1)
        doubtful, _ = _placed(sample.ignored, sample, tile)
        ignored += [doubtful, placed[cut]]
        ignored_classes += [sample.ignored_classes, sample.classes[cut]]
    example = Example(
        pixels,
        np.concatenate(boxes),
        np.concatenate(classes),
        np.concatenate(ignored),
        np.concatenate(ignored_classes),
        known,
    )
    if patch is not None:
        example = _with_patch(example, patch, random)
    return replace(example, pixels=degraded(pixels, random)) if degrade else example


def _with_patch(example: Example, patch: Patch, random: Generator) -> Example:
    """The example with a pasted thing; what that one covers is ignored from now on."""
    box = paste(example.pixels, patch, random)
    low, high = np.maximum(example.boxes[:, :2], box[:2]), np.minimum(example.boxes[:, 2:], box[2:])
    area = (example.boxes[:, 2:] - example.boxes[:, :2]).prod(1)
    covered = np.clip(high - low, 0, None).prod(1) > _MOST_COVERED * area
    return replace(
        example,
        boxes=np.concatenate([example.boxes[~covered], box[None]]),
        classes=np.concatenate([example.classes[~covered], [patch.number]]),
        ignored=np.concatenate([example.ignored, example.boxes[covered]]),
        ignored_classes=np.concatenate([example.ignored_classes, example.classes[covered]]),
    )


def _draw(canvas: Pixels, pixels: Pixels, tile: _Tile) -> None:
    columns = pixels.shape[1]
    if tile.mirrored:
        move = np.array([[-tile.scale, 0, tile.x + tile.scale * columns], [0, tile.scale, tile.y]])
    else:
        move = np.array([[tile.scale, 0, tile.x], [0, tile.scale, tile.y]])
    move[:, 2] -= (tile.left, tile.top)
    place = canvas[tile.top : tile.bottom, tile.left : tile.right]
    smoothed = pixels
    if tile.scale < 0.5:
        smoothed = np.asarray(cv2.blur(pixels, (2, 2)), np.uint8)
    place[:] = cv2.warpAffine(
        smoothed, move, (place.shape[1], place.shape[0]), flags=cv2.INTER_LINEAR, borderValue=(PADDING,) * 3
    )


def _tell(known: NDArray[np.int64], sample: Sample, tile: _Tile) -> None:
    """Write down what is known where the sample lies; a square that two tiles share takes what both know."""
    rows, columns = sample.pixels.shape[:2]
    left, top = max(tile.left, tile.x), max(tile.top, tile.y)
    right, bottom = min(tile.right, tile.x + tile.scale * columns), min(tile.bottom, tile.y + tile.scale * rows)
    if right <= left or bottom <= top:
        return
    across = slice(int(left // KNOWN_STRIDE), int(-(-right // KNOWN_STRIDE)))
    down = slice(int(top // KNOWN_STRIDE), int(-(-bottom // KNOWN_STRIDE)))
    known[down, across] &= sample.known
    for box, number in zip(_placed(sample.absent, sample, tile)[0], sample.absent_classes, strict=True):
        if (box[2:] - box[:2] >= 1).all():
            known[_middles(box[1], box[3]), _middles(box[0], box[2])] |= 1 << int(number)


def _middles(low: float, high: float) -> slice:
    """The squares whose middle is between two sides of a box, and one at least."""
    first = math.ceil(low / KNOWN_STRIDE - 0.5)
    last = math.floor(high / KNOWN_STRIDE - 0.5)
    middle = int((low + high) / 2 // KNOWN_STRIDE)
    return slice(first, last + 1) if last >= first else slice(middle, middle + 1)


def _placed(boxes: NDArray[np.float32], sample: Sample, tile: _Tile) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The boxes on the canvas, cut at the tile's edges, and which of them are still worth a label."""
    moved = boxes.copy()
    if tile.mirrored:
        moved[:, [0, 2]] = sample.pixels.shape[1] - moved[:, [2, 0]]
    moved = moved * np.float32(tile.scale) + np.array([tile.x, tile.y] * 2, np.float32)
    area = (moved[:, 2:] - moved[:, :2]).prod(1)
    low = np.array([tile.left, tile.top] * 2, np.float32)
    high = np.array([tile.right, tile.bottom] * 2, np.float32)
    cut = np.clip(moved, low, high)
    sides = cut[:, 2:] - cut[:, :2]
    whole = (sides >= _LEAST_SIDE_PIXELS).all(1) & (sides.prod(1) > _LEAST_VISIBLE * area)
    return cut.astype(np.float32), np.asarray(whole)
