"""What a detector finds in labelled pictures, in our classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.flow import Detections, Image
from edge.perception.decoders.suppression import without_doubles
from edge.perception.detector import OnnxDetector
from models.datasets.coco import ours
from models.datasets.labels import NUMBER
from models.datasets.pictures import DataProblem, LabelledPicture


@dataclass(frozen=True, slots=True)
class Found:
    """`boxes` (n, 4) in parts of the picture, `scores` (n,), `classes` (n,) numbers of our labels; surest first."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.intp]

    def of_class(self, number: int, least_score: float = 0.0) -> NDArray[np.intp]:
        """The indices of a class's boxes that are at least so sure."""
        return np.flatnonzero((self.classes == number) & (self.scores >= least_score))


def look(
    detector: OnnxDetector, pictures: Sequence[LabelledPicture], progress: Callable[[int], None] = lambda _done: None
) -> list[Found]:
    """What is found in each picture. Raises DataProblem for what is no picture, ModelUnusable when the graph fails."""
    found = []
    for done, picture in enumerate(pictures, start=1):
        found.append(in_our_classes(detector.detect(pixels_of(picture))))
        progress(done)
    return found


def pixels_of(picture: LabelledPicture) -> Image:
    """The picture, BGR. Raises DataProblem."""
    pixels = cv2.imread(str(picture.file), cv2.IMREAD_COLOR)
    if pixels is None:
        raise DataProblem(f"{picture.file} is no picture that can be read; fetch the set again")
    return np.asarray(pixels, np.uint8)


def in_our_classes(told: Detections) -> Found:
    """Without what we have no class for or lies outside the picture, and without doubles: a bicycle and a motorcycle in one place are one
    two-wheeler.
    """
    within = np.clip(told.boxes, 0, 1).astype(np.float32)
    there = np.asarray((within[:, 2:] > within[:, :2]).all(axis=1), np.bool_).reshape(-1)
    named = [
        (index, label) for index, name in enumerate(told.labels) if there[index] and (label := ours(name)) is not None
    ]
    kept = [index for index, _ in named]
    classes = np.array([NUMBER[label] for _, label in named], np.intp)
    answer = without_doubles((within[kept], told.scores[kept].astype(np.float32), classes))
    return Found(*answer)
