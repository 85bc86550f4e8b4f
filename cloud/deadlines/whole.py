"""How long a whole case may take (办结时限), from its first opening to its end. Takes the caller's transaction, in which the case is locked.

Each stage has its own clock, and one that begins anew (sent to another department, opened again) has its whole time again. This one goes on:
it rests while the case is suspended, merged into another or over, and afterwards has what was left.
"""

from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.db.queries import load
from cloud.deadlines import store
from cloud.deadlines.clock import WHOLE, Clock, Firing, extended, paused, resumed, settled, started
from cloud.deadlines.retiming import present
from cloud.deadlines.rulebook import RuleBook, Ruling
from cloud.deadlines.store import KeptClock

_queries = load("cloud.deadlines")


def follow(
    conn: Connection[Any],
    case_id: int,
    book: RuleBook,
    *,
    area_path: str,
    category: str,
    severity: str,
    runs: bool,
    at: datetime,
) -> None:
    """Begin it, let it rest or go on; twice is the same as once. A case that begins at rest gets none."""
    kept = of_case(conn, case_id)
    if kept is None:
        if runs:
            ruling = book.ruling(area_path, category, severity, WHOLE, at=at)
            clock = started(WHOLE, ruling.measure, at=at)
            values = store.moving(clock, ruling)
            _queries.insert_whole(
                conn,
                case_id=case_id,
                area_path=area_path,
                category=category,
                severity=severity,
                started_at=at,
                **values,
            )
        return
    if runs == kept.clock.runs:
        return
    ruling = kept.ruling(book)
    if runs:
        moved = resumed(settled(kept.clock, ruling.rungs, at=at), ruling.measure, at=at)
    else:
        moved = paused(settled(present(kept, ruling, at=at), ruling.rungs, at=at), ruling.measure, at=at)
    update(conn, kept.id, moved, ruling)


def extend(conn: Connection[Any], case_id: int, book: RuleBook, until: datetime, *, at: datetime) -> None:
    """Time that a case was given (延时) counts for the whole of it as well, where it is more than it has."""
    kept = of_case(conn, case_id)
    if kept is not None and kept.clock.runs:
        ruling = kept.ruling(book)
        clock = settled(present(kept, ruling, at=at), ruling.rungs, at=at)
        update(conn, kept.id, extended(clock, ruling.measure, until), ruling)


def of_case(conn: Connection[Any], case_id: int) -> KeptClock | None:
    """The clock of a case, locked; None for one from before there were such."""
    row = _queries.whole_of(conn, case_id=case_id)
    return store.kept(row) if row is not None else None


def seen(conn: Connection[Any], case_id: int) -> KeptClock | None:
    """The clock of a case, to be looked at."""
    row = _queries.whole_seen(conn, case_id=case_id)
    return store.kept(row) if row is not None else None


def due(conn: Connection[Any], *, now: datetime, count: int) -> list[KeptClock]:
    """Those that have something to fire, the longest due first, locked with their cases; none that others hold."""
    return [store.kept(row) for row in _queries.due_wholes(conn, now=now, count=count)]


def recompute(conn: Connection[Any], book: RuleBook, *, now: datetime, count: int) -> int:
    """Work out again what has become stale; how many clocks that were. One that rests is worked out when it goes on."""
    rows = list(_queries.stale_wholes(conn, count=count))
    for row in rows:
        kept = store.kept(row)
        ruling = kept.ruling(book)
        update(conn, kept.id, present(kept, ruling, at=now), ruling)
    return len(rows)


def update(conn: Connection[Any], case_id: int, clock: Clock, ruling: Ruling) -> None:
    """Keep what has become of it."""
    _queries.update_whole(conn, case_id=case_id, **store.moving(clock, ruling))


def add_firing(conn: Connection[Any], kept: KeptClock, firing: Firing, *, fired_at: datetime) -> bool:
    """Note that something fired; False when that stands there already."""
    added: int = _queries.insert_whole_firing(
        conn,
        case_id=kept.case_id,
        deadline=firing.deadline,
        number=firing.number,
        kind=firing.kind.value,
        level=firing.level,
        due_at=firing.due_at,
        fired_at=fired_at,
    )
    return added > 0
