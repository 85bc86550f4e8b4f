"""Use cases of the fleet. Each takes the connection of one transaction and never commits it."""

import hmac
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg import Connection

from cloud.access import areas
from cloud.access.sight import EVERYTHING, Sight
from cloud.db import live
from cloud.errors import Conflict, Invalid, NotFound
from cloud.fleet import secrets, store
from cloud.fleet.model import DevicePresence, FleetBacklog, HealthTold, NodeCredentials, NodeSeen, Presence
from cloud.fleet.policy import birth_wins, newest_reports, on_our_clock, presence_after, sort_devices
from edge.contract.birth import Birth, NodeStatus
from edge.contract.envelope import Envelope
from edge.contract.fields import District, Name

SILENCE = timedelta(minutes=15)
"""A node that counts as online and said nothing for this long is `unknown`: perhaps the broker itself is gone."""


HEALTH_FRESH = timedelta(minutes=5)
"""A node tells each minute; what it said longer ago may be over."""


CLOCK_TOLERANCE = timedelta(minutes=1)
"""So far apart the clocks of two machines of the cloud may be."""


def add_node(
    conn: Connection[Any], name: str, *, district: str, area_code: str, now: datetime, replace: bool = False
) -> NodeCredentials:
    """Enrol a node in an area, with new secrets; with `replace` an enrolled one gets new secrets only.

    A node that waits in quarantine is accepted by it. Raises Invalid for a name, district or area that can't be, and
    Conflict when the node is enrolled already.
    """
    check_name(name, district)
    credentials = NodeCredentials(name, secrets.new_mqtt_password(), secrets.new_token())
    mqtt_hash = secrets.hash_mqtt_password(credentials.mqtt_password)
    token_hash = secrets.hash_token(credentials.token)
    if replace and store.replace_secrets(conn, name, mqtt_password_hash=mqtt_hash, token_hash=token_hash):
        return credentials
    _enrol(conn, name, district=district, area_code=area_code, now=now, hashes=(mqtt_hash, token_hash))
    return credentials


def accept_node(conn: Connection[Any], name: str, *, area_code: str, now: datetime) -> None:
    """Enrol a node that announced itself; ingest takes its quarantined messages in again. It has no secrets yet.

    Raises NotFound when none of this name waits, Invalid for an unknown area, Conflict when the node is enrolled already.
    """
    waiting = store.quarantined_node(conn, name)
    if waiting is None:
        raise NotFound(f"no node {name} waits in quarantine")
    enrol_node(conn, name, district=waiting.district, area_code=area_code, now=now)


def enrol_node(conn: Connection[Any], name: str, *, district: str, area_code: str, now: datetime) -> None:
    """Enrol a node that brings its own key, or none: it has no secrets. Raises Invalid, Conflict as `add_node`."""
    check_name(name, district)
    _enrol(conn, name, district=district, area_code=area_code, now=now, hashes=None)


def _enrol(
    conn: Connection[Any],
    name: str,
    *,
    district: str,
    area_code: str,
    now: datetime,
    hashes: tuple[str, bytes] | None,
) -> None:
    area = areas.find(conn, area_code)
    if area is None:
        raise Invalid(f"there is no area {area_code}")
    if area.ancestry[0] != district:
        raise Invalid(f"the area {area_code} does not lie in the district {district}")
    store.withdraw_claims_elsewhere(conn, name, area_code=area_code, now=now)
    node_id = store.add_node(
        conn,
        name,
        district=district,
        area_code=area_code,
        mqtt_password_hash=hashes[0] if hashes else None,
        token_hash=hashes[1] if hashes else None,
        created_at=now,
    )
    if node_id is None:
        raise Conflict(f"the node {name} is enrolled already")
    store.remove_quarantined_node(conn, name)
    store.release_quarantine(conn, name)


def check_name(name: str, district: str) -> None:
    """Raises Invalid for what can be no name of a node or no code of a district."""
    try:
        msgspec.convert(name, Name)
        msgspec.convert(district, District)
    except msgspec.ValidationError as error:
        raise Invalid(f"{name!r} in district {district!r}: {error}") from error


def place_device(
    conn: Connection[Any],
    node: str,
    device: str,
    *,
    grid_code: str | None,
    longitude: float | None,
    latitude: float | None,
) -> None:
    """Say where a device stands: its grid (any area), WGS 84 degrees; None leaves it to its node's area.

    Raises NotFound for a device that no birth declared yet, Invalid for an area that is not there.
    """
    if grid_code is not None and areas.find(conn, grid_code) is None:
        raise Invalid(f"there is no area {grid_code}")
    if not store.place_device(conn, node, device, grid_code=grid_code, longitude=longitude, latitude=latitude):
        raise NotFound(f"no device {device} of the node {node}")


def count_devices(conn: Connection[Any], area_path: str, sight: Sight = EVERYTHING) -> tuple[int, int, int]:
    """(online, all) declared devices in the subtree of `area_path` (empty means everywhere), of the owners in `sight`."""
    return store.count_devices(conn, area_path, sight)


def node_of_token(conn: Connection[Any], token: str, *, now: datetime) -> tuple[str, int | None] | None:
    """The accepted node that holds this token, and the generation of its credentials; None as that for the secrets of
    `add_node`, which have none.
    """
    if re.fullmatch(r"[\x21-\x7e]{1,200}", token) is None:
        return None
    offered = secrets.hash_token(token)
    found = store.node_of_token(conn, offered, now)
    if found is None or not hmac.compare_digest(found[1], offered):
        return None
    return found[0], found[2]


def apply_birth(
    conn: Connection[Any], node_id: int, message: Envelope[Birth], *, now: datetime
) -> dict[str, int] | None:
    """Bring the registry up to a birth: the node and its accepted devices, whose ids by name come back.

    Devices that nobody has accepted wait, unless the node's births are trusted. None when a newer birth stands there already.
    """
    node = store.lock_node(conn, node_id)
    if not birth_wins(node.standing, session=message.session, birth_id=message.id, seq=message.seq):
        return None
    known = {device.name: device.kind for device in store.devices_of_nodes(conn, [node_id])}
    sorted_out = sort_devices(message.body.devices, known, node=node.name, trusts_births=node.trusts_births)
    store.apply_birth(conn, node_id, message, sorted_out=sorted_out, at=now)
    devices = {device.name: device.id for device in store.devices_of_nodes(conn, [node_id])}
    degraded = {item.subject for item in message.body.degraded} & devices.keys()
    tell_device_presence(conn, store.degrade_devices(conn, node.id, sorted(degraded), at=now))
    return devices


def release_quarantine(conn: Connection[Any], node: str) -> int:
    """Hand what waits of a node to ingest again, because its registry changed; how many messages."""
    return store.release_quarantine(conn, node)


def apply_status(conn: Connection[Any], node_id: int, status: NodeStatus, *, now: datetime) -> Presence | None:
    """Bring a node's presence up to its status or last will; the new presence, None when it changes nothing."""
    node = store.lock_node(conn, node_id)
    presence = presence_after(node.standing, status)
    if presence is None:
        return None
    changed = presence is not node.standing.presence
    since = now if changed else node.presence_since or now
    store.set_node_presence(conn, node_id, presence, since=since, session=status.session)
    if changed:
        tell_node_presence(conn, node.name, node.area_code, presence, now)
    return presence


def sweep_presence(conn: Connection[Any], *, now: datetime, silence: timedelta = SILENCE) -> int:
    """Mark nodes that count as online but are silent for longer than `silence` as unknown; how many."""
    silent = store.silent_nodes(conn, now - silence, now + CLOCK_TOLERANCE)
    for node_id in silent:
        node = store.lock_node(conn, node_id)
        session = node.standing.presence_session
        store.set_node_presence(conn, node_id, Presence.UNKNOWN, since=now, session=session)
        tell_node_presence(conn, node.name, node.area_code, Presence.UNKNOWN, now)
    return len(silent)


def see(
    conn: Connection[Any],
    nodes: Sequence[NodeSeen],
    devices: Sequence[int],
    *,
    at: datetime,
) -> None:
    """Note that nodes and devices (ids) spoke; what was unknown is online by it, and those who watch are told."""
    for node in store.see_nodes(conn, nodes, at=at):
        tell_node_presence(conn, node.name, node.area_code, Presence.ONLINE, at)
    if devices:
        tell_device_presence(conn, store.see_devices(conn, devices, at))


def set_device_presence(conn: Connection[Any], device_id: int, presence: Presence, *, since: datetime) -> None:
    """Note what a node says of its device, unless something newer is known, and tell those who watch."""
    changed = store.set_device_presence(conn, device_id, presence, since)
    if changed is not None:
        tell_device_presence(conn, [changed])


def keep_health(conn: Connection[Any], told: Iterable[HealthTold]) -> None:
    """Keep what nodes say of what waits in them, and tell those who watch when a level changed."""
    reports = [
        HealthTold(one.node_id, on_our_clock(one.health, one.received_at), one.received_at)
        for one in newest_reports(told)
    ]
    if not reports:
        return
    for change in store.keep_health(conn, reports):
        live.emit(conn, "node.health", change.area_code, {"node": change.node, "level": change.level.value})


def backlog(conn: Connection[Any], *, now: datetime) -> FleetBacklog:
    """What waits in all nodes together; a node that has not told for `HEALTH_FRESH` counts as silent."""
    return store.fleet_backlog(conn, fresh_since=now - HEALTH_FRESH)


def tell_node_presence(conn: Connection[Any], node: str, area_code: str, presence: Presence, since: datetime) -> None:
    """Tell those who watch that a node came or went."""
    payload = {"node": node, "presence": presence.value, "presence_since": since.isoformat()}
    live.emit(conn, "node.presence", area_code, payload)


def tell_device_presence(conn: Connection[Any], changes: Iterable[DevicePresence]) -> None:
    """Tell those who watch that devices came or went."""
    for change in changes:
        payload = {
            "id": change.id,
            "node": change.node,
            "device": change.device,
            "presence": change.presence.value,
            "presence_since": change.since.isoformat(),
            "last_seen_at": change.last_seen_at.isoformat() if change.last_seen_at else None,
        }
        live.emit(conn, "device.presence", change.area_code, payload)
