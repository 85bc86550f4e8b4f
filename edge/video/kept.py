"""Decoding packets that were kept: what a camera sent a while ago, from a key frame on."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import av.error
from av.codec.context import CodecContext
from av.packet import Packet as AvPacket
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from edge.errors import MediaUnusable
from edge.flow import Packet, StreamFormat
from edge.video.opening import check_shape, codec_options, reason_of
from edge.video.pictures import Decoded, DecodedPicture

_LEAST_STEP_S: Final = 0.001
"""Where a picture has no time, or one that is not later than the one before, it stands so long after that one."""


def kept_pictures(stream_format: StreamFormat, packets: Sequence[Packet]) -> Iterator[Decoded]:
    """The pictures in the order in which they are shown. `pts_s` counts from the first one, and grows. Damaged packets are left out.

    Raises MediaUnusable for a codec that is not known, and for a picture that nobody films.
    """
    try:
        decoder = CodecContext.create(stream_format.codec, "r")
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaUnusable(f"nothing here decodes {stream_format.codec}") from error
    if not isinstance(decoder, VideoCodecContext):
        raise MediaUnusable(f"{stream_format.codec} is no video")
    if stream_format.extradata:
        decoder.extradata = stream_format.extradata
    decoder.thread_count = 1
    decoder.options = codec_options()
    first_s: float | None = None
    last_s = -_LEAST_STEP_S
    for frame in _frames(decoder, stream_format, packets):
        told_s = None if frame.pts is None else float(frame.pts * stream_format.time_base)
        if first_s is None and told_s is not None:
            first_s = told_s - (last_s + _LEAST_STEP_S)
        since_s = last_s if told_s is None or first_s is None else told_s - first_s
        last_s = max(since_s, last_s + _LEAST_STEP_S)
        yield Decoded(last_s, None, DecodedPicture(frame))


def _frames(decoder: VideoCodecContext, stream_format: StreamFormat, packets: Sequence[Packet]) -> Iterator[VideoFrame]:
    for packet in (*packets, None):
        try:
            for frame in decoder.decode(None if packet is None else _unpacked(stream_format, packet)):
                check_shape(frame.width, frame.height)
                yield frame
        except (av.error.InvalidDataError, av.error.EOFError):
            continue
        except (av.error.FFmpegError, OSError) as error:
            raise MediaUnusable(f"decoding stopped: {reason_of(error)}") from error


def _unpacked(stream_format: StreamFormat, packet: Packet) -> "AvPacket[Any]":
    encoded = packet.encoded
    unpacked: AvPacket[Any] = AvPacket(encoded.data)
    unpacked.pts, unpacked.dts, unpacked.is_keyframe = encoded.pts, encoded.dts, encoded.key
    unpacked.time_base = stream_format.time_base
    return unpacked
