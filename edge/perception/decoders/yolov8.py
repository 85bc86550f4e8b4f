"""The layout of YOLOv8, v9 and 11: columns of middle, size and class scores, without objectness, in pixels of the input."""

from collections.abc import Sequence

import numpy as np

from edge.inference import LooseShape, Tensor
from edge.perception.decoders.selection import Answer, best_wanted, corners_of, placed, surest
from edge.perception.decoders.suppression import without_doubles
from models.manifest import Manifest


class Yolov8Decoder:
    """Decodes (1, 4 + labels, N) into boxes in pixels of the network's input."""

    further_inputs = ()

    def __init__(self, manifest: Manifest, wanted: Sequence[int]) -> None:
        """Only the classes `wanted` (indices of labels) compete for a column."""
        self._input = manifest.input
        self._wanted = np.array(wanted, dtype=np.intp)
        self.output_shapes: tuple[LooseShape, ...] = ((1, 4 + len(manifest.labels), None),)

    def decode(self, outputs: Sequence[Tensor], *, least_score: float) -> Answer:
        """Boxes (n, 4) in pixels of the input, scores (n,), class indices (n,); surest first, at most 300."""
        columns = outputs[0][0]
        scores, classes = best_wanted(columns[4:].T, self._wanted)
        sure = surest(scores, least_score=least_score)
        boxes = corners_of(columns[:4, sure].T)
        return without_doubles(placed((boxes, scores[sure].astype(np.float32), classes[sure]), self._input))
