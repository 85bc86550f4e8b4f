"""Copies of a clip as another camera might have filmed it: mirrored, smaller, shifted, darker, noisier, squeezed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from edge.flow import Image
from edge.video import Video, VideoWriter

Change = Callable[[Image], Image]


@dataclass(frozen=True, slots=True)
class Variant:
    """A change of every picture, and how hard the copy is compressed (x264's crf)."""

    change: Change
    crf: int = 23
    every: int = 1


def _same(image: Image) -> Image:
    return image


def _mirrored(image: Image) -> Image:
    return np.ascontiguousarray(image[:, ::-1])


def _resized(share: float) -> Change:
    def change(image: Image) -> Image:
        height, width = (int(side * share) // 2 * 2 for side in image.shape[:2])
        return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)

    return change


def _pasted(share: float, *, right: float = 0.5, down: float = 0.5, grey: int = 0) -> Change:
    """The picture made smaller on a plain canvas of the old size; `right` and `down` say where, 0 to 1."""

    def change(image: Image) -> Image:
        height, width = (int(side * share) for side in image.shape[:2])
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        canvas = np.full_like(image, grey)
        top, left = int((image.shape[0] - height) * down), int((image.shape[1] - width) * right)
        canvas[top : top + height, left : left + width] = small
        return canvas

    return change


def _shifted(right: float, down: float, border: int = cv2.BORDER_CONSTANT) -> Change:
    def change(image: Image) -> Image:
        height, width = image.shape[:2]
        matrix = np.array([[1, 0, round(right * width)], [0, 1, round(down * height)]], dtype=np.float32)
        return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=border), dtype=np.uint8)

    return change


def _light(gain: float, offset: float = 0.0) -> Change:
    return lambda image: np.clip(image * gain + offset, 0, 255).astype(np.uint8)


def _noisy(deviation: float, gain: float = 1.0) -> Change:
    chance = np.random.default_rng(7)
    return lambda image: np.clip(image * gain + chance.normal(0, deviation, image.shape), 0, 255).astype(np.uint8)


def _blurred(image: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 2.0), dtype=np.uint8)


_WRAP = cv2.BORDER_WRAP
_REPEAT = cv2.BORDER_REPLICATE

VARIANTS: Mapping[str, Variant] = {
    "re-encoded": Variant(_same),
    "squeezed": Variant(_same, crf=34),
    "squeezed-hard": Variant(_same, crf=40),
    "mirrored": Variant(_mirrored),
    "resized-0.8": Variant(_resized(0.8)),
    "resized-0.5": Variant(_resized(0.5)),
    "resized-1.5": Variant(_resized(1.5)),
    "pasted-0.8-centre": Variant(_pasted(0.8)),
    "pasted-0.8-upper-left": Variant(_pasted(0.8, right=0, down=0)),
    "pasted-0.8-upper-right": Variant(_pasted(0.8, right=1, down=0)),
    "pasted-0.8-lower-left": Variant(_pasted(0.8, right=0, down=1)),
    "pasted-0.8-lower-right-grey": Variant(_pasted(0.8, right=1, down=1, grey=114)),
    "shifted-left-5": Variant(_shifted(-0.05, 0)),
    "shifted-right-5": Variant(_shifted(0.05, 0)),
    "shifted-up-5": Variant(_shifted(0, -0.05)),
    "shifted-down-5": Variant(_shifted(0, 0.05)),
    "shifted-left-up-8-repeated": Variant(_shifted(-0.08, -0.08, _REPEAT)),
    "shifted-right-down-8-repeated": Variant(_shifted(0.08, 0.08, _REPEAT)),
    "shifted-right-3-wrapped": Variant(_shifted(0.03, 0.02, _WRAP)),
    "shifted-left-6-wrapped": Variant(_shifted(-0.06, -0.03, _WRAP)),
    "mirrored-shifted-squeezed": Variant(lambda image: _shifted(0.04, 0.03)(_mirrored(image)), crf=34),
    "mirrored-pasted-0.8": Variant(lambda image: _pasted(0.8)(_mirrored(image))),
    "dark": Variant(_light(0.45)),
    "darker": Variant(_light(0.25)),
    "bright": Variant(_light(1.3, 20)),
    "noisy": Variant(_noisy(12)),
    "night-gain": Variant(_noisy(16, gain=0.4)),
    "blurred": Variant(_blurred),
    "half-rate": Variant(_same, every=2),
}
"""Name → variant."""


def write_variant(clip: Path, copy: Path, variant: Variant) -> None:
    """Encode a changed copy of a clip; the same frame rate, or every n-th frame of it at the n-th part of the rate."""
    writer: VideoWriter | None = None
    with Video(clip) as video:
        rate = Fraction(1 / video.frame_period_s).limit_denominator(1000) / variant.every
        try:
            for index, decoded in enumerate(video.frames()):
                if index % variant.every:
                    continue
                image = variant.change(decoded.picture.image)
                if writer is None:
                    height, width = image.shape[:2]
                    writer = VideoWriter(copy, rate=rate, width=width, height=height, crf=variant.crf)
                writer.write(image)
        finally:
            if writer is not None:
                writer.close()
