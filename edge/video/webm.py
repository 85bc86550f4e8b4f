"""Writing a film that every browser plays: VP8 in WebM, in memory, no larger than it may be."""

from fractions import Fraction
from io import BytesIO
from types import TracebackType
from typing import Final, Self

import av
import av.error
from av.video.frame import VideoFrame

from edge.errors import MediaUnusable
from edge.flow import Image
from edge.video.opening import reason_of

_TIME_BASE: Final = Fraction(1, 1000)
_KEY_FRAME_EVERY: Final = 25
"""Pictures; where one jumps to in the film."""

_OPTIONS: Final = {"deadline": "realtime", "cpu-used": "6", "lag-in-frames": "0", "auto-alt-ref": "0", "threads": "1"}


class WebmWriter:
    """Encodes pictures of one size; a context manager. Says nothing of where and by what the film was made but the libraries' names."""

    def __init__(self, *, width: int, height: int, rate_hz: float, bits_per_s: int, largest_bytes: int) -> None:
        """`width` and `height` must be even; `rate_hz` is about how many pictures a second will come."""
        self._film = BytesIO()
        self._largest_bytes = largest_bytes
        self._last_ms = -1
        self._container = av.open(self._film, mode="w", format="webm")
        rate = Fraction(rate_hz).limit_denominator(1000)
        self._stream = self._container.add_stream("libvpx", rate=rate, options=dict(_OPTIONS))
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.bit_rate = bits_per_s
        self._stream.time_base = self._stream.codec_context.time_base = _TIME_BASE
        self._stream.codec_context.gop_size = _KEY_FRAME_EVERY

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of it, finished or not."""
        self._container.close()

    def write(self, image: Image, at_s: float) -> None:
        """Append a picture (height, width, 3) at its time from the beginning of the film, which must grow.

        Raises MediaUnusable when the film becomes larger than it may be.
        """
        frame = VideoFrame.from_ndarray(image, format="bgr24").reformat(format="yuv420p", threads=1)
        self._last_ms = max(round(at_s * 1000), self._last_ms + 1)
        frame.pts, frame.time_base = self._last_ms, _TIME_BASE
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.error.FFmpegError, OSError) as error:
            raise MediaUnusable(f"the film can't be encoded: {reason_of(error)}") from error
        if self._film.tell() > self._largest_bytes:
            raise MediaUnusable(f"the film would be larger than {self._largest_bytes} bytes")

    def finished(self) -> bytes:
        """The whole film. Raises MediaUnusable."""
        try:
            self._container.mux(self._stream.encode())
            self.close()
        except (av.error.FFmpegError, OSError) as error:
            raise MediaUnusable(f"the film can't be ended: {reason_of(error)}") from error
        return self._film.getvalue()
