"""The picture on which a model is tried: somebody's own, or a frame of a clip of the catalogue in which someone stands."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from edge.errors import MediaUnusable
from edge.flow import Image
from edge.video import Video
from models import catalogue

_CLIP: Final = "one_by_one_person_detection"
_AT_S: Final = 12.0
_LARGEST_BYTES: Final = 64 << 20
_LARGEST_SIDE: Final = 8192


@dataclass(frozen=True, slots=True)
class Sample:
    """A BGR picture and what it is called."""

    name: str
    image: Image


def sample_of(file: Path | None) -> Sample:
    """Read a picture, or take the catalogue's. Raises MediaUnusable, or ModelProblem where the clip can't be had."""
    return _clip_frame() if file is None else Sample(file.name, _read(file))


def _clip_frame() -> Sample:
    with Video(catalogue.clip(_CLIP)) as video:
        for decoded in video.frames():
            if decoded.pts_s is not None and decoded.pts_s >= _AT_S:
                return Sample(f"{_CLIP} at {_AT_S:g} s", decoded.picture.image.copy())
    raise MediaUnusable(f"{_CLIP} ends before {_AT_S:g} s")


def _read(file: Path) -> Image:
    try:
        if file.stat().st_size > _LARGEST_BYTES:
            raise MediaUnusable(f"{file}: larger than a picture may be")
        content = np.frombuffer(file.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise MediaUnusable(f"{file} can't be read: {error}") from error
    try:
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    except cv2.error as error:
        raise MediaUnusable(f"{file} is no picture that can be decoded: {error}") from error
    if image is None:
        raise MediaUnusable(f"{file} is no picture that can be decoded")
    if max(image.shape[:2]) > _LARGEST_SIDE:
        raise MediaUnusable(f"{file}: a picture of {image.shape[1]}×{image.shape[0]} is too large")
    return np.asarray(image, dtype=np.uint8)
