"""From what is in the history of a case to what each person is told: the queue `notice_due` becomes notices and deliveries.

Each row of the queue is a transaction: with it go the notices, or it stays. A row that can't be planned waits and holds up no other.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

import psycopg
import structlog
from prometheus_client import Counter
from psycopg import Connection

from cloud.cases.model import RUNNING_STATUSES, STAGE_OF, CaseStatus, HistoryAction
from cloud.db import live
from cloud.db.pool import Pool
from cloud.drills import store as drills
from cloud.drills.model import DrillBounds
from cloud.notify import drill_ends, store, warning
from cloud.notify.audience import called, is_unheard
from cloud.notify.exercise import of_drill, taking_part
from cloud.notify.model import Because, Called, Decision, Happening, Manner, News, Preference, Urgency
from cloud.notify.policy import SUMMARY, decide, held_until, memory_span, quiet_end
from cloud.notify.rules import RULES
from cloud.notify.store import queries
from edge.contract.incident import Severity

NOTICE_EVENT = "notice.new"
"""The live event that reaches one person alone (`cloud.notify.stream`)."""

Roster = Callable[[Connection[Any], str, datetime], Collection[int]]
"""Accounts that have the shift at a place and time."""

AT_A_LOOK = 200
AFTER_MISTAKE = timedelta(minutes=1)
_RUNNING = sorted(RUNNING_STATUSES)

_TOLD = Counter("gridward_notices", "Notices by how people are told", ["manner"])
_FAULTS = Counter("gridward_notice_faults", "Mistakes of ours in telling people", ["where"])

_UNHEARD = Counter("gridward_notices_unheard", "Facts that ought to ring and reach nobody", ["word"])

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans in transactions of its own. Several may run: they take turns."""

    pool: Pool
    zone: tzinfo
    roster: Roster

    def look(self, now: datetime) -> int:
        """Plan what is due, and sum up what was gathered long enough; how many notices."""
        return self._plan_all(now) + self._gather_all(now) + self._warn_all(now) + self._tell_drill_ends(now)

    def _plan_all(self, now: datetime) -> int:
        with self.pool.connection() as conn:
            due = [row.id for row in queries.due_notices(conn, now=now, count=AT_A_LOOK)]
        return sum(self._guarded(self._plan, due_id, now) for due_id in due)

    def _gather_all(self, now: datetime) -> int:
        with self.pool.connection() as conn:
            accounts = [row.account_id for row in queries.accounts_to_gather(conn, now=now, count=AT_A_LOOK)]
        return sum(self._guarded(self._gather, account_id, now) for account_id in accounts)

    def _warn_all(self, now: datetime) -> int:
        with self.pool.connection() as conn:
            queries.lock_planning(conn)
            made = warning.warn_all(conn, roster=self.roster, zone=self.zone, now=now)
            made += warning.gather_all(conn, now=now)
            for notice_id, account_id, manner in made:
                _TOLD.labels(manner.value).inc()
                rings = manner is Manner.RING
                if rings:
                    queries.queue_first(conn, notice_id=notice_id, account_id=account_id, now=now)
                if manner is not Manner.GATHERED:
                    _tell_pages(conn, account_id, notice_id, rings=rings, severity=Severity.MEDIUM.value)
            return len(made)

    def _tell_drill_ends(self, now: datetime) -> int:
        with self.pool.connection() as conn:
            queries.lock_planning(conn)
            made = drill_ends.tell_all(conn, roster=self.roster, zone=self.zone, now=now)
            for notice_id, account_id, manner in made:
                _TOLD.labels(manner.value).inc()
                rings = manner is Manner.RING
                _tell_pages(conn, account_id, notice_id, rings=rings, severity=Severity.LOW.value)
            return len(made)

    def _guarded(self, work: Callable[[Connection[Any], int, datetime], int], row_id: int, now: datetime) -> int:
        try:
            with self.pool.connection() as conn:
                queries.lock_planning(conn)
                return work(conn, row_id, now)
        except psycopg.OperationalError:
            raise  # the database's, not the row's
        except (
            psycopg.DatabaseError,
            ValueError,
            KeyError,
            TypeError,
        ):  # a row that can't be read must not keep the others from being told
            _FAULTS.labels("plan").inc()
            _log.exception("notice_not_planned", row=row_id)
            if work == self._plan:
                with self.pool.connection() as conn:
                    queries.postpone_due(conn, due_id=row_id, not_before=now + AFTER_MISTAKE)
            return 0

    def _plan(self, conn: Connection[Any], due_id: int, now: datetime) -> int:
        row = queries.take_due(conn, due_id=due_id, now=now)
        if row is None:
            return 0
        made = tell(conn, row, roster=self.roster, zone=self.zone, now=now) if row.word in RULES else 0
        queries.end_due(conn, due_id=due_id)
        return made

    def _gather(self, conn: Connection[Any], account_id: int, now: datetime) -> int:
        rows = list(queries.waiting_of(conn, account_id=account_id, running=_RUNNING))
        waiting = [row for row in rows if row.is_running and row.seen_at is None]
        over = [row.id for row in rows if not row.is_running or row.seen_at is not None]
        if over:
            queries.no_need_to_gather(conn, ids=over)
        if not waiting:
            return 0
        worst = waiting[0]
        if (held := self._held_until(conn, account_id, waiting, now)) is not None:
            queries.hold_gathered(conn, ids=[row.id for row in waiting], gather_at=held)
            return 0
        summary_id = _insert(
            conn,
            worst,
            Called(account_id, None, Urgency.RING, on_duty=False),
            Decision(Manner.RING, Because.SUMMARY),
            now=now,
            cases=len({row.case_id for row in waiting}),
        )
        if summary_id is None:
            return 0
        queries.gather_into(conn, ids=[row.id for row in waiting], summary_id=summary_id)
        return 1

    def _held_until(self, conn: Connection[Any], account_id: int, waiting: list[Any], now: datetime) -> datetime | None:
        """Until when one summary has to wait because a person's quiet hours have begun meanwhile."""
        preference = store.preferences(conn, [account_id]).get(account_id, Preference())
        if quiet_end(now, preference, self.zone) is None:
            return None
        worst = waiting[0]
        on_duty = account_id in self.roster(conn, worst.area_path, now)
        alarm = any(Urgency(row.urgency) is Urgency.ALARM for row in waiting)
        return held_until(Severity(worst.severity), now, preference, self.zone, on_duty=on_duty, alarm=alarm)


def happening_of(row: Any) -> Happening:
    """A row of the queue as the policy takes it. A case without a place is for those who see everything."""
    return Happening(
        word=row.word,
        status=CaseStatus(row.status),
        severity=Severity(row.severity),
        area_path=row.area_path,
        late=row.late,
        actor_id=row.actor_id,
        person_id=row.person_id,
        department_id=row.department_id,
        holder_id=row.worker_id,
        checker_id=row.checker_id,
        handler_id=row.handler_id,
        offered_ids=frozenset(row.offered_ids),
    )


def those_called(
    conn: Connection[Any], happening: Happening, *, roster: Roster, now: datetime, bounds: DrillBounds | None = None
) -> tuple[list[Called], bool]:
    """Who is told of something at a time, and whether that is nobody though somebody has to hear of it.

    `bounds`: of a drill, which nobody has to hear of.
    """
    people = store.candidates(
        conn,
        happening.area_path,
        account_ids=(happening.person_id, happening.holder_id, happening.checker_id),
        department_ids=(happening.department_id, happening.handler_id, *happening.offered_ids),
        on_duty=roster(conn, happening.area_path, now),
    )
    if bounds is not None:
        return called(happening, taking_part(people, happening, bounds)), False
    return called(happening, people), is_unheard(happening, people)


def tell(conn: Connection[Any], row: Any, *, roster: Roster, zone: tzinfo, now: datetime) -> int:
    """Make the notices of one fact; how many."""
    bounds = drills.bounds(conn, row.case_id) if row.drill else None
    people, unheard = those_called(conn, happening_of(row), roster=roster, now=now, bounds=bounds)
    if unheard:
        _UNHEARD.labels(row.word).inc()
        _log.error("notice_unheard", case=row.case_id, word=row.word)
    if not people:
        return 0
    decisions = decisions_for(conn, row, people, zone=zone, now=now)
    in_page = bounds is not None and not bounds.channels
    return sum(_insert(conn, row, who, decision, now=now, in_page=in_page) is not None for who, decision in decisions)


def decisions_for(
    conn: Connection[Any], row: Any, people: list[Called], *, zone: tzinfo, now: datetime
) -> list[tuple[Called, Decision]]:
    """How each of those who are told is told. `row` has the case's id, kind, severity and status, and the word."""
    ids = [who.account_id for who in people]
    told = store.told_since(conn, ids, now - memory_span(), drill=row.drill)
    wanted = store.preferences(conn, ids)
    gathering = store.gathering(conn, ids)
    is_over = STAGE_OF[CaseStatus(row.status)] is None  # by now nobody is asked for anything

    def decision(who: Called) -> Decision:
        news = News(
            at=now,
            case_id=row.case_id,
            kind=row.kind,
            severity=Severity(row.severity),
            word=row.word,
            urgency=who.urgency,
            on_duty=who.on_duty,
            reason=row.reason,
        )
        preference = wanted.get(who.account_id, Preference())
        pending = gathering.get(who.account_id)
        decided = decide(news, told.get(who.account_id, ()), preference, zone=zone, gather_at=pending)
        return of_drill(decided) if row.drill else decided

    ended = Decision(Manner.QUIET, Because.OVER)
    is_told_at_last = row.word == HistoryAction.MADE_REAL  # whoever ended it thought that it was a drill
    return [(who, ended if is_over and not is_told_at_last else decision(who)) for who in people]


def _tell_pages(conn: Connection[Any], account_id: int, notice_id: int, *, rings: bool, severity: str) -> None:
    """Tell the open pages of one person."""
    payload = {"account_id": account_id, "id": notice_id, "rings": rings, "severity": severity}
    live.emit_at(conn, NOTICE_EVENT, "", payload)


def _insert(
    conn: Connection[Any],
    row: Any,
    who: Called,
    decision: Decision,
    *,
    now: datetime,
    cases: int = 1,
    in_page: bool = False,
) -> int | None:
    """Make a notice, its deliveries where it rings, and tell the person's open pages; None where it was made before.

    `in_page`: it is told there alone.
    """
    is_summary = decision.because is Because.SUMMARY
    notice_id: int | None = queries.insert_notice(
        conn,
        account_id=who.account_id,
        case_id=None if is_summary else row.case_id,
        case_event_id=None if is_summary else row.event_id,
        word=SUMMARY if is_summary else row.word,
        audience=who.audience.value if who.audience is not None else None,
        urgency=who.urgency.value,
        manner=decision.manner.value,
        because=decision.because.value,
        gather_at=decision.gather_at,
        cases=cases,
        number=row.number,
        kind=None if is_summary else row.kind,
        category=row.category,
        severity=row.severity,
        status=row.status,
        area_code=row.area_code,
        area_name=row.area_name,
        drill=row.drill,
        simulated=row.simulated,
        now=now,
    )
    if notice_id is None:
        return None
    _TOLD.labels(decision.manner.value).inc()
    if decision.manner is Manner.RING and not in_page:
        loud = who.urgency is Urgency.ALARM or Severity(row.severity) is Severity.CRITICAL
        queue = queries.queue_everywhere if loud else queries.queue_first
        queue(conn, notice_id=notice_id, account_id=who.account_id, now=now)
    _tell_pages(conn, who.account_id, notice_id, rings=decision.manner is Manner.RING, severity=row.severity)
    return notice_id
