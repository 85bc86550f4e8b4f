"""Applying a decision: an incident is put into its case, and the history tells what people need to see."""

from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection

from cloud.cases import service as cases
from cloud.cases import steps, store
from cloud.cases.model import CaseStatus, HistoryAction
from cloud.correlate import candidates, policy
from cloud.correlate.arrival import Arrival
from cloud.correlate.folding import Candidate, Decision, Verdict, Why, decide
from cloud.correlate.policy import Absorbed, CaseFacts
from cloud.drills import store as drills

_UNPLACED: Final = "000000"


@dataclass(frozen=True, slots=True)
class Placed:
    """Where an incident goes, and why."""

    decision: Decision
    facts: CaseFacts

    @property
    def case_id(self) -> int:
        """The case."""
        return self.facts.case_id

    @property
    def is_new(self) -> bool:
        """Whether it was opened for this."""
        return self.decision.verdict is Verdict.OPEN


def place(conn: Connection[Any], arrival: Arrival, *, out_of: Candidate | None = None) -> Placed:
    """Find the case for an incident, or open one. `out_of` is the case that it has just outgrown."""
    rules = arrival.rules.folding
    near = candidates.near(conn, arrival.source, arrival.incident, rules, drill_id=arrival.drill_id)
    left = None if out_of is None else out_of.facts.case_id
    decision = decide(
        arrival.incident, [case for case in near if case.facts.case_id != left], rules, aloud=arrival.rings
    )
    if decision.verdict is Verdict.OPEN or decision.case is None:
        if out_of is not None and decision.link is None:
            decision = Decision(Verdict.OPEN, Why.WORSE, link=out_of)
        return Placed(decision, _open(conn, arrival))
    return Placed(decision, decision.case.facts)


def join(conn: Connection[Any], arrival: Arrival, row_id: int, placed: Placed) -> None:
    """Make an incident part of its case."""
    store.join_case(conn, placed.case_id, row_id, at=arrival.report.received_at)
    counted = candidates.count(conn, placed.case_id, arrival.source, arrival.incident)
    if placed.is_new:
        _tell_of_opening(conn, arrival, row_id, placed)
        return
    absorbed = policy.absorb(placed.facts, arrival.incident, aloud=arrival.rings)
    why = placed.decision.why
    is_more_of_it = why in _FOLDED
    keep(conn, arrival, absorbed, row_id=row_id, adds=not is_more_of_it)
    if is_more_of_it and is_milestone(counted):
        store.add_event(
            conn,
            placed.case_id,
            _FOLDED[why],
            at=arrival.report.received_at,
            note=str(counted),
            incident_row_id=row_id,
        )
    if placed.decision.verdict is Verdict.REOPEN:
        steps.come_again(conn, placed.case_id, at=arrival.report.received_at)


_FOLDED: Final = {Why.STORM: HistoryAction.FOLDED, Why.JUDGED_FALSE: HistoryAction.FOLDED_FALSE_ALARM}
"""Of these the history keeps the number, at 10, 20, 50, 100 and so on: nobody reads ten thousand lines."""


def is_milestone(count: int) -> bool:
    """Whether a number is told: 10, 20, 50, 100, 200, 500, …"""
    while count >= 100 and count % 10 == 0:
        count //= 10
    return count in {10, 20, 50}


def keep(conn: Connection[Any], arrival: Arrival, absorbed: Absorbed, *, row_id: int, adds: bool = False) -> None:
    """Write what a revision changed in its case. `adds`: an incident that people need to see of themselves."""
    facts = absorbed.facts
    is_news = adds or absorbed.raised or absorbed.rang
    if absorbed.changed or is_news:
        store.update_facts(
            conn,
            facts.case_id,
            severity=facts.severity.value,
            started_at=facts.started_at,
            last_activity_at=facts.last_activity_at,
            late=facts.late,
            simulated=facts.simulated,
            is_news=is_news,
        )
    told = [HistoryAction.INCIDENT_ADDED] * adds + [HistoryAction.SEVERITY_RAISED] * absorbed.raised
    told += [HistoryAction.RANG] * (absorbed.rang and not absorbed.raised)
    for action in told:
        store.add_event(
            conn,
            facts.case_id,
            action,
            at=arrival.report.received_at,
            severity=facts.severity.value if action is HistoryAction.SEVERITY_RAISED else None,
            incident_row_id=row_id,
        )


def _open(conn: Connection[Any], arrival: Arrival) -> CaseFacts:
    report, incident = arrival.report, arrival.incident
    area = arrival.area(conn)
    district = area.ancestry[0] if area is not None else report.district or _UNPLACED
    late = not arrival.rings
    end = policy.activity_end(incident)
    case_id = store.open_case(
        conn,
        store.NewCase(
            number=store.next_number(conn, district, report.received_at, arrival.rules.zone),
            correlation_key=report.key,
            kind=incident.kind,
            category=incident.category,
            severity=incident.severity.value,
            area_code=area.code if area is not None else None,
            area_path=area.path if area is not None else "",
            node=report.node,
            device=incident.device,
            device_id=report.device_id,
            device_kind=report.device_kind,
            spot=incident.spot,
            opened_at=report.received_at,
            started_at=incident.started_at,
            last_activity_at=end,
            late=late,
            simulated=incident.simulated,
            drill=arrival.drill_id is not None,
        ),
    )
    if arrival.drill_id is not None:
        drills.mark_case(conn, case_id, arrival.drill_id)
    return CaseFacts(
        case_id=case_id,
        is_open=True,
        severity=incident.severity,
        started_at=incident.started_at,
        last_activity_at=end,
        late=late,
        simulated=incident.simulated,
    )


def _tell_of_opening(conn: Connection[Any], arrival: Arrival, row_id: int, placed: Placed) -> None:
    """The new case says what it comes after; a settled one that is followed says so too, and has changed."""
    decision, at = placed.decision, arrival.report.received_at
    link = decision.link.facts if decision.link is not None else None
    if decision.echo is not None:
        candidates.begin_echo(conn, placed.case_id, decision.echo)
    store.add_event(
        conn,
        placed.case_id,
        HistoryAction.OPENED if decision.echo is None else HistoryAction.FALSE_ALARM_AGAIN,
        at=at,
        to_status=CaseStatus.REPORTED,
        severity=arrival.incident.severity.value,
        incident_row_id=row_id,
        named=store.Named(case_id=link.case_id if link is not None else None),
    )
    if link is not None and decision.why is Why.CAME_AGAIN:
        store.add_event(
            conn,
            link.case_id,
            HistoryAction.CAME_AGAIN,
            at=at,
            incident_row_id=row_id,
            named=store.Named(case_id=placed.case_id),
        )
        store.update_facts(
            conn,
            link.case_id,
            severity=link.severity.value,
            started_at=link.started_at,
            last_activity_at=link.last_activity_at,
            late=link.late,
            simulated=link.simulated,
            is_news=True,
        )
        cases.announce(conn, link.case_id, "case.updated")
