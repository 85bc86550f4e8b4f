"""Whom a shift, a team or a swap can name: people with an account, and where they work. Takes the caller's transaction."""

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from cloud.access import areas
from cloud.access.model import Area, Principal, scope_of
from cloud.db.queries import load
from cloud.errors import Invalid

_queries = load("cloud.organisation")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account that is in use. `scope` as in `Principal.area_path`."""

    account_id: int
    name: str
    display_name: str
    role: str
    scope: str


def person(conn: Connection[Any], account_id: int) -> Person:
    """Raises Invalid for an account that is not there or closed."""
    return _person(_queries.usable_account(conn, account_id=account_id))


def person_named(conn: Connection[Any], name: str) -> Person:
    """The same by the name with which he signs in."""
    return _person(_queries.usable_account_by_name(conn, name=name.replace("\x00", "")[:64]))


def _person(row: Any) -> Person:
    if row is None:
        raise Invalid("there is no such account in use")
    return Person(row.id, row.name, row.display_name, row.role, scope_of(row.area_code, row.area_path))


def area_for(conn: Connection[Any], code: str, actor: Principal | None) -> Area:
    """The area of a code, in the scope of who acts (None: the command line). Raises NotFound, Invalid."""
    if actor is not None:
        return areas.find_in_scope(conn, actor, code)
    area = areas.find(conn, code)
    if area is None:
        raise Invalid(f"no valid area has the code {code!r}")
    return area


def name_of(actor: Principal | None) -> str | None:
    """What the audit log says where no account acts."""
    return None if actor is not None else "command line"
