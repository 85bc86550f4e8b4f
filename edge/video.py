"""The one door to av: open a file or a camera, decode it, and encode a copy of pictures.

A container belongs to one thread: open it, read it and close it there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import isfinite
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit, urlunsplit

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from edge.errors import MediaUnusable, SourceLost
from edge.flow import Image, NativeMark, NativeStep

_PLANAR_GREY: Final = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"})
_MOST_PIXELS: Final = 8192 * 4320
"""The largest picture that is decoded: 8K. A few hundred bytes can claim four thousand million pixels."""
_MAXIMUM_SIDE: Final = 8192
_MINIMUM_SIDE: Final = 16
_MAXIMUM_PROPORTION: Final = 16

_RTSP_OPTIONS: Final = {
    "rtsp_transport": "tcp",
    "allowed_media_types": "video",
    "analyzeduration": "500000",
    "probesize": "500000",
    "protocol_whitelist": "rtsp,rtp,tcp,tls",
    "max_pixels": str(_MOST_PIXELS),
}
_FILE_OPTIONS: Final = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,flv,asf,ogg,dhav,gif,mjpeg",
    "max_pixels": str(_MOST_PIXELS),
}
"""A file is a film and nothing else: play-lists and descriptions of streams would open other files and addresses."""

OPEN_TIMEOUT_S: Final = 3.0
READ_TIMEOUT_S: Final = 2.0
_TOLERATED_DAMAGE: Final = 50
_TOLERATED_BARREN: Final = 1_000
_TOLERATED_STRANGE: Final = 100_000
_LIVE_PATIENCE_S: Final = 15.0
"""So long data of a camera may come without a picture in it."""

_SHORTEST_PERIOD_S: Final = 1 / 1000
_LONGEST_PERIOD_S: Final = 60.0
_LARGEST_TIME_S: Final = 1e10


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
                self._luma = frame.to_ndarray(format="gray").astype(np.uint8, copy=False)
        return self._luma

    @property
    def image(self) -> Image:
        """Colours, shape (height, width, 3), BGR."""
        if self._image is None:
            self._image = self._frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
            self._image.setflags(write=False)
        return self._image


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture, its time on the stream's own clock and how long it stands, seconds (None where the stream says nothing)."""

    pts_s: float | None
    lasts_s: float | None
    picture: DecodedPicture = field(repr=False)


class _Unmarked:
    """Tells nobody."""

    def tell(self, step: NativeStep) -> None:
        """Nothing."""


UNMARKED: Final[NativeMark] = _Unmarked()
"""For those whose crash nobody looks into: a replay, a test."""


class Video:
    """An opened file or camera, decoded in one thread; a context manager."""

    def __init__(self, address: str | Path, *, mark: NativeMark = UNMARKED) -> None:
        """Open and find the video stream; `mark` is told what this thread does.

        `address` is a path, a `file:` address or an RTSP address. Raises SourceLost when a camera can't be reached (it
        may come back) and MediaUnusable when a file is missing, is not a video or has no frames that can be decoded.
        """
        self.damaged_packets = 0
        self.changes = 0
        self._shape: tuple[int, int] | None = None
        self._live = is_live(str(address))
        self._mark = mark
        mark.tell(NativeStep.OPENING)
        try:
            self._container = _open(str(address), live=self._live)
            try:
                self._stream = _video_stream(self._container)
            except BaseException:
                self._container.close()
                raise
        finally:
            mark.tell(NativeStep.NONE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection or file."""
        self._mark.tell(NativeStep.OPENING)
        self._container.close()
        self._mark.tell(NativeStep.NONE)

    @property
    def duration_s(self) -> float | None:
        """How long the file says that its picture is; None for a camera, and for a file that does not say.

        Matroska says it of each stream in a tag. The length of a whole file counts only where the picture is all there is
        in it: sound may be longer.
        """
        stream, container = self._stream, self._container
        begin_s = float((stream.start_time or 0) * (stream.time_base or 0))
        duration_s: float | None = None
        if stream.duration is not None and stream.time_base is not None:
            duration_s = float(stream.duration * stream.time_base)
        elif stream.metadata.get("DURATION"):
            duration_s = _clock_s(stream.metadata["DURATION"], begin_s)
        elif container.duration is not None and len(container.streams) == 1:
            duration_s = container.duration / av.time_base - begin_s
        return duration_s if duration_s is not None and 0 < duration_s <= _LARGEST_TIME_S else None

    @property
    def frame_period_s(self) -> float:
        """The time between two frames by the stream's declared rate; 1/25 s where it declares none that can be."""
        rate = self._stream.average_rate or self._stream.guessed_rate
        period_s = float(1 / rate) if rate else 0.0
        return period_s if _SHORTEST_PERIOD_S <= period_s <= _LONGEST_PERIOD_S else 1 / 25

    def frames(self) -> Iterator[Decoded]:
        """Decode to the end. Damaged packets are left out and counted in `damaged_packets`, changes of the picture's size
        in `changes`; a stream in which no picture comes any more is given up.

        Raises SourceLost when a camera falls silent, and MediaUnusable when what comes can't be decoded.
        """
        hope = _Hope(live=self._live)
        packets = self._container.demux()
        try:
            while (packet := self._next(packets)) is not None:
                pictures = self._decoded(packet, hope) if packet.stream is self._stream else hope.strange()
                self._mark.tell(NativeStep.NONE)
                for frame in pictures:
                    hope.fulfilled()
                    self._look_at(frame)
                    yield Decoded(_time_s(frame.time), _lasts_s(frame), DecodedPicture(frame))
        except (av.error.FFmpegError, OSError) as error:
            kind = SourceLost if self._live else MediaUnusable
            raise kind(f"reading stopped: {_reason(error)}") from error
        finally:
            self._mark.tell(NativeStep.NONE)

    def _next(self, packets: "Iterator[Packet[Any]]") -> "Packet[Any] | None":
        self._mark.tell(NativeStep.WAITING)
        try:
            packet = next(packets, None)
        except IndexError:  # PyAV at the end of a file in which streams turned up that its head does not name
            packet = None
        self._mark.tell(NativeStep.DECODING)
        return packet

    def _decoded(self, packet: "Packet[Any]", hope: "_Hope") -> Sequence[VideoFrame]:
        self.damaged_packets += packet.is_corrupt
        try:
            frames = [frame for frame in packet.decode() if isinstance(frame, VideoFrame)]
        except av.error.InvalidDataError as error:
            self.damaged_packets += not packet.is_corrupt
            hope.damaged(error)
            return ()
        if not frames:
            hope.barren()
        return frames

    def _look_at(self, frame: VideoFrame) -> None:
        shape = frame.width, frame.height
        if shape != self._shape:
            _check_shape(*shape)
            self.changes += self._shape is not None
            self._shape = shape


class _Hope:
    """Whether another picture may come. Raises MediaUnusable, for a camera SourceLost, when it may not."""

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._damaged = self._barren = self._strange = 0
        self._since_s = monotonic()

    def fulfilled(self) -> None:
        """A picture came."""
        self._damaged = self._barren = self._strange = 0
        self._since_s = monotonic()

    def damaged(self, error: Exception) -> None:
        """A packet could not be decoded."""
        self._damaged += 1
        if self._damaged > _TOLERATED_DAMAGE:
            raise MediaUnusable(f"more than {_TOLERATED_DAMAGE} damaged packets in a row: {_reason(error)}") from error
        self._wait()

    def barren(self) -> None:
        """A packet was fine, and there was no picture in it."""
        self._barren += 1
        if self._barren > _TOLERATED_BARREN:
            raise MediaUnusable(f"more than {_TOLERATED_BARREN} packets in a row without a picture")
        self._wait()

    def strange(self) -> Sequence[VideoFrame]:
        """A packet of another stream; there is never a picture in it."""
        self._strange += 1
        if self._strange > _TOLERATED_STRANGE:
            raise MediaUnusable("the video stream has ended, and others go on")
        self._wait()
        return ()

    def _wait(self) -> None:
        if self._live and monotonic() - self._since_s > _LIVE_PATIENCE_S:
            raise SourceLost(f"data comes, and no picture in it for {_LIVE_PATIENCE_S:.0f} s")


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


def is_live(address: str) -> bool:
    """Whether the address is a camera rather than a file."""
    return urlsplit(address).scheme in {"rtsp", "rtsps"}


def with_credentials(address: str, user: str | None, password: str | None) -> str:
    """The camera's address with user and password in it, as the RTSP client wants them. Never log the result."""
    if user is None:
        return address
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    secret = "" if password is None else ":" + quote(password, safe="")
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}{secret}@{host}"))


def _open(address: str, *, live: bool) -> InputContainer:
    try:
        if live:
            timeout_s = (OPEN_TIMEOUT_S, READ_TIMEOUT_S)
            return av.open(address, options=dict(_RTSP_OPTIONS), timeout=timeout_s, metadata_errors="replace")
        return av.open(address, options=dict(_FILE_OPTIONS), metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if live:
            raise SourceLost(f"the camera does not answer: {_reason(error)}") from error
        raise MediaUnusable(f"not a video that can be opened: {_reason(error)}") from error


def _video_stream(container: InputContainer) -> VideoStream:
    """The first video stream; a cover picture is none."""
    films = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not films:
        raise MediaUnusable("there is no video stream in it")
    stream = films[0]
    if stream.codec_context is None:
        raise MediaUnusable("nothing here decodes its video stream")
    if stream.width or stream.height:
        _check_shape(stream.width or 0, stream.height or 0)
    stream.thread_type = "NONE"
    stream.codec_context.options = {"max_pixels": str(_MOST_PIXELS)}
    return stream


def _check_shape(width: int, height: int) -> None:
    """Raises MediaUnusable for a picture that nobody films, and that would cost more memory than a camera may."""
    least, most = min(width, height), max(width, height)
    if most > _MAXIMUM_SIDE or width * height > _MOST_PIXELS:
        raise MediaUnusable(f"a picture of {width}×{height} is larger than {_MAXIMUM_SIDE} on a side, or than 8K")
    if least < _MINIMUM_SIDE or most > _MAXIMUM_PROPORTION * least:
        raise MediaUnusable(f"a picture of {width}×{height} shows nothing: too narrow, or too small")


def _lasts_s(frame: VideoFrame) -> float | None:
    return _time_s(float(frame.duration * frame.time_base)) if frame.duration and frame.time_base else None


def _time_s(told_s: float | None) -> float | None:
    """A time that a stream tells; None for one that can't be meant."""
    return told_s if told_s is not None and isfinite(told_s) and abs(told_s) <= _LARGEST_TIME_S else None


def _clock_s(text: str, begin_s: float) -> float | None:
    """Seconds from `begin_s` to a time such as 00:02:19.400000000."""
    try:
        hours, minutes, seconds = (float(part) for part in text.split(":"))
    except ValueError:
        return None
    return hours * 3600 + minutes * 60 + seconds - begin_s


def _reason(error: Exception) -> str:
    """What went wrong without the address, which may hold a password."""
    if isinstance(error, av.error.ExitError):
        return "nothing came in time"
    return getattr(error, "strerror", None) or type(error).__name__
