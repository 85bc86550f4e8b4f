from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.errors import Invalid
from cloud.organisation.hours import ALWAYS, Hours, Span, clipped, merged, parse, without

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 3, 15, 16, tzinfo=UTC)
"""Monday, 16 March 2026, midnight in Shanghai."""
WEEK = Span(MONDAY, MONDAY + timedelta(days=7))


def at(hour: float, day: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hour)


def length(spans: list[Span]) -> timedelta:
    return sum((span.until - span.from_at for span in spans), timedelta())


def test_hours_are_local_and_pass_midnight() -> None:
    hours = parse("1-5 08:00-12:00,13:30-20:00;  6,7 22:00-06:00")
    assert hours.spans(SHANGHAI, WEEK)[:3] == [
        Span(at(0), at(6)),
        Span(at(8), at(12)),
        Span(at(13.5), at(20)),
    ]
    assert length(hours.spans(SHANGHAI, WEEK)) == timedelta(hours=5 * 10.5 + 8 + 8)  # Sunday's last hours lie in Monday
    assert hours.holds(at(5.9, day=6), SHANGHAI)
    assert hours.holds(at(5.9), SHANGHAI), "from the Sunday before"
    assert not hours.holds(at(6), SHANGHAI)
    assert not hours.holds(at(12), SHANGHAI)


def test_around_the_clock() -> None:
    assert parse(ALWAYS).spans(SHANGHAI, WEEK) == [WEEK]
    assert parse("1-7 00:00-24:00").spans(SHANGHAI, WEEK) == [WEEK]
    assert parse("1-7 08:00-08:00").spans(SHANGHAI, WEEK) == [WEEK]
    assert parse(ALWAYS).spans(SHANGHAI, Span(MONDAY, MONDAY)) == []


def test_where_clocks_are_turned_nothing_is_counted_twice() -> None:
    night = Span(datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC))
    assert length(parse("6 22:00-06:00").spans(BERLIN, night)) == timedelta(hours=7)
    assert length(parse(ALWAYS).spans(BERLIN, night)) == timedelta(hours=24)
    autumn = Span(datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 25, 12, tzinfo=UTC))
    assert length(parse("6 22:00-06:00").spans(BERLIN, autumn)) == timedelta(hours=9)


@pytest.mark.parametrize(
    "text",
    ["", ";", "1-5", "08:00-20:00", "8 08:00-20:00", "5-1 08:00-20:00", "1 8:00-9:00", "1 24:30-25:00", "1 24:00-06:00",
     "1 08:60-09:00", "Mo 08:00-20:00", "1 08:00-20:00" + "; 1 08:00-20:00" * 30, "1\x00 08:00-20:00", "１ 08:00-20:00"],
)  # fmt: skip
def test_what_is_no_hours_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse(text)


minutes = st.integers(0, 120)
spans = st.lists(st.builds(lambda a, b: Span(at(a / 60), at(b / 60)), minutes, minutes), max_size=8)


def minutes_in(found: list[Span]) -> set[int]:
    return {minute for minute in range(121) if any(span.from_at <= at(minute / 60) < span.until for span in found)}


@given(spans, spans)
def test_spans_are_sets_of_moments(some: list[Span], others: list[Span]) -> None:
    assert minutes_in(merged(some)) == minutes_in(some)
    assert minutes_in(without(some, others)) == minutes_in(some) - minutes_in(others)
    window = Span(at(0.5), at(1.5))
    assert minutes_in(clipped(some, window)) == minutes_in(some) & minutes_in([window])
    for result in (merged(some), without(some, others)):
        assert all(span.from_at < span.until for span in result)
        assert all(one.until <= other.from_at for one, other in pairwise(result))


clock = st.integers(0, 23).flatmap(lambda h: st.sampled_from((0, 30)).map(lambda m: f"{h:02}:{m:02}"))
spell = st.builds(lambda day, a, b: f"{day} {a}-{b}", st.integers(1, 7), clock, clock)


@given(
    st.lists(spell, min_size=1, max_size=5).map("; ".join),
    st.sampled_from([SHANGHAI, BERLIN]),
    st.integers(0, 366 * 48),
)
def test_a_moment_lies_in_hours_however_they_are_asked(text: str, zone: ZoneInfo, half_hours: int) -> None:
    hours: Hours = parse(text)
    moment = MONDAY + timedelta(minutes=30 * half_hours)
    around = Span(moment - timedelta(days=3), moment + timedelta(days=3))
    assert hours.holds(moment, zone) == any(span.from_at <= moment < span.until for span in hours.spans(zone, around))
