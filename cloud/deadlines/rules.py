"""Which limit and which ladder hold for a clock: rows as data, the nearest one counts. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cloud.deadlines.calendar import WALL_TIME, Calendar, Timeline
from cloud.deadlines.clock import Measure, Rung

ARRIVAL = "arrival"
"""The stage of a department that was called by a whistle and has yet to report in (报到)."""


class Unit(StrEnum):
    """What a limit is counted in: minutes on the wall, working minutes (工作时), working days (工作日)."""

    MINUTES = "minutes"
    WORKING_MINUTES = "working_minutes"
    WORKING_DAYS = "working_days"


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount of time as rules state it."""

    amount: int
    unit: Unit

    def measured(self, calendar: Calendar) -> tuple[Timeline, timedelta]:
        """The line that it is counted on, and how much. Raises NoWorkingTime for days of an empty week."""
        if self.unit is Unit.MINUTES:
            return WALL_TIME, timedelta(minutes=self.amount)
        if self.unit is Unit.WORKING_MINUTES:
            return calendar, timedelta(minutes=self.amount)
        return calendar, self.amount * calendar.full_day


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineRule:
    """The limit of a stage, in an area and for a category and severity; None stands for any."""

    id: int
    area_code: str | None
    category: str | None
    severity: str | None
    stage: str
    limit: Limit
    amber_percent: int
    effective_from: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RungRule:
    """Which level is told so long after a deadline; the ladder of an area replaces that of the areas above."""

    area_code: str | None
    severity: str
    level: str
    position: int
    after: Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What rules are looked up for. `areas` are the codes from the top down."""

    areas: Sequence[str]
    category: str
    severity: str
    stage: str


def applicable(rules: Iterable[DeadlineRule], subject: Subject, *, at: datetime) -> DeadlineRule | None:
    """The rule in force at `at`: of the nearest area, then the category, then the severity; the newest of equals."""
    best: tuple[tuple[int, bool, bool, datetime, int], DeadlineRule] | None = None
    for rule in rules:
        if rule.stage != subject.stage or rule.effective_from > at:
            continue
        if rule.category not in {None, subject.category} or rule.severity not in {None, subject.severity}:
            continue
        if rule.area_code is not None and rule.area_code not in subject.areas:
            continue
        depth = -1 if rule.area_code is None else list(subject.areas).index(rule.area_code)
        rank = (depth, rule.category is not None, rule.severity is not None, rule.effective_from, rule.id)
        if best is None or rank > best[0]:
            best = (rank, rule)
    return best[1] if best is not None else None


def ladder(rungs: Iterable[RungRule], subject: Subject, calendar: Calendar) -> tuple[Rung, ...]:
    """Who is told after how much time, the lowest level first."""
    mine = [rung for rung in rungs if rung.severity == subject.severity]
    for area in (*reversed(subject.areas), None):
        here = sorted((rung for rung in mine if rung.area_code == area), key=lambda rung: -rung.position)
        if here:
            return tuple(_rung(rung, calendar) for rung in here)
    return ()


def measure_of(limit: Limit, amber_percent: int, calendar: Calendar) -> Measure:
    """How a clock is measured by a limit. Raises NoWorkingTime."""
    timeline, amount = limit.measured(calendar)
    return Measure(timeline, amount, amber_percent)


def _rung(rule: RungRule, calendar: Calendar) -> Rung:
    timeline, after = rule.after.measured(calendar)
    return Rung(rule.level, after, timeline)
