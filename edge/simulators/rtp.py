"""H.264 over RTP inside an RTSP connection. Pure.

Sources: RFC 6184 (packetisation mode 1), RFC 3550 (headers, sender reports), RFC 2326 §10.12 (interleaving).
"""

import base64
import struct
from collections.abc import Iterator, Sequence
from datetime import datetime

from edge.simulators.footage import Footage

CLOCK_HZ = 90_000
PAYLOAD_TYPE = 96
_LARGEST_PAYLOAD_BYTES = 1_400
_FU_A = 28
_NTP_EPOCH_S = 2_208_988_800


def interleaved(channel: int, packet: bytes) -> bytes:
    """A packet in its frame on the RTSP connection."""
    return struct.pack("!cBH", b"$", channel, len(packet)) + packet


def packetise(nals: Sequence[bytes], *, sequence: int, timestamp: int, ssrc: int) -> Iterator[bytes]:
    """The RTP packets of one access unit; the marker stands on the last. `sequence` is the first packet's number."""
    payloads = [payload for nal in nals for payload in _payloads(nal)]
    for index, payload in enumerate(payloads):
        marker = 0x80 if index == len(payloads) - 1 else 0
        head = struct.pack(
            "!BBHII", 0x80, marker | PAYLOAD_TYPE, (sequence + index) & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc
        )
        yield head + payload


def _payloads(nal: bytes) -> Iterator[bytes]:
    if len(nal) <= _LARGEST_PAYLOAD_BYTES:
        yield nal
        return
    indicator, kind = (nal[0] & 0xE0) | _FU_A, nal[0] & 0x1F
    body = nal[1:]
    size = _LARGEST_PAYLOAD_BYTES - 2
    for start in range(0, len(body), size):
        first, last = start == 0, start + size >= len(body)
        yield bytes((indicator, (first << 7) | (last << 6) | kind)) + body[start : start + size]


def sender_report(*, at: datetime, timestamp: int, ssrc: int, packets: int, octets: int) -> bytes:
    """A sender report: which wall-clock time (aware) a timestamp of the stream stands for."""
    seconds = at.timestamp() + _NTP_EPOCH_S
    fraction = int((seconds % 1) * (1 << 32))
    fields = (int(seconds), fraction, timestamp, packets, octets)
    return struct.pack("!BBHI5I", 0x80, 200, 6, ssrc, *(value & 0xFFFFFFFF for value in fields))


def description(footage: Footage, *, host: str) -> str:
    """The session description (SDP) of a camera that plays the footage."""
    sets = ",".join(base64.b64encode(nal).decode() for nal in (footage.sps, footage.pps))
    lines = (
        "v=0",
        f"o=- 1 1 IN IP4 {host}",
        "s=Gridward simulated camera",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        f"a=rtpmap:{PAYLOAD_TYPE} H264/{CLOCK_HZ}",
        (
            f"a=fmtp:{PAYLOAD_TYPE} packetization-mode=1;profile-level-id={footage.sps[1:4].hex().upper()};"
            f"sprop-parameter-sets={sets}"
        ),
        f"a=framerate:{footage.frame_rate:g}",
        "a=control:trackID=0",
        "",
    )
    return "\r\n".join(lines)
