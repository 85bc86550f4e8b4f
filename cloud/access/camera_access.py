"""Which departments' cameras somebody may look at: the rules as data. Takes the caller's transaction.

Evidence is another matter: who may work on a case sees what belongs to it, whosever camera took it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.access import audit
from cloud.access.model import Principal, Role
from cloud.access.sight import EVERYTHING, Sight, SightRule, decide
from cloud.db.queries import load
from cloud.errors import Forbidden, Invalid, NotFound

_queries = load("cloud.access")


@dataclass(frozen=True, slots=True, kw_only=True)
class SightRow:
    """A rule as it is listed, with the names of whom it concerns."""

    id: int
    rule: SightRule
    department: str | None
    account: str | None
    set_by: str
    set_at: datetime


def sight_of(conn: Connection[Any], user: Principal) -> Sight:
    """Whose cameras a person may look at, now."""
    rows = list(
        _queries.camera_access_of(conn, role=user.role.value, department_id=user.department_id, account_id=user.user_id)
    )
    department = _queries.code_of_department(conn, department_id=user.department_id) if user.department_id else None
    return decide(
        user.role,
        department,
        department_id=user.department_id,
        account_id=user.user_id,
        rules=[_rule(row) for row in rows],
    )


def devices_for(conn: Connection[Any], user: Principal) -> Sight:
    """Whose devices a person finds in lists: a department those that it may look at, everybody else all in his area."""
    return EVERYTHING if user.department_id is None else sight_of(conn, user)


def rules(conn: Connection[Any]) -> list[SightRow]:
    """All rules, by owner."""
    return [
        SightRow(
            id=row.id,
            rule=_rule(row),
            department=row.department,
            account=row.account,
            set_by=row.set_by,
            set_at=row.set_at,
        )
        for row in _queries.camera_access(conn)
    ]


def owners(conn: Connection[Any]) -> list[str]:
    """Whose cameras there are, as the devices tell it; empty for those that do not."""
    return [row.owner for row in _queries.camera_owners(conn)]


def put(conn: Connection[Any], rule: SightRule, *, actor: Principal, now: datetime, address: str) -> None:
    """Say that somebody may, or may not, look at an owner's cameras; an earlier word on the same is replaced.

    Raises Invalid for nobody or several, or for somebody who is not there, Forbidden for an administrator of a part of the district:
    rules hold everywhere.
    """
    _check_reach(actor)
    if sum(each is not None for each in (rule.role, rule.department_id, rule.account_id)) != 1:
        raise Invalid("a rule is for a role, a department, or a person: for one of them")
    if rule.department_id is not None and _queries.code_of_department(conn, department_id=rule.department_id) is None:
        raise Invalid("there is no such department")
    if rule.account_id is not None and not _queries.is_account(conn, account_id=rule.account_id):
        raise Invalid("there is no such account")
    who = {
        "role": rule.role.value if rule.role is not None else None,
        "department_id": rule.department_id,
        "account_id": rule.account_id,
    }
    _queries.lock_camera_access(conn)
    _queries.drop_camera_access(conn, owner=rule.owner, **who)
    _queries.insert_camera_access(conn, owner=rule.owner, allowed=rule.allowed, set_by=actor.name, now=now, **who)
    detail = {**who, "allowed": rule.allowed}
    audit.write(conn, "camera_access.set", f"cameras:{rule.owner}", actor=actor, address=address, detail=detail)


def drop(conn: Connection[Any], rule_id: int, *, actor: Principal, address: str) -> None:
    """Have the default hold again. Raises NotFound, Forbidden as `put`."""
    _check_reach(actor)
    row = _queries.delete_camera_access(conn, rule_id=rule_id)
    if row is None:
        raise NotFound("there is no such rule")
    detail = {"role": row.role, "department_id": row.department_id, "account_id": row.account_id}
    audit.write(conn, "camera_access.dropped", f"cameras:{row.owner}", actor=actor, address=address, detail=detail)


def _check_reach(actor: Principal) -> None:
    if actor.area_path:
        raise Forbidden("these rules hold in the whole district: ask an administrator of all of it")


def _rule(row: Any) -> SightRule:
    return SightRule(
        owner=row.owner,
        allowed=row.allowed,
        role=Role(row.role) if row.role is not None else None,
        department_id=row.department_id,
        account_id=row.account_id,
    )
