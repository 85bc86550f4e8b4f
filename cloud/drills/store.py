"""Drills as the other parts need them: what is exercised now, whom a case may reach. Takes a connection, never commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.access.departments import Department
from cloud.db.queries import load
from cloud.drills.model import ChosenSource, DrillAction, DrillBounds, Exercise, Exercised
from cloud.errors import Invalid
from edge.contract.incident import Severity

_queries = load("cloud.drills")


def exercises(
    conn: Connection[Any], nodes: Sequence[str], *, from_at: datetime, to_at: datetime
) -> tuple[Exercise, ...]:
    """The drills that chose something of these nodes and lasted at some time of a window."""
    return tuple(
        Exercise(
            drill_id=row.drill_id,
            area_path=row.area_path,
            started_at=row.started_at,
            until=row.until,
            sources=frozenset(ChosenSource(*source) for source in row.sources),
            left=frozenset((node, device) for node, device in row.left_by),
        )
        for row in _queries.exercises(conn, nodes=sorted(set(nodes)), from_at=from_at, to_at=to_at)
    )


def for_reports(conn: Connection[Any], area_path: str, *, now: datetime) -> int | None:
    """The running drill into which people may report at a place, None where there is none."""
    drill_id: int | None = _queries.drill_for_reports(conn, area_path=area_path, now=now)
    return drill_id


def bounds(conn: Connection[Any], case_id: int) -> DrillBounds | None:
    """Whom a drill's case may reach; None for a real one. One that was marked without a drill reaches no farther than its own area."""
    row = _queries.bounds_of_case(conn, case_id=case_id)
    if row is None:
        return None
    return DrillBounds(
        area_path=row.area_path,
        departments=frozenset(row.departments),
        channels=row.channels,
        started_by=row.started_by,
    )


def of_case(conn: Connection[Any], case_id: int) -> int | None:
    """The drill of a case, None for a real one."""
    drill_id: int | None = _queries.drill_of_case(conn, case_id=case_id)
    return drill_id


def mark_case(conn: Connection[Any], case_id: int, drill_id: int) -> None:
    """Say of which drill a case is that was opened as part of one."""
    _queries.mark_case(conn, drill_id=drill_id, case_id=case_id)


def mark_incident(conn: Connection[Any], row_id: int, drill_id: int) -> None:
    """Say of which drill a new incident is."""
    _queries.mark_incident(conn, drill_id=drill_id, row_id=row_id)


def exercised(conn: Connection[Any], row_id: int) -> Exercised | None:
    """What is known of an incident of a drill; None for a real one."""
    row = _queries.exercised_incident(conn, row_id=row_id)
    if row is None:
        return None
    return Exercised(revision=row.revision, severity=Severity(row.severity), until=row.until)


def release(conn: Connection[Any], row_id: int) -> None:
    """Take an incident out of its drill, and out of the cases of it: it goes on as real."""
    _queries.release_incident(conn, row_id=row_id)
    _queries.release_from_cases(conn, row_id=row_id)


def check_department(conn: Connection[Any], case_id: int, department_id: int) -> None:
    """Raise Invalid where a drill's case would go to a department that takes no part in it."""
    within = bounds(conn, case_id)
    if within is not None and department_id not in within.departments:
        raise Invalid(
            "this case is a drill, in which that department takes no part; declare it real where there is danger"
        )


def taking_part(conn: Connection[Any], case_id: int, offered: Sequence[Department]) -> list[Department]:
    """Of departments those that a case may be told to: all of them for a real one, else those that take part."""
    within = bounds(conn, case_id)
    return [each for each in offered if within is None or each.id in within.departments]


def leave(conn: Connection[Any], drill_id: int, node: str, device: str, *, at: datetime) -> None:
    """Have a device take part no longer: what it finds from now on is real."""
    _queries.leave(conn, drill_id=drill_id, node=node, device=device, at=at)


def add_step(
    conn: Connection[Any],
    drill_id: int,
    action: DrillAction,
    *,
    at: datetime,
    actor_id: int | None,
    until: datetime | None = None,
    case_id: int | None = None,
    note: str | None = None,
) -> None:
    """Note what happened to a drill."""
    _queries.insert_step(
        conn, drill_id=drill_id, at=at, actor_id=actor_id, action=action.value, until=until, case_id=case_id, note=note
    )
