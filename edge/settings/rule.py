"""What every rule has: a name, when it is armed, and what counts as one incident."""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from edge.settings.fields import Identifier, Seconds, Strict


def _sexagesimal(value: object) -> object:
    """YAML takes 22:30 without quotes for a number of base sixty; what was meant is the time of day."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 24 * 60:
        return f"{value // 60:02}:{value % 60:02}"
    return value


TimeOfDay = Annotated[
    str,
    StringConstraints(pattern=r"^(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"),
    BeforeValidator(_sexagesimal),
]


class Day(StrEnum):
    """A day of the week."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


class ScheduleWindow(Strict):
    """Hours (Asia/Shanghai) of some days in which a rule is armed. One whose end lies before its start goes over midnight and
    belongs to the day on which it begins.
    """

    days: Annotated[tuple[Day, ...], Field(min_length=1, max_length=7)] = tuple(Day)
    start: TimeOfDay = "00:00"
    end: TimeOfDay = "24:00"


class RuleSettings(Strict):
    """What all rules have: when they are armed (always, without a schedule), within how many seconds what follows is
    the same incident, and for how many seconds nothing new opens after one has ended.
    """

    id: Identifier | None = None
    schedule: Annotated[tuple[ScheduleWindow, ...], Field(max_length=32)] = ()
    fold_s: Seconds = 0.0
    cooldown_s: Seconds = 0.0
