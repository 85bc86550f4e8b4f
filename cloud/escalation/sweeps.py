"""The sweeps of clocks: each at any time, by anyone, twice; bounded transactions, a lock on each case that is touched.

What was due while nobody swept fires once, in the order in which it was due, and says when that was.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import structlog
from prometheus_client import Counter, Gauge, Histogram
from psycopg import Connection

from cloud.cases import service as case_service
from cloud.cases import store as cases
from cloud.cases.model import STAGE_OF, CaseStatus, HistoryAction, Stage
from cloud.cases.store import Named
from cloud.db.pool import Pool
from cloud.db.queries import load
from cloud.deadlines import rulebook, whole
from cloud.deadlines import service as deadlines
from cloud.deadlines import store as clocks
from cloud.deadlines.clock import WHOLE, Clock, Firing, FiringKind, next_firing, passed
from cloud.deadlines.rulebook import RuleBook, Ruling
from cloud.deadlines.store import KeptClock
from cloud.escalation import whistles
from cloud.escalation.roster import Duty, Roster
from cloud.escalation.whistles import RUNNING

_queries = load("cloud.escalation")
_log = structlog.get_logger(__name__)

BATCH = 100
BATCHES_MOST = 200

_FIRED = Counter("gridward_deadline_firings_total", "What the clocks of cases fired", ["kind"])
_LATENESS = Histogram(
    "gridward_deadline_lateness_seconds",
    "How long after its time a deadline was noticed",
    buckets=(1, 5, 15, 30, 60, 300, 3_600, 86_400),
)
_ADOPTED = Counter("gridward_clocks_adopted_total", "Running cases that were found without a clock")

_LEFT = Gauge("gridward_clocks_stale", "Clocks that a change of rules left to be worked out again after a sweep")

_EVENTS = {FiringKind.AMBER: HistoryAction.DEADLINE_AMBER, FiringKind.RED: HistoryAction.DEADLINE_RED}


class Keeper(Protocol):
    """Where a kind of clocks is kept: those of stages (`deadlines.store`), those of whole cases (`deadlines.whole`)."""

    def due(self, conn: Connection[Any], *, now: datetime, count: int) -> list[KeptClock]:
        """Those that have something to fire, locked with their cases."""

    def update(self, conn: Connection[Any], clock_id: int, clock: Clock, ruling: Ruling, /) -> None:
        """Keep what has become of one."""

    def add_firing(self, conn: Connection[Any], kept: KeptClock, firing: Firing, /, *, fired_at: datetime) -> bool:
        """Note that something fired; False when that stands there already."""


def sweep(pool: Pool, *, now: datetime, roster: Roster | None = None) -> int:
    """Everything that is due: clocks, arrivals, whistles that are over; how many things that were.

    What became stale by another rule is worked out in between, so that no deadline waits for tens of thousands of them.
    """
    answering = roster or Duty()
    total = _in_batches(pool, lambda conn: whistles.end_idle(conn, now=now, count=BATCH))
    for _ in range(BATCHES_MOST):
        with pool.connection() as conn:
            done = fire_due(conn, answering, now=now, count=BATCH)
        with pool.connection() as conn:
            done += recompute(conn, now=now, count=BATCH)
        total += done
        if not done:
            break
    total += _in_batches(pool, lambda conn: whistles.end_idle(conn, now=now, count=BATCH))
    total += _in_batches(pool, lambda conn: whistles.fall_due(conn, answering, now=now, count=BATCH))
    with pool.connection() as conn:
        left = clocks.count_stale(conn)
    _LEFT.set(left)
    if left:
        _log.warning("clocks_still_stale", count=left)
    return total


def adopt_all(pool: Pool, *, now: datetime) -> int:
    """Give every running case a clock; how many had none. Each is looked at once, however many batches that takes."""
    total = after = 0
    for _ in range(BATCHES_MOST):
        with pool.connection() as conn:
            found = adopt(conn, now=now, after=after, count=BATCH)
        if not found:
            break
        total, after = total + len(found), found[-1]
    return total


def recompute(conn: Connection[Any], *, now: datetime, count: int) -> int:
    """Work out again at most so many clocks that are stale, and tell of the cases that are due at another time; how many clocks that were.

    Where a change of rules moves a whole batch, its cases are not told one by one: a page knows of them when each is touched or read next.
    """
    done = deadlines.recompute(conn, now=now, count=count)
    for case_id in done.moved if len(done.moved) < count else ():
        case_service.announce(conn, case_id, "case.updated")
    return done.count


def fire_due(conn: Connection[Any], roster: Roster, *, now: datetime, count: int) -> int:
    """Fire what is due of so many clocks of each kind at most; how many clocks that were."""
    return sum(_fire_of(keeper, conn, roster, now=now, count=count) for keeper in (clocks, whole))


def _fire_of(keeper: Keeper, conn: Connection[Any], roster: Roster, *, now: datetime, count: int) -> int:
    due = keeper.due(conn, now=now, count=count)
    if not due:
        return 0
    book = rulebook.read(conn)
    for kept in due:
        ruling, clock = kept.ruling(book), kept.clock
        while (firing := next_firing(clock, ruling.rungs)) is not None and firing.due_at <= now:
            if keeper.add_firing(conn, kept.at(clock), firing, fired_at=now):
                _fire(conn, kept, firing, roster, book=book, now=now)
            clock = passed(clock)
        keeper.update(conn, kept.id, clock, ruling)
        case_service.announce(conn, kept.case_id, "case.updated")
    return len(due)


def adopt(conn: Connection[Any], *, now: datetime, count: int, after: int = 0) -> list[int]:
    """Give a clock to the first running cases behind one that have none; which those were, in order.

    It begins now: for the time before it nobody had a deadline. That of a receipt is known by when the case was sent, and begins there.
    """
    rows = list(_queries.clockless_cases(conn, statuses=RUNNING, after=after, count=count))
    for row in rows:
        stage = STAGE_OF[CaseStatus(row.status)]
        if stage is None:
            continue
        whole.follow(
            conn,
            row.id,
            rulebook.read(conn),
            area_path=row.area_path,
            category=row.category,
            severity=row.severity,
            runs=stage is not Stage.SUSPENSION,
            at=now,
        )
        deadlines.follow(
            conn,
            row.id,
            area_path=row.area_path,
            category=row.category,
            severity=row.severity,
            stage=stage.value,
            at=_began(row, stage, now),
            until=row.suspended_until,
        )
        _ADOPTED.inc()
    return [row.id for row in rows]


def _began(row: Any, stage: Stage, now: datetime) -> datetime:
    sent_at: datetime | None = row.dispatched_at
    return sent_at if stage is Stage.RECEIPT and sent_at is not None else now


def _fire(
    conn: Connection[Any], kept: KeptClock, firing: Firing, roster: Roster, *, book: RuleBook, now: datetime
) -> None:
    _FIRED.labels(firing.kind.value).inc()
    _LATENESS.observe(max(0.0, (now - firing.due_at).total_seconds()))
    action = _EVENTS.get(firing.kind)
    if action is not None:
        named = Named(until=firing.due_at, department_id=kept.department_id)
        cases.add_event(conn, kept.case_id, action.value, at=now, reason=kept.clock.stage, named=named)
        return
    if firing.level is not None and kept.clock.runs:
        case = _queries.case_of(conn, case_id=kept.case_id)
        whistles.raise_to(conn, case, firing.level, roster, book=book, at=now, clock_id=_clock_of(kept))


def _clock_of(kept: KeptClock) -> int | None:
    """The clock whose whistle ends with it; one that the clock of the whole case blows lasts as long as the case."""
    return kept.id if kept.clock.stage != WHOLE else None


def _in_batches(pool: Pool, batch: Callable[[Connection[Any]], int]) -> int:
    """Run batches, each in a transaction of its own, until one finds nothing."""
    total = 0
    for _ in range(BATCHES_MOST):
        with pool.connection() as conn:
            done = batch(conn)
        total += done
        if not done:
            break
    return total
