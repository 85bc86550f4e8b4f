"""H.264 and H.265 over RTP inside an RTSP connection. Pure.

Sources: RFC 6184 (packetisation mode 1), RFC 7798 (H.265), RFC 3550 (headers, sender reports), RFC 2326 §10.12 (interleaving).
"""

import base64
import struct
from collections.abc import Iterator, Sequence
from datetime import datetime

from edge.simulators.codec import LAYOUTS, Codec, kind_of
from edge.simulators.footage import Playable

CLOCK_HZ = 90_000
PAYLOAD_TYPE = 96
_LARGEST_PAYLOAD_BYTES = 1_400
_FU_A = 28
_FU_H265 = 49
_NTP_EPOCH_S = 2_208_988_800


def interleaved(channel: int, packet: bytes) -> bytes:
    """A packet in its frame on the RTSP connection."""
    return struct.pack("!cBH", b"$", channel, len(packet)) + packet


def packetise(
    nals: Sequence[bytes], *, sequence: int, timestamp: int, ssrc: int, codec: Codec = Codec.H264
) -> Iterator[bytes]:
    """The RTP packets of one access unit; the marker stands on the last. `sequence` is the first packet's number."""
    payloads = [payload for nal in nals for payload in _payloads(nal, codec)]
    for index, payload in enumerate(payloads):
        marker = 0x80 if index == len(payloads) - 1 else 0
        head = struct.pack(
            "!BBHII", 0x80, marker | PAYLOAD_TYPE, (sequence + index) & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc
        )
        yield head + payload


def _payloads(nal: bytes, codec: Codec) -> Iterator[bytes]:
    if len(nal) <= _LARGEST_PAYLOAD_BYTES:
        yield nal
        return
    indicators = {
        Codec.H264: ((nal[0] & 0xE0) | _FU_A,),
        Codec.H265: ((nal[0] & 0x81) | (_FU_H265 << 1), nal[1]),
    }
    head = bytes(indicators[codec])
    kind, body = kind_of(nal, codec), nal[len(head) :]
    size = _LARGEST_PAYLOAD_BYTES - len(head) - 1
    for start in range(0, len(body), size):
        first, last = start == 0, start + size >= len(body)
        yield head + bytes(((first << 7) | (last << 6) | kind,)) + body[start : start + size]


def sender_report(*, at: datetime, timestamp: int, ssrc: int, packets: int, octets: int) -> bytes:
    """A sender report: which wall-clock time (aware) a timestamp of the stream stands for."""
    seconds = at.timestamp() + _NTP_EPOCH_S
    fraction = int((seconds % 1) * (1 << 32))
    fields = (int(seconds), fraction, timestamp, packets, octets)
    return struct.pack("!BBHI5I", 0x80, 200, 6, ssrc, *(value & 0xFFFFFFFF for value in fields))


def description(footage: Playable, *, host: str) -> str:
    """The session description (SDP) of a camera that plays the footage."""
    sets = [base64.b64encode(nal).decode() for nal in footage.parameter_sets]
    if footage.codec is Codec.H264:
        profile = footage.parameter_sets[0][1:4].hex().upper()
        how = f"packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={','.join(sets)}"
    else:
        how = ";".join(f"sprop-{name}={told}" for name, told in zip(("vps", "sps", "pps"), sets, strict=True))
    lines = (
        "v=0",
        f"o=- 1 1 IN IP4 {host}",
        "s=Gridward simulated camera",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        f"a=rtpmap:{PAYLOAD_TYPE} {LAYOUTS[footage.codec].title}/{CLOCK_HZ}",
        f"a=fmtp:{PAYLOAD_TYPE} {how}",
        f"a=framerate:{footage.frame_rate:g}",
        "a=control:trackID=0",
        "",
    )
    return "\r\n".join(lines)
