"""Duty (值班): who is on duty, planning shifts, and where nobody will be. Takes the caller's transaction."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from psycopg import Connection

from cloud.access import areas, audit
from cloud.access.model import Principal, codes_of
from cloud.db.queries import load
from cloud.errors import Conflict, Invalid, NotFound
from cloud.organisation import hours, rota
from cloud.organisation.hours import Span
from cloud.organisation.model import DutyKind, Gap, OnDuty, Shift
from cloud.organisation.people import area_for, name_of, person

_queries = load("cloud.organisation")

FARTHEST: Final = timedelta(days=366)
MOST_GAPS: Final = 5_000
MOST_ON_DUTY: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftWish:
    """A shift to plan."""

    account_id: int
    area_code: str
    kind: DutyKind
    from_at: datetime
    until_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverRow:
    """Somebody has to be on duty in every area of a level inside of an area, at these hours."""

    id: int
    area_code: str
    area_path: str | None
    level: str
    kind: DutyKind
    hours: str


def on_duty(
    conn: Connection[Any], area_path: str, *, at: datetime, kinds: Collection[DutyKind] | None = None
) -> list[OnDuty]:
    """Who is on duty for an area at a time: there, or for an area in which it lies; the nearest first."""
    rows = _queries.on_duty(conn, codes=list(codes_of(area_path)), area_path=area_path, at=at, kinds=_words(kinds))
    return [_on_duty(row) for row in rows]


def on_duty_within(
    conn: Connection[Any], area_path: str, *, at: datetime, kinds: Collection[DutyKind] | None = None
) -> list[OnDuty]:
    """Who is on duty in an area or anywhere in it, by place."""
    rows = _queries.on_duty_within(conn, area_path=area_path, at=at, kinds=_words(kinds), most=MOST_ON_DUTY)
    return [_on_duty(row) for row in rows]


def gaps(conn: Connection[Any], *, now: datetime, ahead: timedelta, zone: ZoneInfo, area_path: str = "") -> list[Gap]:
    """Where nobody will be on duty though somebody has to be, from now on, by time; at most `MOST_GAPS`."""
    within = Span(now, now + ahead)
    shifts: dict[tuple[str, DutyKind], list[Span]] = defaultdict(list)
    for row in _queries.shifts_between(conn, from_at=within.from_at, until_at=within.until):
        shifts[row.area_code, DutyKind(row.kind)].append(Span(row.from_at, row.until))
    read = {row.hours: hours.parse(row.hours) for row in _queries.covers(conn)}
    covers = [
        rota.Cover(row.code, row.path, row.name, row.level, DutyKind(row.kind), read[row.hours])
        for row in _queries.covered_areas(conn, scope=area_path)
    ]
    found = rota.gaps(covers, shifts, within=within, zone=zone)
    return sorted(found, key=lambda gap: (gap.from_at, gap.area_path, gap.kind))[:MOST_GAPS]


def add_shift(conn: Connection[Any], wish: ShiftWish, *, now: datetime, actor: Principal | None = None) -> Shift:
    """Plan a shift. Raises Invalid, NotFound for an area out of scope, Conflict where the person has one there already."""
    area = area_for(conn, wish.area_code, actor)
    someone = person(conn, wish.account_id)
    if not area.path.startswith(someone.scope):
        raise Invalid("the person does not see that area")
    length = wish.until_at - wish.from_at
    if not rota.SHORTEST <= length <= rota.LONGEST:
        raise Invalid("a shift lasts a quarter of an hour to a day")
    if wish.until_at <= now:
        raise Invalid("the shift is over already")
    if wish.from_at > now + FARTHEST:
        raise Invalid("a shift is planned a year ahead at most")
    _queries.lock_rota(conn, account_id=wish.account_id)
    check_free(conn, wish.account_id, wish.area_code, wish.kind, Span(wish.from_at, wish.until_at))
    shift_id = insert(conn, wish, now=now, actor=actor)
    planned = shift(conn, shift_id)
    _note(conn, "shift.planned", planned, actor)
    return planned


def check_free(
    conn: Connection[Any], account_id: int, area_code: str, kind: str, span: Span, *, but: Collection[int] = ()
) -> None:
    """Raise Conflict where the person is on duty there already, by other shifts than some."""
    taken = _queries.overlapping(
        conn,
        account_id=account_id,
        area_code=area_code,
        kind=kind,
        from_at=span.from_at,
        until_at=span.until,
        but=list(but),
    )
    if list(taken):
        raise Conflict("the person is on duty there at that time already")


def insert(conn: Connection[Any], wish: ShiftWish, *, now: datetime, actor: Principal | None) -> int:
    """The shift as a row; its id comes back."""
    shift_id: int = _queries.insert_shift(
        conn,
        account_id=wish.account_id,
        area_code=wish.area_code,
        kind=wish.kind.value,
        from_at=wish.from_at,
        until_at=wish.until_at,
        made_by=actor.user_id if actor is not None else None,
        now=now,
    )
    return shift_id


def cancel_shift(conn: Connection[Any], shift_id: int, *, now: datetime, actor: Principal | None = None) -> Shift:
    """Take a shift off the rota, or end it where it runs; a swap that is asked for lapses.

    Raises NotFound for one out of scope, Conflict for one that is over.
    """
    present = shift(conn, shift_id)
    if actor is not None and not actor.sees(present.area_path or ""):
        raise NotFound("there is no such shift")
    list(_queries.lock_shifts(conn, shift_ids=[shift_id]))
    present = shift(conn, shift_id)
    if present.cancelled_at is not None or present.ends_at <= now:
        raise Conflict("the shift is over")
    if present.from_at > now:
        _queries.cancel_shift(conn, shift_id=shift_id, now=now)
    else:
        _queries.end_shift(conn, shift_id=shift_id, now=now)
    lapse_swaps(conn, [shift_id], now=now)
    _note(conn, "shift.cancelled", present, actor)
    return shift(conn, shift_id)


def lapse_swaps(conn: Connection[Any], shift_ids: Collection[int], *, now: datetime) -> int:
    """What was asked about these shifts is void; the shifts have to be locked."""
    swaps = [row.id for row in _queries.open_swaps_of_shifts(conn, shift_ids=sorted(shift_ids))]
    for swap_id in swaps:
        _queries.decide_swap(conn, swap_id=swap_id, status="lapsed", decided_by=None, now=now)
    return len(swaps)


def shift(conn: Connection[Any], shift_id: int) -> Shift:
    """Raises NotFound."""
    row = _queries.shift(conn, shift_id=shift_id)
    if row is None:
        raise NotFound("there is no such shift")
    return _shift(row)


def shifts(
    conn: Connection[Any],
    scope: str,
    span: Span,
    *,
    account_id: int | None = None,
    after: tuple[datetime, int] | None = None,
    count: int = 200,
) -> list[Shift]:
    """Those of a time in an area, or of one person, by when they begin. Cancelled ones are left out."""
    rows = _queries.shifts(
        conn,
        scope=scope,
        account_id=account_id,
        from_at=span.from_at,
        until_at=span.until,
        after_at=after[0] if after is not None else None,
        after_id=after[1] if after is not None else None,
        count=count,
    )
    return [_shift(row) for row in rows]


def require_cover(
    conn: Connection[Any],
    area_code: str,
    level: str,
    kind: DutyKind,
    hours_text: str,
    *,
    now: datetime,
    actor: Principal | None = None,
) -> int:
    """Somebody has to be on duty in every area of a level inside of an area; new hours replace those of before.

    Raises Invalid, NotFound.
    """
    area = area_for(conn, area_code, actor)
    if level not in areas.levels(conn):
        raise Invalid(f"there is no level {level[:50]!r}")
    text = hours.parse(hours_text).text
    cover_id: int = _queries.insert_cover(
        conn,
        area_code=area_code,
        level=level,
        kind=kind.value,
        hours=text,
        made_by=actor.user_id if actor is not None else None,
        now=now,
    )
    audit.write(
        conn,
        "duty_cover.set",
        f"area:{area_code}",
        actor=actor,
        actor_name=name_of(actor),
        area_path=area.path,
        detail={"level": level, "kind": kind.value, "hours": text},
    )
    return cover_id


def covers(conn: Connection[Any], scope: str) -> list[CoverRow]:
    """Where somebody has to be on duty, of what lies in a scope."""
    return [
        CoverRow(
            id=row.id,
            area_code=row.area_code,
            area_path=row.area_path,
            level=row.level,
            kind=DutyKind(row.kind),
            hours=row.hours,
        )
        for row in _queries.covers(conn)
        if (row.area_path or "").startswith(scope)
    ]


def end_cover(conn: Connection[Any], cover_id: int, *, now: datetime, actor: Principal | None = None) -> None:
    """Nobody has to be there any more. Raises NotFound."""
    found = next(
        (row for row in covers(conn, actor.area_path if actor is not None else "") if row.id == cover_id), None
    )
    if found is None:
        raise NotFound("there is no such rule in your scope")
    _queries.end_cover(conn, cover_id=cover_id, now=now)
    audit.write(
        conn,
        "duty_cover.ended",
        f"area:{found.area_code}",
        actor=actor,
        actor_name=name_of(actor),
        area_path=found.area_path,
        detail={"level": found.level, "kind": found.kind.value},
    )


def _note(conn: Connection[Any], action: str, shift: Shift, actor: Principal | None) -> None:
    audit.write(
        conn,
        action,
        f"shift:{shift.id}",
        actor=actor,
        actor_name=name_of(actor),
        area_path=shift.area_path,
        detail={"account": shift.account_id, "kind": shift.kind.value},
    )


def _words(kinds: Collection[DutyKind] | None) -> list[str] | None:
    return None if kinds is None else sorted(kind.value for kind in kinds)


def _on_duty(row: Any) -> OnDuty:
    return OnDuty(
        shift_id=row.id,
        account_id=row.account_id,
        display_name=row.display_name,
        role=row.role,
        kind=DutyKind(row.kind),
        area_code=row.code,
        area_path=row.path,
        area_name=row.name,
        from_at=row.from_at,
        until=row.until,
    )


def _shift(row: Any) -> Shift:
    return Shift(
        id=row.id,
        account_id=row.account_id,
        display_name=row.display_name,
        area_code=row.area_code,
        area_path=row.area_path,
        area_name=row.area_name,
        kind=DutyKind(row.kind),
        from_at=row.from_at,
        until_at=row.until_at,
        ended_at=row.ended_at,
        cancelled_at=row.cancelled_at,
        pattern_id=row.pattern_id,
    )
