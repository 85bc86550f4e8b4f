"""Statements on what is wanted of nodes with their types. All take a connection; none commits."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from cloud.db.queries import load
from cloud.rollouts.model import Artifact, Place
from edge.contract.fields import uuid7

_queries = load("cloud.rollouts")


@dataclass(frozen=True, slots=True)
class Order:
    """What has to be told to a node that is present. `is_anew`: not before it was given anew."""

    node_id: int
    node: str
    district: str
    session: UUID
    desired_id: UUID
    roll_back: bool
    issued_at: datetime
    rollout_id: UUID | None
    artifact: str
    name: str
    version: str
    sha256: str
    size_bytes: int
    key: str
    signed_at: datetime
    sig: str
    device: str | None = None
    deadline: datetime | None = None
    is_anew: bool = False


def want(
    conn: Connection[Any],
    place: Place,
    artifact: Artifact,
    *,
    desired_id: UUID,
    roll_back: bool,
    confirm: bool,
    rollout_id: UUID,
    now: datetime,
) -> None:
    """From now on this is wanted of the node, and nothing else of the name."""
    _queries.want(
        conn,
        node_id=place[0],
        device=place[1],
        artifact=artifact.kind,
        name=artifact.name,
        artifact_id=artifact.id,
        desired_id=desired_id,
        roll_back=roll_back,
        confirm=confirm,
        now=now,
        rollout_id=rollout_id,
    )


def want_no_more(conn: Connection[Any], place: Place, artifact: Artifact, desired_id: UUID) -> None:
    """Take an order back, if it is still that one."""
    node_id, device = place
    _queries.want_no_more(
        conn, node_id=node_id, device=device, artifact=artifact.kind, name=artifact.name, desired_id=desired_id
    )


def want_nothing(conn: Connection[Any], places: Sequence[Place], artifact: Artifact) -> None:
    """Take back whatever was wanted there for the name."""
    _queries.want_nothing(conn, **columns(places), artifact=artifact.kind, name=artifact.name)


def columns(places: Sequence[Place]) -> dict[str, list[Any]]:
    """Places as two columns of a statement."""
    return {"node_ids": [node_id for node_id, _ in places], "devices": [device for _, device in places]}


def lock_orders(conn: Connection[Any], rollout_id: UUID) -> None:
    """Nobody sends an order of the rollout until the transaction ends. Before steps are read that depend on it."""
    list(_queries.lock_orders(conn, rollout_id=rollout_id))


def due_orders(
    conn: Connection[Any], *, now: datetime, again_before: datetime, count: int, revoked: Collection[str] = ()
) -> list[Order]:
    """What present nodes have to be told now, but for what was signed with a revoked key; the rows are locked."""
    rows = _queries.due_orders(conn, now=now, again_before=again_before, count=count, revoked=sorted(revoked))
    return [Order(*row) for row in rows]


def give_anew(conn: Connection[Any], order: Order, *, now: datetime) -> Order | None:
    """The same order with an id and a time of its own, for an order never changes; None while somebody else gives one there."""
    fresh = uuid7(int(now.timestamp() * 1000))
    issued_at = _queries.give_anew(
        conn,
        node_id=order.node_id,
        device=order.device or "",
        artifact=order.artifact,
        name=order.name,
        desired_id=order.desired_id,
        fresh_id=fresh,
        now=now,
    )
    if issued_at is None:
        return None
    deadline = None if order.deadline is None else issued_at + (order.deadline - order.issued_at)
    return replace(order, desired_id=fresh, issued_at=issued_at, deadline=deadline, is_anew=False)


def mark_sent(conn: Connection[Any], orders: Sequence[Order], *, now: datetime) -> None:
    """Note that these were given to the broker."""
    ids = [order.desired_id for order in orders]
    _queries.mark_sent(conn, desired_ids=ids, sessions=[order.session for order in orders], now=now)
    _queries.note_sent(conn, desired_ids=ids)
