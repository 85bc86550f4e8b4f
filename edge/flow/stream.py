"""An encoded stream as it came, packet by packet."""

from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """What a decoder or a muxer has to know of an encoded stream beside its packets. `codec` as FFmpeg calls it; `extradata` are the
    parameter sets that came outside of the stream; times of its packets are multiples of `time_base` seconds.
    """

    codec: str
    extradata: bytes | None = field(repr=False)
    width: int
    height: int
    time_base: Fraction


@dataclass(frozen=True, slots=True)
class Encoded:
    """One picture as the camera encoded it. `pts`, `dts` and `duration` count in the stream's time base, `pts_s` is `pts` in
    seconds; `key`: it can be decoded without those before it; `damaged`: the demuxer saw that a part is missing.
    """

    data: bytes = field(repr=False)
    pts: int | None
    dts: int | None
    duration: int
    key: bool
    pts_s: float | None
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Packet:
    """An encoded picture with the event time that its arrival gave it, and its seconds since the connection's first."""

    encoded: Encoded
    captured_at: datetime
    media_s: float
