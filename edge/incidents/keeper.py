"""What keeps incidents: the outbox, as the book needs it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from edge.contract.incident import Incident, Severity
from edge.flow import EvidenceFile, StagedFile


class Keeper(Protocol):
    """What the book needs of the outbox."""

    def stage(self, file: EvidenceFile, severity: Severity) -> StagedFile:
        """Write a file to the disk that an incident of this severity is going to name. Raises EvidenceNotKept."""
        ...

    def undeclared(self) -> Sequence[Incident]:
        """The newest revisions of incidents that have lost files for want of room and have not told of it."""
        ...

    def discard(self, file: StagedFile) -> None:
        """No incident will name it."""
        ...

    def incident(self, incident: Incident, evidence: Sequence[StagedFile] = (), *, replayed: bool = False) -> None:
        """Keep one revision with its new files, durably; as history where it was found in what a device sent late. Raises
        OutboxFull, EvidenceNotKept.
        """
        ...

    def ongoing(self) -> Sequence[Incident]:
        """The newest revision of every incident that has not ended."""
        ...

    def decided(self) -> Mapping[tuple[str, str], datetime]:
        """(device, rule) → until when that rule had decided when it last ended something."""
        ...

    def chain_head(self) -> str | None:
        """SHA-256 of the revision that was kept last."""
        ...
