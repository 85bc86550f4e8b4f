"""Whether a rule is armed at a moment (布防时间). Pure.

Hours are those of the wall in China: eight hours ahead of UTC, without summer time since 1991.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Final

from edge.settings import Day, ScheduleWindow

CHINA: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
_DAYS: Final = tuple(Day)


def is_armed(schedule: Sequence[ScheduleWindow], at: datetime) -> bool:
    """Whether the moment lies in one of the windows; always where there is none. A window's end does not belong to it."""
    return not schedule or any(_holds(window, at.astimezone(CHINA)) for window in schedule)


def minutes(time_of_day: str) -> int:
    """Minutes since midnight of `HH:MM`."""
    hours, _, rest = time_of_day.partition(":")
    return 60 * int(hours) + int(rest)


def _holds(window: ScheduleWindow, at: datetime) -> bool:
    """A window over midnight belongs to the day on which it begins."""
    start, end, now = minutes(window.start), minutes(window.end), 60 * at.hour + at.minute
    today, yesterday = _DAYS[at.weekday()], _DAYS[at.weekday() - 1]
    if start < end:
        return today in window.days and start <= now < end
    return (today in window.days and now >= start) or (yesterday in window.days and now < end)
