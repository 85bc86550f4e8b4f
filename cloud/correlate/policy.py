"""Which case an incident belongs to, what it changes there, and whether it rings. Pure.

What a case keeps of its incidents only ever joins (earliest start, latest activity, worst severity), so the order in which
revisions arrive, and their doubles, make no difference.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from edge.contract.incident import Incident, IncidentState, Severity


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What the correlation needs to know of a case."""

    case_id: int
    is_open: bool
    severity: Severity
    started_at: datetime
    last_activity_at: datetime
    late: bool
    simulated: bool


@dataclass(frozen=True, slots=True)
class Absorbed:
    """A case after an incident's revision was added. `rang`: a late case rings now after all."""

    facts: CaseFacts
    raised: bool
    rang: bool
    changed: bool


def activity_end(incident: Incident) -> datetime:
    """The last moment at which a revision saw its condition hold."""
    return max(incident.started_at, incident.updated_at, incident.ended_at or incident.started_at)


def rings(incident: Incident, *, historical: bool, taken_at: datetime, late_ring: timedelta) -> bool:
    """Whether a revision is told aloud: it is live, or its condition still holds, or it was critical and ended lately."""
    if not historical or incident.state is not IncidentState.ENDED:
        return True
    return incident.severity is Severity.CRITICAL and taken_at - activity_end(incident) <= late_ring


def choose(incident: Incident, candidates: Iterable[CaseFacts], *, window: timedelta) -> CaseFacts | None:
    """The open case of the same key that an incident folds into: the nearest in time within the window, else none.

    Only open cases are taken; what was resolved, closed or rejected never swallows a new incident.
    """
    near = [
        (gap, case.case_id, case)
        for case in candidates
        if case.is_open and (gap := gap_between(incident, case)) <= window
    ]
    return min(near, key=lambda item: item[:2])[2] if near else None


def absorb(case: CaseFacts, incident: Incident, *, aloud: bool) -> Absorbed:
    """Join a revision into a case. Severity only rises, the span only grows, what has rung stays rung."""
    facts = replace(
        case,
        severity=max(case.severity, incident.severity, key=lambda severity: severity.rank),
        started_at=min(case.started_at, incident.started_at),
        last_activity_at=max(case.last_activity_at, activity_end(incident)),
        late=case.late and not aloud,
        simulated=case.simulated and incident.simulated,
    )
    return Absorbed(
        facts,
        raised=facts.severity is not case.severity,
        rang=case.late and not facts.late,
        changed=facts != case,
    )


def outgrows(case: CaseFacts, incident: Incident) -> bool:
    """Whether a known incident got worse than all that people judged when they settled its case: it needs a case anew."""
    return not case.is_open and incident.severity.rank > case.severity.rank


def gap_between(incident: Incident, case: CaseFacts) -> timedelta:
    """Event time between an incident and a case, zero where they overlap."""
    return max(
        timedelta(0),
        incident.started_at - case.last_activity_at,
        case.started_at - activity_end(incident),
    )
