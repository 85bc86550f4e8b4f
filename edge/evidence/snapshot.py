"""Snapshots: the picture of the moment in which something was found, masked, as a JPEG without any metadata.

Where the node has the district's key, the unmasked original goes along, sealed; in the clear it is never on a disk.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import structlog

from edge.contract.incident import EvidenceKind, EvidenceReference
from edge.contract.wall import HIGHEST_PIXELS, LARGEST_PICTURE_BYTES, WIDEST_PIXELS
from edge.evidence.privacy import masked
from edge.evidence.seal import DistrictKey
from edge.flow import EvidenceFile, Frame, Image, PrivateParts, WallPicture
from edge.geometry import Point

_QUALITY: Final = 82
_ORIGINAL_QUALITY: Final = 92
_LONGEST_SIDE: Final = 1280
_SMALL_QUALITIES: Final = (72, 50, 30)
"""For the wall: the next one where the picture is larger than it may be."""

_log = structlog.get_logger(__name__)


class SnapshotMaker:
    """Makes pictures of one camera: masked ones, and with the district's key their originals, sealed. `refused` counts those that
    could not be made.
    """

    def __init__(
        self, camera: str, polygons: Sequence[Sequence[Point]] = (), *, district_key: DistrictKey | None = None
    ) -> None:
        """`polygons`: what of the picture is always painted over, in normalised coordinates; originals show it."""
        self.refused = 0
        self._camera, self._polygons = camera, tuple(polygons)
        self._district_key = district_key

    def take(self, frame: Frame, parts: PrivateParts) -> EvidenceFile | None:
        """The masked picture of a frame, with what may be recognisable in this very frame.

        None when it can't be masked: no picture is better than one that shows someone.
        """
        try:
            return self._take(frame, parts)
        except (ValueError, cv2.error) as error:
            self.refused += 1
            _log.error("snapshot refused", camera=self._camera, reason=str(error))
            return None

    def small(self, frame: Frame, parts: PrivateParts) -> WallPicture | None:
        """The same for a picture wall: small, and no evidence. None when it can't be masked, or is too large all the same."""
        try:
            return WallPicture(frame.camera, frame.captured_at, self._small(frame, parts))
        except (ValueError, cv2.error) as error:
            self.refused += 1
            _log.error("picture for the wall refused", camera=self._camera, reason=str(error))
            return None

    def seal(self, frame: Frame) -> EvidenceFile | None:
        """The picture as it is, in its full size, for the district alone; None without its key, or where it can't be made."""
        if self._district_key is None:
            return None
        try:
            return self._district_key.seal(_jpeg(frame.image, _ORIGINAL_QUALITY), captured_at=frame.captured_at)
        except (ValueError, cv2.error) as error:
            self.refused += 1
            _log.error("original refused", camera=self._camera, reason=str(error))
            return None

    def _small(self, frame: Frame, parts: PrivateParts) -> bytes:
        """Shrunk before it is masked: that costs less, and no pixel of what is hidden is mixed into its surroundings."""
        _require_same_moment(frame, parts)
        picture = masked(_within(frame.image, WIDEST_PIXELS, HIGHEST_PIXELS), parts, self._polygons)
        for quality in _SMALL_QUALITIES:
            content = _jpeg(picture, quality)
            if len(content) <= LARGEST_PICTURE_BYTES:
                return content
        raise ValueError("the picture is too large for the wall")

    def _take(self, frame: Frame, parts: PrivateParts) -> EvidenceFile:
        _require_same_moment(frame, parts)
        content = _jpeg(_shrunk(masked(frame.image, parts, self._polygons)))
        reference = EvidenceReference(
            sha256=hashlib.sha256(content).hexdigest(),
            kind=EvidenceKind.SNAPSHOT,
            mime="image/jpeg",
            bytes=len(content),
            captured_at=frame.captured_at,
        )
        return EvidenceFile(reference, content)


def _require_same_moment(frame: Frame, parts: PrivateParts) -> None:
    if parts.at != frame.captured_at:
        raise ValueError("the regions belong to another moment")


def _shrunk(image: Image) -> Image:
    return _within(image, _LONGEST_SIDE, _LONGEST_SIDE)


def _within(image: Image, widest: int, highest: int) -> Image:
    height, width = image.shape[:2]
    ratio = min(widest / width, highest / height)
    if ratio >= 1:
        return image
    size = (max(round(width * ratio), 1), max(round(height * ratio), 1))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _jpeg(image: Image, quality: int = _QUALITY) -> bytes:
    done, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("the picture can't be encoded")
    return encoded.tobytes()
