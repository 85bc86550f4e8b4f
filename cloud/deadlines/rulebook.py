"""All calendars, limits and ladders as they stand in a transaction, and what they say of one clock. Pure but for its reading.

Small (hundreds of rows): a process keeps the last one, and each step of a case asks only for its version.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from psycopg import Connection

from cloud.access.model import codes_of
from cloud.db.queries import load
from cloud.deadlines.calendar import OFFICE_WEEK, WALL_TIME, Calendar, Unfailing, Week, parse_day
from cloud.deadlines.clock import Measure, Rung
from cloud.deadlines.holidays import covered_until, public_day
from cloud.deadlines.rules import (
    DeadlineRule,
    Limit,
    RungRule,
    Subject,
    Unit,
    applicable,
    ladder,
    measure_of,
)
from cloud.errors import NoWorkingTime

_queries = load("cloud.deadlines")
_log = structlog.get_logger(__name__)

MAKESHIFT = Limit(60, Unit.MINUTES)
"""Where no rule says anything: nobody waits without a clock."""
_DEFAULT_ZONE = ZoneInfo("Asia/Shanghai")
_ALL_DAY = timedelta(days=1)
_BEGINNING = date(2004, 1, 1)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What holds for one clock. `makeshift`: no rule, or no working time to count with, so the wall's clock counts."""

    rule: DeadlineRule | None
    measure: Measure
    rungs: tuple[Rung, ...]
    makeshift: bool


@dataclass(frozen=True)
class RuleBook:
    """The rows, and calendars put together from them once they are asked for."""

    weeks: dict[str | None, list[tuple[date, Week]]]
    zones: dict[str | None, ZoneInfo]
    special: dict[str | None, dict[date, bool]]
    rules: tuple[DeadlineRule, ...]
    rungs: tuple[RungRule, ...]
    _calendars: dict[tuple[str | None, tuple[str | None, ...]], Calendar] = field(default_factory=dict, compare=False)

    def calendar(self, areas: Sequence[str]) -> Calendar:
        """The calendar of an area, given by its codes from the top down: the nearest hours, and all special days above it."""
        owner = next((code for code in (*reversed(areas), None) if code in self.weeks), None)
        said = tuple(code for code in (None, *areas) if code in self.special)
        key = (owner, said)
        if key not in self._calendars:
            special: dict[date, bool] = {}
            for code in said:
                special |= self.special[code]
            weeks = self.weeks.get(owner, [(_BEGINNING, OFFICE_WEEK)])
            self._calendars[key] = Calendar(self.zones.get(owner, _DEFAULT_ZONE), weeks, special, public_day)
        return self._calendars[key]

    def ruling(self, area_path: str, category: str, severity: str, stage: str, *, at: datetime) -> Ruling:
        """What holds for a clock that begins at `at`. Never raises: what can't be counted in working time is on the wall."""
        areas = codes_of(area_path)
        subject = Subject(areas=areas, category=category, severity=severity, stage=stage)
        calendar = self.calendar(areas)
        rule = applicable(self.rules, subject, at=at)
        limit, amber_percent = (rule.limit, rule.amber_percent) if rule is not None else (MAKESHIFT, 80)
        try:
            measure = measure_of(limit, amber_percent, calendar)
            rungs = ladder(self.rungs, subject, calendar)
            for timeline, amount in (
                (measure.timeline, measure.limit),
                *((rung.timeline, rung.after) for rung in rungs),
            ):
                timeline.add(at, amount)
        except NoWorkingTime as error:
            _log.warning("deadline_without_working_time", area=area_path, stage=stage, reason=str(error))
            return Ruling(rule, _on_the_wall(limit, amber_percent), self._rungs_on_the_wall(subject), makeshift=True)
        unfailing = tuple(Rung(rung.level, rung.after, Unfailing(rung.timeline)) for rung in rungs)
        return Ruling(rule, replace(measure, timeline=Unfailing(measure.timeline)), unfailing, makeshift=rule is None)

    def limit(self, area_path: str, category: str, severity: str, stage: str, *, at: datetime) -> datetime:
        """When something that begins at `at` is due."""
        ruling = self.ruling(area_path, category, severity, stage, at=at)
        return ruling.measure.timeline.add(at, ruling.measure.limit)

    def known_until(self, areas: Sequence[str]) -> date:
        """The last day whose standing as a holiday is known: the country's, or what has been entered since."""
        entered = [day for code in (None, *areas) for day in self.special.get(code, {})]
        return max([covered_until(), *entered])

    def _rungs_on_the_wall(self, subject: Subject) -> tuple[Rung, ...]:
        wall = Calendar(ZoneInfo("UTC"), [(_BEGINNING, Week(days=(((0, 24 * 60),),) * 7, makeup=(), holidays=False))])
        return tuple(Rung(rung.level, rung.after, Unfailing(WALL_TIME)) for rung in ladder(self.rungs, subject, wall))


_latest: tuple[UUID, RuleBook] | None = None
"""The last one that was read, by its version. Shared by all threads: a book is never changed, but for calendars that it works out."""


def read(conn: Connection[Any]) -> RuleBook:
    """The book as this transaction sees it; put together anew only where it has changed since the last time."""
    global _latest  # noqa: PLW0603  # one for the process
    version: UUID | None = _queries.rulebook_version(conn)
    known = _latest
    if known is not None and known[0] == version:
        return known[1]
    book = _read(conn)
    if version is not None and _queries.rulebook_version(conn) == version:  # else it changed while it was read
        _latest = (version, book)
    return book


def _read(conn: Connection[Any]) -> RuleBook:
    weeks: dict[str | None, list[tuple[date, Week]]] = {}
    zones: dict[str | None, ZoneInfo] = {}
    for row in _queries.calendars(conn):
        week = Week(tuple(parse_day(text) for text in row.hours), parse_day(row.makeup), row.holidays)
        weeks.setdefault(row.area_code, []).append((row.effective_from, week))
        zones[row.area_code] = ZoneInfo(row.timezone)
    special: dict[str | None, dict[date, bool]] = {}
    for row in _queries.special_days(conn):
        special.setdefault(row.area_code, {})[row.day] = row.worked
    rules = tuple(
        DeadlineRule(
            id=row.id,
            area_code=row.area_code,
            category=row.category,
            severity=row.severity,
            stage=row.stage,
            limit=Limit(row.amount, Unit(row.unit)),
            amber_percent=row.amber_percent,
            effective_from=row.effective_from,
        )
        for row in _queries.rules(conn)
    )
    rungs = tuple(
        RungRule(
            area_code=row.area_code,
            severity=row.severity,
            level=row.level,
            position=row.position,
            after=Limit(row.amount, Unit(row.unit)),
        )
        for row in _queries.rungs(conn)
    )
    return RuleBook(weeks, zones, special, rules, rungs)


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day."""
    return datetime.combine(day, time(0), zone).astimezone(UTC)


def _on_the_wall(limit: Limit, amber_percent: int) -> Measure:
    """A working day counts as a day, a working minute as a minute."""
    length = limit.amount * _ALL_DAY if limit.unit is Unit.WORKING_DAYS else timedelta(minutes=limit.amount)
    return Measure(Unfailing(WALL_TIME), length, amber_percent)
