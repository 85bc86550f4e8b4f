"""Whistles (吹哨报到): a level calls those who are needed at a case, and each one's arrival is clocked. Takes the caller's transaction.

A level has one open whistle per case; whoever is called twice by it is called once. Who was called and does not come is told to the
level above, which calls in its turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from prometheus_client import Counter
from psycopg import Connection

from cloud.cases import service as case_service
from cloud.cases import store as cases
from cloud.cases.model import RUNNING_STATUSES, HistoryAction
from cloud.cases.store import Named
from cloud.db.queries import load
from cloud.deadlines import rulebook
from cloud.deadlines.rulebook import RuleBook
from cloud.deadlines.rules import ARRIVAL
from cloud.drills import store as drills
from cloud.escalation.roster import LevelArea, Person, Roster, levels_above

_queries = load("cloud.escalation")
_log = structlog.get_logger(__name__)

_UNHEARD = Counter("gridward_escalations_unheard_total", "Escalations for which nobody was on duty on any level")
RUNNING = sorted(RUNNING_STATUSES)
CALLED_MOST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """A whistle to be blown. `by` None and a `clock_id`: a deadline has passed."""

    case_id: int
    level: LevelArea
    at: datetime
    by: int | None = None
    clock_id: int | None = None
    note: str | None = None
    departments: Sequence[int] = ()
    people: Sequence[Person] = ()


def raise_to(
    conn: Connection[Any],
    case: Any,
    level: str,
    roster: Roster,
    *,
    book: RuleBook,
    at: datetime,
    clock_id: int | None,
) -> LevelArea | None:
    """Call whoever answers for a level of a case, or, where nobody does, of the next level that has somebody.

    Areas may have been drawn anew since the case was opened: who does not see it any more does not answer for it.
    Each level without anybody is told in the history. A drill calls nobody above its own area. The level that was called comes back, None when there was nobody anywhere.
    """
    above = levels_above(conn, case.area_path, at=case.opened_at)
    names = [area.level for area in above]
    bounds = drills.bounds(conn, case.id) if case.drill else None
    if bounds is not None:
        above = [area for area in above if area.path.startswith(bounds.area_path)]
        names = [area.level for area in above]
        if level not in names:
            return None
    start = names.index(level) if level in names else _next_known(conn, names, level)
    for area in above[start:]:
        people = _who_see(conn, roster.answering(conn, area, at=at), case.area_path)[:CALLED_MOST]
        if people:
            departments = [case.department_id] if case.department_id is not None else []
            wanted = Blow(case_id=case.id, level=area, at=at, clock_id=clock_id, departments=departments, people=people)
            blow(conn, case, wanted, book)
            return area
        cases.add_event(conn, case.id, HistoryAction.NOBODY_ON_DUTY.value, at=at, reason=area.level)
    if not above[start:]:
        cases.add_event(conn, case.id, HistoryAction.NOBODY_ON_DUTY.value, at=at, reason=level)
    if bounds is not None:
        return None
    _UNHEARD.inc()
    _log.error("escalation_unheard", case=case.id, level=level)
    return None


def blow(conn: Connection[Any], case: Any, wanted: Blow, book: RuleBook) -> int | None:
    """Blow a whistle, or call more people by the one that is open; its id, None when all of them were called already.

    The history tells each one who is called; and each one who was called before and is so again by a deadline, unless he has come.
    """
    open_one = _queries.open_whistle(conn, case_id=wanted.case_id, level=wanted.level.level)
    whistle_id: int | None = open_one.id if open_one is not None else None
    if whistle_id is None:
        whistle_id = _queries.insert_whistle(
            conn,
            case_id=wanted.case_id,
            clock_id=wanted.clock_id,
            level=wanted.level.level,
            area_path=wanted.level.path,
            blown_at=wanted.at,
            blown_by=wanted.by,
            note=wanted.note,
        )
    due_at = book.limit(case.area_path, case.category, case.severity, ARRIVAL, at=wanted.at)
    called = 0
    for department_id, account_id in _wanted(wanted):
        call_id = _queries.insert_call(
            conn,
            whistle_id=whistle_id,
            department_id=department_id,
            account_id=account_id,
            called_at=wanted.at,
            due_at=due_at,
        )
        if call_id is None:
            if wanted.by is None and account_id is not None:
                _tell_again(conn, wanted, whistle_id, account_id)
            continue
        called += 1
        if department_id is not None:
            _queries.tell_department(conn, department_id=department_id, case_id=wanted.case_id, told_at=wanted.at)
        _tell(conn, wanted, department_id, account_id, due_at)
    return whistle_id if called or open_one is None else None


def fall_due(conn: Connection[Any], roster: Roster, *, now: datetime, count: int) -> int:
    """Tell of those who were called and have not come in time, and raise it to the level above; how many that were."""
    rows = list(_queries.overdue_calls(conn, now=now, statuses=RUNNING, count=count))
    if not rows:
        return 0
    book = rulebook.read(conn)
    for row in rows:
        _queries.mark_overdue(conn, at=now, call_id=row.id)
        cases.add_event(
            conn,
            row.case_id,
            HistoryAction.WHISTLE_OVERDUE.value,
            at=now,
            reason=row.level,
            named=Named(person_id=row.account_id, department_id=row.department_id, until=row.due_at),
        )
        case = _queries.case_of(conn, case_id=row.case_id)
        above = [area.level for area in levels_above(conn, case.area_path, at=case.opened_at)]
        higher = above[above.index(row.level) + 1 :] if row.level in above else []
        if higher and not any(_queries.open_whistle(conn, case_id=case.id, level=level) for level in higher):
            raise_to(conn, case, higher[0], roster, book=book, at=now, clock_id=row.clock_id)
    for case_id in sorted({row.case_id for row in rows}):
        case_service.announce(conn, case_id, "case.updated")
    return len(rows)


def end_idle(conn: Connection[Any], *, now: datetime, count: int) -> int:
    """End the whistles that nobody has to come for any more; how many that were."""
    rows = list(_queries.whistles_over(conn, now=now, statuses=RUNNING, count=count))
    for row in rows:
        _queries.end_whistle(conn, at=now, account_id=None, note=None, whistle_id=row.id)
        cases.add_event(conn, row.case_id, HistoryAction.WHISTLE_ENDED.value, at=now, reason=row.level)
    for case_id in sorted({row.case_id for row in rows}):
        case_service.announce(conn, case_id, "case.updated")
    return len(rows)


def _wanted(wanted: Blow) -> list[tuple[int | None, int | None]]:
    people: list[tuple[int | None, int | None]] = [(None, person.account_id) for person in wanted.people]
    return people + [(department, None) for department in wanted.departments]


def _tell(
    conn: Connection[Any], wanted: Blow, department_id: int | None, account_id: int | None, due_at: datetime
) -> None:
    action = HistoryAction.WHISTLE if wanted.by is not None or department_id is not None else HistoryAction.ESCALATED
    cases.add_event(
        conn,
        wanted.case_id,
        action.value,
        at=wanted.at,
        actor_id=wanted.by,
        reason=wanted.level.level,
        note=wanted.note,
        named=Named(person_id=account_id, department_id=department_id, until=due_at),
    )


def _tell_again(conn: Connection[Any], wanted: Blow, whistle_id: int, account_id: int) -> None:
    """A further deadline leads to somebody whom this whistle has called already: it is said all the same."""
    waiting = _queries.waiting_call(conn, whistle_id=whistle_id, account_id=account_id)
    if waiting is not None:
        cases.add_event(
            conn,
            wanted.case_id,
            HistoryAction.ESCALATED_AGAIN.value,
            at=wanted.at,
            reason=wanted.level.level,
            named=Named(person_id=account_id, until=waiting.due_at),
        )


def _who_see(conn: Connection[Any], people: Sequence[Person], area_path: str) -> list[Person]:
    ids = [person.account_id for person in people]
    seeing = {row.id for row in _queries.who_see(conn, account_ids=ids, area_path=area_path)} if ids else set()
    return [person for person in people if person.account_id in seeing]


def _next_known(conn: Connection[Any], names: Sequence[str], level: str) -> int:
    """Where to begin in a city that lacks a level: at the next one above it."""
    positions = {row.level: row.position for row in _queries.positions(conn)}
    wanted = positions.get(level, 0)
    return next((place for place, name in enumerate(names) if positions.get(name, 0) < wanted), len(names))
