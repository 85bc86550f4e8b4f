"""What stands on both sides of an outbox, kept in files so that it outlives the process: a source and a cloud."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from edge.contract.downlink import Outcome
from edge.contract.incident import Incident
from edge.contract.telemetry import Gap, TelemetryBatch
from edge.contract.topics import Channel
from edge.flow import OutboxRecord


@dataclass(frozen=True, slots=True)
class Journal:
    """Lines of JSON that are there as soon as `add` returned."""

    path: Path

    def add(self, **line: Any) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, json.dumps(line).encode() + b"\n")
        os.close(descriptor)

    def lines(self) -> Iterator[dict[str, Any]]:
        if self.path.exists():
            yield from map(json.loads, self.path.read_text().splitlines())


class JournalCloud:
    """Takes each message once and says what became of it; refuses what the test wants to be refused."""

    REFUSED_DEVICE = "odd"

    def __init__(self, directory: Path) -> None:
        self._journal = Journal(directory / "cloud.log")

    def take(self, record: OutboxRecord) -> tuple[Outcome, str | None]:
        known = {line["id"]: line["outcome"] for line in self._journal.lines() if "id" in line}
        message_id = str(record.message_id)
        if message_id in known:
            before = Outcome(known[message_id])
            return (before, "as before") if before is Outcome.REJECTED else (Outcome.DUPLICATE, None)
        odd = record.channel != Channel.GAP and f'"{self.REFUSED_DEVICE}"'.encode() in record.body
        outcome = Outcome.REJECTED if odd else Outcome.ACCEPTED
        self._journal.add(id=message_id, channel=record.channel, outcome=outcome, body=record.body.decode())
        return outcome, None if outcome is Outcome.ACCEPTED else "refused by the test"

    def upload(self, sha256: str, content: bytes) -> None:
        self._journal.add(sha256=sha256, bytes=len(content))

    def taken(self, channel: Channel, outcome: Outcome = Outcome.ACCEPTED) -> list[bytes]:
        return [
            line["body"].encode()
            for line in self._journal.lines()
            if line.get("channel") == channel and line["outcome"] == outcome
        ]

    def readings(self) -> Counter[int]:
        """How often each reading was told, by its event time in µs."""
        batches = [msgspec.json.decode(body, type=TelemetryBatch) for body in self.taken(Channel.TELEMETRY)]
        return Counter(at_us for batch in batches for column in batch.series for at_us in column.observed_at_us)

    def gaps(self) -> list[Gap]:
        return [msgspec.json.decode(body, type=Gap) for body in self.taken(Channel.GAP)]

    def incidents(self, outcome: Outcome = Outcome.ACCEPTED) -> list[tuple[UUID, Incident, bytes]]:
        bodies = self.taken(Channel.INCIDENT, outcome)
        return [
            (incident.incident_id, incident, body)
            for body in bodies
            for incident in [msgspec.json.decode(body, type=Incident)]
        ]

    def files(self) -> set[str]:
        return {line["sha256"] for line in self._journal.lines() if "sha256" in line}


class JournalSource:
    """Delivers parcels until each is acknowledged, as a broker does; a delivered one comes again under the same mark."""

    def __init__(self, directory: Path) -> None:
        self._journal = Journal(directory / "source.log")

    def is_acknowledged(self, parcel: int) -> bool:
        return any(line["parcel"] == parcel for line in self._journal.lines())

    def acknowledge(self, parcel: int) -> None:
        self._journal.add(parcel=parcel)
