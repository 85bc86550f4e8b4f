"""Things cut out of their pictures and put into others (Ghiasi et al., "Simple Copy-Paste", 2021), for classes that few pictures show.

Without outlines of the things, patches are their boxes with soft edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.datasets.labels import NUMBER, Label
from models.training.samples import Pixels, Sample

_MARGIN: Final = 0.12
"""Of a box's sides, so much around it comes along, and fades."""
_LEAST_SIDE_PIXELS: Final = 24
_SIZES: Final = (0.1, 0.55)
"""The longer side of what is pasted, in parts of the picture."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A thing with some of its surroundings. `inner` is its box in the patch, in parts of it."""

    pixels: Pixels
    inner: tuple[float, float, float, float]
    number: int


def patches_of(samples: Sequence[Sample], label: Label) -> list[Patch]:
    """All things of a class that are large enough to be worth it, from pictures that a camera took: of made ones as many more can be drawn."""
    number = NUMBER[label]
    return [
        _cut(sample.pixels, box, number)
        for sample in samples
        if not sample.made
        for box in sample.boxes[sample.classes == number]
        if min(box[2] - box[0], box[3] - box[1]) >= _LEAST_SIDE_PIXELS
    ]


def _cut(pixels: Pixels, box: NDArray[np.float32], number: int) -> Patch:
    rows, columns = pixels.shape[:2]
    wide, high = (box[2] - box[0]) * _MARGIN, (box[3] - box[1]) * _MARGIN
    left, top = max(int(box[0] - wide), 0), max(int(box[1] - high), 0)
    right, bottom = min(int(box[2] + wide) + 1, columns), min(int(box[3] + high) + 1, rows)
    width, height = right - left, bottom - top
    inner = ((box[0] - left) / width, (box[1] - top) / height, (box[2] - left) / width, (box[3] - top) / height)
    return Patch(
        pixels[top:bottom, left:right], (float(inner[0]), float(inner[1]), float(inner[2]), float(inner[3])), number
    )


def paste(pixels: Pixels, patch: Patch, random: Generator) -> NDArray[np.float32]:
    """Put a patch somewhere into `pixels`, turned by a quarter or two, mirrored, brighter or darker; its box (4,) in pixels."""
    turned, inner = _turned(patch, int(random.integers(4)), bool(random.random() < 0.5))
    size = pixels.shape[0]
    scale = random.uniform(*_SIZES) * size / max(turned.shape[:2])
    width, height = max(int(turned.shape[1] * scale), 4), max(int(turned.shape[0] * scale), 4)
    small = cv2.resize(turned, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = int(random.integers(0, size - width + 1)), int(random.integers(0, size - height + 1))
    place = pixels[top : top + height, left : left + width]
    share = _soft(width, height)
    lit = small.astype(np.float32) * random.uniform(0.7, 1.25)
    place[:] = np.clip(place * (1 - share) + lit * share, 0, 255).astype(np.uint8)
    x, y = np.array([left, top], np.float32)
    return np.array(
        [x + inner[0] * width, y + inner[1] * height, x + inner[2] * width, y + inner[3] * height], np.float32
    )


def _turned(patch: Patch, quarters: int, mirrored: bool) -> tuple[Pixels, tuple[float, float, float, float]]:
    pixels, (left, top, right, bottom) = patch.pixels, patch.inner
    if mirrored:
        pixels, left, right = pixels[:, ::-1], 1 - right, 1 - left
    for _ in range(quarters):
        pixels = np.rot90(pixels)
        left, top, right, bottom = top, 1 - right, bottom, 1 - left
    return np.ascontiguousarray(pixels), (left, top, right, bottom)


def _soft(width: int, height: int) -> NDArray[np.float32]:
    """1 inside, falling to 0 over the margin: (height, width, 1)."""
    fade = _MARGIN / (1 + 2 * _MARGIN)
    across = np.minimum(np.linspace(0, 1, width), np.linspace(1, 0, width)) / fade
    down = np.minimum(np.linspace(0, 1, height), np.linspace(1, 0, height)) / fade
    return np.clip(np.minimum(across[None], down[:, None]), 0, 1).astype(np.float32)[..., None]
