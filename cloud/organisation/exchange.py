"""Tables of the organisation in and out: one kind of row each, a report of every bad cell, all of a file or nothing of it.

Takes the caller's transaction.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg
from psycopg import Connection

from cloud.access import areas, audit
from cloud.access.model import Principal
from cloud.db.queries import load
from cloud.errors import Invalid, Permanent
from cloud.organisation import duty, patterns, places, tables
from cloud.organisation.duty import ShiftWish
from cloud.organisation.model import DutyKind, MemberKind, SiteKind
from cloud.organisation.patterns import PatternWish
from cloud.organisation.people import name_of, person_named
from cloud.organisation.places import Outcome
from cloud.organisation.rota import Pattern
from cloud.organisation.tables import Column, Row, TableProblem, matching, number_of, text_of, word_of

_queries = load("cloud.organisation")

MOST_TOLD: Final = 1_000
"""So many problems a report names; the rest it counts."""

_AREA: Final = matching(r"[0-9A-Za-z-]{1,32}", "the code of an area")
_CODE: Final = matching(r"[0-9A-Za-z_-]{1,32}", "a code of 1 to 32 letters, digits, dashes and underscores")
_ACCOUNT: Final = matching(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", "the name of an account")
_PHONE: Final = matching(r"[+0-9][0-9 -]{2,24}", "a phone number")
_PLACE: Final = (
    Column("longitude", tables.degrees_of(180), required=False),
    Column("latitude", tables.degrees_of(90), required=False),
)
_CLOSED: Final = Column("closed", tables.yes, required=False)


class TableKind(StrEnum):
    """What a table can hold."""

    SITES = "sites"
    ESTATES = "estates"
    BUILDINGS = "buildings"
    MEMBERS = "members"
    COVERS = "covers"
    PATTERNS = "patterns"
    SHIFTS = "shifts"


COLUMNS: Final[Mapping[TableKind, tuple[Column, ...]]] = {
    TableKind.SITES: (
        Column("code", _CODE),
        Column("kind", word_of(SiteKind)),
        Column("name", text_of(200)),
        Column("area", _AREA),
        *_PLACE,
        Column("address", text_of(300), required=False),
        Column("hours", tables.week_hours, required=False),
        _CLOSED,
    ),
    TableKind.ESTATES: (
        Column("code", _CODE),
        Column("name", text_of(200)),
        Column("area", _AREA),
        Column("property", _CODE, required=False),
        *_PLACE,
        Column("address", text_of(300), required=False),
        _CLOSED,
    ),
    TableKind.BUILDINGS: (
        Column("estate", _CODE),
        Column("code", _CODE),
        Column("name", text_of(200)),
        Column("area", _AREA),
        Column("floors", number_of(1, 300), required=False),
        Column("households", number_of(0, 100_000), required=False),
        *_PLACE,
        _CLOSED,
    ),
    TableKind.MEMBERS: (
        Column("area", _AREA),
        Column("kind", word_of(MemberKind)),
        Column("name", text_of(100)),
        Column("phone", _PHONE, required=False),
        Column("account", _ACCOUNT, required=False),
        Column("left", tables.yes, required=False),
    ),
    TableKind.COVERS: (
        Column("area", _AREA),
        Column("level", matching(r"[a-z0-9_]{1,32}", "a level")),
        Column("kind", word_of(DutyKind)),
        Column("hours", tables.week_hours),
    ),
    TableKind.PATTERNS: (
        Column("account", _ACCOUNT),
        Column("area", _AREA),
        Column("kind", word_of(DutyKind)),
        Column("weekdays", tables.weekdays),
        Column("begins", tables.clock),
        Column("lasts_min", number_of(15, 1_440)),
        Column("first_day", tables.day),
        Column("last_day", tables.day, required=False),
        Column("every_weeks", number_of(1, 12), required=False),
    ),
    TableKind.SHIFTS: (
        Column("account", _ACCOUNT),
        Column("area", _AREA),
        Column("kind", word_of(DutyKind)),
        Column("from", tables.minute),
        Column("until", tables.minute),
    ),
}


@dataclass(slots=True)
class TableReport:
    """What became of a table. `taken` is False where a bad row kept all of it out."""

    kind: TableKind
    taken: bool = True
    outcomes: dict[Outcome, int] = field(default_factory=dict)
    skipped: int = 0
    problems: list[TableProblem] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """How a table is taken in, by whom, and when."""

    now: datetime
    zone: ZoneInfo
    actor: Principal | None = None
    skips_bad: bool = False


def take_in_csv(conn: Connection[Any], kind: TableKind, data: bytes, intake: Intake) -> TableReport:
    """Take in CSV. One bad row and nothing is taken, unless `skips_bad`. Raises Invalid, TooLarge for what is no table."""
    rows, problems = tables.read_csv(tables.decode(data), COLUMNS[kind])
    return _take_in(conn, kind, rows, problems, intake)


def take_in_points(conn: Connection[Any], kind: TableKind, document: object, intake: Intake) -> TableReport:
    """The same of GeoJSON points."""
    rows, problems = tables.read_points(document, COLUMNS[kind])
    return _take_in(conn, kind, rows, problems, intake)


def _take_in(
    conn: Connection[Any], kind: TableKind, rows: Sequence[Row], problems: list[TableProblem], intake: Intake
) -> TableReport:
    report = TableReport(kind, problems=problems)
    bad = {problem.line for problem in problems}
    with suppress(psycopg.Rollback), conn.transaction() as whole:
        for row in rows:
            try:
                with conn.transaction():
                    outcome = _TAKE[kind](conn, row.values, intake)
            except Permanent as error:
                problems.append(TableProblem(row.line, None, str(error)))
                bad.add(row.line)
                continue
            report.outcomes[outcome] = report.outcomes.get(outcome, 0) + 1
        report.skipped = len(bad)
        if bad and not (intake.skips_bad and report.outcomes):
            report.taken, report.outcomes = False, {}
            raise psycopg.Rollback(whole)
        audit.write(
            conn,
            "organisation.imported",
            f"table:{kind.value}",
            actor=intake.actor,
            actor_name=name_of(intake.actor),
            detail={outcome.value: count for outcome, count in report.outcomes.items()} | {"skipped": report.skipped},
        )
    problems.sort(key=lambda problem: (problem.line, problem.column or ""))
    del problems[MOST_TOLD:]
    return report


Take = Callable[[Connection[Any], Mapping[str, Any], Intake], Outcome]


def _place(take: Callable[..., Outcome]) -> Take:
    def taking(conn: Connection[Any], values: Mapping[str, Any], intake: Intake) -> Outcome:
        if intake.actor is not None:
            areas.find_in_scope(conn, intake.actor, values["area"])
        return take(conn, values, now=intake.now)

    return taking


def _take_cover(conn: Connection[Any], values: Mapping[str, Any], intake: Intake) -> Outcome:
    same = {"area_code": values["area"], "level": values["level"], "kind": values["kind"]}
    present = [
        row for row in duty.covers(conn, "") if all(getattr(row, name) == wanted for name, wanted in same.items())
    ]
    if present and present[0].hours == values["hours"]:
        return Outcome.UNCHANGED
    duty.require_cover(
        conn, values["area"], values["level"], values["kind"], values["hours"], now=intake.now, actor=intake.actor
    )
    return Outcome.CHANGED if present else Outcome.ADDED


def _take_pattern(conn: Connection[Any], values: Mapping[str, Any], intake: Intake) -> Outcome:
    pattern = Pattern(
        weekdays=values["weekdays"],
        begins_at=values["begins"],
        lasts_min=values["lasts_min"],
        first_day=values["first_day"],
        last_day=values["last_day"],
        every_weeks=values["every_weeks"] or 1,
    )
    account_id = person_named(conn, values["account"]).account_id
    same = _queries.same_pattern(
        conn,
        account_id=account_id,
        area_code=values["area"],
        kind=values["kind"].value,
        weekdays=sorted(pattern.weekdays),
        begins_at=pattern.begins_at,
        lasts_min=pattern.lasts_min,
        first_day=pattern.first_day,
        every_weeks=pattern.every_weeks,
    )
    if same is not None:
        return Outcome.UNCHANGED
    wish = PatternWish(account_id=account_id, area_code=values["area"], kind=values["kind"], pattern=pattern)
    patterns.add(conn, wish, now=intake.now, actor=intake.actor)
    return Outcome.ADDED


def _take_shift(conn: Connection[Any], values: Mapping[str, Any], intake: Intake) -> Outcome:
    wish = ShiftWish(
        account_id=person_named(conn, values["account"]).account_id,
        area_code=values["area"],
        kind=values["kind"],
        from_at=values["from"].replace(tzinfo=intake.zone).astimezone(UTC),
        until_at=values["until"].replace(tzinfo=intake.zone).astimezone(UTC),
    )
    same = _queries.same_shift(
        conn,
        account_id=wish.account_id,
        area_code=wish.area_code,
        kind=wish.kind.value,
        from_at=wish.from_at,
        until_at=wish.until_at,
    )
    if same is not None:
        return Outcome.UNCHANGED
    duty.add_shift(conn, wish, now=intake.now, actor=intake.actor)
    return Outcome.ADDED


_TAKE: Final[Mapping[TableKind, Take]] = {
    TableKind.SITES: _place(places.take_site),
    TableKind.ESTATES: _place(places.take_estate),
    TableKind.BUILDINGS: _place(places.take_building),
    TableKind.MEMBERS: _place(places.take_member),
    TableKind.COVERS: _take_cover,
    TableKind.PATTERNS: _take_pattern,
    TableKind.SHIFTS: _take_shift,
}


def give_out(conn: Connection[Any], kind: TableKind, scope: str, *, now: datetime, zone: ZoneInfo) -> str:
    """A table of an area as CSV that `take_in_csv` reads. Shifts of patterns are left out: the patterns say them."""
    names = [column.name for column in COLUMNS[kind]]
    return tables.write_csv(names, _GIVE[kind](conn, scope, now, zone))


Give = Callable[[Connection[Any], str, datetime, ZoneInfo], Iterable[Sequence[object]]]


def _local(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def _give_sites(conn: Connection[Any], scope: str, _now: datetime, _zone: ZoneInfo) -> Iterable[Sequence[object]]:
    for each in places.sites(conn, scope):
        yield (
            each.code,
            each.kind,
            each.name,
            each.area_code,
            each.longitude,
            each.latitude,
            each.address,
            each.hours,
            None,
        )


def _give_estates(conn: Connection[Any], scope: str, _now: datetime, _zone: ZoneInfo) -> Iterable[Sequence[object]]:
    for each in places.estates(conn, scope):
        yield each.code, each.name, each.area_code, each.property, each.longitude, each.latitude, each.address, None


def _give_buildings(conn: Connection[Any], scope: str, _now: datetime, _zone: ZoneInfo) -> Iterable[Sequence[object]]:
    for b in places.buildings(conn, scope):
        yield b.estate, b.code, b.name, b.area_code, b.floors, b.households, b.longitude, b.latitude, None


def _give_members(conn: Connection[Any], scope: str, now: datetime, _zone: ZoneInfo) -> Iterable[Sequence[object]]:
    for each in places.members(conn, scope, at=now):
        yield each.area_code, each.kind, each.name, each.phone, each.account, None


def _give_covers(conn: Connection[Any], scope: str, _now: datetime, _zone: ZoneInfo) -> Iterable[Sequence[object]]:
    for each in duty.covers(conn, scope):
        yield each.area_code, each.level, each.kind, each.hours


def _give_patterns(conn: Connection[Any], scope: str, _now: datetime, _zone: ZoneInfo) -> Iterable[Sequence[object]]:
    for row in _queries.patterns_to_export(conn, scope=scope):
        days = ",".join(str(day) for day in sorted(row.weekdays))
        begins = f"{row.begins_at:%H:%M}"
        yield (
            row.account,
            row.area_code,
            row.kind,
            days,
            begins,
            row.lasts_min,
            row.first_day,
            row.last_day,
            row.every_weeks,
        )


def _give_shifts(conn: Connection[Any], scope: str, now: datetime, zone: ZoneInfo) -> Iterable[Sequence[object]]:
    for row in _queries.shifts_to_export(conn, scope=scope, from_at=now):
        yield row.account, row.area_code, row.kind, _local(row.from_at, zone), _local(row.until_at, zone)


_GIVE: Final[Mapping[TableKind, Give]] = {
    TableKind.SITES: _give_sites,
    TableKind.ESTATES: _give_estates,
    TableKind.BUILDINGS: _give_buildings,
    TableKind.MEMBERS: _give_members,
    TableKind.COVERS: _give_covers,
    TableKind.PATTERNS: _give_patterns,
    TableKind.SHIFTS: _give_shifts,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What is not in order: teams without somebody, what names an area that is no more, where nobody will be on duty."""

    teams: list[dict[str, Any]]
    dangling: list[dict[str, Any]]
    gaps: list[dict[str, Any]]


def check(conn: Connection[Any], scope: str, *, level: str, now: datetime, ahead: timedelta, zone: ZoneInfo) -> Check:
    """Look over the organisation. `level` is the one that has teams. Raises Invalid for one that does not exist."""
    if level not in areas.levels(conn):
        raise Invalid(f"there is no level {level[:50]!r}")
    gaps = duty.gaps(conn, now=now, ahead=ahead, zone=zone, area_path=scope)
    return Check(
        teams=[row._asdict() for row in _queries.team_gaps(conn, scope=scope, level=level, most=MOST_TOLD)],
        dangling=[row._asdict() for row in _queries.dangling(conn)],
        gaps=[
            {
                "area": gap.area_code,
                "name": gap.area_name,
                "kind": gap.kind.value,
                "from": gap.from_at,
                "until": gap.until,
            }
            for gap in gaps
        ],
    )
