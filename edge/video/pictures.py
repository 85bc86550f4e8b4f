"""Pictures: what a decoder gave, or an array that is one already."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from edge.flow import Image

_ONE_THREAD: Final = 1
"""libav would begin and end threads for each picture: they cost more than they save, and two more stand in every list of threads."""

_PLANAR_GREY: Final = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"})


@dataclass(slots=True)
class ArrayPicture:
    """A picture that is already an array of colours (height, width, 3)."""

    image: Image
    _luma: NDArray[np.uint8] | None = None

    @property
    def luma(self) -> NDArray[np.uint8]:
        """Brightness by the weights of BT.601, shape (height, width)."""
        if self._luma is None:
            weights = np.array([29, 150, 77], dtype=np.uint16)
            self._luma = ((self.image.astype(np.uint16) @ weights) >> 8).astype(np.uint8)
        return self._luma


class DecodedPicture:
    """A picture of a decoder: brightness is read in place, colours are made on demand."""

    __slots__ = ("_frame", "_image", "_luma")

    def __init__(self, frame: VideoFrame) -> None:
        self._frame = frame
        self._image: Image | None = None
        self._luma: NDArray[np.uint8] | None = None

    @property
    def luma(self) -> NDArray[np.uint8]:
        """Brightness, shape (height, width); a view into the decoder's memory where its format is planar."""
        if self._luma is None:
            frame = self._frame
            plane = frame.planes[0]
            if frame.format.name in _PLANAR_GREY and plane.line_size >= frame.width:
                rows = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)
                self._luma = rows[: frame.height, : frame.width]
            else:
                self._luma = frame.to_ndarray(format="gray", threads=_ONE_THREAD).astype(np.uint8, copy=False)
        return self._luma

    @property
    def image(self) -> Image:
        """Colours, shape (height, width, 3), BGR."""
        if self._image is None:
            self._image = self._frame.to_ndarray(format="bgr24", threads=_ONE_THREAD).astype(np.uint8, copy=False)
            self._image.setflags(write=False)
        return self._image


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture, its time on the stream's own clock and how long it stands, seconds (None where the stream says nothing)."""

    pts_s: float | None
    lasts_s: float | None
    picture: DecodedPicture = field(repr=False)
