"""The one door to av: open a file or a camera, demux it, decode it, and encode a copy of pictures.

A container belongs to one thread: open it, read it and close it there.
"""

from edge.video.address import is_live, with_credentials
from edge.video.kept import kept_pictures
from edge.video.opening import OPEN_TIMEOUT_S, READ_TIMEOUT_S
from edge.video.pictures import ArrayPicture, Decoded, DecodedPicture
from edge.video.reading import UNMARKED, Video
from edge.video.webm import WebmWriter
from edge.video.writing import VideoWriter

__all__ = [
    "OPEN_TIMEOUT_S",
    "READ_TIMEOUT_S",
    "UNMARKED",
    "ArrayPicture",
    "Decoded",
    "DecodedPicture",
    "Video",
    "VideoWriter",
    "WebmWriter",
    "is_live",
    "kept_pictures",
    "with_credentials",
]
