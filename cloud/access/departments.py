"""Who handles cases: departments (专业部门), property companies (物业), teams of members. Takes the caller's transaction."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg import Connection

from cloud.access import areas, audit
from cloud.access.model import Principal, codes_of
from cloud.db.queries import load
from cloud.errors import Conflict, Invalid

_queries = load("cloud.access")


class DepartmentKind(StrEnum):
    """专业部门, 物业, 队伍."""

    DEPARTMENT = "department"
    PROPERTY = "property"
    TEAM = "team"


MEMBERS = frozenset({DepartmentKind.PROPERTY, DepartmentKind.TEAM})
"""To whom residents' requests are published (派单)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Department:
    """One that cases are dispatched to. `area_code` is where it works, None for everywhere."""

    id: int
    code: str
    name: str
    kind: DepartmentKind
    area_code: str | None


def add(
    conn: Connection[Any],
    *,
    code: str,
    name: str,
    kind: DepartmentKind = DepartmentKind.DEPARTMENT,
    area_code: str | None = None,
    now: datetime,
    actor: Principal | None = None,
) -> int:
    """Add a department; its id comes back. Raises Invalid, and Conflict when the code is taken."""
    if area_code is not None and areas.find(conn, area_code) is None:
        raise Invalid(f"no valid area has the code {area_code!r}")
    department_id: int | None = _queries.insert_department(
        conn, code=code, name=name, kind=kind.value, area_code=area_code, now=now
    )
    if department_id is None:
        raise Conflict(f"there is already a department {code!r}")
    audit.write(
        conn,
        "department.added",
        f"department:{code}",
        actor=actor,
        actor_name=None if actor is not None else "command line",
        detail={"kind": kind.value, "area": area_code},
    )
    return department_id


def usable(conn: Connection[Any]) -> list[Department]:
    """Those that work, by their names."""
    return [
        Department(id=row.id, code=row.code, name=row.name, kind=DepartmentKind(row.kind), area_code=row.area_code)
        for row in _queries.departments(conn)
    ]


def by_code(conn: Connection[Any], code: str) -> int:
    """The id of the department with a code. Raises Invalid when none that works has it."""
    department_id: int | None = _queries.department_by_code(conn, code=code)
    if department_id is None:
        raise Invalid(f"there is no department {code!r}")
    return department_id


def in_area(
    conn: Connection[Any], area_path: str, *, kinds: Collection[DepartmentKind] = frozenset(DepartmentKind)
) -> list[Department]:
    """Those of some kinds that work where something lies, by their names."""
    codes = codes_of(area_path)
    return [each for each in usable(conn) if each.kind in kinds and each.area_code in {None, *codes}]


def in_scope(conn: Connection[Any], scope: str) -> list[Department]:
    """Those that work in a scope, or in all of what it lies in, by their names."""
    above = codes_of(scope)
    here = [each for each in usable(conn) if each.area_code is not None and each.area_code not in above]
    inside = {each.id for each in here if _lies_in(conn, each.area_code, scope)}
    return [each for each in usable(conn) if each not in here or each.id in inside]


def check_usable(conn: Connection[Any], department_id: int, *, area_path: str) -> None:
    """Raise Invalid when no department with this id works where something lies."""
    if all(department.id != department_id for department in in_area(conn, area_path)):
        raise Invalid("there is no such department here, or it is closed")


def _lies_in(conn: Connection[Any], code: str | None, scope: str) -> bool:
    area = areas.find(conn, code) if code is not None else None
    return area is not None and area.path.startswith(scope)
