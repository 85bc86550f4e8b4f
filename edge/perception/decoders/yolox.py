"""The YOLOX head: three grids of strides 8, 16 and 32; per cell centre offset, log size, objectness and class scores.

Ge et al., "YOLOX: Exceeding YOLO Series in 2021", https://arxiv.org/abs/2107.08430.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from edge.inference import LooseShape, Tensor
from edge.perception.decoders.selection import Answer, best_wanted, placed, surest
from edge.perception.decoders.suppression import without_doubles
from models.manifest import Manifest

_STRIDES: Final = (8, 16, 32)
_LARGEST_LOG_SIZE: Final = 8.0


class YoloxDecoder:
    """Decodes (1, cells, 5 + labels) into boxes in pixels of the network's input."""

    further_inputs = ()

    def __init__(self, manifest: Manifest, wanted: Sequence[int]) -> None:
        """Lay out the grids; only the classes `wanted` (indices of labels) compete for a cell.

        Raises ValueError when the input can't be divided into cells of the largest stride.
        """
        width, height = manifest.input.width, manifest.input.height
        if width % _STRIDES[-1] or height % _STRIDES[-1]:
            raise ValueError(f"a YOLOX input has sides divisible by {_STRIDES[-1]}, not {width}×{height}")
        self._input = manifest.input
        self._wanted = np.array(wanted, dtype=np.intp)
        corners, strides = [], []
        for stride in _STRIDES:
            rows, columns = np.mgrid[: height // stride, : width // stride]
            corners.append(np.stack([columns, rows], axis=-1).reshape(-1, 2))
            strides.append(np.full((rows.size, 1), stride))
        self._corners = np.concatenate(corners).astype(np.float32)
        self._strides = np.concatenate(strides).astype(np.float32)
        self.output_shapes: tuple[LooseShape, ...] = ((1, len(self._corners), 5 + len(manifest.labels)),)

    def decode(self, outputs: Sequence[Tensor], *, least_score: float) -> Answer:
        """Boxes (n, 4) in pixels of the input, scores (n,), class indices (n,); surest first, at most 300."""
        rows = outputs[0][0]
        hopeful = np.flatnonzero(rows[:, 4] >= least_score)
        rows = rows[hopeful]
        scores, classes = best_wanted(rows[:, 5:] * rows[:, 4:5], self._wanted)
        sure = surest(scores, least_score=least_score)
        rows, classes, scores = rows[sure], classes[sure], scores[sure].astype(np.float32)
        corners, strides = self._corners[hopeful[sure]], self._strides[hopeful[sure]]
        centres = (rows[:, :2] + corners) * strides
        half_sizes = np.exp(np.minimum(rows[:, 2:4], _LARGEST_LOG_SIZE)) * strides / 2
        boxes = np.concatenate([centres - half_sizes, centres + half_sizes], axis=1).astype(np.float32)
        return without_doubles(placed((boxes, scores, classes), self._input))
