"""A case and its clock: the one that follows it from stage to stage. Takes the caller's transaction, in which the case is locked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from cloud.deadlines import rulebook, store, whole
from cloud.deadlines.clock import (
    SUSPENSION,
    ClockState,
    ended,
    extended,
    paused,
    resumed,
    settled,
    started,
)
from cloud.deadlines.retiming import present
from cloud.deadlines.rulebook import RuleBook
from cloud.deadlines.store import KeptClock

BATCH = 500
FARTHEST = timedelta(days=3 * 366)
"""No date that a case is given lies farther off for its clock."""


@dataclass(frozen=True, slots=True)
class Recomputed:
    """How many clocks were worked out again, and the cases whose present stage is due at another time by it."""

    count: int
    moved: tuple[int, ...]


def follow(
    conn: Connection[Any],
    case_id: int,
    *,
    area_path: str,
    category: str,
    severity: str,
    stage: str | None,
    at: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    rests: bool = False,
) -> None:
    """Bring the clocks of a case into line with what it waits for now; twice is the same as once.

    `stage` None ends them, or lays them aside where the case `rests` (merged into another, it may come back). `since` tells two
    spells of one stage apart (sent to another department, it begins anew); `until` is the date of a suspension. The clock of the whole
    case begins with the first and is never begun anew.
    """
    book = rulebook.read(conn)
    whole.follow(
        conn,
        case_id,
        book,
        area_path=area_path,
        category=category,
        severity=severity,
        runs=stage not in {None, SUSPENSION},
        at=at,
    )
    kept = store.unended(conn, case_id)
    running = next((each for each in kept if each.clock.runs), None)
    if running is not None and running.clock.stage == stage and since in {None, running.clock.started_at}:
        if stage != SUSPENSION or _within(until, running.clock.started_at) == running.clock.extended_until:
            return
        _end(conn, running, book, at=at)
    elif running is not None:
        lay_aside = running.clock.stage != SUSPENSION and (stage == SUSPENSION or (stage is None and rests))
        (_pause if lay_aside else _end)(conn, running, book, at=at)
    if stage is None and rests:
        return
    resting = [each for each in kept if each.clock.state is ClockState.PAUSED]
    waiting = [each for each in resting if each.clock.stage == stage and since in {None, each.clock.started_at}]
    goes_on = waiting[-1] if waiting else None
    for each in resting:
        if each is not goes_on and stage != SUSPENSION:
            _end(conn, each, book, at=at)
    if goes_on is not None:
        ruling = goes_on.ruling(book)
        rested = settled(goes_on.clock, ruling.rungs, at=at)
        store.update(conn, goes_on.id, resumed(rested, ruling.measure, at=at), ruling)
    elif stage is not None:
        ruling = book.ruling(area_path, category, severity, stage, at=at)
        clock = started(stage, ruling.measure, at=at, until=_within(until, at))
        store.insert(conn, case_id, clock, ruling, area_path=area_path, category=category, severity=severity)


def extend(conn: Connection[Any], case_id: int, until: datetime, *, at: datetime) -> None:
    """Give the running clock of a case time until then (延时), if that is more than it has."""
    book = rulebook.read(conn)
    for each in store.unended(conn, case_id):
        if each.clock.runs:
            ruling = each.ruling(book)
            until = min(until, each.clock.started_at + FARTHEST)
            clock = present(each, ruling, at=at)  # keeping it says that it is not stale any more
            clock = settled(clock, ruling.rungs, at=at)
            store.update(conn, each.id, extended(clock, ruling.measure, until), ruling)
            whole.extend(conn, case_id, book, until, at=at)


def recompute(conn: Connection[Any], *, now: datetime, count: int = BATCH) -> Recomputed:
    """Work out again what has become stale by new rules, hours, days or severities; what was due before that is owed."""
    book = rulebook.read(conn)
    wholes = whole.recompute(conn, book, now=now, count=count)
    kept = store.stale(conn, count=count)
    moved = []
    for each in kept:
        if not each.clock.runs:
            store.forget_stale(conn, each.id)
            continue
        ruling = each.ruling(book)
        clock = present(each, ruling, at=now)
        store.update(conn, each.id, clock, ruling)
        if (clock.amber_at, clock.due_at) != (each.clock.amber_at, each.clock.due_at):
            moved.append(each.case_id)
    return Recomputed(wholes + len(kept), tuple(moved))


def _within(until: datetime | None, start: datetime) -> datetime | None:
    return min(until, start + FARTHEST) if until is not None else None


def _pause(conn: Connection[Any], kept: KeptClock, book: RuleBook, *, at: datetime) -> None:
    ruling = kept.ruling(book)
    clock = settled(present(kept, ruling, at=at), ruling.rungs, at=at)
    store.update(conn, kept.id, paused(clock, ruling.measure, at=at), ruling)


def _end(conn: Connection[Any], kept: KeptClock, book: RuleBook, *, at: datetime) -> None:
    ruling = kept.ruling(book)
    clock = present(kept, ruling, at=at) if kept.stale_since is not None else kept.clock
    store.update(conn, kept.id, ended(clock, at=at), ruling)
