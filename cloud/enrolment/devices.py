"""Devices that wait (待确认设备): a person accepts what an enrolled node declares, or does not want it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.access import audit
from cloud.access.model import Principal
from cloud.enrolment import store as enrolment
from cloud.errors import NotFound
from cloud.fleet import store as fleet
from cloud.fleet.model import WaitingDevice
from cloud.telemetry import store as telemetry


def accept(
    conn: Connection[Any],
    node: str,
    names: Collection[str] | None,
    *,
    now: datetime,
    actor: Principal | None = None,
    address: str | None = None,
) -> list[str]:
    """Take devices of a node into the registry as it declares them, and what they told meanwhile; their names.

    With None all that wait and that nobody has put aside. Raises NotFound where one of them does not wait.
    """
    chosen = _chosen(conn, node, names, actor)
    if not chosen:
        return []
    node_id = chosen[0].node_id
    fleet.lock_nodes(conn, [node_id])
    fleet.declare_devices(conn, node_id, [each.declared for each in chosen], at=now)
    ids = {device.name: device.id for device in fleet.devices_of_nodes(conn, [node_id])}
    telemetry.declare_series(conn, [(ids[each.name], point) for each in chosen for point in each.declared.points])
    accepted = [each.name for each in chosen]
    fleet.drop_waiting_devices(conn, node_id, accepted)
    fleet.release_quarantine(conn, node)
    _note(conn, "devices.accepted", node, accepted, actor=actor, address=address)
    return accepted


def put_aside(
    conn: Connection[Any],
    node: str,
    names: Collection[str],
    *,
    now: datetime,
    actor: Principal | None = None,
    address: str | None = None,
) -> None:
    """Have no readings of these taken in from now on; what waits of them is let go. Their incidents go on ringing: an alarm is
    never held back. Raises NotFound where one of them does not wait.
    """
    chosen = _chosen(conn, node, names, actor)
    if chosen:
        by = actor.name if actor is not None else "command line"
        fleet.ignore_devices(conn, chosen[0].node_id, [each.name for each in chosen], at=now, by=by)
        fleet.release_quarantine(conn, node)
        _note(conn, "devices.put_aside", node, [each.name for each in chosen], actor=actor, address=address)


def reconsider(
    conn: Connection[Any],
    node: str,
    names: Collection[str],
    *,
    actor: Principal | None = None,
    address: str | None = None,
) -> None:
    """Let devices wait again that were put aside. Raises NotFound."""
    chosen = _chosen(conn, node, names, actor)
    if chosen:
        fleet.ignore_devices(conn, chosen[0].node_id, [each.name for each in chosen], at=None, by=None)
        _note(conn, "devices.reconsidered", node, [each.name for each in chosen], actor=actor, address=address)


def _chosen(
    conn: Connection[Any], node: str, names: Collection[str] | None, actor: Principal | None
) -> list[WaitingDevice]:
    waiting = fleet.waiting_devices(conn, node, scope="" if actor is None else actor.area_path)
    if names is None:
        return [each for each in waiting if each.ignored_at is None]
    missing = sorted(set(names) - {each.name for each in waiting})
    if missing:
        raise NotFound(f"these do not wait in your scope: {', '.join(missing)[:300]}")
    return [each for each in waiting if each.name in set(names)]


def _note(
    conn: Connection[Any],
    action: str,
    node: str,
    names: list[str],
    *,
    actor: Principal | None,
    address: str | None,
) -> None:
    where = enrolment.identity(conn, node, scope="")
    audit.write(
        conn,
        action,
        node,
        actor=actor,
        actor_name=None if actor is not None else "command line",
        area_path=None if where is None else where.area_path,
        address=address,
        detail={"devices": names[:500]},
    )
