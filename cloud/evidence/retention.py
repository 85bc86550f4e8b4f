"""How long files are kept (留存): days by kind and severity. Pure.

An entry for `kind/severity` goes before one for `kind`. What belongs to a case that is not over is kept whatever this says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cloud.errors import ConfigurationError
from cloud.settings import CloudSettings
from edge.contract.incident import EvidenceKind, Severity

LONGEST_DAYS = 3_650

QUOTA_DAYS = 3
"""Nothing goes for want of room in whose cases something has happened for less: who closed one by mistake finds its files."""

DEFAULT_DAYS: Mapping[str, int] = {
    "snapshot": 180,
    "clip": 90,
    "background": 90,
    "sealed": 90,
    "snapshot/critical": 365,
    "clip/critical": 180,
    "sealed/critical": 180,
}


class PruneReason(StrEnum):
    """Why a file goes."""

    AGE = "age"
    QUOTA = "quota"
    FETCHED = "fetched"
    """It was brought here for people to see, and its node keeps it."""


@dataclass(frozen=True, slots=True)
class PrunableFile:
    """A file of a node whose time or whose room is over."""

    node: str
    sha256: str
    kind: str
    severity: str
    size_bytes: int
    reason: PruneReason


def terms_of(settings: CloudSettings) -> "RetentionTerms":
    """The terms of a configuration. Raises ConfigurationError."""
    try:
        return RetentionTerms({**DEFAULT_DAYS, **settings.evidence_days})
    except ValueError as error:
        raise ConfigurationError(f"GRIDWARD_EVIDENCE_DAYS: {error}") from error


@dataclass(frozen=True, slots=True)
class RetentionTerms:
    """Days by `kind` or `kind/severity`. Kinds that this version does not know are kept as long as the longest."""

    days: Mapping[str, int]

    def __post_init__(self) -> None:
        """Raises ValueError when a kind is left out, a name is not known, or a term is not 1 to 3,650 days."""
        names = {str(kind) for kind in EvidenceKind}
        names |= {f"{kind}/{severity}" for kind in EvidenceKind for severity in Severity}
        if unknown := sorted(set(self.days) - names):
            raise ValueError(f"no kind of evidence: {', '.join(unknown)}")
        if missing := sorted(str(kind) for kind in EvidenceKind if kind not in self.days):
            raise ValueError(f"no days for: {', '.join(missing)}")
        if not all(1 <= days <= LONGEST_DAYS for days in self.days.values()):
            raise ValueError(f"files are kept for 1 to {LONGEST_DAYS} days")

    @property
    def other_days(self) -> int:
        """For a kind that a newer node names."""
        return max(self.days.values())

    @property
    def shortest_days(self) -> int:
        """Nothing goes by its age that has been here for less."""
        return min(self.days.values())

    def of(self, kind: EvidenceKind, severity: Severity) -> int:
        """The days of one kind at one severity."""
        return self.days.get(f"{kind}/{severity}", self.days[kind])

    def table(self) -> tuple[list[str], list[str], list[int]]:
        """Kinds, severities and days of every pair, as columns."""
        pairs = [(kind, severity) for kind in EvidenceKind for severity in Severity]
        return [str(k) for k, _ in pairs], [str(s) for _, s in pairs], [self.of(k, s) for k, s in pairs]
