"""Which decoder reads which head. A manifest names the head; an unknown name stops the start."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from edge.errors import ModelUnusable
from edge.inference import LooseShape, Tensor, WholeNumbers
from edge.perception.decoders.detr import DetrDecoder
from edge.perception.decoders.detr_postprocessed import PostprocessedDetrDecoder
from edge.perception.decoders.end_to_end import EndToEndDecoder, FlatEndToEndDecoder
from edge.perception.decoders.fastestdet import FastestDetDecoder
from edge.perception.decoders.nanodet import NanodetDecoder
from edge.perception.decoders.selection import Answer
from edge.perception.decoders.yolov5 import Yolov5Decoder
from edge.perception.decoders.yolov8 import Yolov8Decoder
from edge.perception.decoders.yolox import YoloxDecoder
from models.manifest import Manifest


class Decoder(Protocol):
    """Makes boxes of a network's raw outputs, and knows the shapes that those must have (None: any length), and what inputs
    besides the picture always get.
    """

    @property
    def output_shapes(self) -> tuple[LooseShape, ...]:
        """In the order in which `decode` reads them."""
        ...

    @property
    def further_inputs(self) -> tuple[WholeNumbers, ...]:
        """In the graph's order."""
        ...

    def decode(self, outputs: Sequence[Tensor], *, least_score: float) -> Answer:
        """Boxes (n, 4) in pixels of the input, scores (n,), class indices (n,)."""
        ...


DECODERS: Mapping[str, Callable[[Manifest, Sequence[int]], Decoder]] = {
    "detr": DetrDecoder,
    "detr_postprocessed": PostprocessedDetrDecoder,
    "end_to_end": EndToEndDecoder,
    "end_to_end_flat": FlatEndToEndDecoder,
    "fastestdet": FastestDetDecoder,
    "nanodet": NanodetDecoder,
    "yolov5": Yolov5Decoder,
    "yolov8": Yolov8Decoder,
    "yolox": YoloxDecoder,
}
"""Head → what builds its decoder from a manifest and the indices of the labels that compete; ValueError: it can't be."""

OF_ANY_SIZE: Final = frozenset({"nanodet", "yolox"})
"""Heads that mean the same in an input of any size: each cell tells of its own surroundings, in cells and not in shares of the input."""


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
