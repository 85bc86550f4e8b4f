"""Who works here, by role and area: names alone, for those who send them. Takes the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection

from cloud.access.model import Principal, Role, scope_of
from cloud.db.queries import load

_queries = load("cloud.access")

MOST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with an account that is open. `area` is the name of where he works, None for everywhere."""

    id: int
    display_name: str
    role: Role
    area: str | None


def find(
    conn: Connection[Any], user: Principal, *, roles: Sequence[Role], seeing: str | None, count: int
) -> list[Person]:
    """By their names, at most so many: those in the person's scope, or those who see what lies at a path (nearest first)."""
    rows = _queries.people(conn, roles=[role.value for role in roles], scope=user.area_path, seeing=seeing, count=count)
    return [
        Person(id=row.id, display_name=row.display_name, role=Role(row.role), area=row.area)
        for row in rows
        if seeing is None or seeing.startswith(scope_of(row.area_code, row.area_path))
    ]
