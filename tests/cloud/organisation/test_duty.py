from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import Connection

from cloud.access import accounts
from cloud.access.model import Principal
from cloud.db.queries import load
from cloud.errors import Conflict, Invalid, NotFound
from cloud.organisation import duty, patterns
from cloud.organisation.duty import ShiftWish
from cloud.organisation.hours import Span
from cloud.organisation.model import DutyKind, Shift
from cloud.organisation.patterns import PatternWish
from cloud.organisation.rota import Pattern
from tests.cloud.samples import GRID, NOW, OTHER_GRID

SHANGHAI = ZoneInfo("Asia/Shanghai")
COMMUNITY = GRID[:12]
PATH = f"110105/110105001/{COMMUNITY}/{GRID}/"
Who = Callable[[str], Principal]
DAY = timedelta(days=1)


def hours(begin: float) -> datetime:
    return NOW + timedelta(hours=begin)


def wish(
    account_id: int, begin: float, end: float, *, area: str = GRID, kind: DutyKind = DutyKind.GRID_WORKER
) -> ShiftWish:
    return ShiftWish(account_id=account_id, area_code=area, kind=kind, from_at=hours(begin), until_at=hours(end))


def plan(conn: Connection[Any], person: Principal, begin: float, end: float, **fields: Any) -> Shift:
    return duty.add_shift(conn, wish(person.user_id, begin, end, **fields), now=NOW - DAY)


def test_who_is_on_duty_for_a_grid_the_nearest_first(conn: Connection[Any], who: Who) -> None:
    plan(conn, who("admin"), -1, 5, area="110105", kind=DutyKind.DUTY_CHIEF)
    plan(conn, who("wang"), -1, 5)
    plan(conn, who("lead"), -1, 5, area=COMMUNITY, kind=DutyKind.GRID_LEAD)
    plan(conn, who("far"), -1, 5, area=OTHER_GRID)
    plan(conn, who("li"), 5, 8)
    found = duty.on_duty(conn, PATH, at=NOW)
    assert [each.display_name for each in found] == ["Wang", "Lead", "Admin"]
    assert [each.kind for each in duty.on_duty(conn, PATH, at=NOW, kinds=[DutyKind.GRID_LEAD])] == [DutyKind.GRID_LEAD]
    assert [each.display_name for each in duty.on_duty(conn, PATH, at=hours(5))] == ["Li"], "the end is no part of it"
    assert duty.on_duty(conn, "", at=NOW) == []
    inside = duty.on_duty_within(conn, f"110105/110105001/{COMMUNITY}/", at=NOW)
    assert {each.display_name for each in inside} == {"Wang", "Lead"}


def test_who_is_gone_is_not_on_duty(conn: Connection[Any], who: Who) -> None:
    plan(conn, who("wang"), -1, 5)
    accounts.disable(conn, "wang", now=NOW)
    assert duty.on_duty(conn, PATH, at=NOW) == []


@pytest.mark.parametrize(
    ("begin", "end", "error"),
    [(0, 0, Invalid), (1, 0, Invalid), (0, 0.1, Invalid), (0, 25, Invalid), (24 * 400, 24 * 400 + 1, Invalid), (-99, -98, Invalid)],
)  # fmt: skip
def test_a_shift_that_can_not_be(
    conn: Connection[Any], who: Who, begin: float, end: float, error: type[Exception]
) -> None:
    with pytest.raises(error):
        plan(conn, who("wang"), begin, end)


def test_a_shift_is_planned_in_the_scope_of_who_plans_and_of_who_works(conn: Connection[Any], who: Who) -> None:
    lead = who("lead")
    with pytest.raises(NotFound):
        duty.add_shift(conn, wish(who("far").user_id, 0, 8, area=OTHER_GRID), now=NOW, actor=lead)
    with pytest.raises(Invalid, match="see"):
        duty.add_shift(conn, wish(who("far").user_id, 0, 8), now=NOW, actor=lead)
    far = plan(conn, who("far"), 1, 8, area=OTHER_GRID)
    with pytest.raises(NotFound):
        duty.cancel_shift(conn, far.id, now=NOW, actor=lead)
    with pytest.raises(Invalid, match="account"):
        duty.add_shift(conn, wish(10**9, 0, 8), now=NOW, actor=lead)


def test_nobody_is_on_duty_twice_at_one_place(conn: Connection[Any], who: Who) -> None:
    wang = who("wang")
    first = plan(conn, wang, 0, 8)
    plan(conn, wang, 8, 16)
    plan(conn, wang, 2, 4, kind=DutyKind.SITE_KEEPER)
    with pytest.raises(Conflict):
        plan(conn, wang, 7, 9)
    duty.cancel_shift(conn, first.id, now=NOW - DAY)
    plan(conn, wang, 6, 8)


def test_a_shift_that_runs_ends_where_it_is_cancelled(conn: Connection[Any], who: Who) -> None:
    running, coming = plan(conn, who("wang"), -1, 8), plan(conn, who("li"), 1, 8)
    assert duty.cancel_shift(conn, running.id, now=NOW).ended_at == NOW
    assert duty.cancel_shift(conn, coming.id, now=NOW).cancelled_at == NOW
    assert duty.on_duty(conn, PATH, at=hours(2)) == []
    assert [each.account_id for each in duty.on_duty(conn, PATH, at=hours(-0.5))] == [who("wang").user_id], (
        "that stays true"
    )
    for shift in (running, coming):
        with pytest.raises(Conflict):
            duty.cancel_shift(conn, shift.id, now=NOW)


def night_shifts(conn: Connection[Any], person: Principal, **fields: Any) -> int:
    given: dict[str, Any] = {
        "weekdays": frozenset(range(1, 8)),
        "begins_at": time(22),
        "lasts_min": 8 * 60,
        "first_day": date(2026, 3, 16),
    }
    pattern = Pattern(**(given | fields))
    rule = PatternWish(account_id=person.user_id, area_code=GRID, kind=DutyKind.GRID_WORKER, pattern=pattern)
    return patterns.add(conn, rule, now=NOW)


def all_shifts(conn: Connection[Any]) -> list[Shift]:
    return duty.shifts(conn, "", Span(NOW - 30 * DAY, NOW + 60 * DAY))


def test_shifts_of_a_pattern_are_made_ahead_once(conn: Connection[Any], who: Who) -> None:
    night_shifts(conn, who("wang"))
    at_night = datetime.fromisoformat("2026-03-17T02:30:00+08:00")
    assert patterns.expand(conn, now=at_night, zone=SHANGHAI) == (1, 15 + 1), "the one that runs past midnight too"
    assert patterns.expand(conn, now=at_night, zone=SHANGHAI) == (0, 0)
    made = all_shifts(conn)
    assert made[0].from_at == datetime.fromisoformat("2026-03-16T22:00:00+08:00")
    assert made[0].runs(at_night)
    cancelled = made[3]
    duty.cancel_shift(conn, cancelled.id, now=at_night)
    assert patterns.expand(conn, now=at_night + 2 * DAY, zone=SHANGHAI) == (1, 2)
    assert patterns.expand(conn, now=at_night - DAY, zone=SHANGHAI) == (0, 0), (
        "a clock that was set back makes nothing twice"
    )
    assert cancelled.from_at not in [shift.from_at for shift in all_shifts(conn)], "what was taken off stays off"


def test_sweeps_at_once_make_each_day_once(conn: Connection[Any], who: Who, peopled_url: str) -> None:
    night_shifts(conn, who("wang"))
    night_shifts(conn, who("li"), begins_at=time(6))
    conn.commit()
    try:
        with psycopg.connect(peopled_url, options="-c timezone=UTC") as other:
            assert patterns.expand(conn, now=NOW, zone=SHANGHAI, count=1)[0] == 1
            assert patterns.expand(other, now=NOW, zone=SHANGHAI)[0] == 1, "the other pattern, without waiting"
            other.commit()
        conn.commit()
        assert patterns.expand(conn, now=NOW, zone=SHANGHAI) == (0, 0)
        made = [(shift.account_id, shift.from_at) for shift in all_shifts(conn)]
        assert len(made) == len(set(made)) > 28
    finally:
        conn.rollback()
        conn.execute("delete from duty_shift")
        conn.execute("delete from duty_pattern")
        conn.commit()


def test_a_pattern_that_ends_takes_what_is_to_come_with_it(conn: Connection[Any], who: Who) -> None:
    pattern_id = night_shifts(conn, who("wang"))
    at_night = datetime.fromisoformat("2026-03-17T02:30:00+08:00")
    patterns.expand(conn, now=at_night, zone=SHANGHAI)
    assert [row.id for row in patterns.in_scope(conn, who("lead").area_path)] == [pattern_id]
    assert patterns.end(conn, pattern_id, now=at_night, actor=who("lead")) == 15
    assert [shift.runs(at_night) for shift in all_shifts(conn)] == [True]
    with pytest.raises(NotFound):
        patterns.end(conn, pattern_id, now=at_night)


def test_a_pattern_leaves_alone_what_was_planned_by_hand(conn: Connection[Any], who: Who) -> None:
    begin = (datetime.fromisoformat("2026-03-18T23:00:00+08:00") - NOW) / timedelta(hours=1)
    plan(conn, who("wang"), begin, begin + 2)
    night_shifts(conn, who("wang"))
    patterns.expand(conn, now=NOW, zone=SHANGHAI)
    days = [shift.from_at.astimezone(SHANGHAI) for shift in all_shifts(conn)]
    assert [day.hour for day in days if day.day == 18] == [23]


@pytest.mark.parametrize(
    "fields",
    [
        {"weekdays": frozenset()},
        {"weekdays": frozenset({0})},
        {"lasts_min": 1_441},
        {"every_weeks": 0},
        {"begins_at": time(22, 0, 1)},
        {"last_day": date(2026, 3, 1)},
        {"first_day": date(1, 1, 1)},
        {"first_day": date(9999, 12, 31)},
    ],
)
def test_a_pattern_that_can_not_be(conn: Connection[Any], who: Who, fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        night_shifts(conn, who("wang"), **fields)


def test_grids_with_nobody_on_duty_are_known_beforehand(conn: Connection[Any], who: Who) -> None:
    duty.require_cover(conn, COMMUNITY, "grid", DutyKind.GRID_WORKER, "1-7 08:00-20:00", now=NOW)
    wanted = duty.gaps(conn, now=NOW, ahead=DAY, zone=SHANGHAI)
    grids = {gap.area_code for gap in wanted}
    assert len(grids) == 10
    assert all(code.startswith(COMMUNITY) for code in grids)
    plan(conn, who("wang"), -1, 12)
    plan(conn, who("lead"), -1, 12)
    left = duty.gaps(conn, now=NOW, ahead=DAY, zone=SHANGHAI, area_path=PATH)
    assert [(gap.from_at, gap.until) for gap in left] == [
        (datetime.fromisoformat("2026-03-18T08:00:00+08:00"), NOW + DAY)
    ]
    whole = plan(conn, who("li"), 0, 24, area=COMMUNITY)
    assert duty.gaps(conn, now=NOW, ahead=DAY, zone=SHANGHAI) == [], (
        "on duty for the community is so for each of its grids"
    )
    accounts.disable(conn, "li", now=NOW)
    assert {gap.area_code for gap in duty.gaps(conn, now=NOW, ahead=DAY, zone=SHANGHAI)} == grids
    assert whole.area_path is not None
    [rule] = duty.covers(conn, who("lead").area_path)
    with pytest.raises(NotFound):
        duty.end_cover(conn, rule.id, now=NOW, actor=who("far"))
    duty.end_cover(conn, rule.id, now=NOW, actor=who("lead"))
    assert duty.gaps(conn, now=NOW, ahead=DAY, zone=SHANGHAI) == []


def test_pages_of_shifts_leave_none_out(conn: Connection[Any], who: Who) -> None:
    for begin in (0, 1, 2):
        plan(conn, who("wang"), begin, begin + 1)
        plan(conn, who("li"), begin, begin + 1)
    span, seen = Span(NOW, NOW + DAY), list[Shift]()
    while page := duty.shifts(conn, "", span, after=(seen[-1].from_at, seen[-1].id) if seen else None, count=2):
        seen += page
    assert len({shift.id for shift in seen}) == len(seen) == 6
    own = duty.shifts(conn, "nowhere/", span, account_id=who("li").user_id)
    assert {shift.display_name for shift in own} == {"Li"}


def test_a_rota_can_be_locked_whatever_the_number_of_the_account(conn: Connection[Any]) -> None:
    for account_id in (1, 2**31, 2**40, 2**63 - 1):
        list(load("cloud.organisation").lock_rota(conn, account_id=account_id))
