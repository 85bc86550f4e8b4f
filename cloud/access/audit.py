"""The audit log: who did or saw what. Rows are only ever added; the database refuses the rest."""

from collections.abc import Mapping
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from cloud.access.model import Principal
from cloud.db.queries import load

_queries = load("cloud.access")


def write(
    conn: Connection[Any],
    action: str,
    subject: str,
    *,
    actor: Principal | None = None,
    actor_name: str | None = None,
    area_path: str | None = None,
    address: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add a row in the caller's transaction. Without `actor`, `actor_name` says who it was (a node, the command line)."""
    _queries.insert_audit(
        conn,
        actor_id=actor.user_id if actor is not None else None,
        actor_name=actor.name if actor is not None else actor_name,
        action=action,
        subject=subject,
        area_path=area_path,
        address=address,
        detail=Jsonb(dict(detail or {})),
    )
