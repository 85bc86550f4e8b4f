"""What ingest remembers of accepted nodes, so that a batch costs one look-up and not one for each device."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from cloud.enrolment import store as enrolment
from cloud.errors import Invalid
from cloud.fleet import store as fleet
from cloud.telemetry import store as telemetry

MAXIMUM_NODES = 5_000
MAXIMUM_DEVICES = 2_000
MAXIMUM_POINTS = 20_000


@dataclass(frozen=True, slots=True)
class RegisteredDevice:
    """A device of an accepted node. `series` maps its points to the ids of their series."""

    id: int
    name: str
    kind: str
    area_code: str
    series: dict[str, int]


@dataclass(frozen=True, slots=True)
class RegisteredNode:
    """An accepted node. `version` grows with every change of it, its devices or points. `key`: what it signs incidents with, None
    where it has none; `ignored`: devices that it declares and a person does not want.
    """

    id: int
    name: str
    district: str
    area_code: str
    version: int
    devices: dict[str, RegisteredDevice]
    key: bytes | None = None
    ignored: frozenset[str] = frozenset()

    def declared(self) -> set[tuple[str, str]]:
        """(device, point) of everything that it has declared, and each device with an empty point."""
        points = {(device.name, point) for device in self.devices.values() for point in device.series}
        return points | {(device.name, "") for device in self.devices.values()}

    def check_size(self) -> None:
        """Raise Invalid when it has declared more than one node may."""
        points = sum(len(device.series) for device in self.devices.values())
        if len(self.devices) > MAXIMUM_DEVICES or points > MAXIMUM_POINTS:
            raise Invalid(f"a node may declare {MAXIMUM_DEVICES} devices with {MAXIMUM_POINTS} points in all its life")


class Registry:
    """Nodes by name. What is remembered counts only while its version is still the one in the database."""

    def __init__(self, maximum_nodes: int = MAXIMUM_NODES) -> None:
        self._maximum_nodes = maximum_nodes
        self._known: OrderedDict[str, RegisteredNode] = OrderedDict()

    def resolve(self, conn: Connection[Any], names: Iterable[str]) -> dict[str, RegisteredNode]:
        """The accepted ones among these names, as they stand in this transaction."""
        rows = fleet.nodes_by_name(conn, sorted(set(names)))
        stale = [row for row in rows if (node := self._known.get(row.name)) is None or node.version != row.version]
        fresh = _load(conn, stale) if stale else {}
        return {row.name: fresh.get(row.name) or self._known[row.name] for row in rows}

    def remember(self, nodes: Iterable[RegisteredNode]) -> None:
        """Keep what a transaction resolved, once it is committed; what was not used for long is forgotten."""
        for node in nodes:
            self._known[node.name] = node
            self._known.move_to_end(node.name)
        while len(self._known) > self._maximum_nodes:
            self._known.popitem(last=False)


def _load(conn: Connection[Any], rows: list[fleet.NodeRow]) -> dict[str, RegisteredNode]:
    area_codes = {row.id: row.area_code for row in rows}
    devices: dict[int, dict[str, RegisteredDevice]] = {row.id: {} for row in rows}
    by_id: dict[int, RegisteredDevice] = {}
    for row in fleet.devices_of_nodes(conn, list(area_codes)):
        device = RegisteredDevice(row.id, row.name, row.kind, row.grid_code or area_codes[row.node_id], {})
        devices[row.node_id][row.name] = by_id[row.id] = device
    for series in telemetry.series_of_devices(conn, list(by_id)):
        by_id[series.device_id].series[series.point] = series.id
    keys = enrolment.signing_keys(conn, area_codes)
    ignored = enrolment.ignored_devices(conn, area_codes)
    return {
        row.name: RegisteredNode(
            row.id,
            row.name,
            row.district,
            row.area_code,
            row.version,
            devices[row.id],
            keys.get(row.id),
            ignored.get(row.id, frozenset()),
        )
        for row in rows
    }
