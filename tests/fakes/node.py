"""A node that says exactly what a test wants, on time or not."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from cloud.ingest.model import Arrival, Item
from cloud.ingest.reading import read
from edge.contract.answer import Answer, AnswerOutcome
from edge.contract.birth import Birth, Device, NodeStatus, Point, PresenceState
from edge.contract.envelope import Envelope, Lane, encode
from edge.contract.fields import uuid7
from edge.contract.health import NODE_POINTS, Backlog, CameraLink, EvidenceBacklog, Level, LinkQuality, NodeHealth
from edge.contract.incident import Incident, IncidentState, Severity
from edge.contract.telemetry import Gap, GapReason, SeriesColumn, TelemetryBatch, to_microseconds
from edge.contract.topics import Channel, Topic

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
DISTRICT = "110105"
_clock_ms = itertools.count(int(AT.timestamp() * 1000))

CHANNELS: dict[type, Channel] = {
    Birth: Channel.BIRTH,
    TelemetryBatch: Channel.TELEMETRY,
    Incident: Channel.INCIDENT,
    Gap: Channel.GAP,
}


def new_id() -> UUID:
    return uuid7(next(_clock_ms))


@dataclass(slots=True)
class FakeNode:
    """Numbers its messages as a real one does; `envelope` and `arrival` give the same message as often as wanted."""

    name: str = "station-01"
    district: str = DISTRICT
    session: UUID = field(default_factory=new_id)
    _seq: dict[Lane | type[Birth], int] = field(default_factory=lambda: defaultdict(int))

    def envelope(self, body: Any, *, lane: Lane = Lane.LIVE, historical: bool = False) -> Envelope[Any]:
        numbered = Birth if isinstance(body, Birth) else lane
        self._seq[numbered] += 1
        return Envelope(
            id=new_id(),
            node=self.name,
            session=self.session,
            lane=lane,
            seq=self._seq[numbered],
            sent_at=AT,
            historical=historical,
            body=body,
        )

    def topic(self, channel: Channel) -> str:
        return str(Topic(self.district, self.name, channel))

    def topic_of(self, channel: str) -> str:
        return self.topic(Channel(channel))

    def arrival(self, envelope: Envelope[Any], *, at: datetime = AT) -> Arrival:
        return Arrival(self.topic(CHANNELS[type(envelope.body)]), encode(envelope), at)

    def item(self, body: Any, *, lane: Lane = Lane.LIVE, historical: bool = False) -> Item:
        return read(self.arrival(self.envelope(body, lane=lane, historical=historical)))

    def status(self, state: PresenceState, *, session: UUID | None = None) -> Item:
        status = NodeStatus(node=self.name, session=session or self.session, state=state, at=AT)
        return read(Arrival(self.topic(Channel.STATUS), encode(status), AT))

    def answer(self, command_id: UUID, outcome: AnswerOutcome = AnswerOutcome.DONE, **fields: Any) -> Item:
        """A word on a command."""
        given: dict[str, Any] = {"node": self.name, "session": self.session, "at": AT} | fields
        answer = Answer(command_id=command_id, outcome=outcome, **given)
        return read(Arrival(self.topic(Channel.ANSWER), encode(answer), AT))

    def health(
        self,
        seq: int = 1,
        *,
        at: datetime = AT,
        received_at: datetime = AT,
        cameras: tuple[CameraLink, ...] = (),
        **changes: Any,
    ) -> Item:
        """A report; `changes` are those of its backlog."""
        backlog = Backlog(
            **{
                "level": Level.NORMAL,
                "share": 0.1,
                "used_bytes": 1_000,
                "quota_bytes": 10_000,
                "readings": 5,
                "incidents": 0,
                "messages": 1,
                **changes,
            }
        )
        report = NodeHealth(
            node=self.name,
            session=self.session,
            seq=seq,
            at=at,
            backlog=backlog,
            evidence=EvidenceBacklog(level=Level.NORMAL, files=0, bytes=0, quota_bytes=1_000),
            link=LinkQuality(connected_since=at, connections=1, sent=10, resent=0, acknowledged=9),
            cameras=cameras,
        )
        return read(Arrival(self.topic(Channel.HEALTH), encode(report), received_at))


def itself(name: str = "station-01") -> Device:
    """The node as a device of its own birth."""
    return Device(id=name, kind="node", points=NODE_POINTS)


def birth(*devices: Device, **more: Any) -> Birth:
    return Birth(software="0.1.0", devices=devices or (sensor(),), **more)


def sensor(name: str = "sensor-01", *points: str) -> Device:
    declared = tuple(Point(name=point, unit="°C", period_s=1.0) for point in points or ("temperature",))
    return Device(id=name, kind="sensor", name=f"Sensor {name}", spot="pump-room", points=declared)


def column(
    values: Sequence[float],
    *,
    device: str = "sensor-01",
    point: str = "temperature",
    begin: datetime = AT,
    step: timedelta = timedelta(seconds=1),
    flag: Sequence[int] = (),
) -> SeriesColumn:
    first, step_us = to_microseconds(begin), step // timedelta(microseconds=1)
    times = [first + index * step_us for index in range(len(values))]
    return SeriesColumn(device=device, point=point, observed_at_us=times, value=list(values), flag=list(flag))


def batch(*columns: SeriesColumn, **more: Any) -> TelemetryBatch:
    return TelemetryBatch(series=list(columns), **more)


def gap(device: str = "sensor-01") -> Gap:
    return Gap(
        gap_id=new_id(), device=device, from_at=AT, to_at=AT + timedelta(minutes=5), count=300, reason=GapReason.QUOTA
    )


def incident(incident_id: UUID | None = None, **fields: Any) -> Incident:
    values: dict[str, Any] = {
        "incident_id": incident_id or new_id(),
        "revision": 1,
        "state": IncidentState.OPEN,
        "kind": "intrusion",
        "category": "public_order",
        "severity": Severity.HIGH,
        "started_at": AT,
        "updated_at": AT,
        "device": "sensor-01",
    }
    return Incident(**values | fields)
