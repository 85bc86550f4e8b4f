"""Starting, prolonging and ending drills; what people see of them. One use case is one transaction of the caller's connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import Connection

from cloud.access import areas, audit, departments
from cloud.access.model import Principal, Role
from cloud.db import live
from cloud.db.queries import load
from cloud.drills import store
from cloud.drills.model import WEEK, ChosenSource, DrillAction, Drilled, DrillWish, check_end, check_week, check_wish
from cloud.errors import Conflict, Forbidden, Invalid, NotFound

_queries = load("cloud.drills")

STARTERS: Final = frozenset({Role.DUTY_CHIEF, Role.ADMINISTRATOR})
"""Who starts, prolongs and ends drills in his area."""

AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A drill as lists and the banner show it. `running` at the time of asking; `may_end`: the reader may end it.

    `going_on`: what was found for it and was not told to be over. It is real as soon as it is told again after the end.
    """

    id: int
    name: str
    purpose: str
    area_code: str
    area_name: str | None
    reports: bool
    channels: bool
    started_at: datetime
    started_by: str | None
    planned_end_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    cases: int
    going_on: int
    running: bool
    may_end: bool


def start(conn: Connection[Any], actor: Principal, wish: DrillWish, *, now: datetime, address: str) -> Drill:
    """Start a drill now. Raises Forbidden, NotFound (no such area in his scope), Invalid, Conflict where another one has the same
    sources, or they took part in too much of the week.
    """
    _check_role(actor)
    area = areas.find_in_scope(conn, actor, wish.area_code)
    check_wish(wish, now=now)
    _check_departments(conn, wish, area.path)
    _queries.lock_starting(conn)
    _check_sources(conn, wish.sources, area.path, now=now)
    _check_week(conn, wish.sources, None, started_at=now, until=wish.planned_end_at, now=now)
    drill_id: int = _queries.insert_drill(
        conn,
        name=wish.name,
        purpose=wish.purpose,
        area_code=area.code,
        area_path=area.path,
        reports=wish.reports,
        channels=wish.channels,
        started_at=now,
        started_by=actor.user_id,
        planned_end_at=wish.planned_end_at,
    )
    _queries.insert_sources(
        conn,
        drill_id=drill_id,
        nodes=[source.node for source in wish.sources],
        devices=[source.device for source in wish.sources],
        rules=[source.rule for source in wish.sources],
    )
    _queries.insert_departments(conn, drill_id=drill_id, department_ids=list(wish.departments))
    store.add_step(conn, drill_id, DrillAction.STARTED, at=now, actor_id=actor.user_id, until=wish.planned_end_at)
    detail = {
        "name": wish.name,
        "until": wish.planned_end_at.isoformat(),
        "sources": len(wish.sources),
        "reports": wish.reports,
    }
    audit.write(
        conn, "drill.started", f"drill:{drill_id}", actor=actor, area_path=area.path, address=address, detail=detail
    )
    return _announced(conn, actor, drill_id, "drill.started", now=now)


def prolong(
    conn: Connection[Any], actor: Principal, drill_id: int, *, until: datetime, now: datetime, address: str
) -> Drill:
    """Have a running drill end later, or earlier. Raises Forbidden, NotFound, Invalid, Conflict for one that is over, or where too little
    of the week would be real.
    """
    row = _running(conn, actor, drill_id, now=now)
    check_end(until, started_at=row.started_at, now=now)
    if until > row.planned_end_at:  # an earlier end takes nothing more
        chosen = [ChosenSource(*each) for each in _queries.sources_chosen(conn, drill_id=drill_id)]
        _check_week(conn, chosen, drill_id, started_at=row.started_at, until=until, now=now)
    _queries.prolong(conn, planned_end_at=until, drill_id=drill_id)
    store.add_step(conn, drill_id, DrillAction.PROLONGED, at=now, actor_id=actor.user_id, until=until)
    audit.write(
        conn,
        "drill.prolonged",
        f"drill:{drill_id}",
        actor=actor,
        area_path=row.area_path,
        address=address,
        detail={"until": until.isoformat(), "before": row.planned_end_at.isoformat()},
    )
    return _announced(conn, actor, drill_id, "drill.updated", now=now)


def end(conn: Connection[Any], actor: Principal, drill_id: int, *, now: datetime, address: str) -> Drill:
    """End a drill now. Raises Forbidden, NotFound, Conflict for one that is over."""
    row = _running(conn, actor, drill_id, now=now)
    _queries.end_drill(conn, ended_at=now, ended_by=actor.user_id, drill_id=drill_id)
    store.add_step(conn, drill_id, DrillAction.ENDED, at=now, actor_id=actor.user_id)
    audit.write(
        conn, "drill.ended", f"drill:{drill_id}", actor=actor, area_path=row.area_path, address=address, detail={}
    )
    return _announced(conn, actor, drill_id, "drill.ended", now=now)


def end_due(conn: Connection[Any], *, now: datetime) -> int:
    """End the drills whose planned end has come, as of that time; how many. May be run at any time, by anyone, twice."""
    due = list(_queries.due(conn, now=now, count=AT_ONCE))
    for row in due:
        _queries.end_drill(conn, ended_at=row.planned_end_at, ended_by=None, drill_id=row.id)
        store.add_step(conn, row.id, DrillAction.ENDED, at=row.planned_end_at, actor_id=None)
        ended = _queries.drill(conn, drill_id=row.id)
        audit.write(
            conn, "drill.ended", f"drill:{row.id}", actor_name="planned end", area_path=ended.area_path, detail={}
        )
        live.emit_at(conn, "drill.ended", ended.area_path, _payload(ended))
    return len(due)


def page(
    conn: Connection[Any],
    user: Principal,
    *,
    now: datetime,
    running: bool = False,
    before: int | None = None,
    count: int = 50,
) -> list[Drill]:
    """The drills that concern a person's area, inside of it or around it, the newest first; of a department those with it."""
    rows = _queries.drills(
        conn,
        scope=user.area_path,
        department=user.department_id,
        running=running,
        now=now,
        before=before,
        count=count,
    )
    return [_view(row, user, now) for row in rows]


def find(conn: Connection[Any], user: Principal, drill_id: int, *, now: datetime) -> Drill:
    """Raises NotFound, also for a drill that does not concern the person's area."""
    return _view(row_in_scope(conn, user, drill_id), user, now)


def row_in_scope(conn: Connection[Any], user: Principal, drill_id: int) -> Any:
    """Raises NotFound, also for a drill that does not concern the person's area."""
    row = _queries.drill(conn, drill_id=drill_id)
    if row is None or not (user.sees(row.area_path) or user.area_path.startswith(row.area_path)):
        raise NotFound("there is no such drill in your scope")
    return row


def _check_role(actor: Principal) -> None:
    if actor.role not in STARTERS:
        raise Forbidden(f"the role {actor.role} starts and ends no drill")


def _check_departments(conn: Connection[Any], wish: DrillWish, area_path: str) -> None:
    for department_id in wish.departments:
        departments.check_usable(conn, department_id, area_path=area_path)


def _check_sources(conn: Connection[Any], sources: Sequence[ChosenSource], area_path: str, *, now: datetime) -> None:
    nodes = sorted({source.node for source in sources})
    if not nodes:
        return
    paths = {(row.node, row.device): row.path for row in _queries.paths_of(conn, nodes=nodes)}
    for source in sources:
        path = paths.get((source.node, source.device))
        if path is None or not path.startswith(area_path):
            raise Invalid(f"nothing of this name lies in the area of the drill: {source.node} {source.device}".rstrip())
    running = list(_queries.running_sources(conn, nodes=nodes, now=now))
    for row in running:
        other = ChosenSource(row.node, row.device, row.rule)
        if any(source.meets(other) for source in sources):
            raise Conflict(f"{f'{row.node} {row.device}'.rstrip()} takes part in another drill that runs: {row.name}")


def _check_week(
    conn: Connection[Any],
    sources: Sequence[ChosenSource],
    drill_id: int | None,
    *,
    started_at: datetime,
    until: datetime,
    now: datetime,
) -> None:
    nodes = sorted({source.node for source in sources})
    rows = _queries.drilled(conn, nodes=nodes, from_at=min(now, until) - WEEK, except_id=drill_id)
    others = [Drilled(ChosenSource(row.node, row.device, row.rule), row.started_at, row.until) for row in rows]
    check_week(sources, others, started_at=started_at, until=until, now=now)


def _running(conn: Connection[Any], actor: Principal, drill_id: int, *, now: datetime) -> Any:
    _check_role(actor)
    row = _queries.lock_drill(conn, drill_id=drill_id)
    if row is None or not actor.sees(row.area_path):
        raise NotFound("there is no such drill in your scope")
    if row.ended_at is not None or row.planned_end_at <= now:
        raise Conflict("the drill is over")
    return row


def _announced(conn: Connection[Any], actor: Principal, drill_id: int, kind: str, *, now: datetime) -> Drill:
    row = _queries.drill(conn, drill_id=drill_id)
    live.emit_at(conn, kind, row.area_path, _payload(row))
    return _view(row, actor, now)


def _payload(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "area_code": row.area_code,
        "departments": list(row.departments),
        "planned_end_at": row.planned_end_at.isoformat(),
        "going_on": row.going_on,
        "ended_at": row.ended_at.isoformat() if row.ended_at is not None else None,
    }


def _view(row: Any, user: Principal, now: datetime) -> Drill:
    runs = row.ended_at is None and row.planned_end_at > now
    return Drill(
        id=row.id,
        name=row.name,
        purpose=row.purpose,
        area_code=row.area_code,
        area_name=row.area_name,
        reports=row.reports,
        channels=row.channels,
        started_at=row.started_at,
        started_by=row.started_by_name,
        planned_end_at=row.planned_end_at,
        ended_at=row.ended_at if row.ended_at is not None else (None if runs else row.planned_end_at),
        ended_by=row.ended_by_name,
        cases=row.cases,
        going_on=row.going_on,
        running=runs,
        may_end=runs and user.role in STARTERS and user.sees(row.area_path),
    )
