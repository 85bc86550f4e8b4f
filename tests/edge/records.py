"""Things that several tests of the edge keep and send."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from edge.contract.incident import EvidenceKind, EvidenceReference, Incident, IncidentState, Severity
from edge.contract.telemetry import ReadingFlag
from edge.flow import EvidenceFile, Reading

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


class SteppedClock:
    """A clock that goes on when it is told to."""

    def __init__(self, at: datetime = START) -> None:
        self.now = at

    def __call__(self) -> datetime:
        return self.now

    def step(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def reading(number: int, *, device: str = "pile-1", point: str = "temperature_c", value: float | str = 20.0) -> Reading:
    """The reading that can be told from all others by its event time."""
    at = START + timedelta(milliseconds=number)
    return Reading(device=device, point=point, observed_at=at, value=value, received_at=at)


def replayed(number: int, *, device: str = "pile-1") -> Reading:
    """The same, sent late by the device itself."""
    return replace(reading(number, device=device), flag=ReadingFlag.REPLAYED)


def incident(
    number: int = 1,
    revision: int = 1,
    state: IncidentState = IncidentState.OPEN,
    *,
    evidence: tuple[EvidenceReference, ...] = (),
    prev_hash: str | None = None,
) -> Incident:
    at = START + timedelta(seconds=number)
    return Incident(
        incident_id=UUID(int=number),
        revision=revision,
        state=state,
        kind="intrusion",
        category="public_order",
        severity=Severity.MEDIUM,
        started_at=at,
        updated_at=at,
        ended_at=at if state is IncidentState.ENDED else None,
        device="cam-1",
        evidence=evidence,
        prev_hash=prev_hash,
    )


def snapshot(content: bytes = b"picture", *, mime: str = "image/jpeg") -> EvidenceFile:
    reference = EvidenceReference(
        sha256=hashlib.sha256(content).hexdigest(),
        kind=EvidenceKind.SNAPSHOT,
        mime=mime,
        bytes=len(content),
        captured_at=START,
    )
    return EvidenceFile(reference, content)
