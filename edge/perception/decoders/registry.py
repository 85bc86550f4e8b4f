"""Which decoder reads which head. A manifest names the head; an unknown name stops the start."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelUnusable
from edge.flow import Boxes
from edge.inference import Signature, Tensor
from edge.perception.decoders.yolox import YoloxDecoder


class Decoder(Protocol):
    """Makes boxes of a network's raw outputs, and knows the shapes that they must have."""

    signature: Signature

    def decode(
        self, outputs: Sequence[Tensor], *, least_score: float
    ) -> tuple[Boxes, NDArray[np.float32], NDArray[np.intp]]:
        """Boxes (n, 4) in pixels of the input, scores (n,), class indices (n,)."""
        ...


class DecoderFactory(Protocol):
    """Builds a decoder for an input size and a list of labels, of which those `wanted` (indices) compete. Raises ValueError when the head can't have that size."""

    def __call__(self, *, width: int, height: int, labels: Sequence[str], wanted: Sequence[int]) -> Decoder:
        """Build it."""
        ...


DECODERS: Mapping[str, DecoderFactory] = {
    "yolox": YoloxDecoder,
}


def decoder(head: str, *, model: str, width: int, height: int, labels: Sequence[str], wanted: Sequence[int]) -> Decoder:
    """The decoder of a head. Raises ModelUnusable for an unknown head, or one that can't have such an input."""
    factory = DECODERS.get(head)
    if factory is None:
        raise ModelUnusable(f"{model}: unknown decoder `{head}`; this version reads {', '.join(sorted(DECODERS))}")
    try:
        return factory(width=width, height=height, labels=labels, wanted=wanted)
    except ValueError as error:
        raise ModelUnusable(f"{model}: {error}; correct the manifest's input") from error
