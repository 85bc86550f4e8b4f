"""Local days: when they begin, windows of them, and the whole months within. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Self
from zoneinfo import ZoneInfo

from cloud.errors import Invalid

MOST_DAYS = 400
USUAL_DAYS = 30
EARLIEST = date(2004, 1, 1)
LATEST = date(2200, 1, 1)
_DAY = timedelta(days=1)


class Grain(StrEnum):
    """How long a row of the roll-up is."""

    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Span:
    """Rows of one grain that begin from one day to another, both included."""

    grain: Grain
    from_day: date
    to_day: date


@dataclass(frozen=True, slots=True)
class Window:
    """Local days from one to another, both included."""

    from_day: date
    to_day: date

    @classmethod
    def checked(cls, from_day: date | None, to_day: date | None, *, today: date) -> Self:
        """The window that is asked for; by default the last thirty days. Raises Invalid where it ends before it begins, or is too long."""
        for day, name in ((from_day, "from"), (to_day, "to")):
            if day is not None and not EARLIEST <= day <= LATEST:
                raise Invalid(f"`{name}` lies between {EARLIEST} and {LATEST}")
        if to_day is None:
            to_day = today if from_day is None else min(today, from_day + _DAY * (MOST_DAYS - 1))
        window = cls(from_day or max(EARLIEST, to_day - _DAY * (USUAL_DAYS - 1)), to_day)
        if not 1 <= window.days <= MOST_DAYS:
            raise Invalid(f"`from` lies before `to` or on it, by {MOST_DAYS} days at most")
        return window

    @property
    def days(self) -> int:
        """How many."""
        return (self.to_day - self.from_day).days + 1

    @property
    def before(self) -> "Window":
        """As many days before it."""
        return Window(self.from_day - _DAY * self.days, self.from_day - _DAY)

    def __iter__(self) -> Iterator[date]:
        """Each day."""
        return (self.from_day + _DAY * number for number in range(self.days))

    @property
    def spans(self) -> tuple[Span, ...]:
        """The same days as whole months and the days before and after: a year is twelve rows and some, not 365."""
        first = self.from_day if self.from_day.day == 1 else next_month(self.from_day)
        last = month_of(self.to_day + _DAY)
        if first >= last:
            return (Span(Grain.DAY, self.from_day, self.to_day),)
        months = Span(Grain.MONTH, first, last - _DAY)
        head = Span(Grain.DAY, self.from_day, first - _DAY)
        tail = Span(Grain.DAY, last, self.to_day)
        return tuple(each for each in (head, months, tail) if each.from_day <= each.to_day)


def month_of(day: date) -> date:
    """The first day of its month."""
    return day.replace(day=1)


def next_month(day: date) -> date:
    """The first day of the month after."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When a local day begins and ends, in UTC: 23, 24 or 25 hours, whatever the zone does on it."""
    return begins(day, zone), begins(day + _DAY, zone)


def begins(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a local day, in UTC. Where midnight is left out, the moment at which clocks are put on."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def local_day(at: datetime, zone: ZoneInfo) -> date:
    """The local day of a moment."""
    return at.astimezone(zone).date()
