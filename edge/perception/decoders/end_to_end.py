"""End to end: the graph suppresses doubles itself. YOLOv10, YOLO26, and YOLOX and others exported with suppression: rows of
left, top, right, bottom in pixels of the input, score and class.
"""

from collections.abc import Sequence

import numpy as np

from edge.inference import LooseShape, Tensor
from edge.perception.decoders.selection import Answer, placed, surest
from models.manifest import Manifest


class EndToEndDecoder:
    """Decodes (1, N, 6) into boxes in pixels of the network's input."""

    further_inputs = ()
    output_shapes: tuple[LooseShape, ...] = ((1, None, 6),)

    def __init__(self, manifest: Manifest, wanted: Sequence[int]) -> None:
        """Rows of other classes than `wanted` (indices of labels) are left out."""
        self._input = manifest.input
        self._wanted = np.array(wanted, dtype=np.intp)

    def decode(self, outputs: Sequence[Tensor], *, least_score: float) -> Answer:
        """Boxes (n, 4) in pixels of the input, scores (n,), class indices (n,); surest first, at most 300."""
        rows = outputs[0].reshape(-1, 6)
        rows = rows[np.isin(rows[:, 5], self._wanted)]
        rows = rows[surest(rows[:, 4], least_score=least_score)]
        return placed((rows[:, :4], rows[:, 4], rows[:, 5].astype(np.intp)), self._input)


class FlatEndToEndDecoder(EndToEndDecoder):
    """The same without a dimension for the batch: (N, 6)."""

    output_shapes = ((None, 6),)
