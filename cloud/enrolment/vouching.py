"""Incidents in the name of a node that its key has not signed (待担保消息): what waits is shown, and a person vouches for it."""

from datetime import datetime
from typing import Any, Final

from psycopg import Connection

from cloud.access import audit
from cloud.access.model import Principal
from cloud.enrolment import store
from cloud.enrolment.model import HeldMessages, UnprovenIncident
from cloud.errors import Conflict, NotFound
from edge.contract.bodies import SHAPES
from edge.contract.envelope import decode
from edge.contract.errors import WireError
from edge.contract.topics import Channel

SHOWN: Final = 50
"""So many incidents are told apart; of the others how many there are."""


def held_messages(conn: Connection[Any], node: str, *, actor: Principal) -> HeldMessages:
    """What waits of an accepted node, and the newest of what needs somebody's word. Raises NotFound."""
    if store.identity(conn, node, scope=actor.area_path) is None:
        raise NotFound("there is no such node in your scope")
    return HeldMessages(
        node=node,
        groups=store.held_of(conn, node),
        incidents=[_incident(row) for row in store.unproven(conn, node, count=SHOWN)],
    )


def vouch(
    conn: Connection[Any],
    node: str,
    *,
    now: datetime,
    upto: int | None = None,
    actor: Principal | None = None,
    address: str | None = None,
) -> int:
    """Take in incidents of a node although their signature does not fit: a person says that they are its own; how many.

    `upto`: the newest that he has seen (`UnprovenIncident.id`), for nobody vouches for what comes meanwhile. Without `actor` it
    was the command line. Raises NotFound for a node outside of the actor's scope, Conflict when nothing of that kind waits.
    """
    found = None if actor is None else store.identity(conn, node, scope=actor.area_path)
    if actor is not None and found is None:
        raise NotFound("there is no such node in your scope")
    by = actor.name if actor is not None else "command line"
    count = store.vouch(conn, node, by=by, upto=upto)
    if not count:
        raise Conflict(f"nothing of {node} waits for want of a signature")
    audit.write(
        conn,
        "quarantine.vouched",
        node,
        actor=actor,
        actor_name=by,
        area_path=None if found is None else found.area_path,
        address=address,
        detail={"messages": count, "at": now.isoformat()},
    )
    return count


def _incident(row: Any) -> UnprovenIncident:
    """With what the message says of itself, where it can still be read."""
    try:
        told = decode(bytes(row.payload), SHAPES[Channel.INCIDENT]).body
    except WireError:
        told = None
    return UnprovenIncident(
        id=row.id,
        reason=row.reason,
        device=row.subject,
        received_at=row.received_at,
        kind=None if told is None else told.kind,
        severity=None if told is None else told.severity,
        started_at=None if told is None else told.started_at,
        simulated=told is not None and told.simulated,
    )
