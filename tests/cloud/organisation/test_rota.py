from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from cloud.organisation.hours import ALWAYS, Span, parse
from cloud.organisation.model import DutyKind
from cloud.organisation.rota import Cover, Pattern, gaps

SHANGHAI = ZoneInfo("Asia/Shanghai")
FIRST = date(2026, 3, 16)
"""A Monday."""
NOON = datetime(2026, 3, 16, 4, tzinfo=UTC)


def pattern(**fields: object) -> Pattern:
    given: dict[str, object] = {
        "weekdays": frozenset({1, 3}),
        "begins_at": time(22),
        "lasts_min": 480,
        "first_day": FIRST,
    }
    return Pattern(**(given | fields))  # type: ignore[arg-type]


def test_a_shift_that_passes_midnight() -> None:
    span = pattern().span(FIRST, SHANGHAI)
    assert span == Span(datetime(2026, 3, 16, 14, tzinfo=UTC), datetime(2026, 3, 16, 22, tzinfo=UTC))


def test_every_other_week_counts_from_the_week_of_the_first_day() -> None:
    fortnightly = pattern(every_weeks=2, first_day=FIRST + timedelta(days=2))
    days = [day.day for day in fortnightly.days(date(2026, 3, 1), date(2026, 4, 14))]
    assert days == [18, 30, 1, 13]


def test_a_last_day_is_the_last() -> None:
    assert list(pattern(last_day=FIRST).days(FIRST, date(2027, 1, 1))) == [FIRST]


@given(
    st.sets(st.integers(1, 7), min_size=1),
    st.integers(1, 5),
    st.integers(0, 40),
    st.lists(st.integers(0, 60), min_size=1, max_size=6),
)
def test_days_are_the_same_however_often_they_are_asked_for(
    weekdays: set[int], every_weeks: int, begin: int, cuts: list[int]
) -> None:
    rule = pattern(weekdays=frozenset(weekdays), every_weeks=every_weeks, first_day=FIRST + timedelta(days=begin))
    whole = list(rule.days(FIRST, FIRST + timedelta(days=60)))
    pieces: set[date] = set()
    for cut in [0, *sorted(cuts)]:
        pieces |= set(rule.days(FIRST + timedelta(days=cut), FIRST + timedelta(days=60)))
    assert sorted(pieces) == whole
    assert all(day.isoweekday() in weekdays and day >= rule.first_day for day in whole)


def cover(path: str = "D/C/G/", hours: str = ALWAYS) -> Cover:
    return Cover(path.split("/")[-2], path, "grid", "grid", DutyKind.GRID_WORKER, parse(hours))


DAY = Span(NOON, NOON + timedelta(days=1))


def test_who_is_on_duty_above_is_so_for_what_lies_below() -> None:
    kind = DutyKind.GRID_WORKER
    assert not list(gaps([cover()], {("C", kind): [DAY]}, within=DAY, zone=SHANGHAI))
    [gap] = gaps([cover()], {("X", kind): [DAY], ("G", DutyKind.GRID_LEAD): [DAY]}, within=DAY, zone=SHANGHAI)
    assert (gap.from_at, gap.until) == (DAY.from_at, DAY.until)


@given(st.lists(st.tuples(st.sampled_from("DCGX"), st.integers(0, 24), st.integers(0, 24)), max_size=10))
def test_each_moment_is_covered_or_in_a_gap_and_never_both(rows: list[tuple[str, int, int]]) -> None:
    shifts: dict[tuple[str, DutyKind], list[Span]] = {}
    for code, begin, end in rows:
        span = Span(NOON + timedelta(hours=begin), NOON + timedelta(hours=end))
        shifts.setdefault((code, DutyKind.GRID_WORKER), []).append(span)
    found = list(gaps([cover(hours="1-7 20:00-08:00")], shifts, within=DAY, zone=SHANGHAI))
    for half_hour in range(48):
        moment = NOON + timedelta(minutes=30 * half_hour)
        wanted = parse("1-7 20:00-08:00").holds(moment, SHANGHAI)
        there = any(
            span.from_at <= moment < span.until for (code, _), spans in shifts.items() if code != "X" for span in spans
        )
        in_gap = sum(gap.from_at <= moment < gap.until for gap in found)
        assert in_gap == (wanted and not there)
