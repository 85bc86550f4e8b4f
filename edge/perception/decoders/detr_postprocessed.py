"""The DETR family exported with its post-processing (RT-DETR, D-FINE, DEIM): classes, boxes and scores, best first, in pixels
of the size that a second input names. It always gets the size of the network's own input.
"""

from collections.abc import Sequence

import numpy as np

from edge.inference import LooseShape, Tensor, WholeNumbers
from edge.perception.decoders.selection import Answer, placed, surest
from models.manifest import Manifest


class PostprocessedDetrDecoder:
    """Decodes classes (1, N), boxes (1, N, 4) and scores (1, N) into boxes in pixels of the network's input."""

    output_shapes: tuple[LooseShape, ...] = ((1, None), (1, None, 4), (1, None))

    def __init__(self, manifest: Manifest, wanted: Sequence[int]) -> None:
        """Rows of other classes than `wanted` (indices of labels) are left out."""
        self._input = manifest.input
        self._wanted = np.array(wanted, dtype=np.intp)
        size = np.array([[manifest.input.width, manifest.input.height]], dtype=np.int64)
        self.further_inputs: tuple[WholeNumbers, ...] = (size,)

    def decode(self, outputs: Sequence[Tensor], *, least_score: float) -> Answer:
        """Boxes (n, 4) in pixels of the input, scores (n,), class indices (n,); surest first, at most 300.

        Rows that outputs of different lengths leave without a partner are left out.
        """
        classes, boxes, scores = (output[0] for output in outputs)
        rows = min(len(classes), len(boxes), len(scores))
        wanted = np.flatnonzero(np.isin(classes[:rows], self._wanted))
        sure = wanted[surest(scores[wanted], least_score=least_score)]
        return placed((boxes[sure], scores[sure], classes[sure].astype(np.intp)), self._input)
