"""The files of evidence that wait in the outbox: when each may go, and what becomes of it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from edge.contract.incident import EVIDENCE_DROPPED, SEALED_MIME, EvidenceKind, EvidenceReference, Incident, Severity
from edge.contract.telemetry import from_microseconds, to_microseconds
from edge.outbox.books import Books, Counter

_WEIGHTS = {EvidenceKind.SEALED: 0, EvidenceKind.SNAPSHOT: 2}
"""Of equally severe incidents originals go first and masked pictures last: they are what people look at at once."""


class EvidenceRows(Books):
    """One row for each file, from its incident's revision to the cloud's word."""

    def add_evidence(self, evidence: Sequence[EvidenceReference], message_id: bytes) -> None:
        """Let files wait for the message that names them."""
        for reference in evidence:
            self._do(
                "evidence_add",
                sha256=reference.sha256,
                message_id=message_id,
                mime=reference.mime,
                bytes=reference.bytes,
                captured_at_us=to_microseconds(reference.captured_at),
                kind=reference.kind.value,
                original=int(reference.mime == SEALED_MIME),
            )

    def name_evidence(
        self, incident: Incident, evidence: Sequence[EvidenceReference], body: bytes, timebase: int | None
    ) -> None:
        """Note that this revision, the newest of its incident, names these new files; an incident none of whose files wait is
        forgotten.
        """
        incident_id = incident.incident_id.bytes
        for reference in evidence:
            self._do("naming_add", sha256=reference.sha256, incident_id=incident_id)
        if evidence:
            self._do("named_add", incident_id=incident_id, body=body, timebase=timebase)
        told = EVIDENCE_DROPPED in (incident.note or "")
        if self._do("named_revise", incident_id=incident_id, body=body, timebase=timebase, told=told):
            self._do("evidence_rise", incident_id=incident_id, severity=incident.severity.rank)
            if told:
                self._do("named_prune")

    def drop_evidence(
        self, needed_bytes: int, *, severity: Severity, kind: EvidenceKind, now: datetime, mime: str | None = None
    ) -> list[str]:
        """Let go of files until so many bytes are free, the oldest of the least severe first, none that matters more than one of this
        severity and kind and none that is held or ordered; of one `mime` alone where it is given. Their hashes come back, none where that would not be enough.
        Their incidents are noted: a revision has to tell of it.
        """
        weight = _WEIGHTS.get(kind, 1)
        rows = self._all(
            "evidence_in_order",
            any_mime=mime is None,
            mime=mime,
            severity=severity.rank,
            weight=weight,
            now_us=to_microseconds(now),
        )
        chosen, freed_bytes = [], 0
        for sha256, size_bytes in rows:
            if freed_bytes >= needed_bytes:
                break
            chosen.append(sha256)
            freed_bytes += size_bytes
        if freed_bytes < needed_bytes:
            return []
        for sha256 in chosen:
            self._do("named_drop", sha256=sha256)
            self._remove_evidence(sha256)
        self.count(Counter.EVIDENCE_DROPPED, len(chosen))
        return chosen

    def evidence_undeclared(self, limit: int = 50) -> list[tuple[Incident, int | None]]:
        """The newest revisions, and their timebases, of incidents that have lost files and have not told of it."""
        return [
            (msgspec.json.decode(body, type=Incident), timebase)
            for body, timebase in self._all("named_dropped", limit=limit)
        ]

    def _remove_evidence(self, sha256: str) -> bool:
        """Forget a file, and the incidents none of whose files wait any more."""
        known = bool(self._do("evidence_remove", sha256=sha256))
        if self._do("naming_remove", sha256=sha256):
            self._do("named_prune")
        return known

    def evidence_due(self, now: datetime) -> tuple[str, str, int, int] | None:
        """Hash, mime, bytes and attempts of the oldest file that may go now; sealed ones go last, and when they are ordered."""
        row = self._one("evidence_due", now_us=to_microseconds(now), sealed_mime=SEALED_MIME)
        return None if row is None else (row[0], row[1], row[2], row[3])

    def evidence_files(self) -> dict[str, int]:
        """Every file that is kept: hash → bytes."""
        return dict(self._all("evidence_all"))

    def evidence_sealed(self) -> set[str]:
        """Hashes of those that are sealed."""
        return {sha256 for (sha256,) in self._all("evidence_sealed", sealed_mime=SEALED_MIME)}

    def evidence_delay(self, sha256: str, until: datetime, *, attempts: int = 1) -> None:
        """Try again later, and count so many failed attempts."""
        self._do("evidence_delay", sha256=sha256, next_at_us=to_microseconds(until), attempts=attempts)

    def is_original(self, sha256: str) -> bool:
        """Whether it stays here, also when the cloud has it."""
        row = self._one("original_known", sha256=sha256, sealed_mime=SEALED_MIME)
        return row is not None and bool(row[0])

    def end_order(self, sha256: str) -> None:
        """The original goes no more until it is ordered again."""
        self._do("original_order", sha256=sha256, until_us=0, sealed_mime=SEALED_MIME)

    def evidence_done(self, sha256: str) -> bool:
        """The cloud has it; whether it stays here all the same, being an original."""
        if self.is_original(sha256):
            self.end_order(sha256)
            self.count(Counter.EVIDENCE_DELIVERED, 1)
            return True
        if self._remove_evidence(sha256):
            self.count(Counter.EVIDENCE_DELIVERED, 1)
        return False

    def evidence_refused(self, sha256: str, reason: str, *, now: datetime) -> None:
        """The cloud will never take it."""
        if self._remove_evidence(sha256):
            self.bury(sha256, "evidence", reason, b"", now=now)
            self.count(Counter.EVIDENCE_REFUSED, 1)

    def evidence_waiting(self, now: datetime) -> tuple[int, datetime | None]:
        """How many files wait, and when the oldest one was taken; originals that nobody has ordered do not."""
        row = self._one("evidence_waiting", now_us=to_microseconds(now))
        if row is None or row[2] is None:
            return 0, None
        return row[0], from_microseconds(row[2])

    def lose_evidence_of(self, message_id: UUID, *, now: datetime) -> list[str]:
        """Files that only a rejected message has named; what another one waits to name goes on with that."""
        lost = []
        for (sha256,) in self._all("evidence_of", message_id=message_id.bytes):
            other = self._one("record_naming", sha256=sha256, message_id=message_id.bytes)
            if other is None:
                self.evidence_refused(sha256, "the incident that names it was rejected", now=now)
                lost.append(sha256)
            else:
                self._do("evidence_hand_on", sha256=sha256, message_id=other[0])
        return lost
