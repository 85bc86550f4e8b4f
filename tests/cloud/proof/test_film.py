"""A film is given out with the mark in every picture, or not at all."""

import os
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from cloud.evidence import formats
from cloud.proof import film

TEXT = "chief 2026-03-01 08:00:00Z 110105-20260301-0001 #7"
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "strict": "experimental"}


def filmed(codec: str = "mpeg4", *, form: str = "mp4", pictures: int = 12, size: tuple[int, int] = (320, 240)) -> bytes:
    """A film as nodes seal it: fragmented MP4, every picture of one grey."""
    out = BytesIO()
    with av.open(out, mode="w", format=form, options=FRAGMENTED if form == "mp4" else {}) as container:
        stream: Any = container.add_stream(codec, rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.time_base = Fraction(1, 10)
        for number in range(pictures):
            frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 60 + number, np.uint8), format="bgr24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


def pictures_of(content: bytes, place: Path) -> list[npt.NDArray[np.int64]]:
    file = place / "shown.webm"
    file.write_bytes(content)
    reading = cv2.VideoCapture(str(file))
    found = []
    while (read := reading.read())[0]:
        found.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY).astype(np.int64))
    reading.release()
    return found


@pytest.mark.parametrize(
    ("codec", "form"), [("mpeg4", "mp4"), ("libx264", "mp4"), ("mjpeg", "mp4"), ("libvpx", "webm")]
)
def test_the_mark_is_in_every_picture(codec: str, form: str, tmp_path: Path) -> None:
    shown = film.marked_film(filmed(codec, form=form), TEXT, scratch=tmp_path)
    formats.check("video/webm", shown)
    found = pictures_of(shown, tmp_path)
    assert len(found) == 12
    for number, picture in enumerate(found):
        changed = np.abs(picture - (60 + number)) > 20
        for rows in np.array_split(changed, 5):
            assert rows.mean() > 0.005
    assert [path.name for path in tmp_path.iterdir()] == ["shown.webm"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x" * 400,
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        filmed()[:-400],
        b"\x00\x00\x00\x18ftypmp42" + bytes(40),
    ],
)
def test_what_can_not_be_read_is_not_marked(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="film"):
        film.marked_film(content, TEXT, scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_film_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film, "MOST_PICTURES", 11)
    with pytest.raises(ValueError, match="more than 11"):
        film.marked_film(filmed(), TEXT, scratch=tmp_path)
    assert os.listdir(tmp_path) == []  # noqa: PTH208
