"""From a picture to a network's input, as the model's manifest describes it."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from edge.flow import Boxes, Image
from edge.inference import Tensor
from edge.perception.views import View
from models.manifest import Colour, Fit, Input, Layout

GRAINY: Final = 6.0
"""From this noise on, in grey levels of the network's input, a picture is smoothed. By day cameras have one to three."""

CALMED: Final = 1.5
"""By so many pixels of the input."""

_ROUGHNESS: Final = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.int16)
_DEVIATION_OF_MEDIAN: Final = 1.4826


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture lies in a network's input: `width` × `height` pixels, of which the input begins at (`left`, `top`)."""

    width: float
    height: float
    left: float = 0.0
    top: float = 0.0

    def to_picture(self, boxes: Boxes) -> Boxes:
        """Boxes (n, 4) from pixels of the input to normalised coordinates of the picture, not clamped."""
        begin = np.array([self.left, self.top, self.left, self.top], dtype=np.float32)
        scale = np.array([self.width, self.height, self.width, self.height], dtype=np.float32)
        return np.asarray((boxes + begin) / scale, dtype=np.float32)


def grain(picture: Image) -> float:
    """The standard deviation of a picture's noise, grey levels, whatever it shows.

    Immerkær, "Fast Noise Variance Estimation", Computer Vision and Image Understanding 64(2), 1996: a mask in which planes and straight
    edges come to nothing; here with a median in place of the mean, so that a few edges count for nothing either.
    """
    green = np.ascontiguousarray(picture[:, :, 1])
    rough = np.abs(cv2.filter2D(green, cv2.CV_16S, _ROUGHNESS)[1:-1:2, 1:-1:2]).ravel()
    if not rough.size:
        return 0.0
    return float(np.partition(rough, rough.size // 2)[rough.size // 2]) * _DEVIATION_OF_MEDIAN / 6.0


def _calm(picture: Image) -> None:
    """Smooth a picture in place where it is grainy: in the grain of a camera at night networks see next to nothing."""
    if grain(picture) >= GRAINY:
        cv2.GaussianBlur(picture, (0, 0), CALMED, dst=picture)


def input_shape(wanted: Input) -> tuple[int, int, int, int]:
    """The shape of one input tensor."""
    if wanted.layout is Layout.NCHW:
        return (1, 3, wanted.height, wanted.width)
    return (1, wanted.height, wanted.width, 3)


def prepared(image: Image, wanted: Input) -> tuple[Tensor, Placement]:
    """A BGR picture of any size as the tensor that the manifest asks for, and where it lies in it."""
    rows, columns = image.shape[:2]
    if wanted.fit is Fit.LETTERBOX:
        ratio = min(wanted.width / columns, wanted.height / rows)
        placement = Placement(columns * ratio, rows * ratio)
        fitted = (
            min(max(round(columns * ratio), 1), wanted.width),
            min(max(round(rows * ratio), 1), wanted.height),
        )
        canvas = np.full((wanted.height, wanted.width, 3), wanted.padding, dtype=np.uint8)
        canvas[: fitted[1], : fitted[0]] = cv2.resize(image, fitted, interpolation=cv2.INTER_LINEAR)
        _calm(canvas[: fitted[1], : fitted[0]])
    else:
        placement = Placement(wanted.width, wanted.height)
        canvas = np.asarray(
            cv2.resize(image, (wanted.width, wanted.height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8
        )
        _calm(canvas)
    return _tensor(canvas, wanted), placement


def prepared_view(image: Image, wanted: Input, view: View) -> tuple[Tensor, Placement]:
    """A part of a BGR picture as a letterboxed tensor of the view's size, and where the picture lies in it."""
    rows, columns = image.shape[:2]
    across, down = view.width * view.scale, view.height * view.scale
    fitted = min(max(round(across), 1), view.input_width), min(max(round(down), 1), view.input_height)
    part = image[view.top : view.top + view.height, view.left : view.left + view.width]
    canvas = np.full((view.input_height, view.input_width, 3), wanted.padding, dtype=np.uint8)
    canvas[: fitted[1], : fitted[0]] = cv2.resize(part, fitted, interpolation=cv2.INTER_LINEAR)
    _calm(canvas[: fitted[1], : fitted[0]])
    placement = Placement(
        columns * view.scale, rows * view.scale, left=view.left * view.scale, top=view.top * view.scale
    )
    return _tensor(canvas, wanted), placement


def _tensor(canvas: Image, wanted: Input) -> Tensor:
    ordered = canvas if wanted.colour is Colour.BGR else canvas[:, :, ::-1]
    if wanted.layout is Layout.NCHW:
        ordered = ordered.transpose(2, 0, 1)
    tensor = np.ascontiguousarray(ordered[None], dtype=np.float32)
    if wanted.scale != 1:
        tensor *= np.float32(wanted.scale)
    channels = (1, 3, 1, 1) if wanted.layout is Layout.NCHW else (1, 1, 1, 3)
    if any(wanted.mean):
        tensor -= np.array(wanted.mean, dtype=np.float32).reshape(channels)
    if wanted.deviation != (1, 1, 1):
        tensor /= np.array(wanted.deviation, dtype=np.float32).reshape(channels)
    return tensor
