"""Sealed originals that stay at the node until somebody orders them: which are wanted, which are held, which are too old."""

from datetime import UTC, datetime
from typing import Final

from edge.contract.incident import SEALED_MIME
from edge.contract.telemetry import from_microseconds, to_microseconds
from edge.outbox.evidence import EvidenceRows

WITHOUT_END: Final = datetime(9999, 1, 1, tzinfo=UTC)


class OriginalRows(EvidenceRows):
    """What is said of an original stands in its row."""

    def original_size(self, sha256: str) -> int | None:
        """Its size in bytes; None where no sealed file of this hash is kept."""
        row = self._one("original_known", sha256=sha256, sealed_mime=SEALED_MIME)
        return None if row is None else int(row[1])

    def order_original(self, sha256: str, until: datetime) -> bool:
        """Let it go until a time; False where no sealed file of this hash is kept."""
        return bool(self._do("original_order", sha256=sha256, until_us=to_microseconds(until), sealed_mime=SEALED_MIME))

    def hold_original(self, sha256: str, until: datetime, *, now: datetime, most_bytes: int) -> bool:
        """Let go of it at no time before `until`; False where more than `most_bytes` would be held then."""
        row = self._one("original_known", sha256=sha256, sealed_mime=SEALED_MIME)
        if row is None:
            return False
        now_us = to_microseconds(now)
        held = self._one("originals_held", now_us=now_us)
        others_bytes = (0 if held is None else held[0]) - (row[1] if row[2] > now_us else 0)
        if until > now and others_bytes + row[1] > most_bytes:
            return False
        self._do("original_hold", sha256=sha256, until_us=to_microseconds(until))
        return True

    def drop_old_originals(self, before: datetime, *, now: datetime, limit: int) -> list[str]:
        """Forget originals from before a time that nobody has ordered and nobody holds; their hashes come back, at most so many."""
        rows = self._all("originals_over", before_us=to_microseconds(before), now_us=to_microseconds(now), limit=limit)
        for (sha256,) in rows:
            self._remove_evidence(sha256)
        return [sha256 for (sha256,) in rows]

    def originals_kept(self, now: datetime) -> tuple[int, int, datetime | None]:
        """How many originals wait for nobody, their bytes, and when the oldest was taken."""
        row = self._one("originals_kept", now_us=to_microseconds(now))
        if row is None or row[2] is None:
            return 0, 0, None
        return row[0], row[1], from_microseconds(row[2])
