"""Statements on what is wanted of nodes with their types. All take a connection; none commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from cloud.db.queries import load
from cloud.rollouts.model import Artifact

_queries = load("cloud.rollouts")


@dataclass(frozen=True, slots=True)
class Order:
    """What has to be told to a node that is present."""

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


def want(
    conn: Connection[Any],
    node_id: int,
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
        node_id=node_id,
        artifact=artifact.kind,
        name=artifact.name,
        artifact_id=artifact.id,
        desired_id=desired_id,
        roll_back=roll_back,
        confirm=confirm,
        now=now,
        rollout_id=rollout_id,
    )


def want_no_more(conn: Connection[Any], node_id: int, artifact: Artifact, desired_id: UUID) -> None:
    """Take an order back, if it is still that one."""
    _queries.want_no_more(conn, node_id=node_id, artifact=artifact.kind, name=artifact.name, desired_id=desired_id)


def want_nothing(conn: Connection[Any], node_ids: Sequence[int], artifact: Artifact) -> None:
    """Take back whatever was wanted of these nodes for the name."""
    _queries.want_nothing(conn, node_ids=list(node_ids), artifact=artifact.kind, name=artifact.name)


def lock_orders(conn: Connection[Any], rollout_id: UUID) -> None:
    """Nobody sends an order of the rollout until the transaction ends. Before steps are read that depend on it."""
    list(_queries.lock_orders(conn, rollout_id=rollout_id))


def due_orders(conn: Connection[Any], *, now: datetime, again_before: datetime, count: int) -> list[Order]:
    """What present nodes have to be told now; the rows are locked."""
    rows = _queries.due_orders(conn, now=now, again_before=again_before, count=count)
    return [Order(*row) for row in rows]


def mark_sent(conn: Connection[Any], orders: Sequence[Order], *, now: datetime) -> None:
    """Note that these were given to the broker."""
    ids = [order.desired_id for order in orders]
    _queries.mark_sent(conn, desired_ids=ids, sessions=[order.session for order in orders], now=now)
    _queries.note_sent(conn, desired_ids=ids)
