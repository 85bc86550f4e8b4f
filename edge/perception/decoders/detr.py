"""The DETR family as it comes out of the network: per query a logit for each class, and middle and size as shares of the input.

Read so are RT-DETR, D-FINE, DEIM and RF-DETR without their post-processing, whose classes are independent (sigmoid). The first
DETR, with its class for "nothing" (softmax), is not. Zhao et al., "DETRs Beat YOLOs on Real-time Object Detection",
https://arxiv.org/abs/2304.08069.
"""

from collections.abc import Sequence

import numpy as np

from edge.inference import LooseShape, Tensor
from edge.perception.decoders.selection import Answer, best_wanted, corners_of, placed, surest
from models.manifest import Manifest


class DetrDecoder:
    """Decodes logits (1, N, labels) and boxes (1, N, 4) into boxes in pixels of the network's input."""

    further_inputs = ()

    def __init__(self, manifest: Manifest, wanted: Sequence[int]) -> None:
        """Only the classes `wanted` (indices of labels) compete for a query."""
        self._input = manifest.input
        self._wanted = np.array(wanted, dtype=np.intp)
        self._size = np.array([manifest.input.width, manifest.input.height] * 2, dtype=np.float32)
        self.output_shapes: tuple[LooseShape, ...] = ((1, None, len(manifest.labels)), (1, None, 4))

    def decode(self, outputs: Sequence[Tensor], *, least_score: float) -> Answer:
        """Boxes (n, 4) in pixels of the input, scores (n,), class indices (n,); surest first, at most 300.

        Queries that outputs of different lengths leave without a partner are left out.
        """
        logits, middles = outputs[0][0], outputs[1][0]
        queries = min(len(logits), len(middles))
        best, classes = best_wanted(logits[:queries], self._wanted)
        scores = (1 / (1 + np.exp(-np.clip(best, -80, 80)))).astype(np.float32)
        sure = surest(scores, least_score=least_score)
        return placed((corners_of(middles[sure] * self._size), scores[sure], classes[sure]), self._input)
