"""The FastestDet head: one grid; per cell objectness, middle within the cell (tanh), size as a share of the input (sigmoid) and
class scores. How sure it is weighs objectness more than class.

https://github.com/dog-qiuqiu/FastestDet (BSD-3-Clause).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from edge.inference import LooseShape, Tensor
from edge.perception.decoders.selection import Answer, best_wanted, corners_of, placed, surest
from edge.perception.decoders.suppression import without_doubles
from models.manifest import Manifest

_STRIDE: Final = 16
_WEIGHT_OF_OBJECT: Final = 0.6
_OVERLAP: Final = 0.45


class FastestDetDecoder:
    """Decodes (1, 5 + labels, rows, columns) into boxes in pixels of the network's input."""

    further_inputs = ()

    def __init__(self, manifest: Manifest, wanted: Sequence[int]) -> None:
        """Only the classes `wanted` (indices of labels) compete for a cell.

        Raises ValueError when the input can't be divided into cells.
        """
        width, height = manifest.input.width, manifest.input.height
        if width % _STRIDE or height % _STRIDE:
            raise ValueError(f"a FastestDet input has sides divisible by {_STRIDE}, not {width}×{height}")
        self._input = manifest.input
        self._wanted = np.array(wanted, dtype=np.intp)
        self._size = np.array([width, height], dtype=np.float32)
        down, across = np.mgrid[: height // _STRIDE, : width // _STRIDE]
        self._corners = np.stack([across.ravel(), down.ravel()], axis=-1).astype(np.float32)
        self.output_shapes: tuple[LooseShape, ...] = ((1, 5 + len(manifest.labels), *down.shape),)

    def decode(self, outputs: Sequence[Tensor], *, least_score: float) -> Answer:
        """Boxes (n, 4) in pixels of the input, scores (n,), class indices (n,); surest first, at most 300."""
        cells = outputs[0][0].reshape(outputs[0].shape[1], -1).T
        class_scores, classes = best_wanted(cells[:, 5:], self._wanted)
        objects, class_scores = np.clip(cells[:, 0], 0, 1), np.clip(class_scores, 0, 1)
        scores = (objects**_WEIGHT_OF_OBJECT * class_scores ** (1 - _WEIGHT_OF_OBJECT)).astype(np.float32)
        sure = surest(scores, least_score=least_score)
        cells = cells[sure]
        middles = (self._corners[sure] + np.tanh(cells[:, 1:3])) * _STRIDE
        sizes = self._size / (1 + np.exp(-np.clip(cells[:, 3:5], -80, 80)))
        boxes = corners_of(np.concatenate([middles, sizes], axis=1))
        return without_doubles(placed((boxes, scores[sure], classes[sure]), self._input), overlap=_OVERLAP)
