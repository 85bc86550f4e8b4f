"""The masked film of an incident (遮挡录像): the packets of its clip decoded, every picture masked, and encoded once.

What it shows is as coarse as a masked picture and coarser: squares that wander over a face from picture to picture would let it
be computed back from all of them together.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Final

import cv2
import numpy as np

from edge.contract.incident import EvidenceKind, EvidenceReference
from edge.errors import MediaUnusable
from edge.evidence.film_masks import FilmMasks
from edge.evidence.privacy import masked
from edge.flow import EvidenceFile, Frame, Image, Packet, StreamFormat
from edge.geometry import Point
from edge.video import WebmWriter, kept_pictures

MIME: Final = "video/webm"
RATE_HZ: Final = 10.0
"""Pictures a second at most: what happened is seen, at half the cost of all of them."""

LONGEST_SIDE: Final = 960
BITS_PER_S: Final = 600_000
LARGEST_BYTES: Final = 3 << 20
COLOURS: Final = 2
"""Along the shorter side of a masked region, in the place of four in a single picture."""

_TOLERANCE: Final = 1e-3


def frames_of(camera: str, stream_format: StreamFormat, packets: Sequence[Packet]) -> Iterator[Frame]:
    """The pictures of a clip, `RATE_HZ` of them a second at most. Raises MediaUnusable."""
    began_at, slot, sequence = packets[0].captured_at, -1, 0
    for decoded in kept_pictures(stream_format, packets):
        at_s = decoded.pts_s or 0.0
        taken = int(at_s * RATE_HZ + _TOLERANCE)
        if taken == slot:
            continue
        slot = taken
        yield Frame(camera, sequence, began_at + timedelta(seconds=at_s), at_s, decoded.picture)
        sequence += 1


def masked_film(frames: Iterable[Frame], masks: FilmMasks, polygons: Sequence[Sequence[Point]]) -> EvidenceFile:
    """The pictures, each masked, as a film. Raises MediaUnusable, and ValueError where one of them can't be masked."""
    writer: WebmWriter | None = None
    begin: Frame | None = None
    try:
        for frame in frames:
            image = _shrunk(frame.image)
            if begin is None or writer is None:
                begin = frame
                height, width = image.shape[:2]
                writer = WebmWriter(
                    width=width, height=height, rate_hz=RATE_HZ, bits_per_s=BITS_PER_S, largest_bytes=LARGEST_BYTES
                )
            elif image.shape[:2] != (height, width):
                image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
            parts = masks.at(frame.captured_at)
            writer.write(masked(image, parts, polygons, colours=COLOURS), frame.media_s - begin.media_s)
        if begin is None or writer is None:
            raise MediaUnusable("there is no picture in it")
        content = writer.finished()
    finally:
        if writer is not None:
            writer.close()
    reference = EvidenceReference(
        sha256=hashlib.sha256(content).hexdigest(),
        kind=EvidenceKind.CLIP,
        mime=MIME,
        bytes=len(content),
        captured_at=begin.captured_at,
    )
    return EvidenceFile(reference, content)


def _shrunk(image: Image) -> Image:
    """No longer than `LONGEST_SIDE`, both sides even."""
    height, width = image.shape[:2]
    ratio = min(1.0, LONGEST_SIDE / max(height, width))
    size = (max(round(width * ratio / 2) * 2, 2), max(round(height * ratio / 2) * 2, 2))
    if size == (width, height):
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
