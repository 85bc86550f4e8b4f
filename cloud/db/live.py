"""Events of the live stream: a row in the use case's own transaction; NOTIFY only wakes those who read.

Ids are handed out before commit, so a lower id can become visible after a higher one. A transaction that emits therefore
holds, until its end, a shared advisory lock that carries a lower bound of its ids; a reader goes only as far as the lowest
bound that is still held (`settled`). Long transactions that emit nothing hold up nobody, as they would where the reader
waits for the oldest transaction of the whole server.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from cloud.db.queries import load

CHANNEL = "gridward_event"
"""NOTIFY channel: something was emitted."""

SESSION_CHANNEL = "gridward_session"
"""NOTIFY channel: the payload is the id of a session that is over, or whose person sees other things now."""

EVERY_SESSION = "*"
"""The payload where that holds for all of them."""

_queries = load("cloud.db")

HANDED_OUT_SQL: str = _queries.events_handed_out.sql
SETTLED_SQL: str = _queries.events_settled.sql
BETWEEN_SQL: str = _queries.events_between.sql
"""The same statements for the one asynchronous reader (`cloud.notify.stream`)."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it is told to those whose scope holds `area_path`. `event_id` is the cursor behind it."""

    event_id: int
    kind: str
    area_path: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Horizon:
    """How far the stream goes: `settled` is the last id below which nothing can still appear, `handed_out` the last given."""

    settled: int
    handed_out: int

    @property
    def complete(self) -> bool:
        """Whether nothing is under way."""
        return self.settled >= self.handed_out


def emit(conn: Connection[Any], kind: str, area_code: str | None, payload: dict[str, Any]) -> None:
    """Tell those who may see `area_code` (any level) that something happened, once `conn` commits.

    None, or an area that is not known, reaches only those whose scope is everything.
    """
    _queries.emit_event(conn, kind=kind, area_code=area_code, payload=Jsonb(payload))


def emit_at(conn: Connection[Any], kind: str, area_path: str, payload: dict[str, Any]) -> None:
    """The same for a path that the caller already holds (a case keeps the path that it was opened with)."""
    _queries.emit_event_at(conn, kind=kind, area_path=area_path, payload=Jsonb(payload))


def end_session(conn: Connection[Any], session_id: int) -> None:
    """Have every process close the streams of a session, once `conn` commits. Where it still runs, its page comes again."""
    _queries.tell_session_over(conn, session_id=session_id)


def end_every_stream(conn: Connection[Any]) -> None:
    """Have every process close all streams, once `conn` commits: who sees what has changed, and each comes again as what he is now."""
    _queries.tell_session_over(conn, session_id=EVERY_SESSION)


def horizon(conn: Connection[Any]) -> Horizon:
    """How far one may read now. `conn` must see each statement's own snapshot (autocommit, or read committed)."""
    handed_out = _queries.events_handed_out(conn)
    return Horizon(settled=_queries.events_settled(conn, handed_out=handed_out), handed_out=handed_out)


def read(conn: Connection[Any], *, after: int, upto: int, count: int) -> list[Event]:
    """At most `count` events with `after` < id ≤ `upto`, in order. `upto` must come from an earlier `horizon`."""
    rows = _queries.events_between(conn, after=after, upto=upto, count=count)
    return [Event(row.id, row.kind, row.area_path, row.payload) for row in rows]


def is_too_old(conn: Connection[Any], cursor: int, horizon: Horizon) -> bool:
    """Whether events behind `cursor` may have been pruned, or it was never given: the reader has to start anew."""
    if cursor > horizon.handed_out or cursor < 0:
        return True
    if cursor == horizon.handed_out:
        return False
    oldest = _queries.oldest_event(conn)
    return oldest is None or oldest > cursor + 1


def prune(conn: Connection[Any], before: datetime) -> int:
    """Delete the events from before a time; how many went comes back."""
    deleted: int = _queries.prune_events(conn, before=before)
    return deleted
