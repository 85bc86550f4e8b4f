"""Merging a case into another (并案), and taking the two apart again. Takes the caller's transaction and locked rows."""

from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.access.model import Principal
from cloud.cases import store
from cloud.cases.model import OPEN_STATUSES, CaseStatus, HistoryAction
from cloud.db.queries import load
from cloud.drills import store as drills
from cloud.errors import Invalid, NotFound, TransitionRefused
from edge.contract.incident import Severity

_queries = load("cloud.cases")


def merge(conn: Connection[Any], user: Principal, source: int, *, into: int, now: datetime) -> None:
    """Bring the incidents of a case into another, which gets the higher severity of the two.

    Raises NotFound where the person does not see the other case, Invalid where it takes nothing.
    """
    target = _queries.summary(conn, case_id=into, scope=user.area_path, department=user.department_id)
    if target is None:
        raise NotFound("there is no such case in your scope to merge into")
    if into == source:
        raise Invalid("a case is not merged into itself")
    if CaseStatus(target.status) not in OPEN_STATUSES:
        raise Invalid(f"the case {target.number} is {target.status} and takes nothing any more")
    own = _queries.summary(conn, case_id=source, scope="", department=None)
    raised = list(Severity).index(Severity(own.severity)) > list(Severity).index(Severity(target.severity))
    if own.drill != target.drill or drills.of_case(conn, source) != drills.of_case(conn, into):
        raise Invalid("a drill and a real case stay apart, and so do two drills")
    _queries.merge_incidents(conn, target=into, source=source, joined_at=now)
    _queries.move_incidents(conn, target=into, source=source)
    _queries.merge_facts(conn, target=into, source=source)
    _tell(conn, user, into, HistoryAction.MERGED_IN, other=source, now=now)
    if raised:
        store.add_event(conn, into, HistoryAction.SEVERITY_RAISED, at=now, actor_id=user.user_id, severity=own.severity)


def unmerge(conn: Connection[Any], user: Principal, source: int, *, out_of: int, now: datetime) -> None:
    """Give a case its incidents back, and what they became meanwhile. Severity that the other got stays: somebody may have judged by it.
    A hold that stands on the other holds both from now on, until it is lifted from each.

    Raises NotFound where the person does not see the other case, TransitionRefused where that is merged itself: this has to
    be undone first.
    """
    target = _queries.summary(conn, case_id=out_of, scope=user.area_path, department=user.department_id)
    if target is None:
        raise NotFound("the case that took it is not in your scope; ask somebody who sees both")
    before = _queries.summary(conn, case_id=source, scope="", department=None).severity
    if CaseStatus(target.status) is CaseStatus.MERGED:
        raise TransitionRefused(f"the case {target.number} is merged itself; take that apart first")
    _queries.unmove_incidents(conn, source=source, target=out_of)
    _queries.unmerge_incidents(conn, target=out_of, source=source)
    _queries.bump_version(conn, case_id=out_of)
    _tell(conn, user, out_of, HistoryAction.UNMERGED_FROM, other=source, now=now)
    for held in list(_queries.carry_holds_over(conn, target=out_of, source=source, now=now)):
        named = store.Named(until=held.until)
        store.add_event(
            conn, source, HistoryAction.HOLD_SET, at=now, actor_id=user.user_id, note=held.reason, named=named
        )
    severity = _queries.own_facts(conn, source=source)
    if severity != before:
        store.add_event(conn, source, HistoryAction.SEVERITY_RAISED, at=now, actor_id=user.user_id, severity=severity)


def _tell(
    conn: Connection[Any], user: Principal, case_id: int, action: HistoryAction, *, other: int, now: datetime
) -> None:
    store.add_event(conn, case_id, action, at=now, actor_id=user.user_id, named=store.Named(case_id=other))
