"""From a picture to a network's input: the shape is kept, the rest is filled (letterbox)."""

from dataclasses import dataclass

import cv2
import numpy as np

from edge.flow import Boxes, Image
from edge.inference import Tensor


@dataclass(frozen=True, slots=True)
class Letterbox:
    """A picture of `width` × `height` inside a network's input, at its upper left corner, `ratio` times as large."""

    width: int
    height: int
    ratio: float

    def to_picture(self, boxes: Boxes) -> Boxes:
        """Boxes (n, 4) from pixels of the input to normalised coordinates of the picture, not clamped."""
        scale = np.array([self.width, self.height, self.width, self.height], dtype=np.float32) * np.float32(self.ratio)
        return np.asarray(boxes / scale, dtype=np.float32)


def letterbox(image: Image, *, width: int, height: int, pad: int) -> tuple[Tensor, Letterbox]:
    """Fit a BGR picture into a tensor (1, 3, height, width) of 0–255, the free part filled with the grey `pad`."""
    rows, columns = image.shape[:2]
    ratio = min(width / columns, height / rows)
    fitted = (min(max(round(columns * ratio), 1), width), min(max(round(rows * ratio), 1), height))
    canvas = np.full((height, width, 3), pad, dtype=np.uint8)
    canvas[: fitted[1], : fitted[0]] = cv2.resize(image, fitted, interpolation=cv2.INTER_LINEAR)
    tensor = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], dtype=np.float32)
    return tensor, Letterbox(columns, rows, ratio)
