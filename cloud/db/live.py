"""Events of the live stream: a row in the use case's own transaction; NOTIFY only wakes those who read.

Ids are handed out before commit, so a lower id can become visible after a higher one. A transaction that emits therefore
holds, until its end, a shared advisory lock that carries a lower bound of its ids; a reader goes only as far as the lowest
bound that is still held (`settled`). Long transactions that emit nothing hold up nobody.
"""

from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from cloud.db.queries import load

CHANNEL = "gridward_event"
"""NOTIFY channel: something was emitted."""

SESSION_CHANNEL = "gridward_session"
"""NOTIFY channel: the payload is the id of a session that is over."""

_queries = load("cloud.db")


def emit(conn: Connection[Any], kind: str, area_code: str | None, payload: dict[str, Any]) -> None:
    """Tell those who may see `area_code` (any level) that something happened, once `conn` commits.

    None, or an area that is not known, reaches only those whose scope is everything.
    """
    _queries.emit_event(conn, kind=kind, area_code=area_code, payload=Jsonb(payload))


def emit_at(conn: Connection[Any], kind: str, area_path: str, payload: dict[str, Any]) -> None:
    """The same for a path that the caller already holds (a case keeps the path that it was opened with)."""
    _queries.emit_event_at(conn, kind=kind, area_path=area_path, payload=Jsonb(payload))
