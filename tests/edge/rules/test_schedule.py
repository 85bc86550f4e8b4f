from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.rules.schedule import CHINA, is_armed
from edge.settings import Day, ScheduleWindow

NIGHT = ScheduleWindow(days=(Day.FRIDAY,), start="22:00", end="06:00")
OFFICE = ScheduleWindow(days=(Day.MONDAY, Day.TUESDAY), start="08:30", end="17:00")


def wall(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of March 2026, of which the 1st is a Sunday, by the wall clock in China, as the node has it."""
    return datetime(2026, 3, day, hour, minute, tzinfo=CHINA).astimezone(UTC)


@pytest.mark.parametrize(
    ("at", "armed"),
    [
        (wall(6, 21, 59), False),
        (wall(6, 22, 0), True),
        (wall(7, 5, 59), True),
        (wall(7, 6, 0), False),
        (wall(7, 23, 0), False),
        (wall(6, 3, 0), False),
        (wall(2, 8, 29), False),
        (wall(2, 8, 30), True),
        (wall(3, 16, 59), True),
        (wall(3, 17, 0), False),
        (wall(4, 12, 0), False),
    ],
)
def test_hours_are_those_of_the_wall_in_china_and_a_night_belongs_to_its_evening(at: datetime, armed: bool) -> None:
    assert is_armed((NIGHT, OFFICE), at) is armed


def test_without_a_schedule_a_rule_is_always_armed() -> None:
    assert is_armed((), wall(1, 0))


def test_sunday_night_reaches_into_monday() -> None:
    window = ScheduleWindow(days=(Day.SUNDAY,), start="23:00", end="01:00")
    assert [is_armed((window,), wall(*when)) for when in ((1, 23), (2, 0, 30), (2, 1), (8, 23), (1, 0))] == [
        True,
        True,
        False,
        True,
        False,
    ]


@given(st.integers(0, 24 * 60), st.integers(0, 24 * 60), st.sets(st.sampled_from(Day), min_size=1))
def test_a_window_lasts_as_long_as_it_says_on_each_of_its_days(start: int, end: int, days: set[Day]) -> None:
    window = ScheduleWindow.model_validate({"days": sorted(days), "start": start, "end": end})
    week = (wall(2, 0) + timedelta(minutes=minute) for minute in range(7 * 24 * 60))
    length = end - start if start < end else 24 * 60 - start + end
    armed = sum(is_armed((window,), at) for at in week)
    if start < end or end == 0:
        assert armed == length * len(days)
    else:
        assert length * len(days) - min(end, length) * len(days) <= armed <= length * len(days)


def test_a_time_that_yaml_took_for_a_number_is_what_was_meant() -> None:
    assert ScheduleWindow.model_validate({"start": 22 * 60 + 30, "end": 24 * 60}) == ScheduleWindow(start="22:30")
