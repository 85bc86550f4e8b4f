"""Copying: packets of a camera as a film of their own, without decoding and encoding them again."""

from collections.abc import Sequence
from io import BytesIO
from typing import Final

import av
import av.error
from av.packet import Packet as AvPacket
from av.stream import Stream

from edge.errors import MediaUnusable
from edge.flow import Packet, StreamFormat
from edge.video.opening import open_stream, reason_of, video_stream

_ELEMENTARY: Final = {"h264": "h264", "hevc": "hevc", "mjpeg": "mjpeg"}
"""Codecs and what FFmpeg calls their streams without a container, as cameras send them."""

_PROBED_BYTES: Final = 4 << 20
_FRAGMENTED: Final = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "strict": "experimental"}


def copied(stream_format: StreamFormat, packets: Sequence[Packet]) -> bytes:
    """The packets of a live camera, from a key frame on, as fragmented MP4: every picture bit for bit as it came.

    Times begin at 0. Raises MediaUnusable for a codec that can't be copied, and for packets that no film can be made of.
    """
    form = _ELEMENTARY.get(stream_format.codec)
    if form is None:
        raise MediaUnusable(f"streams of {stream_format.codec} can't be copied")
    if not packets or not packets[0].encoded.key:
        raise MediaUnusable("a film begins with a key frame")
    film = BytesIO()
    try:
        with (
            open_stream(_beginning(stream_format, packets), form=form) as like,
            av.open(film, mode="w", format="mp4", options=_FRAGMENTED) as container,
        ):
            stream = container.add_stream_from_template(video_stream(like))
            stream.time_base = stream_format.time_base
            for copy in _from_zero(stream_format, packets):
                copy.stream = stream
                container.mux_one(copy)
    except (av.error.FFmpegError, OSError, ValueError, IndexError) as error:
        raise MediaUnusable(f"no film can be made of these packets: {reason_of(error)}") from error
    return film.getvalue()


def _beginning(stream_format: StreamFormat, packets: Sequence[Packet]) -> bytes:
    """As much of the stream as says what it is: the parameter sets and the first pictures."""
    pieces, size_bytes = [stream_format.extradata or b""], 0
    for packet in packets[:8]:
        pieces.append(packet.encoded.data)
        size_bytes += len(packet.encoded.data)
        if size_bytes >= _PROBED_BYTES:
            break
    return b"".join(pieces)


def _from_zero(stream_format: StreamFormat, packets: Sequence[Packet]) -> "Sequence[AvPacket[Stream]]":
    """Packets in the order of decoding, with times that grow: a muxer refuses others. One without a time follows its neighbour."""
    told = [packet.encoded.pts if packet.encoded.dts is None else packet.encoded.dts for packet in packets]
    first, last = next((dts for dts in told if dts is not None), 0), -1
    copies = []
    for packet, dts in zip(packets, told, strict=True):
        encoded = packet.encoded
        at = last + 1 if dts is None else max(dts - first, last + 1)
        copy = AvPacket(encoded.data)
        copy.time_base = stream_format.time_base
        copy.dts = at
        copy.pts = at if encoded.pts is None else max(encoded.pts - first, at)
        copy.duration = encoded.duration
        copy.is_keyframe = encoded.key
        copies.append(copy)
        last = at
    return copies
