"""Pictures of the made scene as training samples: all that is in them is known, and none of them had to be labelled by hand."""

from collections.abc import Callable
from typing import Final

import numpy as np

from edge.simulators.scene.labelled import labelled_frames
from models.datasets.labels import NUMBER, Label
from models.training.samples import ALL_KNOWN, Sample

_SIZE: Final = (448, 252)


def scene_samples(seed: int, count: int, progress: Callable[[int], None] = lambda _done: None) -> list[Sample]:
    """`count` pictures; the same seed gives the same ones."""
    samples = []
    for pixels, boxes, names in labelled_frames(seed, count, _SIZE):
        classes = np.array([NUMBER[Label(name)] for name in names], np.intp)
        none = np.empty((0, 4), np.float32)
        samples.append(Sample(pixels, boxes, classes, none, np.empty(0, np.intp), ALL_KNOWN, made=True))
        progress(len(samples))
    return samples
