"""Real danger in a drill (转为实战): with one step a case, and all that hangs together with it, leaves the drill.

Takes the caller's transaction. The way back does not exist: what was declared real is judged as such, like any other case.
"""

from datetime import datetime
from typing import Any, Final

from psycopg import Connection

from cloud.access import audit
from cloud.access.model import Principal, Role
from cloud.cases import service, store
from cloud.cases.model import CaseStatus, HistoryAction
from cloud.cases.view import CaseDetail
from cloud.db.queries import load
from cloud.drills import store as drills
from cloud.drills.model import DrillAction
from cloud.errors import Conflict, Forbidden

_queries = load("cloud.cases")

DECLARERS: Final = frozenset(Role) - {Role.AUDITOR, Role.MAINTAINER}
"""Whoever may be at the spot or at the desk: to take danger seriously nobody has to ask."""


def make_real(
    conn: Connection[Any], user: Principal, case_id: int, *, note: str | None, now: datetime, address: str
) -> CaseDetail:
    """Declare the case of a drill real; it comes back as it stands afterwards.

    With it go the cases that share an incident with it, those that it took in or that took it in, their incidents and their future:
    what the devices that found them find from now on is real too. Raises Forbidden, NotFound, Conflict for a case that is no drill's.
    """
    if user.role not in DECLARERS:
        raise Forbidden(f"the role {user.role} declares nothing real")
    store.lock_mergers(conn, alone=True)
    service.check_visible(conn, user, case_id)
    tied = sorted(row.id for row in _queries.tied_cases(conn, case_id=case_id))
    before = {row.id: row for row in _queries.drilled_cases(conn, case_ids=tied)}
    if case_id not in before:
        raise Conflict("this case is no drill")
    finders = list(_queries.finders_of(conn, case_ids=sorted(before)))
    _queries.end_drilling(conn, case_ids=sorted(before))
    _queries.incidents_are_real(conn, case_ids=sorted(before))
    for finder in finders:
        drills.leave(conn, finder.drill_id, finder.node, finder.device, at=now)
    for each in sorted(before):
        named = store.Named(case_id=case_id if each != case_id else None)
        store.add_event(conn, each, HistoryAction.MADE_REAL, at=now, actor_id=user.user_id, note=note, named=named)
        service.announce(conn, each, "case.updated")
    row = before[case_id]
    if row.drill_id is not None:
        drills.add_step(
            conn, row.drill_id, DrillAction.MADE_REAL, at=now, actor_id=user.user_id, case_id=case_id, note=note
        )
    audit.write(
        conn,
        "case.made_real",
        f"case:{case_id}",
        actor=user,
        area_path=row.area_path,
        address=address,
        detail={"drill": row.drill_id, "cases": sorted(before), "status": CaseStatus(row.status).value},
    )
    return service.detail(conn, user, case_id, now=now)
