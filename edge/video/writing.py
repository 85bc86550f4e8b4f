"""Writing a file: pictures encoded as H.264."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.video.frame import VideoFrame

from edge.flow import Image


class VideoWriter:
    """Encodes pictures of one size as H.264 in MP4; a context manager."""

    def __init__(self, path: Path, *, rate: Fraction, width: int, height: int, crf: int = 23) -> None:
        """Start a file. `width` and `height` must be even; `crf` is x264's quality, 0 (best) to 51."""
        self._container = av.open(str(path), mode="w", format="mp4")
        self._stream = self._container.add_stream("libx264", rate=rate, options={"crf": str(crf), "preset": "veryfast"})
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what is still in the encoder, and end the file."""
        self._container.mux(self._stream.encode())
        self._container.close()

    def write(self, image: Image) -> None:
        """Append one picture (height, width, 3)."""
        self._container.mux(self._stream.encode(VideoFrame.from_ndarray(image, format="bgr24")))
