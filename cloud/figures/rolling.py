"""Keeping the roll-up (日汇总): days that something touched are counted anew. At any time, by anyone, twice.

Triggers note the moments of cases (`figure_due`) in the transaction that changes something; whoever sees the note sees the change. A day
is counted from the facts themselves, below the areas that were touched; what that changes is carried to the areas above and the month.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import structlog
from prometheus_client import Counter
from psycopg import Connection

from cloud.db.pool import Pool
from cloud.figures import store
from cloud.figures.counting import applied, carried_up, changes, tallied, topmost
from cloud.figures.window import Grain, Window, local_day, month_of, next_month

NOTES_AT_ONCE = 1_000
BATCHES_AT_A_SWEEP = 20
NOTES_TOLD = 20
DAYS_AT_A_FILL = 2
TRIED_AGAIN_AFTER = timedelta(hours=1)
EVERYTHING = ("",)
_DAY = timedelta(days=1)
_BAD_NOTE = (psycopg.Error, ArithmeticError, LookupError, TypeError, ValueError)
_SET_ASIDE = Counter("gridward_figure_notes_set_aside", "Notes of what is to be counted anew that could not be")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """A month that was counted: how many of its days were, and in how many rows they differed from what was kept."""

    month: date
    days: int
    different: int


class _TookTooLongError(Exception):
    """Counting a day took longer than a statement may; whatever touches it will."""

    def __init__(self, day: date, notes: Collection[int]) -> None:
        super().__init__(f"counting {day} took longer than a statement may")
        self.notes = notes


def sweep(pool: Pool, *, zone: ZoneInfo) -> int:
    """Count what is noted, each batch in a transaction of its own; how many notes were worked off."""
    done = 0
    for _ in range(BATCHES_AT_A_SWEEP):
        with pool.connection() as conn:
            here = settle(conn, zone=zone)
        done += here
        if here < NOTES_AT_ONCE:
            break
    return done


def settle(conn: Connection[Any], count: int = NOTES_AT_ONCE, *, zone: ZoneInfo) -> int:
    """Count the days of at most `count` notes; how many notes that were, none while somebody else counts.

    A note that fails or takes longer than a statement may is set aside with its error, counted and logged, and the others go on. Raises
    what passes by itself, as a database that is away.
    """
    if not store.may_count(conn):
        return 0
    notes = store.due(conn, count=count)
    _work_off(conn, notes, zone=zone)
    return len(notes)


def take_back(conn: Connection[Any], *, now: datetime) -> int:
    """Note once more what took too long an hour ago, which a busy database may have been at fault for; how many."""
    return store.take_back(conn, aside_before=now - TRIED_AGAIN_AFTER)


def _work_off(conn: Connection[Any], notes: Sequence[int], *, zone: ZoneInfo) -> None:
    """All together; where a day takes too long, without those that touch it; where something fails, in halves: the bad one is found in few steps."""
    if not notes:
        return
    try:
        with conn.transaction():
            _count_noted(conn, notes, zone=zone)
    except _TookTooLongError as error:
        _set_aside(conn, error.notes, error, passes=True)
        _work_off(conn, [note for note in notes if note not in error.notes], zone=zone)
    except psycopg.OperationalError:
        raise
    except _BAD_NOTE as error:
        if len(notes) == 1:
            _set_aside(conn, notes, error, passes=False)
            return
        middle = len(notes) // 2
        _work_off(conn, notes[:middle], zone=zone)
        _work_off(conn, notes[middle:], zone=zone)


def _set_aside(conn: Connection[Any], notes: Collection[int], error: Exception, *, passes: bool) -> None:
    _SET_ASIDE.inc(len(notes))
    _log.exception("figure_notes_set_aside", notes=sorted(notes)[:NOTES_TOLD])
    store.set_aside(conn, notes, repr(error), passes=passes)


def _count_noted(conn: Connection[Any], notes: Sequence[int], *, zone: ZoneInfo) -> None:
    by_note = _touched(conn, notes, zone=zone)
    touched: dict[date, set[str]] = defaultdict(set)
    for day, area_path in (each for moments in by_note.values() for each in moments):
        touched[day].add(area_path)
    for day, paths in sorted(touched.items()):
        try:
            count_day(conn, day, topmost(paths), zone=zone)
        except psycopg.errors.QueryCanceled as error:
            touching = {note for note, moments in by_note.items() if any(each == day for each, _ in moments)}
            raise _TookTooLongError(day, touching) from error
    store.forget_due(conn, notes)


def _touched(conn: Connection[Any], notes: Sequence[int], *, zone: ZoneInfo) -> dict[int, set[tuple[date, str]]]:
    """Note → the days that it touches, and where."""
    noted = store.noted(conn, notes)
    of_case: dict[int, set[tuple[date, str]]] = defaultdict(set)
    for case_id, area_path, at in store.moments(conn, {each.case_id for each in noted if each.at is None}):
        of_case[case_id].add((local_day(at, zone), area_path))
    found: dict[int, set[tuple[date, str]]] = {}
    for each in noted:
        if each.at is None:
            found[each.id] = of_case[each.case_id]
        else:
            found[each.id] = {(local_day(each.at, zone), each.area_path)} if each.area_path is not None else set()
    return found


def fill(pool: Pool, *, zone: ZoneInfo, days: int = DAYS_AT_A_FILL) -> int:
    """Count the last of the days that were never counted, each in a transaction of its own; how many. Goes on where it was stopped.

    A day that takes longer than a statement may is left out and logged: `gridward-cloud figures recompute` has more time.
    """
    with pool.connection() as conn:
        if not store.fills(conn):
            return 0
    known = extent(pool, zone=zone)
    for done in range(days):
        with pool.connection() as conn:
            if not store.may_count(conn) or not store.fills(conn):
                return done
            day = store.next_to_fill(conn)
            if known is not None:
                day = min(day or known.to_day, known.to_day)
            if known is None or day is None or day < known.from_day:
                store.filled(conn, None)
                return done
            try:
                with conn.transaction():
                    count_day(conn, day, list(EVERYTHING), zone=zone)
            except psycopg.errors.QueryCanceled:
                _log.exception("figure_day_left_out", day=day.isoformat())
            store.filled(conn, day - _DAY)
    return days


def count_day(conn: Connection[Any], day: date, units: list[str], *, zone: ZoneInfo) -> int:
    """Count a day anew below `units`, none of which lies below another; in how many rows it differed."""
    old = store.kept_below(conn, day, units)
    new = tallied(store.facts(conn, day, units, zone=zone), units)
    changed = changes(old, new)
    if not changed:
        return 0
    higher = carried_up(changed, units)
    kept = store.kept_of(conn, Grain.DAY, day, {key.area_path for key in higher})
    store.put(conn, Grain.DAY, day, applied(old, changed) | applied(kept, higher))
    in_month = changed | higher
    months = store.kept_of(conn, Grain.MONTH, month_of(day), {key.area_path for key in in_month})
    store.put(conn, Grain.MONTH, month_of(day), applied(months, in_month))
    return len(changed)


def extent(pool: Pool, *, zone: ZoneInfo) -> Window | None:
    """From the first day that can have a figure to the last; None where there is none."""
    with pool.connection() as conn:
        row = store.extent(conn)
    moments = [local_day(at, zone) for at in (row.first_at, row.last_at) if at is not None]
    days = [day for day in (row.first_kept, row.last_kept) if day is not None]
    found = moments + days
    return Window(min(found), max(found)) if found else None


def recompute(
    pool: Pool, window: Window, *, zone: ZoneInfo, tell: Callable[[Progress], None] = lambda _progress: None
) -> tuple[int, int]:
    """Count each day of a window anew, and its months from all their days; how many days, and how many rows differed.

    A transaction for each month: whoever is stopped in between starts again where he likes.
    """
    days = different = 0
    for month, within in _months(window):
        with pool.connection() as conn:
            store.wait_for_turn(conn)
            here = sum(_recount_day(conn, day, zone=zone) for day in within)
            store.put_all(conn, Grain.MONTH, month, store.days_kept(conn, month, next_month(month) - _DAY))
        tell(Progress(month, within.days, here))
        days += within.days
        different += here
    return days, different


def _recount_day(conn: Connection[Any], day: date, *, zone: ZoneInfo) -> int:
    old = store.kept_below(conn, day, EVERYTHING)
    new = tallied(store.facts(conn, day, EVERYTHING, zone=zone), EVERYTHING)
    different = len(changes(old, new))
    if different:
        store.put_all(conn, Grain.DAY, day, new)
    return different


def _months(window: Window) -> Iterator[tuple[date, Window]]:
    month = month_of(window.from_day)
    while month <= window.to_day:
        following = next_month(month)
        yield month, Window(max(window.from_day, month), min(window.to_day, following - _DAY))
        month = following
