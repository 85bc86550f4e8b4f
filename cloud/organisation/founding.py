"""Filling a cloud with the sample district. Takes the caller's transaction."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import Connection

from cloud.access import areas, departments, passwords
from cloud.access.departments import DepartmentKind
from cloud.db.queries import load
from cloud.errors import Conflict
from cloud.organisation import exchange, patterns, tables
from cloud.organisation.exchange import Intake, TableKind
from cloud.organisation.sample import SampleDistrict

_queries = load("cloud.organisation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Founded:
    """What there is now of the sample."""

    areas: int
    accounts: int
    rows: dict[str, int]
    shifts: int


def found(
    conn: Connection[Any], district: SampleDistrict, *, now: datetime, zone: ZoneInfo, password: str | None = None
) -> Founded:
    """Take in areas, companies, people, sites, estates, teams and their shifts. A second time changes nothing.

    All sample people share `password`; without one nobody can sign in as them. Raises Conflict where another district
    has the same codes or names, Invalid for a password that can't be.
    """
    report = areas.take_in(conn, district.areas(), now=now)
    if report.problems or report.redrawn:
        raise Conflict(f"the codes of the sample are in use: {[*report.problems[:1], *report.redrawn[:1]]}")
    _hire(conn, district, password or secrets.token_urlsafe(24), now)
    intake, rows = Intake(now=now, zone=zone), {}
    for kind, table in _tables(district, now, zone).items():
        text = tables.write_csv([str(name) for name in table[0]], table[1:])
        taken = exchange.take_in_csv(conn, kind, text.encode(), intake)
        if not taken.taken:
            raise Conflict(f"the sample does not fit what is here: {kind.value}: {taken.problems[0]}")
        rows[kind.value] = sum(taken.outcomes.values())
    shifts = 0
    while (made := patterns.expand(conn, now=now, zone=zone))[0]:
        shifts += made[1]
    return Founded(areas=len(district.units), accounts=len(district.accounts()), rows=rows, shifts=shifts)


def _hire(conn: Connection[Any], district: SampleDistrict, password: str, now: datetime) -> None:
    known = {each.code for each in departments.usable(conn)}
    for code, name in district.companies():
        if code not in known:
            departments.add(conn, code=code, name=name, kind=DepartmentKind.PROPERTY, area_code=district.code, now=now)
    kept = passwords.hash_password(password)  # one for all: a thousand hashes would take a minute
    for each in district.accounts():
        _queries.insert_sample_account(
            conn,
            name=each.name,
            display_name=each.display_name,
            role=each.role.value,
            area_code=each.area_code,
            password_hash=kept,
            now=now,
        )


def _tables(district: SampleDistrict, now: datetime, zone: ZoneInfo) -> dict[TableKind, list[Sequence[object]]]:
    return {
        TableKind.SITES: district.sites(),
        TableKind.ESTATES: district.estates(),
        TableKind.BUILDINGS: district.buildings(),
        TableKind.MEMBERS: district.members(),
        TableKind.COVERS: district.covers(),
        TableKind.PATTERNS: district.patterns(now.astimezone(zone).date()),
    }
