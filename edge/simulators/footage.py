"""Footage for simulated cameras: a video file as access units of H.264 or H.265 with their times, held in memory.

What is one of them goes through untouched; anything else (GIFs among it) is encoded once, without frames that wait for later ones.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, cast

import av
import av.error
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from edge.errors import MediaUnusable
from edge.simulators.codec import LAYOUTS, Codec, configuration, kind_of, parameter_sets_of, split

_DEFAULT_RATE = Fraction(25)
LARGEST_BYTES = 512 << 20
_KEY_FRAME_PERIOD_S = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """One access unit. `frame` counts in order of presentation, `decode_s` ≤ in order of sending; both start at 0 s."""

    frame: int
    decode_s: float
    present_s: float
    key: bool
    nals: tuple[bytes, ...] = field(repr=False)


class Playable(Protocol):
    """What a camera can play: it knows its length and its first picture from the beginning, and gives its samples one after the other."""

    @property
    def codec(self) -> Codec:
        """How it is encoded."""

    @property
    def frame_rate(self) -> float:
        """Frames each second."""

    @property
    def duration_s(self) -> float:
        """One loop."""

    @property
    def parameter_sets(self) -> tuple[bytes, ...]:
        """One of each kind, as they are sent before a key picture."""

    @property
    def count(self) -> int:
        """How many samples one loop has."""

    async def sample(self, number: int) -> Sample:
        """The sample of this number, from 0, in order of sending; waits for it where it is still being made. Raises MediaUnusable."""


@dataclass(frozen=True, slots=True)
class Footage:
    """A clip in order of sending. `duration_s` is one loop: number of frames times the frame period. `parameter_sets` are one of each
    kind, as they are sent before a key picture.
    """

    name: str
    codec: Codec
    width: int
    height: int
    frame_rate: float
    duration_s: float
    parameter_sets: tuple[bytes, ...] = field(repr=False)
    samples: tuple[Sample, ...] = field(repr=False)

    @property
    def count(self) -> int:
        """How many samples one loop has."""
        return len(self.samples)

    async def sample(self, number: int) -> Sample:
        """The sample of this number, from 0, in order of sending."""
        return self.samples[number]


def load(file: Path, *, encode: bool = False, least_s: float = 0.0, codec: Codec | None = None) -> Footage:
    """Read a file; `encode` encodes even what could go through. Without `codec` it keeps its own, else it becomes H.264. Raises
    MediaUnusable.

    Encoding leaves no frame waiting for a later one, as cameras do it; untouched footage may have such frames. Footage
    shorter than `least_s` is encoded with its last picture standing for the rest.
    """
    if not file.is_file():
        raise MediaUnusable(f"there is no file {file}")
    if file.stat().st_size > LARGEST_BYTES:
        raise MediaUnusable(f"{file} is larger than {LARGEST_BYTES >> 20} MiB; the simulator holds its clip in memory")
    try:
        with av.open(str(file)) as container:
            stream = _video(container, file)
            own = _codec_of(stream)
            if own is not None and codec in {None, own} and not encode and not least_s:
                return _read(file.name, container, stream)
            encoded = _encode(container, stream, least_s, codec or own or Codec.H264)
        with av.open(encoded) as container:
            return _read(file.name, container, _video(container, file))
    except av.error.FFmpegError as error:
        raise MediaUnusable(f"{file} can't be read as a video: {error}") from error


def _video(container: Any, file: Path) -> VideoStream:
    if not container.streams.video:
        raise MediaUnusable(f"{file} has no picture")
    stream: VideoStream = container.streams.video[0]
    return stream


def _codec_of(stream: VideoStream) -> Codec | None:
    name = stream.codec_context.name
    return Codec(name) if name in set(Codec) else None


def _rate(stream: VideoStream) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate
    return Fraction(rate) if rate else _DEFAULT_RATE


def _read(name: str, container: Any, stream: VideoStream) -> Footage:
    codec = _codec_of(stream)
    if codec is None:
        raise MediaUnusable(f"{name} is neither H.264 nor H.265")
    layout = LAYOUTS[codec]
    length_size, told = configuration(stream.codec_context.extradata or b"", codec)
    rate, base = _rate(stream), Fraction(stream.time_base or Fraction(1, 90_000))
    units: list[tuple[Fraction, Fraction, bool, tuple[bytes, ...]]] = []
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        nals = tuple(split(bytes(packet), length_size))
        told += tuple(nal for nal in nals if kind_of(nal, codec) in layout.parameter_sets)
        count = len(units)
        present = packet.pts * base if packet.pts is not None else count / rate
        decode = packet.dts * base if packet.dts is not None else present
        key = any(kind_of(nal, codec) in layout.keys for nal in nals) or (bool(packet.is_keyframe) and count == 0)
        units.append((decode, present, key, tuple(nal for nal in nals if kind_of(nal, codec) != layout.delimiter)))
    parameter_sets = parameter_sets_of(told, codec)
    first_key = next((index for index, unit in enumerate(units) if unit[2]), None)
    if len(parameter_sets) < len(layout.parameter_sets) or first_key is None:
        raise MediaUnusable(f"{name} is {layout.title} without parameter sets or without a key frame")
    samples = _samples(units[first_key:])
    return Footage(
        name=name,
        codec=codec,
        width=stream.width,
        height=stream.height,
        frame_rate=float(rate),
        duration_s=float(len(samples) / rate),
        parameter_sets=parameter_sets,
        samples=samples,
    )


def _samples(units: Sequence[tuple[Fraction, Fraction, bool, tuple[bytes, ...]]]) -> tuple[Sample, ...]:
    first_decode = min(unit[0] for unit in units)
    first_present = min(unit[1] for unit in units)
    order = {present: index for index, present in enumerate(sorted(unit[1] for unit in units))}
    return tuple(
        Sample(order[present], float(decode - first_decode), float(present - first_present), key, nals)
        for decode, present, key, nals in units
    )


def _encode(container: Any, stream: VideoStream, least_s: float, codec: Codec) -> io.BytesIO:
    """The footage in memory: even sides, constant rate, a key frame every two seconds, no waiting frames."""
    rate = _rate(stream)
    target = io.BytesIO()
    with av.open(target, mode="w", format="matroska") as output:
        layout = LAYOUTS[codec]
        encoder = cast("VideoStream", output.add_stream(layout.encoder, rate=rate, options=dict(layout.options)))
        encoder.width, encoder.height = stream.width & ~1, stream.height & ~1
        encoder.pix_fmt = "yuv420p"
        encoder.codec_context.gop_size = max(1, round(rate * _KEY_FRAME_PERIOD_S))
        encoder.codec_context.thread_count = 1
        for count, frame in enumerate(_lengthened(container.decode(stream), round(least_s * rate))):
            picture = frame.reformat(encoder.width, encoder.height, "yuv420p")
            picture.pts, picture.time_base = count, 1 / rate
            picture.pict_type = av.video.frame.PictureType.NONE
            output.mux(encoder.encode(picture))
        output.mux(encoder.encode(None))
    target.seek(0)
    return target


def _lengthened(frames: Iterator[VideoFrame], least: int) -> Iterator[VideoFrame]:
    last, count = None, 0
    for last in frames:
        yield last
        count += 1
    for _ in range(least - count):
        if last is not None:
            yield last
