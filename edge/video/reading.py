"""Reading: an opened file or camera, demuxed packet by packet and decoded where someone asks for it."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import av
import av.error
from av.packet import Packet
from av.video.frame import VideoFrame

from edge.errors import MediaUnusable, SourceLost, SourceSilent
from edge.flow import Encoded, NativeMark, NativeStep, StreamFormat
from edge.video.address import is_live
from edge.video.opening import check_shape, open_container, reason_of, video_stream
from edge.video.patience import Hope
from edge.video.pictures import Decoded, DecodedPicture
from edge.video.times import LARGEST_TIME_S, LONGEST_PERIOD_S, SHORTEST_PERIOD_S, clock_s, lasts_s, time_s


class _Unmarked:
    """Tells nobody."""

    def tell(self, step: NativeStep) -> None:
        """Nothing."""


UNMARKED: Final[NativeMark] = _Unmarked()
"""For those whose crash nobody looks into: a replay, a test."""


class Video:
    """An opened file or camera, read in one thread; a context manager.

    Either `frames` decodes all of it, or `packets` demuxes and the caller chooses what `decode` gets.
    """

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
        self._hope = Hope(live=self._live)
        mark.tell(NativeStep.OPENING)
        try:
            self._container = open_container(str(address), live=self._live)
            try:
                self._stream = video_stream(self._container)
            except BaseException:
                self._container.close()
                raise
        finally:
            mark.tell(NativeStep.NONE)
        self._time_base = self._stream.time_base or Fraction(1, 90_000)

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
            duration_s = clock_s(stream.metadata["DURATION"], begin_s)
        elif container.duration is not None and len(container.streams) == 1:
            duration_s = container.duration / av.time_base - begin_s
        return duration_s if duration_s is not None and 0 < duration_s <= LARGEST_TIME_S else None

    @property
    def frame_period_s(self) -> float:
        """The time between two frames by the stream's declared rate; 1/25 s where it declares none that can be."""
        rate = self._stream.average_rate or self._stream.guessed_rate
        period_s = float(1 / rate) if rate else 0.0
        return period_s if SHORTEST_PERIOD_S <= period_s <= LONGEST_PERIOD_S else 1 / 25

    @property
    def format(self) -> StreamFormat:
        """What a decoder or a muxer needs beside the packets. Width and height are 0 where nothing has told them yet."""
        context = self._stream.codec_context
        return StreamFormat(
            codec=context.name,
            extradata=context.extradata,
            width=context.width,
            height=context.height,
            time_base=self._time_base,
        )

    def frames(self) -> Iterator[Decoded]:
        """Decode to the end. Damaged packets are left out and counted in `damaged_packets`, changes of the picture's size
        in `changes`; a stream in which no picture comes any more is given up.

        Raises SourceLost when a camera falls silent, and MediaUnusable when what comes can't be decoded.
        """
        for packet in self._demuxed():
            try:
                frames = self._decoded(packet.decode, damaged=packet.is_corrupt)
            except (av.error.FFmpegError, OSError) as error:
                raise self._stopped(error) from error
            for frame in frames:
                yield Decoded(time_s(frame.time), lasts_s(frame), DecodedPicture(frame))

    def packets(self) -> Iterator[Encoded]:
        """Demux to the end without decoding anything. Raises as `frames` does."""
        for packet in self._demuxed():
            if not packet.size:
                continue  # the end, as the demuxer tells it to a decoder
            pts = packet.pts
            yield Encoded(
                data=bytes(packet),
                pts=pts,
                dts=packet.dts,
                duration=packet.duration or 0,
                key=packet.is_keyframe,
                pts_s=self._pts_s(pts),
                damaged=packet.is_corrupt,
            )

    def decode(self, encoded: Encoded, mark: NativeMark | None = None) -> Sequence[Decoded]:
        """The pictures that one more packet completes, by their own times: none, one, or several that waited for it.

        Another thread than the one that reads may decode, one at a time, and tells its own `mark`. Counts, and raises, as
        `frames` does.
        """
        return self._pictures(lambda: self._feed(encoded), damaged=encoded.damaged, mark=mark)

    def decode_alone(self, encoded: Encoded) -> Sequence[Decoded]:
        """The picture of a key frame, without waiting for what follows. The next `decode` has to begin with a key frame."""
        self.forget()
        try:
            return self._pictures(lambda: [*self._feed(encoded), *self._feed(None)], damaged=encoded.damaged)
        finally:
            self.forget()

    def forget(self) -> None:
        """Make the decoder forget what it has been given: the next packet is a key frame."""
        self._mark.tell(NativeStep.DECODING)
        if self._stream.codec_context.is_open:
            self._stream.codec_context.flush_buffers()
        self._mark.tell(NativeStep.NONE)

    def _demuxed(self) -> "Iterator[Packet[Any]]":
        self._hope = Hope(live=self._live)
        packets = self._container.demux()
        try:
            while (packet := self._next(packets)) is not None:
                if packet.stream is self._stream:
                    yield packet
                else:
                    self._hope.strange()
        except (av.error.FFmpegError, OSError) as error:
            raise self._stopped(error) from error
        finally:
            self._mark.tell(NativeStep.NONE)

    def _next(self, packets: "Iterator[Packet[Any]]") -> "Packet[Any] | None":
        self._mark.tell(NativeStep.WAITING)
        try:
            return next(packets, None)
        except IndexError:  # PyAV at the end of a file in which streams turned up that its head does not name
            return None
        finally:
            self._mark.tell(NativeStep.NONE)

    def _feed(self, encoded: Encoded | None) -> "list[VideoFrame]":
        if encoded is None:
            return self._stream.codec_context.decode(None)
        packet: Packet[Any] = Packet(encoded.data)
        packet.pts, packet.dts, packet.is_keyframe = encoded.pts, encoded.dts, encoded.key
        packet.time_base = self._time_base
        return self._stream.codec_context.decode(packet)

    def _pictures(
        self, decode: Callable[[], Sequence[VideoFrame]], *, damaged: bool, mark: NativeMark | None = None
    ) -> Sequence[Decoded]:
        try:
            frames = self._decoded(decode, damaged=damaged, mark=mark)
        except (av.error.FFmpegError, OSError) as error:
            raise self._stopped(error) from error
        return [Decoded(self._pts_s(frame.pts), None, DecodedPicture(frame)) for frame in frames]

    def _pts_s(self, pts: int | None) -> float | None:
        if pts is None:
            return None
        ticks = pts * self._time_base.numerator  # to multiply the fraction itself costs ten times as much
        return time_s(ticks / self._time_base.denominator)

    def _decoded(
        self, decode: "Callable[[], Sequence[Any]]", *, damaged: bool, mark: NativeMark | None = None
    ) -> Sequence[VideoFrame]:
        mark = mark or self._mark
        self.damaged_packets += damaged
        mark.tell(NativeStep.DECODING)
        try:
            frames = [frame for frame in decode() if isinstance(frame, VideoFrame)]
        except av.error.InvalidDataError as error:
            self.damaged_packets += not damaged
            self._hope.damaged(error)
            return ()
        finally:
            mark.tell(NativeStep.NONE)
        if not frames:
            self._hope.barren()
        for frame in frames:
            self._hope.fulfilled()
            self._look_at(frame)
        return frames

    def _stopped(self, error: Exception) -> MediaUnusable | SourceLost:
        kind: type[MediaUnusable | SourceLost] = SourceLost if self._live else MediaUnusable
        if self._live and isinstance(error, av.error.ExitError):
            kind = SourceSilent
        return kind(f"reading stopped: {reason_of(error)}")

    def _look_at(self, frame: VideoFrame) -> None:
        shape = frame.width, frame.height
        if shape != self._shape:
            check_shape(*shape)
            self.changes += self._shape is not None
            self._shape = shape
