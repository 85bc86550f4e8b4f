"""Judged pictures of a site as training samples: what people found is known at the boxes that they judged, and nowhere else."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.datasets.verdicts import JudgedPicture, LeftOut, PictureUnusable, VerdictSet
from models.training.samples import Sample, shrunk

LONGEST_SIDE_PIXELS: Final = 640
MOST_PICTURES: Final = 3_000
"""So many are held in memory, two gigabytes; of more the export should be of fewer days."""


def judged_samples(
    verdicts: VerdictSet, pictures: Sequence[JudgedPicture], progress: Callable[[int], None] = lambda _done: None
) -> tuple[list[Sample], Counter[LeftOut]]:
    """Samples of the pictures that can be read, at most `MOST_PICTURES`, and why others can't."""
    samples: list[Sample] = []
    left_out: Counter[LeftOut] = Counter()
    for done, picture in enumerate(pictures, start=1):
        if len(samples) == MOST_PICTURES:
            left_out[LeftOut.TOO_MANY] += len(pictures) - done + 1
            break
        try:
            samples.append(_sample(picture, shrunk(verdicts.pixels(picture), LONGEST_SIDE_PIXELS)))
        except PictureUnusable as problem:
            left_out[problem.why] += 1
        progress(done)
    return samples, left_out


def _sample(picture: JudgedPicture, pixels: NDArray[np.uint8]) -> Sample:
    scale = np.array([pixels.shape[1], pixels.shape[0]] * 2, np.float32)
    return Sample(
        pixels=pixels,
        boxes=picture.boxes * scale,
        classes=picture.classes,
        ignored=np.empty((0, 4), np.float32),
        ignored_classes=np.empty(0, np.intp),
        known=0,
        absent=picture.absent * scale,
        absent_classes=picture.absent_classes,
    )
