"""The layout of YOLOv5, v6 and v7, and of a YOLOX that was exported with its decoding: per row middle, size, objectness and
class scores, all of them worked out in pixels of the input.
"""

from collections.abc import Sequence

import numpy as np

from edge.inference import LooseShape, Tensor
from edge.perception.decoders.selection import Answer, best_wanted, corners_of, placed, surest
from edge.perception.decoders.suppression import without_doubles
from models.manifest import Manifest


class Yolov5Decoder:
    """Decodes (1, N, 5 + labels) into boxes in pixels of the network's input."""

    further_inputs = ()

    def __init__(self, manifest: Manifest, wanted: Sequence[int]) -> None:
        """Only the classes `wanted` (indices of labels) compete for a row."""
        self._input = manifest.input
        self._wanted = np.array(wanted, dtype=np.intp)
        self.output_shapes: tuple[LooseShape, ...] = ((1, None, 5 + len(manifest.labels)),)

    def decode(self, outputs: Sequence[Tensor], *, least_score: float) -> Answer:
        """Boxes (n, 4) in pixels of the input, scores (n,), class indices (n,); surest first, at most 300."""
        rows = outputs[0][0]
        rows = rows[rows[:, 4] >= least_score]
        scores, classes = best_wanted(rows[:, 5:] * rows[:, 4:5], self._wanted)
        sure = surest(scores, least_score=least_score)
        boxes = corners_of(rows[sure])
        return without_doubles(placed((boxes, scores[sure].astype(np.float32), classes[sure]), self._input))
