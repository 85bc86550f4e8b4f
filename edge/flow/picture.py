"""Pictures, decoded: what is looked at and masked."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""A picture, shape (height, width, 3), BGR, 0–255."""

Boxes = NDArray[np.float32]
"""Boxes, shape (n, 4): left, top, right, bottom in normalised image coordinates."""

Box = tuple[float, float, float, float]
"""One box: left, top, right, bottom in normalised image coordinates."""


class Picture(Protocol):
    """A decoded picture whose colours are only worked out where someone asks for them: an idle camera needs grey alone."""

    @property
    def luma(self) -> NDArray[np.uint8]:
        """Brightness, shape (height, width); read-only."""
        ...

    @property
    def image(self) -> Image:
        """The colours; read-only, made at the first call and kept."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded picture of a camera. `captured_at` is event time, `media_s` seconds since the connection's first frame.

    `sequence` counts the frames that were due for analysis, handed over or not, so that a hole shows what was skipped.
    """

    camera: str
    sequence: int
    captured_at: datetime
    media_s: float
    picture: Picture = field(repr=False)

    @property
    def image(self) -> Image:
        """The colours of the picture."""
        return self.picture.image
