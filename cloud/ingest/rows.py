"""What the messages of one transaction bring, gathered first and written at its end, sorted: two processes lock in one order."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection

from cloud.correlate.model import IncidentReport
from cloud.correlate.service import CorrelationRules, receive_all
from cloud.fleet import service as fleet
from cloud.fleet.model import NodeSeen, Presence
from cloud.ingest.model import Message
from cloud.ingest.registry import RegisteredDevice, RegisteredNode
from cloud.ingest.seen import SeenNotes
from cloud.ingest.settled import Settled, Timed
from cloud.telemetry import store as telemetry
from cloud.telemetry.model import Bounds, Readings
from cloud.telemetry.store import Change
from edge.contract.telemetry import Gap, SeriesColumn, StateChange, from_microseconds, to_microseconds

PRESENCE_POINT = "presence"
_PRESENCES = {presence.value: presence for presence in Presence}


class Rows:
    """Readings, changes, gaps, reports of incidents, and who was seen; times that can't be are clamped on their way in."""

    def __init__(self, settled: Settled, seen: SeenNotes) -> None:
        self._settled = settled
        self._seen = seen
        self._columns: list[tuple[int, SeriesColumn, Bounds]] = []
        self._changes: list[Change] = []
        self._presences: list[tuple[datetime, int, Presence]] = []
        self._gaps: list[tuple[int, Gap]] = []
        self._reports: list[IncidentReport] = []
        self._nodes_seen: dict[int, NodeSeen] = {}
        self._devices_seen: set[int] = set()

    def see_node(self, node_id: int) -> None:
        """Note that a node spoke."""
        self._nodes_seen.setdefault(node_id, NodeSeen(node_id))

    def see_sender(self, node_id: int, message: Message) -> None:
        """Note how far the node's clock is ahead, too: of several messages by the one that was under way the least."""
        self.see_node(node_id)
        if message.arrival.settled_before:
            return
        skew_s = (message.envelope.sent_at - message.arrival.received_at).total_seconds()
        known_s = self._nodes_seen[node_id].skew_s
        if known_s is None or skew_s > known_s:
            self.measure_node(node_id, skew_s)

    def measure_node(self, node_id: int, skew_s: float) -> None:
        """Note how far a node's clock is ahead."""
        self._nodes_seen[node_id] = NodeSeen(node_id, skew_s)

    def see_device(self, device: RegisteredDevice) -> None:
        """Note that a device spoke."""
        self._devices_seen.add(device.id)

    def add_column(self, device: RegisteredDevice, series_id: int, column: SeriesColumn, bounds: Bounds) -> None:
        """Take readings of a declared point."""
        self._columns.append((series_id, column, bounds))
        self._devices_seen.add(device.id)

    def add_changes(self, node: RegisteredNode, changes: Sequence[StateChange], bounds: Bounds) -> None:
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
            self._add_change(node.devices[change.device], change)

    def _add_change(self, device: RegisteredDevice, change: StateChange) -> None:
        value = change.value.replace("\x00", "�")
        self._changes.append(Change(device.id, change.point, change.observed_at, value))
        if change.point == PRESENCE_POINT and change.value in _PRESENCES:
            self._presences.append((change.observed_at, device.id, _PRESENCES[change.value]))
        else:
            self._devices_seen.add(device.id)

    def add_gap(self, device: RegisteredDevice, gap: Gap, bounds: Bounds) -> None:
        """Take a gap; it says nothing of the present, so the device was not seen."""
        self._gaps.append((device.id, self._believable(gap, bounds)))

    def add_report(self, report: IncidentReport) -> None:
        """Take what a node says of an incident."""
        self._reports.append(report)
        if report.device_id is not None:
            self._devices_seen.add(report.device_id)

    def _believable(self, gap: Gap, bounds: Bounds) -> Gap:
        told = [to_microseconds(gap.from_at), to_microseconds(gap.to_at)]
        if all(bounds.believe(us) for us in told):
            return gap
        self._settled.clamped[Timed.GAP] += 1
        first, last = sorted(bounds.clamped(told))
        return msgspec.structs.replace(gap, from_at=from_microseconds(first), to_at=from_microseconds(last))

    def write(self, conn: Connection[Any], rules: CorrelationRules, nodes_due: set[int], *, now: datetime) -> None:
        """Write everything. That a node spoke is written of `nodes_due`, whose rows are locked already."""
        self._write_readings(conn)
        if self._changes:
            telemetry.add_changes(conn, self._changes, received_at=now)
        for device_id, gap in sorted(self._gaps, key=lambda item: item[1].gap_id):
            telemetry.add_gap(conn, device_id, gap, received_at=now)
        fleet.see(
            conn,
            [node for node in self._nodes_seen.values() if node.node_id in nodes_due],
            [device_id for device_id in self._devices_seen if self._seen.device(device_id)],
            at=now,
        )
        for since, device_id, presence in sorted(self._presences, key=lambda item: (item[1], item[0])):
            fleet.set_device_presence(conn, device_id, presence, since=since)
        if self._reports:
            self._settled.clamped[Timed.INCIDENT] += receive_all(conn, self._reports, rules)

    def _write_readings(self, conn: Connection[Any]) -> None:
        if not self._columns:
            return
        readings = Readings()
        # by series, so that neighbours in the index are written together and two processes lock in one order
        columns = sorted(self._columns, key=lambda item: item[0])
        self._settled.readings_new = telemetry.add_readings(conn, columns, readings)
        self._settled.readings = sum(len(column.value) for _, column, _ in columns)
        self._settled.clamped[Timed.READING] += readings.clamped
        self._settled.newest = readings.newest
        self._settled.minutes = readings.minutes
