"""Footage for simulated cameras: a video file as H.264 access units with their times, held in memory.

H.264 goes through untouched; anything else (GIFs among it) is encoded once, without frames that wait for later ones.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from edge.errors import MediaUnusable

_START_CODE = b"\x00\x00\x01"
_NAL_IDR, _NAL_SPS, _NAL_PPS, _NAL_DELIMITER = 5, 7, 8, 9
_DEFAULT_RATE = Fraction(25)
_LARGEST_BYTES = 512 << 20
_KEY_FRAME_PERIOD_S = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """One access unit. `frame` counts in order of presentation, `decode_s` ≤ in order of sending; both start at 0 s."""

    frame: int
    decode_s: float
    present_s: float
    key: bool
    nals: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Footage:
    """A clip in order of sending. `duration_s` is one loop: number of frames times the frame period."""

    name: str
    width: int
    height: int
    frame_rate: float
    duration_s: float
    sps: bytes = field(repr=False)
    pps: bytes = field(repr=False)
    samples: tuple[Sample, ...] = field(repr=False)


def load(file: Path, *, encode: bool = False, least_s: float = 0.0) -> Footage:
    """Read a file; `encode` encodes even what is H.264 already. Raises MediaUnusable.

    Encoding leaves no frame waiting for a later one, as cameras do it; untouched footage may have such frames. Footage
    shorter than `least_s` is encoded with its last picture standing for the rest.
    """
    if not file.is_file():
        raise MediaUnusable(f"there is no file {file}")
    if file.stat().st_size > _LARGEST_BYTES:
        raise MediaUnusable(f"{file} is larger than {_LARGEST_BYTES >> 20} MiB; the simulator holds its clip in memory")
    try:
        with av.open(str(file)) as container:
            stream = _video(container, file)
            if stream.codec_context.name == "h264" and not encode and not least_s:
                return _read(file.name, container, stream)
            encoded = _encode(container, stream, least_s)
        with av.open(encoded) as container:
            return _read(file.name, container, _video(container, file))
    except av.error.FFmpegError as error:
        raise MediaUnusable(f"{file} can't be read as a video: {error}") from error


def _video(container: Any, file: Path) -> VideoStream:
    if not container.streams.video:
        raise MediaUnusable(f"{file} has no picture")
    stream: VideoStream = container.streams.video[0]
    return stream


def _rate(stream: VideoStream) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate
    return Fraction(rate) if rate else _DEFAULT_RATE


def _read(name: str, container: Any, stream: VideoStream) -> Footage:
    length_size, parameter_sets = _configuration(stream.codec_context.extradata or b"")
    rate, base = _rate(stream), Fraction(stream.time_base or Fraction(1, 90_000))
    units: list[tuple[Fraction, Fraction, bool, tuple[bytes, ...]]] = []
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        nals = tuple(_split(bytes(packet), length_size))
        parameter_sets += [nal for nal in nals if nal[0] & 31 in {_NAL_SPS, _NAL_PPS}]
        count = len(units)
        present = packet.pts * base if packet.pts is not None else count / rate
        decode = packet.dts * base if packet.dts is not None else present
        key = any(nal[0] & 31 == _NAL_IDR for nal in nals) or (bool(packet.is_keyframe) and count == 0)
        units.append((decode, present, key, tuple(nal for nal in nals if nal[0] & 31 != _NAL_DELIMITER)))
    sps = next((nal for nal in parameter_sets if nal[0] & 31 == _NAL_SPS), None)
    pps = next((nal for nal in parameter_sets if nal[0] & 31 == _NAL_PPS), None)
    first_key = next((index for index, unit in enumerate(units) if unit[2]), None)
    if sps is None or pps is None or first_key is None:
        raise MediaUnusable(f"{name} is H.264 without parameter sets or without a key frame")
    samples = _samples(units[first_key:])
    return Footage(
        name=name,
        width=stream.width,
        height=stream.height,
        frame_rate=float(rate),
        duration_s=float(len(samples) / rate),
        sps=sps,
        pps=pps,
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


def _configuration(extradata: bytes) -> tuple[int, list[bytes]]:
    """The length field's size (0: start codes) and the parameter sets of a stream's configuration.

    Source: ISO/IEC 14496-15, AVCDecoderConfigurationRecord.
    """
    if len(extradata) < 7 or extradata[0] != 1:
        return 0, list(_split(extradata, 0))
    found: list[bytes] = []
    position = 5
    for mask in (0x1F, 0xFF):
        count, position = extradata[position] & mask, position + 1
        for _ in range(count):
            size = int.from_bytes(extradata[position : position + 2], "big")
            found.append(extradata[position + 2 : position + 2 + size])
            position += 2 + size
    return (extradata[4] & 3) + 1, [nal for nal in found if nal]


def _split(data: bytes, length_size: int) -> Iterator[bytes]:
    """The NAL units of a packet: behind lengths, or behind start codes where `length_size` is 0."""
    if length_size:
        position = 0
        while position + length_size < len(data):
            size = int.from_bytes(data[position : position + length_size], "big")
            position += length_size
            if 0 < size <= len(data) - position:
                yield data[position : position + size]
            position += size
        return
    for part in data.split(_START_CODE)[1:]:
        if nal := part.rstrip(b"\x00"):
            yield nal


def _encode(container: Any, stream: VideoStream, least_s: float) -> io.BytesIO:
    """The footage as H.264 in memory: even sides, constant rate, a key frame every two seconds, no waiting frames."""
    rate = _rate(stream)
    target = io.BytesIO()
    with av.open(target, mode="w", format="matroska") as output:
        options = {"preset": "veryfast", "tune": "zerolatency", "crf": "23"}
        encoder = output.add_stream("libx264", rate=rate, options=options)
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
