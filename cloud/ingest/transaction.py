"""One transaction: messages of any nodes in, rows and verdicts out. Nothing here commits, waits or publishes.

Rows are locked in one order everywhere (receipts, lanes, nodes, series, devices, then correlation), each sorted by its
key, so that two ingest processes never wait for each other in a ring.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from psycopg import Connection

from cloud.correlate.model import IncidentReport
from cloud.correlate.service import CorrelationRules, receive_all
from cloud.errors import Invalid
from cloud.fleet import service as fleet
from cloud.fleet import store as fleet_store
from cloud.fleet.model import HealthTold, NodeSeen, Presence
from cloud.ingest.model import HealthMessage, Item, Message, Reason, Refusal, StatusMessage, Verdict
from cloud.ingest.quarantine import Quarantine
from cloud.ingest.receipts import Answer, Key, Receipts
from cloud.ingest.refused import Refused
from cloud.ingest.registry import RegisteredDevice, RegisteredNode, Registry
from cloud.ingest.seen import SeenNotes
from cloud.telemetry import store as telemetry
from cloud.telemetry.model import Bounds, Readings, Sample
from cloud.telemetry.store import Change
from edge.contract.birth import Birth, DeviceKind
from edge.contract.downlink import Outcome
from edge.contract.envelope import Envelope, encode
from edge.contract.errors import Oversized
from edge.contract.health import readings_of
from edge.contract.incident import Incident, moved
from edge.contract.telemetry import Gap, SeriesColumn, StateChange, TelemetryBatch, from_microseconds, to_microseconds
from edge.contract.topics import Channel

PRESENCE_POINT = "presence"
WAITED_LONG = timedelta(minutes=1)
"""What waited here for longer (in quarantine, for the database) is history, whatever its node said when it sent it."""

MAXIMUM_DEVICES = 2_000
MAXIMUM_POINTS = 20_000
_PRESENCES = {presence.value: presence for presence in Presence}


class Timed(StrEnum):
    """What carries times that may have to be clamped."""

    READING = "reading"
    CHANGE = "change"
    GAP = "gap"
    INCIDENT = "incident"


@dataclass(slots=True)
class Settled:
    """What a transaction did, told once it is committed."""

    verdicts: list[Verdict] = field(default_factory=list)
    nodes: dict[str, RegisteredNode] = field(default_factory=dict)
    newest: dict[int, Sample] = field(default_factory=dict)
    minutes: set[tuple[int, int]] = field(default_factory=set)
    readings: int = 0
    readings_new: int = 0
    clamped: Counter[Timed] = field(default_factory=Counter)
    corrected: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    letters_left_out: int = 0
    mended: int = 0


class Transaction:
    """Settles the messages of one batch on one connection. Made for each try, thrown away after it."""

    def __init__(
        self,
        conn: Connection[Any],
        registry: Registry,
        *,
        now: datetime,
        rules: CorrelationRules,
        seen: SeenNotes,
        refused: Refused,
    ) -> None:
        self._conn = conn
        self._registry = registry
        self._now = now
        self._rules = rules
        self._seen = seen
        self._settled = Settled()
        self._refused = refused
        self._quarantine = Quarantine(conn, now)
        self._receipts = Receipts(conn, now)
        self._columns: list[tuple[int, SeriesColumn, Bounds]] = []
        self._changes: list[Change] = []
        self._presences: list[tuple[datetime, int, Presence]] = []
        self._gaps: list[tuple[int, Gap]] = []
        self._reports: list[IncidentReport] = []
        self._nodes_due: set[int] = set()
        self._nodes_seen: dict[int, NodeSeen] = {}
        self._devices_seen: set[int] = set()

    def settle(self, items: Sequence[Item]) -> Settled:
        """Write everything. Raises psycopg.Error; then nothing of it stands."""
        topics = {item.topic.node for item in items if item.topic is not None}
        self._settled.nodes = self._registry.resolve(self._conn, topics)
        messages = []
        for item in items:
            if isinstance(item, Refusal):
                self._refuse(item)
            elif isinstance(item, Message):
                messages.append(item)
        fresh = self._first_time(self._of_known_nodes(messages))
        births = [message for message in fresh if message.topic.channel is Channel.BIRTH]
        statuses = [item for item in items if isinstance(item, StatusMessage) and self._is_enrolled(item)]
        healths = [item for item in items if isinstance(item, HealthMessage) and self._is_enrolled(item)]
        self._lock_nodes([*fresh, *healths], [*births, *statuses])
        for message in births:
            self._take_birth(message)
        for item in statuses:
            fleet.apply_status(self._conn, self._node(item).id, item.status, now=self._now)
        self._take_healths(healths)
        for message in fresh:
            self._take(message)
        self._write()
        self._answer(self._receipts.write())
        self._refused.write(self._conn, self._now)
        self._settled.refusals = self._refused.reasons
        self._settled.letters_left_out = self._refused.left_out
        self._settled.mended = sum(message.mended for message in messages)
        return self._settled

    def _node(self, item: Message | StatusMessage | HealthMessage) -> RegisteredNode:
        return self._settled.nodes[item.topic.node]

    def _is_enrolled(self, item: StatusMessage | HealthMessage) -> bool:
        node = self._settled.nodes.get(item.topic.node)
        return node is not None and node.district == item.topic.district

    def _lock_nodes(
        self, fresh: Sequence[Message | HealthMessage], changing: Sequence[Message | StatusMessage]
    ) -> None:
        speaking = {self._node(message).id for message in fresh}
        self._nodes_due = {node_id for node_id in speaking if self._seen.node(node_id)}
        locked = self._nodes_due | {self._node(item).id for item in changing}
        if locked:
            fleet_store.lock_nodes(self._conn, locked)

    def _tell(self, message: Message, outcome: Outcome, reason: str | None = None) -> None:
        envelope = message.envelope
        self._settled.verdicts.append(Verdict(message.topic, envelope.id, outcome, reason, envelope.session))

    def _refuse(self, refusal: Refusal) -> None:
        self._refused.add(refusal, enrolled=refusal.topic is not None and refusal.topic.node in self._settled.nodes)
        if refusal.topic is not None and refusal.message_id is not None:
            verdict = Verdict(
                refusal.topic, refusal.message_id, Outcome.REJECTED, f"{refusal.reason}: {refusal.detail}"
            )
            self._settled.verdicts.append(verdict)

    def _reject(self, message: Message, reason: Reason, detail: str) -> None:
        if message.topic.node in self._settled.nodes and reason is not Reason.ID_REUSED:
            self._receipts.reject(self._key(message), f"{reason}: {detail}")
        self._refuse(Refusal(message.arrival, message.topic, message.envelope.id, reason, detail))

    def _of_known_nodes(self, messages: Iterable[Message]) -> list[Message]:
        known = []
        for message in messages:
            node = self._settled.nodes.get(message.topic.node)
            if node is None:
                self._hold(message, Reason.UNKNOWN_NODE, message.topic.node, settled=False)
            elif node.district != message.topic.district:
                self._reject(message, Reason.DISTRICT_MISMATCH, f"the node is enrolled in {node.district}")
            else:
                known.append(message)
        return known

    def _first_time(self, messages: Iterable[Message]) -> list[Message]:
        """Those that count now; the others are told what they were told before."""
        fresh, answers = self._receipts.take((self._key(message), message) for message in messages)
        self._answer(answers)
        return fresh

    def _key(self, message: Message) -> Key:
        return message.envelope.id, self._node(message).id

    def _answer(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            if answer.reused:
                detail = "a message of this id with another content was taken before"
                self._reject(answer.message, Reason.ID_REUSED, detail)
            else:
                self._tell(answer.message, answer.outcome, answer.reason)

    def _take_birth(self, message: Message) -> None:
        node = self._node(message)
        envelope: Envelope[Birth] = message.envelope
        devices = fleet.apply_birth(self._conn, node.id, envelope, now=self._now)
        if devices is None:
            return
        points = [(devices[device.id], point) for device in envelope.body.devices for point in device.points]
        telemetry.declare_series(self._conn, points)
        renewed = self._registry.resolve(self._conn, [node.name])
        _check_size(renewed[node.name])
        if _declares(renewed[node.name]) - _declares(node):
            fleet.release_quarantine(self._conn, node.name)
        self._settled.nodes.update(renewed)

    def _take(self, message: Message) -> None:
        node = self._node(message)
        self._see(message, node)
        body = message.envelope.body
        if isinstance(body, TelemetryBatch):
            self._take_telemetry(message, node, body)
        elif isinstance(body, Incident):
            self._take_incident(message, node, body)
        elif isinstance(body, Gap):
            device = node.devices.get(body.device)
            if device is None:
                self._hold(message, Reason.UNKNOWN_DEVICE, body.device, settled=True)
                return
            self._gaps.append((device.id, self._believable(body, Bounds.at(message.arrival.received_at))))
            self._tell(message, Outcome.ACCEPTED)
        else:
            self._tell(message, Outcome.ACCEPTED)

    def _see(self, message: Message, node: RegisteredNode) -> None:
        """Note that a node spoke, and how far its clock is ahead: of several messages the one that was under way the least."""
        seen = self._nodes_seen.setdefault(node.id, NodeSeen(node.id))
        if message.arrival.settled_before:
            return
        skew_s = (message.envelope.sent_at - message.arrival.received_at).total_seconds()
        if seen.skew_s is None or skew_s > seen.skew_s:
            self._nodes_seen[node.id] = NodeSeen(node.id, skew_s)

    def _take_healths(self, healths: Sequence[HealthMessage]) -> None:
        """What waits in the nodes; readings of the node itself are made of it, so that its queue has a chart."""
        told = [HealthTold(self._node(item).id, item.health, item.arrival.received_at) for item in healths]
        fleet.keep_health(self._conn, told)
        for item in healths:
            node = self._node(item)
            self._nodes_seen.setdefault(node.id, NodeSeen(node.id))
            itself = node.devices.get(node.name)
            if itself is None or itself.kind != DeviceKind.NODE:
                continue
            self._devices_seen.add(itself.id)
            at_us = to_microseconds(item.arrival.received_at)
            for point, value in readings_of(item.health).items():
                if (series_id := itself.series.get(point)) is not None:
                    column = SeriesColumn(device=node.name, point=point, observed_at_us=[at_us], value=[value])
                    self._columns.append((series_id, column, Bounds.at(item.arrival.received_at)))

    def _take_telemetry(self, message: Message, node: RegisteredNode, batch: TelemetryBatch) -> None:
        unknown, known = _apart(node, batch.series)
        strange = [change for change in batch.changes if change.device not in node.devices]
        if unknown or strange:
            rest = msgspec.structs.replace(message.envelope, body=TelemetryBatch(series=unknown, changes=strange))
            subject = _subject(node, unknown[0]) if unknown else strange[0].device
            if not self._quarantine.hold(
                message, _encoded(rest, message), reason=Reason.UNKNOWN_DEVICE, subject=subject, settled=True
            ):  # all of it: a batch that is taken in part and refused would be counted on both sides
                self._reject(message, Reason.QUARANTINE_FULL, f"not declared: {subject}, and no room to wait")
                return
            if known or len(strange) < len(batch.changes):
                self._tell(message, Outcome.ACCEPTED, f"in part; not declared: {subject}")
            else:
                self._tell(message, Outcome.QUARANTINED, f"{Reason.UNKNOWN_DEVICE}: {subject}")
        else:
            self._tell(message, Outcome.ACCEPTED)
        bounds = Bounds.at(message.arrival.received_at)
        for device, series_id, column in known:
            self._columns.append((series_id, column, bounds))
            self._devices_seen.add(device.id)
        self._take_changes(node, batch.changes, bounds)
        if batch.skew_s is not None:
            self._nodes_seen[node.id] = NodeSeen(node.id, batch.skew_s)

    def _take_changes(self, node: RegisteredNode, changes: Sequence[StateChange], bounds: Bounds) -> None:
        """Take what is of known devices."""
        known = [change for change in changes if change.device in node.devices]
        told = [to_microseconds(change.observed_at) for change in known]
        if told and not (bounds.believe(min(told)) and bounds.believe(max(told))):
            times = bounds.clamped(told)
            self._settled.clamped[Timed.CHANGE] += sum(us != was for us, was in zip(times, told, strict=True))
            known = [
                msgspec.structs.replace(change, observed_at=from_microseconds(us))
                for change, us in zip(known, times, strict=True)
            ]
        for change in known:
            self._take_change(node.devices[change.device], change)

    def _take_change(self, device: RegisteredDevice, change: StateChange) -> None:
        value = change.value.replace("\x00", "�")
        self._changes.append(Change(device.id, change.point, change.observed_at, value))
        if change.point == PRESENCE_POINT and change.value in _PRESENCES:
            self._presences.append((change.observed_at, device.id, _PRESENCES[change.value]))
        else:
            self._devices_seen.add(device.id)

    def _take_incident(self, message: Message, node: RegisteredNode, incident: Incident) -> None:
        # An alarm is never held back: a device that no birth declared yet rings with its node's area.
        device: RegisteredDevice | None = node.devices.get(incident.device)
        if message.envelope.clock_correction_s is not msgspec.UNSET:
            incident = moved(incident, timedelta(seconds=message.envelope.clock_correction_s))
            self._settled.corrected += 1
        try:
            report = IncidentReport(
                node=node.name,
                device_id=device.id if device else None,
                device_kind=device.kind if device else "unknown",
                grid_code=device.area_code if device else node.area_code,
                incident=incident,
                raw=message.arrival.payload,
                historical=message.envelope.historical or self._now - message.arrival.received_at > WAITED_LONG,
                received_at=message.arrival.received_at,
                district=node.district,
                taken_at=max(self._now, message.arrival.received_at),
            )
        except Invalid as error:
            self._reject(message, Reason.DATA, str(error))
            return
        self._reports.append(report)
        if device is not None:
            self._devices_seen.add(device.id)
        self._tell(message, Outcome.ACCEPTED)

    def _believable(self, gap: Gap, bounds: Bounds) -> Gap:
        told = [to_microseconds(gap.from_at), to_microseconds(gap.to_at)]
        if all(bounds.believe(us) for us in told):
            return gap
        self._settled.clamped[Timed.GAP] += 1
        first, last = sorted(bounds.clamped(told))
        return msgspec.structs.replace(gap, from_at=from_microseconds(first), to_at=from_microseconds(last))

    def _hold(self, message: Message, reason: Reason, subject: str, *, settled: bool) -> None:
        held = self._quarantine.hold(message, message.arrival.payload, reason=reason, subject=subject, settled=settled)
        if held:
            self._tell(message, Outcome.QUARANTINED, f"{reason}: {subject}")
        else:
            self._reject(message, Reason.QUARANTINE_FULL, f"{reason}: {subject}, and no room to wait")

    def _write(self) -> None:
        self._write_readings()
        if self._changes:
            telemetry.add_changes(self._conn, self._changes, received_at=self._now)
        for device_id, gap in sorted(self._gaps, key=lambda item: item[1].gap_id):
            telemetry.add_gap(self._conn, device_id, gap, received_at=self._now)
        fleet.see(
            self._conn,
            [node for node in self._nodes_seen.values() if node.node_id in self._nodes_due],
            [device_id for device_id in self._devices_seen if self._seen.device(device_id)],
            at=self._now,
        )
        for since, device_id, presence in sorted(self._presences, key=lambda item: (item[1], item[0])):
            fleet.set_device_presence(self._conn, device_id, presence, since=since)
        if self._reports:
            self._settled.clamped[Timed.INCIDENT] += receive_all(self._conn, self._reports, self._rules)

    def _write_readings(self) -> None:
        if not self._columns:
            return
        readings = Readings()
        # by series, so that neighbours in the index are written together and two processes lock in one order
        columns = sorted(self._columns, key=lambda item: item[0])
        self._settled.readings_new = telemetry.add_readings(self._conn, columns, readings)
        self._settled.readings = sum(len(column.value) for _, column, _ in columns)
        self._settled.clamped[Timed.READING] += readings.clamped
        self._settled.newest = readings.newest
        self._settled.minutes = readings.minutes


def _apart(
    node: RegisteredNode, columns: Iterable[SeriesColumn]
) -> tuple[list[SeriesColumn], list[tuple[RegisteredDevice, int, SeriesColumn]]]:
    """Columns of points that nobody declared, and the others with their device and series."""
    unknown: list[SeriesColumn] = []
    known: list[tuple[RegisteredDevice, int, SeriesColumn]] = []
    for column in columns:
        device = node.devices.get(column.device)
        series_id = None if device is None else device.series.get(column.point)
        if not column.value:
            continue
        if device is None or series_id is None:
            unknown.append(column)
        else:
            known.append((device, series_id, column))
    return unknown, known


def _encoded(rest: Envelope[TelemetryBatch], message: Message) -> bytes:
    """The rest of a batch, or all of it where that is longer on its way back: 1e15 is written 1000000000000000.0."""
    try:
        return encode(rest)
    except Oversized:
        return message.arrival.payload


def _check_size(node: RegisteredNode) -> None:
    points = sum(len(device.series) for device in node.devices.values())
    if len(node.devices) > MAXIMUM_DEVICES or points > MAXIMUM_POINTS:
        raise Invalid(f"a node may declare {MAXIMUM_DEVICES} devices with {MAXIMUM_POINTS} points in all its life")


def _subject(node: RegisteredNode, column: SeriesColumn) -> str:
    return f"{column.device}/{column.point}" if column.device in node.devices else column.device


def _declares(node: RegisteredNode) -> set[tuple[str, str]]:
    points = {(device.name, point) for device in node.devices.values() for point in device.series}
    return points | {(device.name, "") for device in node.devices.values()}
