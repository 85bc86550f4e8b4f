"""Pictures in memory with what is known of them, and how one is brought to the network's size."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.datasets.labels import LABELS, NUMBER, Label
from models.datasets.pictures import DataProblem, LabelledPicture
from models.datasets.sets import SETS

Pixels = NDArray[np.uint8]
"""A picture (rows, columns, 3), BGR."""

ALL_KNOWN: Final = (1 << len(LABELS)) - 1
KNOWN_STRIDE: Final = 8
"""Whether a class is known is told for squares of so many pixels."""
PADDING: Final = 114
LONGEST_SIDE_PIXELS: Final = 1_280
"""Larger pictures are made smaller: the sets that there are have none."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture, its `boxes` (n, 4) in pixels and their `classes` (n,); beside `ignored` boxes a score of their class is neither right
    nor wrong; `known` has a bit per class that the labels tell of; in `absent` boxes (m, 4) nothing of `absent_classes` (m,) is, whatever
    is known elsewhere. `made`: drawn, not taken by a camera.
    """

    pixels: Pixels
    boxes: NDArray[np.float32]
    classes: NDArray[np.intp]
    ignored: NDArray[np.float32]
    ignored_classes: NDArray[np.intp]
    known: int
    absent: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 4), np.float32))
    absent_classes: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    made: bool = False


@dataclass(frozen=True, slots=True)
class Taught:
    """What a teacher found in a picture: boxes (n, 4) in parts of the picture, classes (n,), scores (n,)."""

    boxes: NDArray[np.float32]
    classes: NDArray[np.intp]
    scores: NDArray[np.float32]


SURE: Final = 0.45
"""From this score on what a teacher finds is a label; below it, down to HINT, nobody knows."""
HINT: Final = 0.15
_SAME: Final = 0.4


def sample_of(picture: LabelledPicture, taught: Taught | None) -> Sample:
    """A labelled picture with what a teacher added. Raises DataProblem when the file is no picture."""
    pixels = shrunk(_read(picture.file), LONGEST_SIDE_PIXELS)
    one = SETS[picture.set_name]
    known = bits((*one.labelled, *one.absent))
    boxes, classes = picture.boxes, picture.classes
    ignored, ignored_classes = np.empty((0, 4), np.float32), np.empty(0, np.intp)
    if taught is not None:
        known |= bits(one.taught)
        allowed = np.isin(taught.classes, [NUMBER[label] for label in one.taught])
        beside = np.isin(taught.classes, [NUMBER[label] for label in one.labelled]) & (not one.complete)
        new = ~_covered(taught, picture.boxes)
        sure = allowed & (taught.scores >= SURE) & new
        doubtful = (allowed & (taught.scores < SURE) & new) | (beside & new)
        boxes = np.concatenate([boxes, taught.boxes[sure]])
        classes = np.concatenate([classes, taught.classes[sure]])
        ignored, ignored_classes = taught.boxes[doubtful], taught.classes[doubtful]
    scale = np.array([pixels.shape[1], pixels.shape[0]] * 2, np.float32)
    return Sample(pixels, boxes * scale, classes, ignored * scale, ignored_classes, known)


def _read(file: Path) -> Pixels:
    try:
        pixels = cv2.imread(str(file), cv2.IMREAD_COLOR)
    except cv2.error:  # more pixels than it takes
        pixels = None
    if pixels is None:
        raise DataProblem(f"{file} is no picture that can be read")
    return np.asarray(pixels, np.uint8)


def shrunk(pixels: Pixels, longest: int) -> Pixels:
    """A picture (h, w, 3) with no side longer than so many pixels: all of them are held in memory."""
    rows, columns = pixels.shape[:2]
    ratio = longest / max(rows, columns)
    if ratio >= 1:
        return pixels
    size = max(round(columns * ratio), 1), max(round(rows * ratio), 1)
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def bits(labels: Sequence[Label]) -> int:
    """A bit per class."""
    return sum(1 << NUMBER[label] for label in labels)


def _covered(taught: Taught, boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of the teacher's boxes the labels have already, whatever they call it: a fallen person is a person to the teacher."""
    if not len(boxes) or not len(taught.boxes):
        return np.zeros(len(taught.boxes), np.bool_)
    low = np.maximum(taught.boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(taught.boxes[:, None, 2:], boxes[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(-1)
    areas = (taught.boxes[:, 2:] - taught.boxes[:, :2]).prod(-1)[:, None] + (boxes[:, 2:] - boxes[:, :2]).prod(-1)[None]
    return np.asarray((common / (areas - common + 1e-9)).max(1) > _SAME)


def letterboxed(sample: Sample, size: int) -> Sample:
    """The sample in the upper left corner of a square of `size` pixels, as the edge node brings pictures to a network."""
    rows, columns = sample.pixels.shape[:2]
    ratio = min(size / columns, size / rows)
    fitted = max(round(columns * ratio), 1), max(round(rows * ratio), 1)
    pixels = np.full((size, size, 3), PADDING, np.uint8)
    pixels[: fitted[1], : fitted[0]] = cv2.resize(sample.pixels, fitted, interpolation=cv2.INTER_LINEAR)
    scale = np.array([fitted[0] / columns, fitted[1] / rows] * 2, np.float32)
    return replace(
        sample,
        pixels=pixels,
        boxes=sample.boxes * scale,
        ignored=sample.ignored * scale,
        absent=sample.absent * scale,
    )
