"""Pictures encoded as surveillance cameras send them: a key frame every two seconds, no frame that waits for a later one, few bits,
noise, night gain.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

import av
import numpy as np

from edge.flow import Image
from edge.video import Video

GOP_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Encoding:
    """`bits_per_pixel` and the encoder's way of keeping to them (`crf` where there is no rate); noise (grey levels) and gain before. `options`
    are the encoder's: `g` pictures from one key frame to the next, `bf` of them that wait for a later one.
    """

    bits_per_pixel: float | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    noise: float = 0.0
    gain: float = 1.0
    codec: Literal["libx264", "libx265"] = "libx264"


CONSTANT_RATE: Final[Mapping[str, str]] = {"x264-params": "nal-hrd=cbr:force-cfr=1"}
"""Options of x264 for a bit rate that stays the same whatever is seen."""


def changed(images: Iterable[Image], encoding: Encoding) -> Iterator[Image]:
    """The pictures with gain and noise; the same noise every time."""
    chance = np.random.default_rng(11)
    for image in images:
        if not encoding.noise:
            yield image
            continue
        height, width, _ = image.shape
        noise = chance.normal(0.0, encoding.noise, (height, width, 1)).astype(np.float32)
        yield np.clip(image * np.float32(encoding.gain) + noise, 0, 255).astype(np.uint8)


def write_pictures(images: Iterable[Image], copy: Path, rate: Fraction, encoding: Encoding) -> None:
    """Encode pictures of one size, with even sides, as H.264 or H.265 in MP4."""
    with av.open(str(copy), mode="w", format="mp4") as container:
        stream = None
        for image in changed(images, encoding):
            if stream is None:
                height, width = image.shape[:2]
                options = _options(encoding, width, height, rate)
                stream = container.add_stream(encoding.codec, rate=rate, options=options)
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                if encoding.bits_per_pixel is not None:
                    stream.bit_rate = _bit_rate(encoding.bits_per_pixel, width, height, rate)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        if stream is not None:
            container.mux(stream.encode())


def write_encoded(clip: Path, copy: Path, encoding: Encoding) -> None:
    """Encode a clip again at its own rate. Raises MediaUnusable when it is no clip."""
    with Video(clip) as video:
        rate = Fraction(1 / video.frame_period_s).limit_denominator(1000)
        write_pictures((decoded.picture.image for decoded in video.frames()), copy, rate, encoding)


def _bit_rate(bits_per_pixel: float, width: int, height: int, rate: Fraction) -> int:
    return round(bits_per_pixel * width * height * float(rate))


def _options(encoding: Encoding, width: int, height: int, rate: Fraction) -> dict[str, str]:
    options = {"preset": "veryfast", "bf": "0", "g": str(round(GOP_S * rate)), **encoding.options}
    if encoding.bits_per_pixel is None:
        return options
    bits = _bit_rate(encoding.bits_per_pixel, width, height, rate)
    most = bits if "x264-params" in encoding.options else 2 * bits
    return options | {"maxrate": str(most), "minrate": str(bits), "bufsize": str(most)}
