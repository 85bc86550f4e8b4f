"""What an administrator sets: limits, ladders, hours, special days; and what people are shown of it. Takes the caller's transaction.

Whatever runs already is worked out again by the next sweep (`service.recompute`): it is only marked here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from psycopg import Connection

from cloud.access import areas, audit
from cloud.access.model import Principal
from cloud.db.queries import load
from cloud.deadlines import rulebook, store
from cloud.deadlines.calendar import Week, format_day, parse_day
from cloud.deadlines.clock import Firing, firings, started
from cloud.deadlines.rules import ARRIVAL, Limit, Unit
from cloud.errors import Invalid

_queries = load("cloud.deadlines")

LONGEST: Final = {Unit.MINUTES: 366 * 24 * 60, Unit.WORKING_MINUTES: 366 * 8 * 60, Unit.WORKING_DAYS: 366}
RUNGS_MOST: Final = 12
AHEAD: Final = timedelta(days=2 * 366)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleWish:
    """A limit to be set; None stands for any area, category or severity."""

    area_code: str | None
    category: str | None
    severity: str | None
    stage: str
    limit: Limit
    amber_percent: int
    effective_from: datetime


@dataclass(frozen=True, slots=True)
class RungWish:
    """A level to be told so long after a deadline."""

    level: str
    after: Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekWish:
    """Hours from a day on, Monday first."""

    area_code: str | None
    timezone: str
    effective_from: date
    hours: Sequence[str]
    makeup: str
    holidays: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What is due when."""

    amber_at: datetime
    due_at: datetime
    firings: tuple[Firing, ...]
    rule_id: int | None
    makeshift: bool


def add_rule(conn: Connection[Any], user: Principal, wish: RuleWish, *, now: datetime, address: str) -> int:
    """Set a limit for clocks that begin at `effective_from` or later; those that have begun since are worked out anew.

    Raises Invalid, and NotFound for an area out of scope.
    """
    check_rule(conn, user, wish, now=now)
    rule_id: int = _queries.insert_rule(
        conn,
        area_code=wish.area_code,
        category=wish.category,
        severity=wish.severity,
        stage=wish.stage,
        amount=wish.limit.amount,
        unit=wish.limit.unit.value,
        amber_percent=wish.amber_percent,
        effective_from=wish.effective_from,
        created_at=now,
        created_by=user.user_id,
    )
    if wish.stage != ARRIVAL:
        store.mark_stale(conn, at=now, since=wish.effective_from, stage=wish.stage, area_code=wish.area_code)
    detail = {
        "area": wish.area_code,
        "category": wish.category,
        "severity": wish.severity,
        "stage": wish.stage,
        "amount": wish.limit.amount,
        "unit": wish.limit.unit.value,
        "amber_percent": wish.amber_percent,
        "effective_from": wish.effective_from.isoformat(),
    }
    audit.write(conn, "deadline_rule.added", f"deadline_rule:{rule_id}", actor=user, address=address, detail=detail)
    return rule_id


def set_ladder(
    conn: Connection[Any],
    user: Principal,
    *,
    area_code: str | None,
    severity: str,
    rungs: Sequence[RungWish],
    now: datetime,
    address: str,
) -> None:
    """Say who is told how long after a deadline; without rungs an area has the ladder of those above it. Raises Invalid, NotFound."""
    _check_area(conn, user, area_code)
    known = areas.levels(conn)
    names = [rung.level for rung in rungs]
    if len(rungs) > RUNGS_MOST or len(set(names)) != len(names) or not set(names) <= set(known):
        raise Invalid(f"a ladder names each of the levels {', '.join(known)} once at most")
    if area_code is None and not rungs:
        raise Invalid("without a ladder nobody would be told")
    for rung in rungs:
        _check_limit(rung.after, least=0)
    _queries.drop_rungs(conn, area_code=area_code, severity=severity)
    for rung in rungs:
        _queries.insert_rung(
            conn,
            area_code=area_code,
            severity=severity,
            level=rung.level,
            amount=rung.after.amount,
            unit=rung.after.unit.value,
        )
    store.mark_stale(conn, at=now, area_code=area_code)
    detail = {
        "severity": severity,
        "rungs": [[rung.level, rung.after.amount, rung.after.unit.value] for rung in rungs],
    }
    audit.write(conn, "escalation_ladder.set", f"area:{area_code or 'all'}", actor=user, address=address, detail=detail)


def set_week(conn: Connection[Any], user: Principal, wish: WeekWish, *, now: datetime, address: str) -> None:
    """Set the hours of an area from a day on. Raises Invalid for hours that can't be, or never open; NotFound."""
    week = check_week(conn, user, wish, now=now)
    hours = [format_day(day) for day in week.days]
    _queries.put_calendar(
        conn,
        area_code=wish.area_code,
        timezone=wish.timezone,
        effective_from=wish.effective_from,
        hours=hours,
        makeup=format_day(week.makeup),
        holidays=wish.holidays,
        created_at=now,
        created_by=user.user_id,
    )
    store.mark_stale(conn, at=now, area_code=wish.area_code)
    detail = {"from": wish.effective_from.isoformat(), "hours": hours}
    audit.write(
        conn, "work_calendar.set", f"area:{wish.area_code or 'all'}", actor=user, address=address, detail=detail
    )


def set_special_day(
    conn: Connection[Any],
    user: Principal,
    *,
    area_code: str | None,
    day: date,
    worked: bool,
    name: str,
    now: datetime,
    address: str,
) -> None:
    """Have a day worked or not, against the rule. Raises Invalid, NotFound."""
    check_special_day(conn, user, area_code=area_code, day=day, now=now)
    _queries.put_special_day(
        conn, area_code=area_code, day=day, worked=worked, name=name, created_at=now, created_by=user.user_id
    )
    store.mark_stale(conn, at=now, area_code=area_code)
    detail = {"day": day.isoformat(), "worked": worked, "name": name}
    audit.write(conn, "special_day.set", f"area:{area_code or 'all'}", actor=user, address=address, detail=detail)


def preview(
    conn: Connection[Any], area_path: str, *, category: str, severity: str, stage: str, at: datetime
) -> Preview:
    """What would be due when for a clock that begins at `at`."""
    ruling = rulebook.read(conn).ruling(area_path, category, severity, stage, at=at)
    clock = started(stage, ruling.measure, at=at)
    return Preview(
        clock.amber_at,
        clock.due_at,
        firings(clock, ruling.rungs),
        ruling.rule.id if ruling.rule is not None else None,
        ruling.makeshift,
    )


def check_rule(conn: Connection[Any], user: Principal, wish: RuleWish, *, now: datetime) -> None:
    """Raise Invalid for a limit that can't be, NotFound for an area out of scope."""
    _check_area(conn, user, wish.area_code)
    _check_limit(wish.limit, least=1)
    if wish.effective_from > now + AHEAD:
        raise Invalid("that lies too far ahead")


def check_week(conn: Connection[Any], user: Principal, wish: WeekWish, *, now: datetime) -> Week:
    """The hours as a week. Raises Invalid for those that can't be, or never open; NotFound."""
    _check_area(conn, user, wish.area_code)
    hours = tuple(parse_day(text) for text in wish.hours)
    if not any(hours):
        raise Invalid("a week without an open hour counts nothing; enter special days instead")
    try:
        ZoneInfo(wish.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid("there is no such time zone") from None
    if wish.effective_from > (now + AHEAD).date():
        raise Invalid("that lies too far ahead")
    return Week(hours, parse_day(wish.makeup), wish.holidays)


def check_special_day(
    conn: Connection[Any], user: Principal, *, area_code: str | None, day: date, now: datetime
) -> None:
    """Raise Invalid for a day that is too far away, NotFound for an area out of scope."""
    _check_area(conn, user, area_code)
    if abs(day - now.date()) > 2 * AHEAD:
        raise Invalid("that day is too far away")


def _check_area(conn: Connection[Any], user: Principal, area_code: str | None) -> None:
    if area_code is None:
        if user.area_path:
            raise Invalid("what holds everywhere is set by somebody whose scope is everything; name an area")
        return
    areas.find_in_scope(conn, user, area_code)


def _check_limit(limit: Limit, *, least: int) -> None:
    if not least <= limit.amount <= LONGEST[limit.unit]:
        raise Invalid(f"{least} to {LONGEST[limit.unit]} {limit.unit.value.replace('_', ' ')}")
