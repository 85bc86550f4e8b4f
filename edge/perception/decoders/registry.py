"""Which decoder reads which head. A manifest names the head; an unknown name stops the start."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelUnusable
from edge.flow import Boxes
from edge.inference import LooseShape, Tensor
from edge.perception.decoders.yolox import YoloxDecoder
from models.manifest import Manifest


class Decoder(Protocol):
    """Makes boxes of a network's raw outputs, and knows the shapes that those must have (None: any length)."""

    output_shapes: tuple[LooseShape, ...]

    def decode(
        self, outputs: Sequence[Tensor], *, least_score: float
    ) -> tuple[Boxes, NDArray[np.float32], NDArray[np.intp]]:
        """Boxes (n, 4) in pixels of the input, scores (n,), class indices (n,)."""
        ...


DECODERS: Mapping[str, Callable[[Manifest, Sequence[int]], Decoder]] = {
    "yolox": YoloxDecoder,
}
"""Head → what builds its decoder from a manifest and the indices of the labels that compete; ValueError: it can't be."""


def decoder(manifest: Manifest, wanted: Sequence[int]) -> Decoder:
    """The decoder of a model. Raises ModelUnusable for an unknown head, or one that can't have such an input."""
    build = DECODERS.get(manifest.decoder)
    if build is None:
        known = ", ".join(sorted(DECODERS))
        raise ModelUnusable(f"{manifest.id}: unknown decoder `{manifest.decoder}`; this version reads {known}")
    try:
        return build(manifest, wanted)
    except ValueError as error:
        raise ModelUnusable(f"{manifest.id}: {error}; correct the manifest's input") from error
