"""Sealed originals that stay at the node until somebody orders them: which are wanted, which are held, which are too old."""

import json
from datetime import UTC, datetime
from typing import Final

from edge.contract.incident import SEALED_MIME
from edge.contract.telemetry import from_microseconds, to_microseconds
from edge.outbox.evidence import EvidenceRows

WITHOUT_END: Final = datetime(9999, 1, 1, tzinfo=UTC)

_REFUSED: Final = "refused original "
"""Names of facts: until when the order ran that the cloud refused for good, and why."""


class OriginalRows(EvidenceRows):
    """What is said of an original stands in its row."""

    def original_size(self, sha256: str) -> int | None:
        """Its size in bytes; None where no sealed file of this hash is kept."""
        row = self._one("original_known", sha256=sha256, sealed_mime=SEALED_MIME)
        return None if row is None else int(row[1])

    def order_original(self, sha256: str, until: datetime) -> bool:
        """Let it go until a time; False where no sealed file of this hash is kept."""
        self.remove_fact(f"{_REFUSED}{sha256}")
        return bool(self._do("original_order", sha256=sha256, until_us=to_microseconds(until), sealed_mime=SEALED_MIME))

    def refuse_order(self, sha256: str, reason: str) -> None:
        """The cloud does not take it: this order is over, however often it is repeated."""
        row = self._one("original_known", sha256=sha256, sealed_mime=SEALED_MIME)
        if row is not None:
            self.set_fact(f"{_REFUSED}{sha256}", json.dumps([row[3], reason]))
            self.end_order(sha256)

    def refusal(self, sha256: str, until: datetime) -> str | None:
        """Why the cloud did not take it when it was ordered until then, or longer; None where it has not been refused for that."""
        kept = self.fact(f"{_REFUSED}{sha256}")
        if kept is None:
            return None
        until_us, reason = json.loads(kept)
        return str(reason) if to_microseconds(until) <= until_us else None

    def _remove_evidence(self, sha256: str) -> bool:
        self.remove_fact(f"{_REFUSED}{sha256}")
        return super()._remove_evidence(sha256)

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
