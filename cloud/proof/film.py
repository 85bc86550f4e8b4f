"""The mark of whoever sees an original, burnt into every picture of a film (录像水印). What is given out is encoded anew as WebM (VP8).

The film is decoded where the holder of the district's key is, never in the service. In the clear it is never in a file of its own: it is
read out of memory, and only what is marked is written.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from cloud.evidence import formats
from cloud.proof.watermark import Image, drawn

MIMES: Final = ("video/mp4", "video/webm")
MOST_PICTURES: Final = 6_000
"""Clips have some seconds; this is four minutes at 25 a second."""
LARGEST_PIXELS: Final = 4096 * 2304
RATE_HZ: Final = (1.0, 60.0)
_GUESSED_RATE_HZ: Final = 25.0
_CODEC: Final = "VP80"


def is_film(content: bytes) -> bool:
    """Whether these bytes are a film of a kind that is taken."""
    return any(_is(mime, content) for mime in MIMES)


def _is(mime: str, content: bytes) -> bool:
    try:
        formats.check(mime, content)
    except formats.NotOfItsKind:
        return False
    return True


def marked_film(content: bytes, text: str, *, scratch: Path) -> bytes:
    """The film with the text all over each picture, without its sound. `scratch`: a folder for the marked film while it is written.

    Raises ValueError for what is no film, or one that can't be read to its end here: an unknown codec, too long, too large.
    """
    if not is_film(content):
        raise ValueError("these bytes are no film")
    descriptor = os.memfd_create("original", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as memory:
            memory.write(content)
        reading = cv2.VideoCapture(f"/proc/self/fd/{descriptor}", cv2.CAP_FFMPEG)
        try:
            with tempfile.TemporaryDirectory(dir=scratch, prefix=".marked-") as place:
                written = Path(place) / "film.webm"
                _write(reading, text, written)
                return written.read_bytes()
        finally:
            reading.release()
    except cv2.error as error:
        raise ValueError("the film can't be decoded") from error
    finally:
        os.close(descriptor)


def _write(reading: cv2.VideoCapture, text: str, place: Path) -> None:
    rate_hz = reading.get(cv2.CAP_PROP_FPS)
    if not (np.isfinite(rate_hz) and RATE_HZ[0] <= rate_hz <= RATE_HZ[1]):
        rate_hz = _GUESSED_RATE_HZ
    writer: cv2.VideoWriter | None = None
    shape: tuple[int, ...] = ()
    try:
        for picture in _pictures(reading, rate_hz):
            if writer is None:
                shape = picture.shape
                size = (shape[1], shape[0])
                writer = cv2.VideoWriter(str(place), cv2.VideoWriter_fourcc(*_CODEC), rate_hz, size)  # type: ignore[attr-defined]
                if not writer.isOpened():
                    raise ValueError("no film can be written here")
            if picture.shape != shape:
                raise ValueError("the pictures of the film change their size")
            writer.write(drawn(picture, text))
    finally:
        if writer is not None:
            writer.release()
    if writer is None:
        raise ValueError("the film can't be decoded: its codec is not known here, or there is no picture in it")


def _pictures(reading: cv2.VideoCapture, rate_hz: float) -> Iterator[Image]:
    """At an even rate: where a camera left some out the last one stays, so that the film lasts as long as it did."""
    told = 0
    while True:
        at_s = reading.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        there, raw = reading.read()
        if not there:
            return
        picture = np.asarray(raw, np.uint8)
        if picture.ndim != 3 or picture.shape[0] * picture.shape[1] > LARGEST_PIXELS:
            raise ValueError("the pictures of the film are too large")
        due = max(told + 1, round(at_s * rate_hz) + 1) if np.isfinite(at_s) and at_s >= 0 else told + 1
        if due > MOST_PICTURES:
            raise ValueError(f"the film has more than {MOST_PICTURES} pictures")
        while told < due:
            told += 1
            yield picture
