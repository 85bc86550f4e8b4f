"""Small clips made on the spot."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from edge.flow import Image
from edge.video import VideoWriter


def picture(index: int, *, width: int = 160, height: int = 96) -> Image:
    """A plain picture whose brightness tells its number, so that a decoded one can be told from the next."""
    return np.full((height, width, 3), 20 + index * 8 % 232, dtype=np.uint8)


def number_of(image: Image) -> int:
    """Which number `picture` drew (below 29)."""
    return round((float(image.mean()) - 20) / 8)


def grainy(image: Image, seed: int) -> Image:
    """The picture with the grain of a camera, another for each seed."""
    grain = np.random.default_rng(seed).integers(-2, 3, image.shape[:2], dtype=np.int16)[:, :, None]
    return np.asarray(np.clip(image + grain, 0, 255), dtype=np.uint8)


def write_clip(path: Path, *, frames: int = 20, rate: int = 10, width: int = 160, height: int = 96) -> Path:
    """A clip of numbered pictures."""
    with VideoWriter(path, rate=Fraction(rate), width=width, height=height, crf=10) as writer:
        for index in range(frames):
            writer.write(picture(index, width=width, height=height))
    return path


def remuxed(source: Path, target: Path) -> Path:
    """The same pictures in another container, by the ending of its name."""
    with av.open(str(source)) as given, av.open(str(target), mode="w") as made:
        stream = given.streams.video[0]
        copy = made.add_stream_from_template(stream)
        for packet in given.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                made.mux(packet)
    return target
