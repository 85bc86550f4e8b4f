"""Windows of local days, and the months within."""

from datetime import UTC, date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.errors import Invalid
from cloud.figures.window import EARLIEST, LATEST, MOST_DAYS, Grain, Window, bounds, local_day, next_month

TODAY = date(2026, 3, 17)
days = st.dates(date(2005, 1, 1), date(2060, 1, 1))


@given(first=days, length=st.integers(1, MOST_DAYS))
def test_spans_are_each_day_once(first: date, length: int) -> None:
    window = Window(first, first + timedelta(days=length - 1))
    found: list[date] = []
    for span in window.spans:
        assert span.from_day <= span.to_day
        if span.grain is Grain.MONTH:
            assert span.from_day.day == 1
            assert (span.to_day + timedelta(days=1)).day == 1
        found += Window(span.from_day, span.to_day)
    assert found == list(window)
    assert sum((span.grain is Grain.DAY and (span.to_day - span.from_day).days + 1) or 0 for span in window.spans) <= 60
    assert window.before.days == window.days
    assert window.before.to_day == first - timedelta(days=1)


@given(
    day=days,
    zone=st.sampled_from(["Asia/Shanghai", "America/Santiago", "Africa/Cairo", "America/Havana", "Asia/Tehran"]),
)
def test_a_day_begins_where_the_one_before_ends(day: date, zone: str) -> None:
    there = ZoneInfo(zone)
    from_at, to_at = bounds(day, there)
    assert bounds(day + timedelta(days=1), there)[0] == to_at
    assert timedelta(hours=23) <= to_at - from_at <= timedelta(hours=25)
    assert local_day(from_at, there) == day == local_day(to_at - timedelta(microseconds=1), there)
    assert local_day(to_at, there) == day + timedelta(days=1)
    assert from_at.tzinfo is UTC


@given(day=days)
def test_the_next_month_begins_with_its_first_day(day: date) -> None:
    following = next_month(day)
    assert following.day == 1
    assert 1 <= (following - day).days <= 31


def test_the_last_thirty_days_by_default() -> None:
    assert Window.checked(None, None, today=TODAY) == Window(date(2026, 2, 16), TODAY)
    assert Window.checked(date(2026, 3, 1), None, today=TODAY) == Window(date(2026, 3, 1), TODAY)
    assert Window.checked(date(2020, 1, 1), None, today=TODAY).days == MOST_DAYS
    assert Window.checked(None, EARLIEST, today=TODAY) == Window(EARLIEST, EARLIEST)


@pytest.mark.parametrize(
    ("from_day", "to_day"),
    [
        (date(2026, 3, 2), date(2026, 3, 1)),
        (date(2024, 1, 1), date(2026, 1, 1)),
        (date(1, 1, 1), None),
        (None, date(1, 1, 1)),
        (None, date(9999, 12, 31)),
        (LATEST, date.max),
        (date.max, None),
        (date.min, date.max),
    ],
)
def test_windows_that_are_none(from_day: date | None, to_day: date | None) -> None:
    with pytest.raises(Invalid, match="lies"):
        Window.checked(from_day, to_day, today=TODAY)
