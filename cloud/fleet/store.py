"""Statements of the fleet with their types. All take a connection; none commits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.types.json import Jsonb

from cloud.access.sight import EVERYTHING, Sight
from cloud.db.queries import load
from cloud.fleet.model import (
    BirthStanding,
    DevicePresence,
    FleetBacklog,
    HealthTold,
    LevelChange,
    NodeSeen,
    Presence,
    SortedDevices,
    WaitingDevice,
    WaitReason,
)
from edge.contract.birth import Birth, Device
from edge.contract.envelope import Envelope
from edge.contract.health import Level

_queries = load("cloud.fleet")


@dataclass(frozen=True, slots=True)
class NodeRow:
    """What stands in the registry of an accepted node."""

    id: int
    name: str
    district: str
    area_code: str
    version: int


@dataclass(frozen=True, slots=True)
class BrokerSecret:
    """The hash of a password for the broker; `generation` None is that of `node add`."""

    node_id: int
    node: str
    district: str
    generation: int | None
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """What stands in the registry of a device."""

    id: int
    node_id: int
    name: str
    kind: str
    grid_code: str | None


@dataclass(frozen=True, slots=True)
class LockedNode:
    """A node whose row is locked until the end of the transaction."""

    id: int
    name: str
    area_code: str
    presence_since: datetime | None
    standing: BirthStanding
    trusts_births: bool = True


@dataclass(frozen=True, slots=True)
class QuarantinedNode:
    """A node that announces itself without being enrolled."""

    name: str
    district: str
    birth: dict[str, Any] | None
    messages: int
    refused: int
    first_seen_at: datetime
    last_seen_at: datetime


def withdraw_claims_elsewhere(conn: Connection[Any], name: str, *, area_code: str, now: datetime) -> None:
    """Withdraw claim codes for a name that were made for another area than this one: the name is taken now."""
    _queries.withdraw_claims_elsewhere(conn, name=name, area_code=area_code, now=now)


def add_node(
    conn: Connection[Any],
    name: str,
    *,
    district: str,
    area_code: str,
    mqtt_password_hash: str | None,
    token_hash: bytes | None,
    created_at: datetime,
) -> int | None:
    """Enrol a node; None when the name is taken."""
    node_id: int | None = _queries.add_node(
        conn,
        name=name,
        district=district,
        area_code=area_code,
        mqtt_password_hash=mqtt_password_hash,
        token_hash=token_hash,
        created_at=created_at,
    )
    return node_id


def replace_secrets(conn: Connection[Any], name: str, *, mqtt_password_hash: str, token_hash: bytes) -> bool:
    """Give a node new secrets; the old ones no longer work. False when there is no such node."""
    return bool(_queries.replace_secrets(conn, name=name, mqtt_password_hash=mqtt_password_hash, token_hash=token_hash))


def node_of_token(conn: Connection[Any], token_hash: bytes, now: datetime) -> tuple[str, bytes, int | None] | None:
    """Name, stored hash and generation of the credentials with this hash that still work."""
    row = _queries.node_of_token(conn, token_hash=token_hash, now=now)
    return None if row is None else (row.name, bytes(row.token_hash), row.generation)


def broker_secrets(conn: Connection[Any], now: datetime, *, node: str | None = None) -> list[BrokerSecret]:
    """What every node, or one, logs in with at the broker and that still works, by node and generation."""
    return [BrokerSecret(*row) for row in _queries.broker_secrets(conn, now=now, node=node)]


def nodes_by_name(conn: Connection[Any], names: Sequence[str]) -> list[NodeRow]:
    """The accepted ones among these names."""
    return [NodeRow(*row) for row in _queries.nodes_by_name(conn, names=list(names))]


def devices_of_nodes(conn: Connection[Any], node_ids: Sequence[int]) -> list[DeviceRow]:
    """All devices of these nodes, also those no longer declared."""
    return [DeviceRow(*row) for row in _queries.devices_of_nodes(conn, node_ids=list(node_ids))]


def lock_node(conn: Connection[Any], node_id: int) -> LockedNode:
    """Lock a node's row."""
    row = _queries.lock_node(conn, node_id=node_id)
    standing = BirthStanding(row.session, row.birth_id, row.birth_seq, Presence(row.presence), row.presence_session)
    return LockedNode(row.id, row.name, row.area_code, row.presence_since, standing, row.trusts_births)


def lock_nodes(conn: Connection[Any], node_ids: Iterable[int]) -> None:
    """Lock the rows of these nodes, in one order everywhere, before any of them is written."""
    list(_queries.lock_nodes(conn, node_ids=sorted(set(node_ids))))


def apply_birth(
    conn: Connection[Any], node_id: int, message: Envelope[Birth], *, sorted_out: SortedDevices, at: datetime
) -> None:
    """Write the node's own part of a birth and its devices; those it does not name are retired, those that wait are listed."""
    birth = message.body
    _queries.apply_birth(
        conn,
        node_id=node_id,
        session=message.session,
        birth_id=message.id,
        birth_seq=message.seq,
        born_at=at,
        title=birth.name,
        software=birth.software,
        profile=birth.profile,
        models=Jsonb(msgspec.to_builtins(birth.models)),
        degraded=Jsonb(msgspec.to_builtins(birth.degraded)),
        spots=Jsonb(msgspec.to_builtins(birth.spots)),
    )
    declare_devices(conn, node_id, sorted_out.accepted, at=at)
    _queries.retire_devices(conn, node_id=node_id, names=sorted({device.id for device in birth.devices}))
    waiting = sorted(sorted_out.waiting, key=lambda each: each[0].id)
    _queries.let_devices_wait(
        conn,
        node_id=node_id,
        name=[device.id for device, _ in waiting],
        declared=[Jsonb(msgspec.to_builtins(device)) for device, _ in waiting],
        reason=[reason.value for _, reason in waiting],
        at=at,
    )
    _queries.forget_waiting_devices(conn, node_id=node_id, names=[device.id for device, _ in waiting])


def declare_devices(conn: Connection[Any], node_id: int, declared: Sequence[Device], *, at: datetime) -> None:
    """Write what a node says of devices that are accepted."""
    devices = {device.id: device for device in declared}
    names = sorted(devices)
    _queries.declare_devices(
        conn,
        node_id=node_id,
        name=names,
        kind=[devices[name].kind for name in names],
        title=[devices[name].name for name in names],
        spot=[devices[name].spot for name in names],
        department=[devices[name].department for name in names],
        simulated=[devices[name].simulated for name in names],
        profile=[devices[name].profile for name in names],
        behind=[devices[name].behind for name in names],
        created_at=at,
    )


def waiting_devices(conn: Connection[Any], node: str, *, scope: str) -> list[WaitingDevice]:
    """What a node in scope declares and nobody has accepted, those that are ignored at the end."""
    return [
        WaitingDevice(
            **{**row._asdict(), "declared": msgspec.convert(row.declared, Device), "reason": WaitReason(row.reason)}
        )
        for row in _queries.waiting_devices(conn, node=node, scope=scope)
    ]


def drop_waiting_devices(conn: Connection[Any], node_id: int, names: Sequence[str]) -> None:
    """They wait no more."""
    _queries.drop_waiting_devices(conn, node_id=node_id, names=list(names))
    _queries.renew_registry(conn, node_id=node_id)


def ignore_devices(
    conn: Connection[Any], node_id: int, names: Sequence[str], *, at: datetime | None, by: str | None
) -> None:
    """A person does not want these; with `at` None he thinks of it again."""
    _queries.ignore_devices(conn, node_id=node_id, names=list(names), at=at, by=by)
    _queries.renew_registry(conn, node_id=node_id)


def degrade_devices(
    conn: Connection[Any], node_id: int, degraded: Sequence[str], *, at: datetime
) -> list[DevicePresence]:
    """Set which devices work in part; those that are online and changed by it come back."""
    rows = list(_queries.degrade_devices(conn, node_id=node_id, degraded=list(degraded), at=at))
    return [_device_presence(row) for row in rows if row.presence in {Presence.ONLINE, Presence.DEGRADED}]


def see_nodes(conn: Connection[Any], seen: Sequence[NodeSeen], *, at: datetime) -> list[NodeRow]:
    """Note that nodes spoke; those that became online by it come back."""
    ordered = sorted({node.node_id: node for node in seen}.values(), key=lambda node: node.node_id)
    rows = _queries.see_nodes(
        conn,
        node_id=[node.node_id for node in ordered],
        skew_s=[node.skew_s for node in ordered],
        at=at,
    )
    return [NodeRow(*row[:-1]) for row in rows if row.was == Presence.UNKNOWN]


def see_devices(conn: Connection[Any], device_ids: Sequence[int], at: datetime) -> list[DevicePresence]:
    """Note that devices spoke; those that became online by it come back."""
    rows = _queries.see_devices(conn, device_id=sorted(set(device_ids)), at=at)
    return [_device_presence(row) for row in rows if row.was != row.presence]


def set_device_presence(
    conn: Connection[Any], device_id: int, presence: Presence, since: datetime
) -> DevicePresence | None:
    """Set what a node says of its device; None when that changed nothing."""
    row = _queries.set_device_presence(conn, device_id=device_id, presence=presence.value, since=since)
    return None if row is None else _device_presence(row)


def set_node_presence(
    conn: Connection[Any], node_id: int, presence: Presence, *, since: datetime, session: UUID | None
) -> None:
    """Set a node's presence and the session that it stands for."""
    _queries.set_node_presence(conn, node_id=node_id, presence=presence.value, since=since, session=session)


def silent_nodes(conn: Connection[Any], before: datetime, final: datetime) -> list[int]:
    """Nodes that count as online and have said nothing from `before` to `final`; their rows are locked."""
    return [row.id for row in _queries.silent_nodes(conn, before=before, final=final)]


def see_quarantined_node(conn: Connection[Any], name: str, district: str, at: datetime, maximum: int) -> bool:
    """List an unknown node; False when the list is full."""
    listed = _queries.see_quarantined_node(conn, name=name, district=district, at=at, maximum=maximum)
    return listed is not None


def count_quarantined(conn: Connection[Any], name: str, *, messages: int, refused: int) -> None:
    """Count messages of a listed node that were kept, and such as found no room."""
    _queries.count_quarantined(conn, name=name, messages=messages, refused=refused)


def keep_quarantined_birth(conn: Connection[Any], name: str, birth: Birth) -> None:
    """Keep what a listed node says of itself, so that a person can judge it."""
    _queries.keep_quarantined_birth(conn, name=name, birth=Jsonb(msgspec.to_builtins(birth)))


def quarantined_node(conn: Connection[Any], name: str) -> QuarantinedNode | None:
    """A listed node, its row locked."""
    row = _queries.quarantined_node(conn, name=name)
    return None if row is None else QuarantinedNode(*row)


def quarantined_nodes(conn: Connection[Any]) -> list[QuarantinedNode]:
    """All listed nodes; there are bounds to their number."""
    return [QuarantinedNode(*row) for row in _queries.quarantined_nodes(conn)]


def remove_quarantined_node(conn: Connection[Any], name: str) -> None:
    """Take a node off the list."""
    _queries.remove_quarantined_node(conn, name=name)


def release_quarantine(conn: Connection[Any], node: str) -> int:
    """Hand the node's quarantined messages to ingest again; how many."""
    return int(_queries.release_quarantine(conn, node=node))


def place_device(
    conn: Connection[Any],
    node: str,
    device: str,
    *,
    grid_code: str | None,
    longitude: float | None,
    latitude: float | None,
) -> bool:
    """Write where a device stands. False when there is none of this name."""
    row = _queries.place_device(
        conn, node=node, device=device, grid_code=grid_code, longitude=longitude, latitude=latitude
    )
    return row is not None


def count_devices(conn: Connection[Any], area_path: str, sight: Sight = EVERYTHING) -> tuple[int, int, int]:
    """(online, all, simulated ones of all) declared devices in a subtree of areas, of the owners in `sight`."""
    row = _queries.count_devices(conn, area_path=area_path, others=sight.others, exceptions=sorted(sight.exceptions))
    return row.online, row.total, row.simulated


def list_devices(
    conn: Connection[Any],
    *,
    scope: str,
    sight: Sight = EVERYTHING,
    kind: str | None = None,
    presence: str | None = None,
    device_id: int | None = None,
    after: int = 0,
    count: int = 50,
) -> list[Any]:
    """Declared devices in scope, of the owners in `sight`, by id, as rows of the API's device without its points."""
    return list(
        _queries.list_devices(
            conn,
            scope=scope,
            others=sight.others,
            exceptions=sorted(sight.exceptions),
            kind=kind,
            presence=presence,
            device_id=device_id,
            after=after,
            count=count,
        )
    )


def list_nodes(
    conn: Connection[Any], *, scope: str, after: str = "", count: int = 1, name: str | None = None
) -> list[Any]:
    """Accepted nodes in scope, by name, as rows of the API's node; with `name` that one alone."""
    return list(_queries.list_nodes(conn, scope=scope, after=after, count=count, name=name))


def list_quarantined_nodes(conn: Connection[Any], *, scope: str, after: str, count: int) -> list[Any]:
    """Nodes that nobody enrolled, by name, in the same shape."""
    return list(_queries.list_quarantined_nodes(conn, scope=scope, after=after, count=count))


def names_in_scope(conn: Connection[Any], scope: str) -> set[str]:
    """The names of all nodes of an area, enrolled or waiting."""
    return {row.name for row in _queries.names_in_scope(conn, scope=scope)}


def keep_health(conn: Connection[Any], reports: Sequence[HealthTold]) -> list[LevelChange]:
    """Write the newest reports, one per node, in the order of the nodes; those whose level changed come back."""
    rows = _queries.keep_health(
        conn,
        node_id=[told.node_id for told in reports],
        session=[told.health.session for told in reports],
        seq=[told.health.seq for told in reports],
        told_at=[told.received_at for told in reports],
        level=[told.health.backlog.level.value for told in reports],
        share=[told.health.backlog.share for told in reports],
        readings_waiting=[told.health.backlog.readings for told in reports],
        incidents_waiting=[told.health.backlog.incidents for told in reports],
        files_waiting=[told.health.evidence.files for told in reports],
        oldest_at=[told.health.backlog.oldest_at for told in reports],
        dropped=[told.health.dropped_total for told in reports],
        rejected_incidents=[told.health.rejected_incidents for told in reports],
        report=[Jsonb(msgspec.to_builtins(told.health)) for told in reports],
        losses=[told.losses for told in reports],
    )
    return [LevelChange(row.node, row.area_code, Level(row.level)) for row in rows]


def fleet_backlog(conn: Connection[Any], *, fresh_since: datetime) -> FleetBacklog:
    """What waits in all nodes together, of those that told since `fresh_since`."""
    return FleetBacklog(*_queries.fleet_backlog(conn, fresh_since=fresh_since))


def _device_presence(row: Any) -> DevicePresence:
    return DevicePresence(
        id=row.id,
        node=row.node,
        device=row.device,
        presence=Presence(row.presence),
        since=row.presence_since,
        last_seen_at=row.last_seen_at,
        area_code=row.area_code,
    )
