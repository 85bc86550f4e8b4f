"""One transaction: messages of any nodes in, rows and verdicts out. Nothing here commits, waits or publishes.

Rows are locked in one order everywhere (receipts, lanes, nodes, series, devices, then correlation), each sorted by its
key, so that two ingest processes never wait for each other in a ring.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg import Connection

from cloud.commands import service as commands
from cloud.commands.model import Told
from cloud.correlate.model import IncidentReport
from cloud.correlate.service import CorrelationRules
from cloud.errors import Invalid
from cloud.fleet import service as fleet
from cloud.fleet import store as fleet_store
from cloud.fleet.model import HealthTold
from cloud.ingest.model import AnswerMessage, HealthMessage, Item, Message, Reason, Refusal, StatusMessage
from cloud.ingest.refused import Refused
from cloud.ingest.registry import RegisteredDevice, RegisteredNode, Registry
from cloud.ingest.rows import Rows
from cloud.ingest.seen import SeenNotes
from cloud.ingest.settled import Settled
from cloud.ingest.verdicts import Verdicts
from cloud.rollouts import births
from cloud.telemetry import store as telemetry
from cloud.telemetry.model import Bounds
from edge.contract.birth import Birth, DeviceKind
from edge.contract.downlink import Outcome
from edge.contract.envelope import Envelope, encode
from edge.contract.errors import Oversized
from edge.contract.health import readings_of
from edge.contract.incident import Incident, moved, signature_of
from edge.contract.signing import is_signed
from edge.contract.telemetry import Gap, SeriesColumn, StateChange, TelemetryBatch, to_microseconds
from edge.contract.topics import Channel

WAITED_LONG = timedelta(minutes=1)
"""What waited here for longer (in quarantine, for the database) is history, whatever its node said when it sent it."""


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
        self._verdicts = Verdicts(conn, self._settled, refused, now=now)
        self._rows = Rows(self._settled, seen)

    def settle(self, items: Sequence[Item]) -> Settled:
        """Write everything. Raises psycopg.Error; then nothing of it stands."""
        topics = {item.topic.node for item in items if item.topic is not None}
        self._settled.nodes = self._registry.resolve(self._conn, topics)
        messages = []
        for item in items:
            if isinstance(item, Refusal):
                self._verdicts.refuse(item)
            elif isinstance(item, Message):
                messages.append(item)
        fresh = self._verdicts.first_time(self._of_known_nodes(messages))
        births = [message for message in fresh if message.topic.channel is Channel.BIRTH]
        statuses = [item for item in items if isinstance(item, StatusMessage) and self._is_enrolled(item)]
        healths = [item for item in items if isinstance(item, HealthMessage) and self._is_enrolled(item)]
        answers = [item for item in items if isinstance(item, AnswerMessage) and self._is_enrolled(item)]
        nodes_due = self._lock_nodes([*fresh, *healths], [*births, *statuses])
        for message in births:
            self._take_birth(message)
        for item in statuses:
            fleet.apply_status(self._conn, self._node(item).id, item.status, now=self._now)
        self._take_healths(healths)
        for message in fresh:
            self._take(message)
        told = [Told(self._node(item).id, item.answer) for item in answers]
        commands.take_answers(self._conn, told, now=self._now)
        self._rows.write(self._conn, self._rules, nodes_due, now=self._now)
        self._verdicts.write()
        self._settled.mended = sum(message.mended for message in messages)
        return self._settled

    def _node(self, item: Message | StatusMessage | HealthMessage | AnswerMessage) -> RegisteredNode:
        return self._settled.nodes[item.topic.node]

    def _is_enrolled(self, item: StatusMessage | HealthMessage | AnswerMessage) -> bool:
        node = self._settled.nodes.get(item.topic.node)
        return node is not None and node.district == item.topic.district

    def _lock_nodes(
        self, speaking: Sequence[Message | HealthMessage], changing: Sequence[Message | StatusMessage]
    ) -> set[int]:
        """Lock those that change, and those that speak and are due to be noted; the latter come back."""
        due = {node_id for node_id in {self._node(item).id for item in speaking} if self._seen.node(node_id)}
        locked = due | {self._node(item).id for item in changing}
        if locked:
            fleet_store.lock_nodes(self._conn, locked)
        return due

    def _of_known_nodes(self, messages: Iterable[Message]) -> list[Message]:
        known = []
        for message in messages:
            node = self._settled.nodes.get(message.topic.node)
            if node is None:
                self._verdicts.hold(message, Reason.UNKNOWN_NODE, message.topic.node, settled=False)
            elif node.district != message.topic.district:
                detail = f"the node is enrolled in {node.district}"
                self._verdicts.reject(message, Reason.DISTRICT_MISMATCH, detail)
            else:
                known.append(message)
        return known

    def _take_birth(self, message: Message) -> None:
        node = self._node(message)
        envelope: Envelope[Birth] = message.envelope
        devices = fleet.apply_birth(self._conn, node.id, envelope, now=self._now)
        if devices is None:
            return
        births.take(self._conn, node.id, envelope.body, at=self._now)
        points = [
            (devices[device.id], point)
            for device in envelope.body.devices
            if device.id in devices
            for point in device.points
        ]
        telemetry.declare_series(self._conn, points)
        renewed = self._registry.resolve(self._conn, [node.name])
        renewed[node.name].check_size()
        if renewed[node.name].declared() - node.declared():
            fleet.release_quarantine(self._conn, node.name)
        self._settled.nodes.update(renewed)

    def _take(self, message: Message) -> None:
        node = self._node(message)
        self._rows.see_sender(node.id, message)
        body = message.envelope.body
        if isinstance(body, TelemetryBatch):
            self._take_telemetry(message, node, body)
        elif isinstance(body, Incident):
            self._take_incident(message, node, body)
        elif isinstance(body, Gap):
            self._take_gap(message, node, body)
        else:
            self._verdicts.tell(message, Outcome.ACCEPTED)

    def _take_healths(self, healths: Sequence[HealthMessage]) -> None:
        """What waits in the nodes; readings of the node itself are made of it, so that its queue has a chart."""
        told = [HealthTold(self._node(item).id, item.health, item.arrival.received_at) for item in healths]
        fleet.keep_health(self._conn, told)
        for item in healths:
            node = self._node(item)
            self._rows.see_node(node.id)
            itself = node.devices.get(node.name)
            if itself is None or itself.kind != DeviceKind.NODE:
                continue
            self._rows.see_device(itself)
            at_us = to_microseconds(item.arrival.received_at)
            for point, value in readings_of(item.health).items():
                if (series_id := itself.series.get(point)) is not None:
                    column = SeriesColumn(device=node.name, point=point, observed_at_us=[at_us], value=[value])
                    self._rows.add_column(itself, series_id, column, Bounds.at(item.arrival.received_at))

    def _take_telemetry(self, message: Message, node: RegisteredNode, batch: TelemetryBatch) -> None:
        series = [column for column in batch.series if column.device not in node.ignored]
        changes = [change for change in batch.changes if change.device not in node.ignored]
        self._settled.ignored += _count(batch.series, batch.changes) - _count(series, changes)
        unknown, known = _apart(node, series)
        strange = [change for change in changes if change.device not in node.devices]
        if unknown or strange:
            rest = msgspec.structs.replace(message.envelope, body=TelemetryBatch(series=unknown, changes=strange))
            subject = _subject(node, unknown[0]) if unknown else strange[0].device
            taken = bool(known) or len(strange) < len(changes)
            if not self._verdicts.hold_part(message, _encoded(rest, message), subject, taken=taken):
                return
        else:
            self._verdicts.tell(message, Outcome.ACCEPTED)
        bounds = Bounds.at(message.arrival.received_at)
        for device, series_id, column in known:
            self._rows.add_column(device, series_id, column, bounds)
        self._rows.add_changes(node, changes, bounds)
        if batch.skew_s is not None:
            self._rows.measure_node(node.id, batch.skew_s)

    def _take_gap(self, message: Message, node: RegisteredNode, gap: Gap) -> None:
        device = node.devices.get(gap.device)
        if device is None and gap.device in node.ignored:
            self._verdicts.tell(message, Outcome.ACCEPTED)
            return
        if device is None:
            self._verdicts.hold(message, Reason.UNKNOWN_DEVICE, gap.device, settled=True)
            return
        self._rows.add_gap(device, gap, Bounds.at(message.arrival.received_at))
        self._verdicts.tell(message, Outcome.ACCEPTED)

    def _take_incident(self, message: Message, node: RegisteredNode, incident: Incident) -> None:
        distrust = _distrust(message, node)
        if distrust is not None:
            self._verdicts.hold(message, distrust, incident.device, settled=True)
            return
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
            self._verdicts.reject(message, Reason.DATA, str(error))
            return
        self._rows.add_report(report)
        self._verdicts.tell(message, Outcome.ACCEPTED)


class _Bare(msgspec.Struct):
    """An envelope whose body is left as its bytes."""

    body: msgspec.Raw


def _distrust(message: Message, node: RegisteredNode) -> Reason | None:
    """Why nobody can say that the node has found it; None where its key has signed it, or a person vouches for it."""
    if node.key is None or message.arrival.vouched:
        return None
    signed, signature = signature_of(bytes(msgspec.json.decode(message.arrival.payload, type=_Bare).body))
    if signature is None:
        return Reason.UNSIGNED
    return None if is_signed(signed, signature, [node.key]) else Reason.BAD_SIGNATURE


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


def _count(series: Iterable[SeriesColumn], changes: Sequence[StateChange]) -> int:
    return sum(len(column.value) for column in series) + len(changes)


def _encoded(rest: Envelope[TelemetryBatch], message: Message) -> bytes:
    """The rest of a batch, or all of it where that is longer on its way back: 1e15 is written 1000000000000000.0."""
    try:
        return encode(rest)
    except Oversized:
        return message.arrival.payload


def _subject(node: RegisteredNode, column: SeriesColumn) -> str:
    return f"{column.device}/{column.point}" if column.device in node.devices else column.device
