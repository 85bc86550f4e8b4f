"""Clips (录像片段): what the camera sent before and after something began, as it sent it, sealed to the district.

The pictures in it are not masked, so it leaves the node sealed or not at all: in the clear it is never on a disk. The film that
people look at is `edge/evidence/film.py`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from edge.errors import MediaUnusable
from edge.evidence.seal import DistrictKey
from edge.flow import EvidenceFile, Packet, StreamFormat
from edge.video.copying import copied

PRE_ROLL: Final = timedelta(seconds=5)
"""Before the beginning, and up to the key frame before that."""

POST_ROLL: Final = timedelta(seconds=4)
"""After it. Both together have to lie in the packet ring."""

LARGEST_BYTES: Final = 12 << 20

_log = structlog.get_logger(__name__)


class ClipMaker:
    """Makes clips of one camera. `refused` counts those that could not be made."""

    def __init__(self, camera: str, district_key: DistrictKey) -> None:
        self.refused = 0
        self._camera, self._district_key = camera, district_key

    def take(
        self, stream_format: StreamFormat | None, packets: Sequence[Packet], *, until: datetime
    ) -> EvidenceFile | None:
        """The packets up to `until` that are not too many bytes, sealed; None where nothing can be copied: counted, and said."""
        chosen = within(packets, until)
        if stream_format is None or not chosen:
            self._refuse("nothing is kept of what the camera sent then")
            return None
        try:
            return self._district_key.seal(copied(stream_format, chosen), captured_at=chosen[0].captured_at)
        except MediaUnusable as error:
            self._refuse(str(error))
            return None

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        _log.error("clip refused", camera=self._camera, reason=reason)


def within(packets: Sequence[Packet], until: datetime) -> list[Packet]:
    """The packets of a clip, from the first key frame on; where there is no room for all, the end is left out."""
    chosen: list[Packet] = []
    size_bytes = 0
    for packet in packets:
        if not chosen and not packet.encoded.key:
            continue
        size_bytes += len(packet.encoded.data)
        if packet.captured_at > until or size_bytes > LARGEST_BYTES:
            break
        chosen.append(packet)
    return chosen
