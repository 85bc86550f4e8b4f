"""What a change to limits, hours or days would do to the clocks that run now, before anybody sets it. Nothing is changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from psycopg import Connection

from cloud.access import areas
from cloud.access.model import Principal
from cloud.deadlines import administration, rulebook, store
from cloud.deadlines.administration import RuleWish, WeekWish
from cloud.deadlines.clock import recomputed
from cloud.deadlines.rulebook import RuleBook
from cloud.deadlines.rules import ARRIVAL, DeadlineRule
from cloud.deadlines.store import KeptClock, TouchedClock

EXAMINED_MOST: Final = 5_000
SHOWN_MOST: Final = 20
_NEWEST: Final = 2**63 - 1
"""A rule that is only tried is newer than all that are set."""


@dataclass(frozen=True, slots=True)
class MovedClock:
    """A clock that would have another time."""

    number: str
    simulated: bool
    kept: KeptClock
    would_be_due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What would become of the running clocks that a change reaches; with `more` only those were looked at that are due first.

    `overdue` would be past their time at once and are not now; `relieved` are past it now and would not be. `moved` are the first of
    those with another time.
    """

    examined: int
    more: bool
    later: int
    sooner: int
    overdue: int
    relieved: int
    moved: Sequence[MovedClock]


def try_rule(conn: Connection[Any], user: Principal, wish: RuleWish, *, now: datetime) -> Trial:
    """What a limit would do. Raises as `administration.add_rule` does."""
    administration.check_rule(conn, user, wish, now=now)
    rule = DeadlineRule(
        id=_NEWEST,
        area_code=wish.area_code,
        category=wish.category,
        severity=wish.severity,
        stage=wish.stage,
        limit=wish.limit,
        amber_percent=wish.amber_percent,
        effective_from=wish.effective_from,
    )
    book = rulebook.read(conn)
    tried = replace(book, rules=(*book.rules, rule), _calendars={})
    if wish.stage == ARRIVAL:  # a call that was made keeps its time
        return compared([], tried, now=now)
    return compared(_reached(conn, user, wish.area_code, stage=wish.stage, since=wish.effective_from), tried, now=now)


def try_week(conn: Connection[Any], user: Principal, wish: WeekWish, *, now: datetime) -> Trial:
    """What other hours would do. Raises as `administration.set_week` does."""
    week = administration.check_week(conn, user, wish, now=now)
    book = rulebook.read(conn)
    others = [each for each in book.weeks.get(wish.area_code, []) if each[0] != wish.effective_from]
    weeks = sorted([*others, (wish.effective_from, week)], key=lambda each: each[0])
    tried = replace(
        book,
        weeks={**book.weeks, wish.area_code: weeks},
        zones={**book.zones, wish.area_code: ZoneInfo(wish.timezone)},
        _calendars={},
    )
    return compared(_reached(conn, user, wish.area_code), tried, now=now)


def try_special_day(
    conn: Connection[Any], user: Principal, *, area_code: str | None, day: date, worked: bool, now: datetime
) -> Trial:
    """What a day that is worked, or is not, would do. Raises as `administration.set_special_day` does."""
    administration.check_special_day(conn, user, area_code=area_code, day=day, now=now)
    book = rulebook.read(conn)
    days = {**book.special.get(area_code, {}), day: worked}
    tried = replace(book, special={**book.special, area_code: days}, _calendars={})
    return compared(_reached(conn, user, area_code), tried, now=now)


def compared(reached: Sequence[TouchedClock], tried: RuleBook, *, now: datetime) -> Trial:
    """The clocks as they are against what a book would make of them."""
    examined = reached[:EXAMINED_MOST]
    moved = list(_moved(examined, tried))
    return Trial(
        examined=len(examined),
        more=len(reached) > EXAMINED_MOST,
        later=sum(each.would_be_due_at > each.kept.clock.due_at for each in moved),
        sooner=sum(each.would_be_due_at < each.kept.clock.due_at for each in moved),
        overdue=sum(each.would_be_due_at <= now < each.kept.clock.due_at for each in moved),
        relieved=sum(each.kept.clock.due_at <= now < each.would_be_due_at for each in moved),
        moved=moved[:SHOWN_MOST],
    )


def _reached(
    conn: Connection[Any],
    user: Principal,
    area_code: str | None,
    *,
    stage: str | None = None,
    since: datetime | None = None,
) -> list[TouchedClock]:
    scope = areas.scope_path(conn, user, area_code)
    return store.touched(conn, scope=scope, stage=stage, since=since, count=EXAMINED_MOST + 1)


def _moved(clocks: Iterable[TouchedClock], tried: RuleBook) -> Iterable[MovedClock]:
    for each in clocks:
        would_be = recomputed(each.kept.clock, each.kept.ruling(tried).measure)
        if would_be.due_at != each.kept.clock.due_at:
            yield MovedClock(each.number, each.simulated, each.kept, would_be.due_at)
