"""Shifts that come again each week: adding them, ending them, and making their shifts ahead. Takes the caller's transaction."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from psycopg import Connection

from cloud.access import audit
from cloud.access.model import Principal
from cloud.db.queries import load
from cloud.errors import Invalid, NotFound
from cloud.organisation import duty
from cloud.organisation.model import DutyKind
from cloud.organisation.people import area_for, name_of, person
from cloud.organisation.rota import LONGEST, SHORTEST, Pattern

_queries = load("cloud.organisation")

AHEAD: Final = timedelta(days=14)
"""So far ahead shifts are made."""

AT_ONCE: Final = 200
MOST_BACK: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternWish:
    """Who is on duty where, as what, and when."""

    account_id: int
    area_code: str
    kind: DutyKind
    pattern: Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternRow:
    """A pattern as it stands."""

    id: int
    account_id: int
    display_name: str
    area_code: str
    area_path: str | None
    kind: DutyKind
    pattern: Pattern


def add(conn: Connection[Any], wish: PatternWish, *, now: datetime, actor: Principal | None = None) -> int:
    """Add a pattern; its id comes back. Its shifts come with the next sweep. Raises Invalid, NotFound."""
    area = area_for(conn, wish.area_code, actor)
    someone = person(conn, wish.account_id)
    if not area.path.startswith(someone.scope):
        raise Invalid("the person does not see that area")
    _check(wish.pattern, now)
    pattern_id: int = _queries.insert_pattern(
        conn,
        account_id=wish.account_id,
        area_code=wish.area_code,
        kind=wish.kind.value,
        weekdays=sorted(wish.pattern.weekdays),
        every_weeks=wish.pattern.every_weeks,
        begins_at=wish.pattern.begins_at,
        lasts_min=wish.pattern.lasts_min,
        first_day=wish.pattern.first_day,
        last_day=wish.pattern.last_day,
        made_by=actor.user_id if actor is not None else None,
        now=now,
    )
    audit.write(
        conn,
        "duty_pattern.added",
        f"pattern:{pattern_id}",
        actor=actor,
        actor_name=name_of(actor),
        area_path=area.path,
        detail={"account": someone.name, "kind": wish.kind.value},
    )
    return pattern_id


def _check(pattern: Pattern, now: datetime) -> None:
    if not pattern.weekdays or not pattern.weekdays <= set(range(1, 8)):
        raise Invalid("days of the week are 1 (Monday) to 7")
    if not SHORTEST <= timedelta(minutes=pattern.lasts_min) <= LONGEST:
        raise Invalid("a shift lasts a quarter of an hour to a day")
    if not 1 <= pattern.every_weeks <= 12:
        raise Invalid("a shift comes every 1 to 12 weeks")
    if pattern.begins_at.second or pattern.begins_at.microsecond or pattern.begins_at.tzinfo is not None:
        raise Invalid("a shift begins on a minute, in local time")
    if pattern.last_day is not None and pattern.last_day < pattern.first_day:
        raise Invalid("the last day lies before the first")
    if not abs(pattern.first_day - now.date()) <= MOST_BACK:
        raise Invalid("the first day is further away than a year")


def end(conn: Connection[Any], pattern_id: int, *, now: datetime, actor: Principal | None = None) -> int:
    """No more shifts by this pattern, and those to come are cancelled; how many. Raises NotFound."""
    row = _queries.pattern(conn, pattern_id=pattern_id)
    if row is None or row.ended_at is not None or (actor is not None and not actor.sees(row.area_path or "")):
        raise NotFound("there is no such pattern in your scope")
    _queries.end_pattern(conn, pattern_id=pattern_id, now=now)
    coming = [each.id for each in _queries.coming_shifts_of_pattern(conn, pattern_id=pattern_id, now=now)]
    list(_queries.lock_shifts(conn, shift_ids=coming))
    for shift_id in coming:
        _queries.cancel_shift(conn, shift_id=shift_id, now=now)
    duty.lapse_swaps(conn, coming, now=now)
    audit.write(
        conn,
        "duty_pattern.ended",
        f"pattern:{pattern_id}",
        actor=actor,
        actor_name=name_of(actor),
        area_path=row.area_path,
        detail={"cancelled": len(coming)},
    )
    return len(coming)


def in_scope(conn: Connection[Any], scope: str) -> list[PatternRow]:
    """Those that go on, of an area."""
    return [
        PatternRow(
            id=row.id,
            account_id=row.account_id,
            display_name=row.display_name,
            area_code=row.area_code,
            area_path=row.area_path,
            kind=DutyKind(row.kind),
            pattern=_pattern(row),
        )
        for row in _queries.patterns(conn, scope=scope)
    ]


def expand(conn: Connection[Any], *, now: datetime, zone: ZoneInfo, count: int = AT_ONCE) -> tuple[int, int]:
    """Make the shifts of the next days for some patterns that lack them; how many patterns, and how many shifts.

    Twice, late, or by two at once does no harm: a day of a pattern is made once. None is made for a time that is over.
    """
    until_day = (now + AHEAD).astimezone(zone).date()
    due = list(_queries.patterns_to_expand(conn, until_day=until_day, count=count))
    made = 0
    for row in due:
        made += _expand_one(conn, row, until_day, now=now, zone=zone)
    _queries.note_expanded(conn, until_day=until_day, pattern_ids=[row.id for row in due])
    return len(due), made


def _expand_one(conn: Connection[Any], row: Any, until_day: date, *, now: datetime, zone: ZoneInfo) -> int:
    pattern = _pattern(row)
    from_day = now.astimezone(zone).date() - timedelta(days=1)  # one that began yesterday may run past midnight
    days = list(pattern.days(from_day, until_day))
    spans = [pattern.span(day, zone) for day in days]
    kept = [(day, span) for day, span in zip(days, spans, strict=True) if span.until > now]
    if not kept:
        return 0
    inserted: int = _queries.insert_pattern_shifts(
        conn,
        account_id=row.account_id,
        area_code=row.area_code,
        kind=row.kind,
        pattern_id=row.id,
        days=[day for day, _ in kept],
        from_times=[span.from_at for _, span in kept],
        until_times=[span.until for _, span in kept],
        now=now,
    )
    return inserted


def _pattern(row: Any) -> Pattern:
    begins_at: time = row.begins_at
    return Pattern(
        weekdays=frozenset(row.weekdays),
        begins_at=begins_at,
        lasts_min=row.lasts_min,
        first_day=row.first_day,
        last_day=row.last_day,
        every_weeks=row.every_weeks,
    )


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a local day begins, as UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
