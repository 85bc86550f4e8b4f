"""The NanoDet head: three grids of strides 8, 16 and 32; per cell class scores, and for each side of the box a distribution
over distances (generalised focal loss) whose mean counts, in strides.

https://github.com/RangiLyu/nanodet (Apache-2.0); Li et al., "Generalized Focal Loss", https://arxiv.org/abs/2006.04388.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from edge.inference import LooseShape, Tensor
from edge.perception.decoders.selection import Answer, best_wanted, placed, surest
from edge.perception.decoders.suppression import without_doubles
from models.manifest import Manifest

_STRIDES: Final = (8, 16, 32)
_DISTANCES: Final = 8
_OVERLAP: Final = 0.6


class NanodetDecoder:
    """Decodes class scores (1, cells, labels) of three grids and then their distances (1, cells, 32) into boxes in pixels."""

    further_inputs = ()

    def __init__(self, manifest: Manifest, wanted: Sequence[int]) -> None:
        """Only the classes `wanted` (indices of labels) compete for a cell.

        Raises ValueError when the input can't be divided into cells of the largest stride.
        """
        width, height = manifest.input.width, manifest.input.height
        if width % _STRIDES[-1] or height % _STRIDES[-1]:
            raise ValueError(f"a NanoDet input has sides divisible by {_STRIDES[-1]}, not {width}×{height}")
        self._input = manifest.input
        self._wanted = np.array(wanted, dtype=np.intp)
        middles, strides = [], []
        for stride in _STRIDES:
            down, across = np.mgrid[: height // stride, : width // stride]
            middles.append((np.stack([across.ravel(), down.ravel()], axis=-1) + 0.5) * stride)
            strides.append(np.full((down.size, 1), stride))
        self._middles = np.concatenate(middles).astype(np.float32)
        self._strides = np.concatenate(strides).astype(np.float32)
        cells = [len(grid) for grid in middles]
        self.output_shapes: tuple[LooseShape, ...] = (
            *((1, count, len(manifest.labels)) for count in cells),
            *((1, count, 4 * _DISTANCES) for count in cells),
        )

    def decode(self, outputs: Sequence[Tensor], *, least_score: float) -> Answer:
        """Boxes (n, 4) in pixels of the input, scores (n,), class indices (n,); surest first, at most 300."""
        grids = len(_STRIDES)
        scores, classes = best_wanted(np.concatenate([output[0] for output in outputs[:grids]]), self._wanted)
        sure = surest(scores, least_score=least_score)
        logits = np.concatenate([output[0] for output in outputs[grids:]])[sure].reshape(-1, 4, _DISTANCES)
        shares = np.exp(logits - logits.max(axis=2, keepdims=True))
        shares /= shares.sum(axis=2, keepdims=True)
        left_top_right_bottom = shares @ np.arange(_DISTANCES, dtype=np.float32) * self._strides[sure]
        middles = self._middles[sure]
        corners = [middles - left_top_right_bottom[:, :2], middles + left_top_right_bottom[:, 2:]]
        boxes = np.concatenate(corners, axis=1).astype(np.float32)
        answer = placed((boxes, scores[sure].astype(np.float32), classes[sure]), self._input)
        return without_doubles(answer, overlap=_OVERLAP)
