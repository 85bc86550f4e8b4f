"""What would go unheard, raised beforehand: an area without anybody on duty, a person whom no channel reaches, a calendar that ends.

An idempotent sweep: each trouble is one row from when it is seen first until it is over, and names whoever of the next level has to
know. Takes the caller's transaction.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from prometheus_client import Gauge
from psycopg import Connection

from cloud.access.model import Role
from cloud.db.queries import load
from cloud.deadlines import rulebook
from cloud.deadlines.rulebook import start_of
from cloud.escalation.roster import CHIEFS, Roster, levels_above
from cloud.organisation import duty
from cloud.organisation.hours import Span, without

_queries = load("cloud.escalation")
_log = structlog.get_logger(__name__)

AHEAD = timedelta(hours=12)
CALENDAR_AHEAD = timedelta(days=60)
NEW_MOST = 1_000
"""So many troubles are raised by one sweep; the next goes on, and none that was raised before ends meanwhile."""
PAGE = 500
RECORDS_AGO = timedelta(hours=24)

_LEFT = Gauge("gridward_duty_warnings_left", "Troubles that one sweep left to the next")
_OPEN = Gauge("gridward_duty_warnings", "Troubles of those who have to be told, by kind", ["kind"])


class WarningKind(StrEnum):
    """无人值守, 无通知渠道, 日历将到期; 交接未确认."""

    NOBODY_ON_DUTY = "nobody_on_duty"
    NO_CHANNEL = "no_channel"
    CALENDAR_ENDS = "calendar_ends"
    HANDOVER_UNCONFIRMED = "handover_unconfirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that would let an escalation go unheard."""

    kind: WarningKind
    area_code: str | None
    area_path: str
    from_at: datetime
    until: datetime | None = None
    account_id: int | None = None


def sweep(conn: Connection[Any], roster: Roster, *, now: datetime, zone: ZoneInfo) -> int:
    """Raise what is new, end what is over; how many rows that were."""
    changed = left = 0
    for trouble in _troubles(conn, now, zone):
        if _is_known(conn, trouble, now):
            continue
        if changed < NEW_MOST:
            changed += _raise(conn, trouble, roster, now)
        else:
            left += 1
    _LEFT.set(left)
    if left:
        _log.warning("duty_warnings_left", count=left)
    ended: int = _queries.end_warnings(conn, now=now)
    counts = {row.kind: row.count for row in _queries.count_warnings(conn)}
    for kind in WarningKind:
        _OPEN.labels(kind.value).set(counts.get(kind.value, 0))
    return changed + ended


def _troubles(conn: Connection[Any], now: datetime, zone: ZoneInfo) -> Iterator[Trouble]:
    seen: set[str] = set()
    for gap in duty.gaps(conn, now=now, ahead=AHEAD, zone=zone):
        if gap.area_path not in seen:
            seen.add(gap.area_path)
            yield Trouble(
                kind=WarningKind.NOBODY_ON_DUTY,
                area_code=gap.area_code,
                area_path=gap.area_path,
                from_at=gap.from_at,
                until=gap.until,
            )
    for row in _pages(
        lambda after: _queries.unmanned_areas(
            conn, roles=[Role.GRID_WORKER.value, Role.GRID_LEAD.value], now=now, after=after, count=PAGE
        ),
        "path",
        "",
    ):
        if row.path not in seen:
            seen.add(row.path)
            yield Trouble(kind=WarningKind.NOBODY_ON_DUTY, area_code=row.code, area_path=row.path, from_at=now)
    yield from _unanswered(conn, now, seen)
    for row in _pages(
        lambda after: _queries.unreachable(
            conn,
            roles=[Role.GRID_LEAD.value, Role.DUTY_CHIEF.value],
            now=now,
            until=now + AHEAD,
            after=after,
            count=PAGE,
        ),
        "id",
        0,
    ):
        yield Trouble(
            kind=WarningKind.NO_CHANNEL,
            area_code=row.area_code,
            area_path=row.path or "",
            from_at=now,
            account_id=row.id,
        )
    for row in _queries.unconfirmed_records(conn, now=now, since=now - RECORDS_AGO):
        yield Trouble(
            kind=WarningKind.HANDOVER_UNCONFIRMED,
            area_code=row.area_code,
            area_path=row.area_path,
            from_at=row.due_at,
            account_id=row.giver_id,
        )
    ends = rulebook.read(conn).known_until(())
    if start_of(ends, zone) - now < CALENDAR_AHEAD:
        begins = start_of(ends + timedelta(days=1), zone)
        yield Trouble(kind=WarningKind.CALENDAR_ENDS, area_code=None, area_path="", from_at=begins)


def _unanswered(conn: Connection[Any], now: datetime, seen: set[str]) -> Iterator[Trouble]:
    """Areas above the grids that nobody answers for by his post, at the first time at which nobody is on duty there either."""
    window = Span(now, now + AHEAD)
    for row in _pages(
        lambda after: _queries.postless_areas(conn, role=Role.DUTY_CHIEF.value, after=after, count=PAGE), "path", ""
    ):
        shifts = _queries.shifts_of(
            conn, area_code=row.code, kinds=[kind.value for kind in CHIEFS], now=now, until=window.until
        )
        free = without([window], [Span(each.from_at, each.until) for each in shifts])
        if free and row.path not in seen:
            yield Trouble(
                kind=WarningKind.NOBODY_ON_DUTY,
                area_code=row.code,
                area_path=row.path,
                from_at=free[0].from_at,
                until=free[0].until if free[0].until < window.until else None,
            )


def _pages(read: Callable[[Any], Iterable[Any]], key: str, first: Any) -> Iterator[Any]:
    """All rows of a query, page by page in the order of a column."""
    after = first
    while True:
        rows = list(read(after))
        yield from rows
        if len(rows) < PAGE:
            return
        after = getattr(rows[-1], key)


def _is_known(conn: Connection[Any], trouble: Trouble, now: datetime) -> bool:
    known: int = _queries.see_warning(
        conn,
        kind=trouble.kind.value,
        area_path=trouble.area_path,
        account_id=trouble.account_id,
        from_at=trouble.from_at,
        until=trouble.until,
        now=now,
    )
    return bool(known)


def _raise(conn: Connection[Any], trouble: Trouble, roster: Roster, now: datetime) -> int:
    told = _next_level(conn, trouble, roster, now)
    added: int = _queries.insert_warning(
        conn,
        kind=trouble.kind.value,
        area_code=trouble.area_code,
        area_path=trouble.area_path,
        account_id=trouble.account_id,
        from_at=trouble.from_at,
        until=trouble.until,
        told_account_id=told,
        now=now,
    )
    return added


def _next_level(conn: Connection[Any], trouble: Trouble, roster: Roster, now: datetime) -> int | None:
    """Somebody above who is there now and is not the one that it is about; at the very top an administrator."""
    for area in levels_above(conn, trouble.area_path, at=now):
        if area.path == trouble.area_path and trouble.kind is not WarningKind.NO_CHANNEL:
            continue
        for person in roster.answering(conn, area, at=now):
            if person.account_id != trouble.account_id:
                return person.account_id
    administrator: int | None = _queries.administrator(conn, role=Role.ADMINISTRATOR.value, but=trouble.account_id)
    return administrator
