"""Working time: its sums are exact, its inverses meet, and nothing loops."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.deadlines.calendar import (
    OFFICE_WEEK,
    Calendar,
    Day,
    Unfailing,
    WallTime,
    Week,
    format_day,
    parse_day,
)
from cloud.deadlines.holidays import covered_until, public_day
from cloud.errors import Invalid, NoWorkingTime

SHANGHAI = ZoneInfo("Asia/Shanghai")
SINCE = date(2004, 1, 1)
OFFICE = Calendar(SHANGHAI, [(SINCE, OFFICE_WEEK)], public=public_day)
NEVER = Week(days=((),) * 7, makeup=())
ALWAYS = Week(days=(((0, 1440),),) * 7, makeup=((0, 1440),), holidays=False)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


@st.composite
def days(draw: st.DrawFn) -> Day:
    marks = sorted(draw(st.lists(st.integers(0, 1440), max_size=6, unique=True)))
    return tuple(zip(marks[::2], marks[1::2], strict=False))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """Any hours that are open at some time of the week, any special days, weeks that change, zones with summer time."""
    zone = ZoneInfo(draw(st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe", "UTC"])))
    weeks = []
    for since in sorted(
        draw(st.lists(st.dates(date(2025, 1, 1), date(2026, 12, 31)), min_size=1, max_size=3, unique=True))
    ):
        hours = list(draw(st.lists(days(), min_size=7, max_size=7)))
        hours[draw(st.integers(0, 6))] = draw(days().filter(bool))
        weeks.append((since, Week(tuple(hours), draw(days()), draw(st.booleans()))))
    special = draw(st.dictionaries(st.dates(date(2025, 12, 1), date(2026, 12, 31)), st.booleans(), max_size=20))
    return Calendar(zone, weeks, special, public_day)


instants = st.datetimes(datetime(2025, 12, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
amounts = st.timedeltas(timedelta(0), timedelta(days=40))


@given(calendars(), instants, amounts)
@settings(max_examples=150, deadline=None)
def test_what_is_added_is_what_lies_between(calendar: Calendar, start: datetime, amount: timedelta) -> None:
    end = calendar.add(start, amount)
    assert end >= start
    assert calendar.between(start, end) == amount
    if amount:
        assert calendar.between(start, end - timedelta(microseconds=1)) < amount, "there is no earlier one"


@given(calendars(), instants, amounts)
@settings(max_examples=150, deadline=None)
def test_taking_away_goes_the_same_way_back(calendar: Calendar, end: datetime, amount: timedelta) -> None:
    start = calendar.subtract(end, amount)
    assert start <= end
    assert calendar.between(start, end) == amount
    assert calendar.add(end, -amount) == start
    again = calendar.add(start, amount)
    assert again <= end
    assert calendar.between(again, end) == timedelta(0)


@given(calendars(), instants, instants, instants)
@settings(max_examples=100, deadline=None)
def test_spans_add_up_and_turn_round(calendar: Calendar, a: datetime, b: datetime, c: datetime) -> None:
    assert calendar.between(a, b) + calendar.between(b, c) == calendar.between(a, c)
    assert calendar.between(a, b) == -calendar.between(b, a)
    assert abs(calendar.between(a, b)) <= abs(b - a)


@given(calendars(), instants, st.tuples(amounts, amounts))
@settings(max_examples=80, deadline=None)
def test_in_two_steps_as_in_one(calendar: Calendar, start: datetime, parts: tuple[timedelta, timedelta]) -> None:
    assert calendar.add(calendar.add(start, parts[0]), parts[1]) == calendar.add(start, sum(parts, timedelta(0)))


@pytest.mark.parametrize(
    ("start", "minutes", "end"),
    [
        ("2026-03-17T09:00", 60, "2026-03-17T10:00"),
        ("2026-03-17T11:30", 60, "2026-03-17T14:30"),  # over lunch
        ("2026-03-17T12:30", 60, "2026-03-17T15:00"),
        ("2026-03-17T17:00", 60, "2026-03-18T09:00"),  # over night
        ("2026-03-17T17:00", 30, "2026-03-17T17:30"),  # the end of the day, not the next morning
        ("2026-03-20T17:30", 1, "2026-03-23T08:31"),  # over the weekend
        ("2026-03-17T00:00", 1, "2026-03-17T08:31"),
        ("2026-02-13T17:00", 60, "2026-02-14T09:00"),  # a Saturday that is worked instead (调休)
        ("2026-02-14T17:00", 60, "2026-02-24T09:00"),  # the eve of the Spring Festival: nine days of rest
        ("2026-09-30T17:00", 60, "2026-10-08T09:00"),  # the National Day
    ],
)
def test_office_hours_in_2026(start: str, minutes: int, end: str) -> None:
    assert OFFICE.add(local(start), timedelta(minutes=minutes)) == local(end)


def test_beyond_the_years_that_are_known_a_week_is_a_plain_week() -> None:
    assert covered_until() >= date(2026, 12, 31)
    beyond = date(covered_until().year + 1, 10, 1)
    assert public_day(beyond) is None
    assert OFFICE.hours(beyond) == OFFICE_WEEK.days[beyond.weekday()]
    entered = Calendar(SHANGHAI, [(SINCE, OFFICE_WEEK)], {beyond: False}, public_day)
    assert entered.hours(beyond) == ()


def test_24_00_is_the_midnight_after_and_days_meet_there_without_a_seam() -> None:
    always = Calendar(SHANGHAI, [(SINCE, ALWAYS)], public=public_day)
    start = local("2026-03-17T23:59:59.999999")
    assert always.add(start, timedelta(microseconds=2)) == start + timedelta(microseconds=2)
    assert always.between(start, start + timedelta(days=400)) == timedelta(days=400)
    night = Week(days=(((22 * 60, 1440),), ((0, 360),), (), (), (), (), ()), makeup=())
    assert Calendar(SHANGHAI, [(SINCE, night)]).add(local("2026-03-16T22:00"), timedelta(hours=8)) == local(
        "2026-03-17T06:00"
    )


def test_an_hour_that_a_zone_leaves_out_or_has_twice_is_counted_as_it_passes() -> None:
    night = Week(days=(((60, 240),),) * 7, makeup=())  # 01:00 to 04:00
    berlin = Calendar(ZoneInfo("Europe/Berlin"), [(SINCE, night)])
    lengths = {
        day: sum((closes - opens for opens, closes in berlin.spans(day)), timedelta(0)) / timedelta(hours=1)
        for day in (date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 25))
    }
    assert list(lengths.values()) == [3, 2, 4]


@pytest.mark.parametrize("amount", [timedelta(minutes=1), timedelta(days=-1)])
def test_a_year_without_a_working_day_is_said_instead_of_looked_for_for_ever(amount: timedelta) -> None:
    for calendar in (
        Calendar(SHANGHAI, [(SINCE, NEVER)], public=lambda _: False),
        Calendar(SHANGHAI, []),
        Calendar(SHANGHAI, [(SINCE, OFFICE_WEEK)], public=lambda _: False),
    ):
        with pytest.raises(NoWorkingTime):
            calendar.add(local("2026-03-17T09:00"), amount)
        assert calendar.between(local("2026-03-17T09:00"), local("2027-03-17T09:00")) == timedelta(0)
        assert not calendar.is_open(local("2026-03-17T09:00"))
    with pytest.raises(NoWorkingTime):
        _ = Calendar(SHANGHAI, [(SINCE, NEVER)]).full_day


def test_the_ends_of_time_are_said_too() -> None:
    late, early = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)
    with pytest.raises(NoWorkingTime):
        OFFICE.add(late, timedelta(hours=1))
    with pytest.raises(NoWorkingTime):
        OFFICE.subtract(early, timedelta(hours=1))
    with pytest.raises(NoWorkingTime):
        WallTime().add(late, timedelta(hours=1))
    unfailing = Unfailing(OFFICE)
    assert unfailing.add(late, timedelta(hours=1)).year == late.year
    assert unfailing.add(early, -timedelta(hours=1)).year == early.year
    assert unfailing.between(early, early) == timedelta(0)


def test_hours_as_people_write_them() -> None:
    assert parse_day("") == ()
    assert parse_day("14:00-17:30, 08:30-12:00") == OFFICE_WEEK.days[0]
    assert parse_day("00:00-12:00 12:00-24:00") == ((0, 1440),)
    assert format_day(parse_day("00:00-24:00")) == "00:00-24:00"
    for wrong in (
        "8-12",
        "08:30-08:30",
        "22:00-06:00",
        "24:00-24:30",
        "08:00-12:00 11:00-13:00",
        "12:60-13:00",
        "٠٨:00-09:00",
    ):
        with pytest.raises(Invalid):
            parse_day(wrong)
    with pytest.raises(Invalid):
        Week(days=((),), makeup=())


@given(days())
def test_hours_come_back_as_they_were_written(day: Day) -> None:
    assert parse_day(format_day(day)) == day
