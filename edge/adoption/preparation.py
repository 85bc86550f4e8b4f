"""How pictures are prepared for a network: what is usual for its head, and what a look at a picture says about it.

No graph says whether it wants 0–255 or 0–1, or which colour comes first. A network that gets the wrong range finds little or
nothing, so the usual ways are tried on a picture in which there is something to find.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from edge.adoption.recognition import Picture
from models.manifest import Colour, Fit, Input

_GREY: Final = 114
_CLEARLY_BETTER: Final = 1.25
_IMAGENET_MEAN_RGB: Final = (123.675, 116.28, 103.53)
_IMAGENET_DEVIATION_RGB: Final = (58.395, 57.12, 57.375)


class Values(StrEnum):
    """The numbers that stand for a picture."""

    BYTES = "0-255"
    UNIT = "0-1"
    IMAGENET = "imagenet"
    """Mean and deviation of ImageNet taken out of each colour."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """From a picture to a tensor."""

    values: Values
    colour: Colour
    fit: Fit

    def input_of(self, picture: Picture) -> Input:
        """The same as a manifest says it."""
        scale, mean, deviation = 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        if self.values is Values.UNIT:
            scale = 1 / 255
        elif self.values is Values.IMAGENET:
            mean, deviation = self._ordered(_IMAGENET_MEAN_RGB), self._ordered(_IMAGENET_DEVIATION_RGB)
        padding = _GREY if self.fit is Fit.LETTERBOX else 0
        return Input(
            picture.width, picture.height, picture.layout, self.colour, self.fit, padding, scale, mean, deviation
        )

    def __str__(self) -> str:
        return f"{self.values}, {self.colour}, {self.fit}"

    def _ordered(self, rgb: tuple[float, float, float]) -> tuple[float, float, float]:
        return rgb if self.colour is Colour.RGB else (rgb[2], rgb[1], rgb[0])


_YOLOX: Final = Preparation(Values.BYTES, Colour.BGR, Fit.LETTERBOX)
_YOLO: Final = Preparation(Values.UNIT, Colour.RGB, Fit.LETTERBOX)
_DETR: Final = Preparation(Values.UNIT, Colour.RGB, Fit.STRETCH)

_NANODET: Final = Preparation(Values.IMAGENET, Colour.BGR, Fit.STRETCH)
_FASTESTDET: Final = Preparation(Values.UNIT, Colour.BGR, Fit.STRETCH)

_BYTES_RGB: Final = replace(_YOLO, values=Values.BYTES)
_DETR_IMAGENET: Final = replace(_DETR, values=Values.IMAGENET)

USUAL: Final[dict[str, tuple[Preparation, ...]]] = {
    "yolox": (_YOLOX, _YOLO, replace(_YOLO, values=Values.IMAGENET)),
    "yolov5": (_YOLO, _YOLOX, _BYTES_RGB),
    "yolov8": (_YOLO, _YOLOX, _BYTES_RGB),
    "end_to_end": (_YOLO, _YOLOX, _BYTES_RGB),
    "end_to_end_flat": (_YOLO, _YOLOX, _BYTES_RGB),
    "fastestdet": (_FASTESTDET, replace(_FASTESTDET, values=Values.BYTES)),
    "nanodet": (_NANODET, _FASTESTDET, replace(_NANODET, values=Values.BYTES)),
    "detr": (_DETR, _DETR_IMAGENET, replace(_DETR, values=Values.BYTES)),
    "detr_postprocessed": (_DETR, _DETR_IMAGENET, replace(_DETR, values=Values.BYTES)),
}
"""The usual ways by head, the first one most so."""


def candidates(
    decoder: str, *, values: Values | None = None, colour: Colour | None = None, fit: Fit | None = None
) -> tuple[Preparation, ...]:
    """The ways to try, in order; what is stated holds for all of them."""
    stated = (Preparation(values or usual.values, colour or usual.colour, fit or usual.fit) for usual in USUAL[decoder])
    return tuple(dict.fromkeys(stated))


def best(strengths: Sequence[float]) -> int | None:
    """Which way to take, by how much each finds: the first, unless another finds clearly more; None where none finds anything."""
    most = max(strengths, default=0.0)
    if most <= 0:
        return None
    return next(index for index, strength in enumerate(strengths) if strength * _CLEARLY_BETTER >= most)
