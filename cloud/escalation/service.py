"""What people do with whistles: blow (吹哨), report in (报到), end; and what they see of clocks. One use case is one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.access import audit, departments
from cloud.access.model import Principal, Role
from cloud.cases import service as case_service
from cloud.cases import store as cases
from cloud.cases.model import RUNNING_STATUSES, CaseStatus, HistoryAction
from cloud.cases.store import Named
from cloud.db.queries import load
from cloud.deadlines import rulebook
from cloud.drills import store as drills
from cloud.errors import Conflict, Forbidden, Invalid, NotFound
from cloud.escalation import whistles
from cloud.escalation.roster import Duty, LevelArea, levels_above
from cloud.escalation.whistles import Blow

_queries = load("cloud.escalation")

BLOWERS = frozenset({Role.GRID_LEAD, Role.DISPATCHER, Role.DUTY_CHIEF, Role.ADMINISTRATOR})
IN_CHARGE = frozenset({Role.DUTY_CHIEF, Role.ADMINISTRATOR})
CALLED_MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """Somebody who was called: a department or a person, by when to come, and when he came."""

    id: int
    department: str | None
    person: str | None
    called_at: datetime
    due_at: datetime
    arrived_at: datetime | None
    arrived_by: str | None
    note: str | None
    overdue_at: datetime | None
    mine: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WhistleView:
    """One whistle; `blown_by` None: a deadline has passed."""

    id: int
    level: str
    blown_at: datetime
    blown_by: str | None
    note: str | None
    ended_at: datetime | None
    ended_by: str | None
    end_note: str | None
    calls: list[CallView]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whistles:
    """The whistles of a case, and the levels by which the reader may blow one."""

    items: list[WhistleView]
    levels: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningView:
    """Something that would let an escalation go unheard."""

    id: int
    kind: str
    area_code: str | None
    area_name: str | None
    account: str | None
    from_at: datetime
    until: datetime | None
    told: str | None
    raised_at: datetime


def check_seen(conn: Connection[Any], user: Principal, case_id: int) -> None:
    """Raise NotFound for a case that the person does not see."""
    _case(conn, user, case_id, lock=False)


def of_case(conn: Connection[Any], user: Principal, case_id: int) -> Whistles:
    """Raises NotFound, also outside of the person's scope."""
    case = _case(conn, user, case_id, lock=False)
    rows = list(_queries.whistles_of(conn, case_id=case_id))
    calls: dict[int, list[CallView]] = {row.id: [] for row in rows}
    for call in _queries.calls_of(conn, whistle_ids=list(calls)):
        calls[call.whistle_id].append(_call_view(call, user))
    items = [
        WhistleView(
            id=row.id,
            level=row.level,
            blown_at=row.blown_at,
            blown_by=row.blown_by,
            note=row.note,
            ended_at=row.ended_at,
            ended_by=row.ended_by,
            end_note=row.end_note,
            calls=calls[row.id],
        )
        for row in rows
    ]
    levels = [area.level for area in _levels_of(conn, user, case)] if user.role in BLOWERS and _runs(case) else []
    return Whistles(items=items, levels=levels)


def blow(
    conn: Connection[Any],
    user: Principal,
    case_id: int,
    *,
    level: str,
    called: Sequence[int],
    note: str,
    now: datetime,
    address: str,
) -> Whistles:
    """Call departments, and whoever answers for that level, to a case.

    Raises NotFound, Forbidden for who may not blow or a level above the person's own, Invalid for departments that can't come,
    Conflict for a case that is over or where all of them were called already.
    """
    if user.role not in BLOWERS:
        raise Forbidden(f"the role {user.role} blows no whistle")
    case = _case(conn, user, case_id)
    if not _runs(case):
        raise Conflict(f"a case that is {case.status} needs nobody any more")
    area = next((each for each in _levels_of(conn, user, case) if each.level == level), None)
    if area is None:
        raise Forbidden("that level lies above your own, or this case has none such")
    if not called or len(set(called)) > CALLED_MOST:
        raise Invalid(f"call 1 to {CALLED_MOST} departments")
    for department_id in called:
        departments.check_usable(conn, department_id, area_path=case.area_path)
        drills.check_department(conn, case_id, department_id)
    people = [person for person in Duty().answering(conn, area, at=now) if person.account_id != user.user_id]
    whistle_id = whistles.blow(
        conn,
        case,
        Blow(
            case_id=case_id,
            level=area,
            at=now,
            by=user.user_id,
            note=note or None,
            departments=sorted(set(called)),
            people=people[: whistles.CALLED_MOST],
        ),
        rulebook.read(conn),
    )
    if whistle_id is None:
        raise Conflict("all of them were called by this level already")
    audit.write(
        conn,
        "whistle.blown",
        f"case:{case_id}",
        actor=user,
        area_path=case.area_path,
        address=address,
        detail={"level": level, "departments": sorted(set(called))},
    )
    case_service.announce(conn, case_id, "case.updated")
    return of_case(conn, user, case_id)


def arrive(
    conn: Connection[Any],
    user: Principal,
    case_id: int,
    whistle_id: int,
    call_id: int,
    *,
    note: str,
    now: datetime,
    address: str,
) -> Whistles:
    """Report in (报到): for one's own department, for oneself; who is in charge of that level may do it for others.

    Raises NotFound, Forbidden, Conflict when that was done already or the whistle is over.
    """
    case = _case(conn, user, case_id)
    call = _queries.call_for_update(conn, call_id=call_id, whistle_id=whistle_id)
    if call is None or call.case_id != case_id:
        raise NotFound("nobody was called so")
    own = _is_called(call, user)
    if not own and not _is_in_charge(user, call.area_path):
        raise Forbidden("somebody else was called")
    if call.ended_at is not None:
        raise Conflict("this whistle is over")
    if not _queries.arrive(conn, at=now, account_id=user.user_id, note=note or None, call_id=call_id):
        raise Conflict("they have reported in already")
    cases.add_event(
        conn,
        case_id,
        HistoryAction.WHISTLE_ANSWERED.value,
        at=now,
        actor_id=user.user_id,
        reason=call.level,
        note=note or None,
        named=Named(person_id=call.account_id, department_id=call.department_id),
    )
    audit.write(
        conn, "whistle.answered", f"case:{case_id}", actor=user, area_path=case.area_path, address=address, detail={}
    )
    case_service.announce(conn, case_id, "case.updated")
    return of_case(conn, user, case_id)


def end(
    conn: Connection[Any],
    user: Principal,
    case_id: int,
    whistle_id: int,
    *,
    note: str,
    now: datetime,
    address: str,
) -> Whistles:
    """End a whistle: whoever blew it, or is in charge; with a note where somebody has not come.

    Raises NotFound, Forbidden, Invalid, Conflict when it is over.
    """
    case = _case(conn, user, case_id)
    whistle = _queries.whistle_by_id(conn, whistle_id=whistle_id)
    if whistle is None or whistle.case_id != case_id:
        raise NotFound("there is no such whistle")
    if whistle.blown_by != user.user_id and not _is_in_charge(user, whistle.area_path):
        raise Forbidden("who blew it ends it, or who is in charge of that level")
    missing = [call for call in _queries.calls_of(conn, whistle_ids=[whistle_id]) if call.arrived_at is None]
    if missing and not note:
        raise Invalid("somebody has not come: say in a note why that is over")
    if not _queries.end_whistle(conn, at=now, account_id=user.user_id, note=note or None, whistle_id=whistle_id):
        raise Conflict("this whistle is over already")
    cases.add_event(
        conn,
        case_id,
        HistoryAction.WHISTLE_ENDED.value,
        at=now,
        actor_id=user.user_id,
        reason=whistle.level,
        note=note or None,
    )
    audit.write(
        conn, "whistle.ended", f"case:{case_id}", actor=user, area_path=case.area_path, address=address, detail={}
    )
    case_service.announce(conn, case_id, "case.updated")
    return of_case(conn, user, case_id)


def warnings(conn: Connection[Any], user: Principal, *, count: int = 500) -> list[WarningView]:
    """What would go unheard in a person's scope, the next first."""
    return [
        WarningView(
            id=row.id,
            kind=row.kind,
            area_code=row.area_code,
            area_name=row.area_name,
            account=row.account,
            from_at=row.from_at,
            until=row.until,
            told=row.told,
            raised_at=row.raised_at,
        )
        for row in _queries.warnings(conn, scope=user.area_path, count=count)
    ]


def _case(conn: Connection[Any], user: Principal, case_id: int, *, lock: bool = True) -> Any:
    case = _queries.case_in_scope(conn, case_id=case_id, scope=user.area_path, department=user.department_id)
    if case is None:
        raise NotFound("there is no such case in your scope")
    return _queries.case_of(conn, case_id=case_id) if lock else case


def _runs(case: Any) -> bool:
    return CaseStatus(case.status) in RUNNING_STATUSES


def _levels_of(conn: Connection[Any], user: Principal, case: Any) -> list[LevelArea]:
    """The levels of a case that lie in a person's scope: he calls for his own and for those below."""
    bounds = drills.bounds(conn, case.id) if case.drill else None
    highest = "" if bounds is None else bounds.area_path
    above = levels_above(conn, case.area_path, at=case.opened_at)
    return [area for area in above if user.sees(area.path) and area.path.startswith(highest)]


def _is_in_charge(user: Principal, area_path: str) -> bool:
    return user.role in IN_CHARGE and user.sees(area_path)


def _is_called(call: Any, user: Principal) -> bool:
    if call.department_id is not None:
        return bool(call.department_id == user.department_id)
    return bool(call.account_id == user.user_id)


def _call_view(row: Any, user: Principal) -> CallView:
    return CallView(
        id=row.id,
        department=row.department,
        person=row.person,
        called_at=row.called_at,
        due_at=row.due_at,
        arrived_at=row.arrived_at,
        arrived_by=row.arrived_by,
        note=row.arrival_note,
        overdue_at=row.overdue_at,
        mine=_is_called(row, user),
    )
