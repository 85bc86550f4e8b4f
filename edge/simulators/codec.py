"""What a simulated camera has to know of H.264 and H.265: the kinds of NAL units, and where parameter sets stand. Pure.

Sources: ITU-T H.264 §7.4.1 and H.265 §7.4.2.2 (NAL units), ISO/IEC 14496-15 §5.3.3 and §8.3.3 (configuration records).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_START_CODE: Final = b"\x00\x00\x01"
_AVC_RECORD_BYTES: Final = 7
_HEVC_RECORD_BYTES: Final = 23


class Codec(StrEnum):
    """As FFmpeg calls them."""

    H264 = "h264"
    H265 = "hevc"


@dataclass(frozen=True, slots=True)
class Layout:
    """How the units of a codec are told apart: the head's size, kinds of parameter sets in the order in which they are sent, kinds of
    key pictures and of delimiters. `title` is the codec's name in a session description, `encoder` FFmpeg's.
    """

    title: str
    encoder: str
    options: Mapping[str, str]
    head_bytes: int
    parameter_sets: tuple[int, ...]
    keys: frozenset[int]
    delimiter: int


LAYOUTS: Final[Mapping[Codec, Layout]] = {
    Codec.H264: Layout(
        title="H264",
        encoder="libx264",
        options={"preset": "veryfast", "tune": "zerolatency", "crf": "23"},
        head_bytes=1,
        parameter_sets=(7, 8),
        keys=frozenset({5}),
        delimiter=9,
    ),
    Codec.H265: Layout(
        title="H265",
        encoder="libx265",
        options={
            "preset": "ultrafast",
            "tune": "zerolatency",
            "crf": "26",
            "x265-params": "log-level=none:open-gop=0:pools=1:frame-threads=1",
        },
        head_bytes=2,
        parameter_sets=(32, 33, 34),
        keys=frozenset(range(16, 22)),
        delimiter=35,
    ),
}


def kind_of(nal: bytes, codec: Codec) -> int:
    """The kind of a unit."""
    return nal[0] & 31 if codec is Codec.H264 else nal[0] >> 1 & 63


def parameter_sets_of(nals: tuple[bytes, ...], codec: Codec) -> tuple[bytes, ...]:
    """The first parameter set of each kind, in the order in which they are sent; fewer where some are missing."""
    found = (next((nal for nal in nals if kind_of(nal, codec) == kind), None) for kind in LAYOUTS[codec].parameter_sets)
    return tuple(nal for nal in found if nal is not None)


def configuration(extradata: bytes, codec: Codec) -> tuple[int, tuple[bytes, ...]]:
    """The size of the length field before each unit (0: start codes) and the parameter sets of a stream's configuration."""
    least = _AVC_RECORD_BYTES if codec is Codec.H264 else _HEVC_RECORD_BYTES
    if len(extradata) < least or extradata[0] != 1:
        return 0, tuple(split(extradata, 0))
    found: list[bytes] = []
    if codec is Codec.H264:
        length_size, position = (extradata[4] & 3) + 1, 5
        for mask in (0x1F, 0xFF):
            position = _take(extradata, position + 1, extradata[position] & mask, found)
    else:
        length_size, position = (extradata[21] & 3) + 1, _HEVC_RECORD_BYTES
        for _ in range(extradata[22]):
            count = int.from_bytes(extradata[position + 1 : position + 3], "big")
            position = _take(extradata, position + 3, count, found)
    return length_size, tuple(nal for nal in found if nal)


def _take(extradata: bytes, position: int, count: int, found: list[bytes]) -> int:
    """Add so many units behind lengths of two bytes; where what follows them begins."""
    for _ in range(count):
        size = int.from_bytes(extradata[position : position + 2], "big")
        found.append(extradata[position + 2 : position + 2 + size])
        position += 2 + size
    return position


def split(data: bytes, length_size: int) -> Iterator[bytes]:
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
