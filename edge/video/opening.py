"""Opening: what is let in, how long is waited for it, and what is no video."""

from io import BytesIO
from typing import Final

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from edge.errors import MediaUnusable, SourceLost

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


def open_container(address: str, *, live: bool) -> InputContainer:
    """Open a file or a camera. Raises SourceLost or MediaUnusable."""
    try:
        if live:
            timeout_s = (OPEN_TIMEOUT_S, READ_TIMEOUT_S)
            return av.open(address, options=dict(_RTSP_OPTIONS), timeout=timeout_s, metadata_errors="replace")
        return av.open(address, options=dict(_FILE_OPTIONS), metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if live:
            raise SourceLost(f"the camera does not answer: {reason_of(error)}") from error
        raise MediaUnusable(f"not a video that can be opened: {reason_of(error)}") from error


def open_stream(content: bytes, *, form: str) -> InputContainer:
    """Open a stream without a container, in memory, under the limits of a file. Raises MediaUnusable."""
    try:
        return av.open(BytesIO(content), mode="r", format=form, options=dict(_FILE_OPTIONS), metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise MediaUnusable(f"not a stream that can be opened: {reason_of(error)}") from error


def video_stream(container: InputContainer) -> VideoStream:
    """The first video stream; a cover picture is none. Raises MediaUnusable."""
    films = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not films:
        raise MediaUnusable("there is no video stream in it")
    stream = films[0]
    if stream.codec_context is None:
        raise MediaUnusable("nothing here decodes its video stream")
    if stream.width or stream.height:
        check_shape(stream.width or 0, stream.height or 0)
    stream.thread_type = "NONE"
    stream.codec_context.options = codec_options()
    return stream


def codec_options() -> dict[str, str]:
    """What every decoder is told."""
    return {"max_pixels": str(_MOST_PIXELS)}


def check_shape(width: int, height: int) -> None:
    """Raises MediaUnusable for a picture that nobody films, and that would cost more memory than a camera may."""
    least, most = min(width, height), max(width, height)
    if most > _MAXIMUM_SIDE or width * height > _MOST_PIXELS:
        raise MediaUnusable(f"a picture of {width}×{height} is larger than {_MAXIMUM_SIDE} on a side, or than 8K")
    if least < _MINIMUM_SIDE or most > _MAXIMUM_PROPORTION * least:
        raise MediaUnusable(f"a picture of {width}×{height} shows nothing: too narrow, or too small")


def reason_of(error: Exception) -> str:
    """What went wrong without the address, which may hold a password."""
    if isinstance(error, av.error.ExitError):
        return "nothing came in time"
    return getattr(error, "strerror", None) or type(error).__name__
