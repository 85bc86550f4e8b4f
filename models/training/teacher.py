"""A teacher: a detector of the catalogue labels the classes that a set leaves out. Its weights never enter ours."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from edge.perception.detector import OnnxDetector, open_detector
from models.datasets.coco import OF_COCO
from models.datasets.labels import NUMBER
from models.datasets.pictures import DataProblem, LabelledPicture
from models.training.samples import HINT, Taught


def teach(
    pictures: Sequence[LabelledPicture], teacher: str, progress: Callable[[int], None] = lambda _done: None
) -> dict[str, Taught]:
    """What the teacher finds in each picture, by the picture's key. Raises ModelUnusable where its weights can't be had."""
    detector = open_detector(teacher)
    taught = {}
    for done, picture in enumerate(pictures, start=1):
        taught[picture.key] = _looked_at(detector, picture)
        progress(done)
    return taught


def _looked_at(detector: OnnxDetector, picture: LabelledPicture) -> Taught:
    pixels = cv2.imread(str(picture.file), cv2.IMREAD_COLOR)
    if pixels is None:
        raise DataProblem(f"{picture.file} is no picture that can be read")
    found = detector.detect(np.asarray(pixels, np.uint8))
    kept = [index for index, label in enumerate(found.labels) if label in OF_COCO and found.scores[index] >= HINT]
    return Taught(
        np.clip(found.boxes[kept], 0, 1).astype(np.float32),
        np.array([NUMBER[OF_COCO[found.labels[index]]] for index in kept], np.intp),
        found.scores[kept].astype(np.float32),
    )
