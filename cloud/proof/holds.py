"""Legal holds (法律保全): as long as a case is held none of its files is deleted, whoever else they belong to."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import Connection

from cloud.access import audit
from cloud.access.model import Principal, Role
from cloud.cases import service as cases
from cloud.cases import store as case_rows
from cloud.cases.model import HistoryAction
from cloud.db.queries import load
from cloud.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.proof.export import stated

MOST_HOLDS: Final = 20

IN_CHARGE: Final = frozenset({Role.DUTY_CHIEF, Role.ADMINISTRATOR})
"""Who sets holds and lifts them, each within his scope."""

_queries = load("cloud.proof")


@dataclass(frozen=True, slots=True)
class Hold:
    """Who holds a case, why, until when (None: until somebody lifts it), and who lifted it.

    `level` and `area` tell from where it was set; None: over everything. `may_lift`: whether the person who reads this may lift it.
    `unkept`: originals of the case that lie at their nodes alone, which could not promise to keep them.
    """

    id: int
    case_id: int
    reason: str
    until: datetime | None
    set_by: str
    set_at: datetime
    level: str | None
    area: str | None
    may_lift: bool
    lifted_by: str | None
    lifted_at: datetime | None
    lift_note: str | None
    unkept: int


def of_case(conn: Connection[Any], user: Principal, case_id: int) -> list[Hold]:
    """All that ever held a case. Raises NotFound, also outside of the person's scope."""
    if _queries.case_to_prove(conn, number=None, case_id=case_id, scope=user.area_path) is None:
        raise NotFound("there is no such case in your scope")
    return [_told(user, **row._asdict()) for row in _queries.holds_of(conn, case_id=case_id)]


def _told(user: Principal, *, set_in: str, **row: Any) -> Hold:
    may_lift = row["lifted_at"] is None and user.role in IN_CHARGE and user.sees(set_in)
    return Hold(may_lift=may_lift, **row)


def put(
    conn: Connection[Any],
    user: Principal,
    case_id: int,
    *,
    reason: str,
    until: datetime | None,
    now: datetime,
    address: str,
) -> list[Hold]:
    """Hold a case; all its holds come back. Raises NotFound, Invalid, Conflict where it has too many already."""
    reason = stated(reason)
    if until is not None and until <= now:
        raise Invalid("a hold ends in the future, or when somebody lifts it")
    # the row of the case: who deletes a file locks it too, and asks for holds only then
    case = _queries.lock_case(conn, case_id=case_id, scope=user.area_path)
    if case is None:
        raise NotFound("there is no such case in your scope")
    if sum(hold.lifted_at is None for hold in of_case(conn, user, case_id)) >= MOST_HOLDS:
        raise Conflict(f"a case has at most {MOST_HOLDS} holds at once")
    hold_id = _queries.add_hold(
        conn,
        case_id=case_id,
        reason=reason,
        until=until,
        set_by=user.user_id,
        set_at=now,
        set_in=user.area_path,
    )
    named = case_rows.Named(until=until)
    case_rows.add_event(conn, case_id, HistoryAction.HOLD_SET, at=now, actor_id=user.user_id, note=reason, named=named)
    detail = {"case": case_id, "hold": hold_id, "reason": reason, "until": None if until is None else until.isoformat()}
    audit.write(
        conn,
        "evidence.held",
        f"case:{case.number}",
        actor=user,
        area_path=case.area_path,
        address=address,
        detail=detail,
    )
    cases.announce(conn, case_id, "case.updated")
    return of_case(conn, user, case_id)


def lift(conn: Connection[Any], user: Principal, hold_id: int, *, note: str, now: datetime, address: str) -> list[Hold]:
    """End a hold; all holds of its case come back. It is lifted from the level that set it, or from above.

    Raises NotFound, Invalid, Forbidden from below, Conflict where it is lifted already.
    """
    note = stated(note)
    hold = _queries.hold(conn, hold_id=hold_id)
    case = None if hold is None else _queries.lock_case(conn, case_id=hold.case_id, scope=user.area_path)
    if hold is None or case is None:
        raise NotFound("there is no such hold in your scope")
    if not user.sees(hold.set_in):
        raise Forbidden("this hold was set from above: whoever set it, or somebody of that level, lifts it")
    if not _queries.lift_hold(conn, hold_id=hold_id, lifted_by=user.user_id, lifted_at=now, note=note):
        raise Conflict("the hold is lifted already")
    case_rows.add_event(conn, case.id, HistoryAction.HOLD_LIFTED, at=now, actor_id=user.user_id, note=note)
    detail = {"case": case.id, "hold": hold_id, "note": note}
    audit.write(
        conn,
        "evidence.hold_lifted",
        f"case:{case.number}",
        actor=user,
        area_path=case.area_path,
        address=address,
        detail=detail,
    )
    cases.announce(conn, case.id, "case.updated")
    return of_case(conn, user, case.id)
