"""Files that show what happened, on their way to the cloud."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from edge.contract.incident import EvidenceKind, EvidenceReference


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A masked picture or clip, ready to be kept and sent."""

    reference: EvidenceReference
    content: bytes = field(repr=False)

    @property
    def kind(self) -> EvidenceKind:
        """What it shows."""
        return self.reference.kind


@dataclass(frozen=True, slots=True)
class StagedFile:
    """Such a file, written to the disk before anything names it; `number` tells it from others with the same bytes."""

    reference: EvidenceReference
    number: int


@dataclass(frozen=True, slots=True)
class EvidenceUpload:
    """A stored file that the cloud waits for. `attempts` have failed so far."""

    sha256: str
    mime: str
    bytes: int
    path: Path
    attempts: int


class EvidenceQueue(Protocol):
    """The uplink's view of the evidence files: those whose incident the cloud has accepted."""

    def next_upload(self) -> EvidenceUpload | None:
        """The oldest that is due now; sealed ones go last."""
        ...

    def uploaded(self, sha256: str) -> None:
        """The cloud has it: forget the file."""
        ...

    def delay_upload(self, sha256: str, wait_s: float, *, attempted: bool = True) -> None:
        """Not now: try again after `wait_s`. `attempted` counts as a try of this file: the cloud spoke of it."""
        ...

    def refuse_upload(self, sha256: str, reason: str) -> None:
        """The cloud will never take it: to the dead letters."""
        ...
