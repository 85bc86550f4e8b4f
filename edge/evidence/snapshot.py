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
from edge.evidence.privacy import masked
from edge.evidence.seal import DistrictKey
from edge.flow import EvidenceFile, Frame, Image, PrivateParts
from edge.geometry import Point

_QUALITY: Final = 82
_ORIGINAL_QUALITY: Final = 92
_LONGEST_SIDE: Final = 1280

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

    def _take(self, frame: Frame, parts: PrivateParts) -> EvidenceFile:
        if parts.at != frame.captured_at:
            raise ValueError("the regions belong to another moment")
        content = _jpeg(_shrunk(masked(frame.image, parts, self._polygons)))
        reference = EvidenceReference(
            sha256=hashlib.sha256(content).hexdigest(),
            kind=EvidenceKind.SNAPSHOT,
            mime="image/jpeg",
            bytes=len(content),
            captured_at=frame.captured_at,
        )
        return EvidenceFile(reference, content)


def _shrunk(image: Image) -> Image:
    height, width = image.shape[:2]
    ratio = _LONGEST_SIDE / max(height, width)
    if ratio >= 1:
        return image
    size = (max(round(width * ratio), 1), max(round(height * ratio), 1))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _jpeg(image: Image, quality: int = _QUALITY) -> bytes:
    done, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("the picture can't be encoded")
    return encoded.tobytes()
