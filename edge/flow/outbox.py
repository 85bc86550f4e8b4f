"""What is kept for the cloud: the side that hands over, and the side that sends."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.incident import Incident
from edge.flow.evidence import EvidenceFile
from edge.flow.reading import Reading, Receipts


class Recorder(Protocol):
    """What sources and rules hand over to; when a call returns, the thing is committed to the outbox."""

    def readings(self, readings: Sequence[Reading], *, receipts: Receipts | None = None) -> None:
        """Keep readings and the source's receipts together. Raises OutboxFull."""
        ...

    def incident(self, incident: Incident, evidence: Sequence[EvidenceFile] = (), *, replayed: bool = False) -> None:
        """Keep one revision of an incident with its new evidence, durably; as history where it was found in what a device sent late."""
        ...


class RuleMemory(Protocol):
    """What rules, and what acts for them, have to know after a restart: words under a name."""

    def remember(self, name: str, words: str | None) -> None:
        """Keep it (None: forget it); returns after the commit. Raises EdgeError where the disk does not take it."""
        ...

    def remembered(self) -> Mapping[str, str]:
        """All that is kept, by name."""
        ...


@dataclass(frozen=True, slots=True)
class OutboxRecord:
    """A committed message that waits for the cloud's acknowledgement. `body` is the JSON of the body alone.

    `replayed` says that the device itself sent it late; `channel` is the last part of its topic. The reader has to add
    `correction` to the times in the body.
    """

    row: int
    message_id: UUID
    channel: str
    lane: Lane
    accepted_at: datetime
    replayed: bool
    body: bytes = field(repr=False)
    correction: timedelta = timedelta(0)


class OutboxDrain(Protocol):
    """The uplink's view of the outbox."""

    def pending(
        self, lane: Lane, *, fresh_since: datetime, old: bool, skip: Collection[int], limit: int
    ) -> Sequence[OutboxRecord]:
        """Messages of a lane that are not acknowledged yet, oldest first, without the rows in `skip`.

        `old` chooses those accepted before `fresh_since`, else those accepted since. Old incidents come newest first: the
        end of one that is over arrives before its beginning, so that it can't ring as if it still held. Messages are
        formed of waiting readings on the way, once: their ids stay.
        """
        ...

    def settle(self, outcomes: Mapping[UUID, tuple[Outcome, str | None]]) -> None:
        """Apply the cloud's acknowledgements, by message id. Unknown ids are no mistake: acknowledgements come twice."""
        ...
