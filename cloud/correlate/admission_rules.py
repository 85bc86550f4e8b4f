"""Admission rules as rows: what administrators say may become a case, and what became none by it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.access import areas, audit
from cloud.access.model import Principal
from cloud.correlate.admission import AdmissionRule, AdmissionWish, refusing
from cloud.db.queries import load
from cloud.errors import Conflict, Forbidden, Invalid, NotFound
from edge.contract.incident import Severity

__all__ = ["add", "admit", "check", "end", "everything", "in_force", "of_scope", "refusing", "unadmitted"]

_queries = load("cloud.correlate")


def in_force(conn: Connection[Any]) -> tuple[AdmissionRule, ...]:
    """The rules that hold, of all areas."""
    return tuple(_rule(row) for row in _queries.admission_rules(conn, with_ended=False, scope=""))


def everything(conn: Connection[Any], user: Principal) -> list[AdmissionRule]:
    """The rules that say something of a person's scope, the newest first, those that have ended too; each with how many there became no
    case by it.
    """
    return of_scope(conn, user.area_path)


def of_scope(conn: Connection[Any], scope: str) -> list[AdmissionRule]:
    """The same for the path of an area; empty for everywhere."""
    return [_rule(row) for row in _queries.admission_rules(conn, with_ended=True, scope=scope)]


def add(conn: Connection[Any], user: Principal, wish: AdmissionWish, *, now: datetime, address: str) -> AdmissionRule:
    """Make a rule for an area of the person's scope.

    Raises NotFound for another area, Forbidden for everywhere where that is not the person's scope, Invalid for a level that does not
    exist and for one that admits everything anyway, Conflict where another rule says something of just this.
    """
    area_path = check(conn, user, wish)
    rule_id = _queries.add_admission_rule(
        conn,
        area_code=wish.area_code,
        level=wish.level,
        category=wish.category,
        kind=wish.kind,
        admitted_from=wish.admitted_from.value,
        note=wish.note,
        made_by=user.name,
        made_at=now,
    )
    if rule_id is None:
        raise Conflict("a rule for just this holds already; end it first")
    audit.write(
        conn,
        "admission.add",
        f"admission:{rule_id}",
        actor=user,
        area_path=area_path or None,
        address=address,
        detail=_detail(wish),
    )
    return next(rule for rule in everything(conn, user) if rule.rule_id == rule_id)


def check(conn: Connection[Any], user: Principal, wish: AdmissionWish) -> str:
    """The path of the area that a rule is to hold for. Raises NotFound, Forbidden and Invalid as `add` does."""
    area_path = _reach(conn, user, wish.area_code)
    if wish.level is not None and wish.level not in areas.levels(conn):
        raise Invalid(f"there is no level {wish.level[:50]!r}")
    if wish.admitted_from is Severity.LOW:
        raise Invalid("what is admitted from low on is admitted anyway")
    return area_path


def end(conn: Connection[Any], user: Principal, rule_id: int, *, now: datetime, address: str) -> None:
    """A rule holds no longer; what became no case by it stays none. Raises NotFound, Forbidden for a rule that holds beyond the scope."""
    found = [rule for rule in everything(conn, user) if rule.rule_id == rule_id and rule.ended_at is None]
    if found and not found[0].area_path.startswith(user.area_path):
        raise Forbidden("a rule is ended by who sees all that it holds for")
    if not found or not _queries.end_admission_rule(conn, rule_id=rule_id, ended_by=user.name, ended_at=now):
        raise NotFound("no such rule holds")
    audit.write(
        conn,
        "admission.end",
        f"admission:{rule_id}",
        actor=user,
        area_path=found[0].area_path or None,
        address=address,
        detail=_detail(found[0]),
    )


def admit(conn: Connection[Any], row_id: int, case_id: int) -> None:
    """An incident that became no case becomes part of one after all."""
    _queries.admit(conn, id=row_id, case_id=case_id)


def unadmitted(
    conn: Connection[Any], user: Principal, *, rule_id: int | None, before: int | None, count: int
) -> Sequence[Any]:
    """Incidents of the person's scope that became no case, the newest first; rows of the API's incident."""
    return list(_queries.unadmitted(conn, scope=user.area_path, rule_id=rule_id, before=before, count=count))


def _reach(conn: Connection[Any], user: Principal, area_code: str | None) -> str:
    if area_code is not None:
        return areas.find_in_scope(conn, user, area_code).path
    if user.area_path:
        raise Forbidden("a rule for everywhere is made by who sees everything; name an area")
    return ""


def _detail(wish: AdmissionWish) -> dict[str, str | None]:
    return {
        "level": wish.level,
        "category": wish.category,
        "kind": wish.kind,
        "admitted_from": wish.admitted_from.value,
    }


def _rule(row: Any) -> AdmissionRule:
    return AdmissionRule(**row._asdict() | {"admitted_from": Severity(row.admitted_from)})
