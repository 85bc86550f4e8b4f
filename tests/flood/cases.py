"""Cases in memory, as correlation and their clocks see them."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from cloud.cases.model import CaseStatus
from cloud.correlate.folding import Candidate, Echo, Why
from cloud.correlate.policy import CaseFacts
from cloud.correlate.source import Source
from edge.contract.incident import Severity

Identity = tuple[str, str, str, str, str]


def identity(source: Source) -> Identity:
    """What a row of `case_source` is kept by."""
    return source.node, source.device, source.danger, source.zone, source.rule


@dataclass
class Case:
    """A case in memory."""

    facts: CaseFacts
    kind: str
    spot: str | None
    opened_at: datetime
    why: Why
    status: CaseStatus = CaseStatus.REPORTED
    sources: dict[Identity, list[int]] = field(default_factory=dict)
    reached: dict[Identity, datetime] = field(default_factory=dict)
    settled_at: datetime | None = None
    reason: str | None = None
    echo: Echo | None = None
    incidents: set[UUID] = field(default_factory=set)

    def candidate(self, source: Source | None) -> Candidate:
        """As the policy sees it."""
        own = self.sources.get(identity(source), [0, 0, 0, 0]) if source is not None else [0, 0, 0, 0]
        return Candidate(
            facts=self.facts,
            status=self.status,
            own=tuple(own),
            incidents=sum(map(sum, self.sources.values())),
            sources=len(self.sources),
            settled_at=self.settled_at,
            reason=self.reason,
            echo=self.echo,
        )

    def count(self, source: Source, severity: Severity, at: datetime) -> None:
        """One incident more."""
        key = identity(source)
        self.sources.setdefault(key, [0, 0, 0, 0])[severity.rank] += 1
        self.reached[key] = max(self.reached.get(key, at), at)
