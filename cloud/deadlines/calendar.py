"""Working time (工作时): hours of the week, public holidays and make-up days (调休), counted in local time. Pure.

Instants go in and come out as aware UTC; a day is a day of the calendar's zone. `add` and `between` are each other's inverse:
`between(start, add(start, amount)) == amount`, exact to the microsecond, whatever the hours.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from cloud.errors import Invalid, NoWorkingTime

DAY_MINUTES = 24 * 60
WEEK_DAYS = 7
IDLE_MOST_DAYS = 400
"""A calendar without an open minute for so long is broken, and is not searched any further."""
_DAYS_KEPT = 4_096

_SPAN = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", re.ASCII)

Day = tuple[tuple[int, int], ...]
"""The open spans of a day: minutes after midnight, from and to, ordered, apart from each other."""


class Timeline(Protocol):
    """Something that time is counted on: a calendar, or the clock on the wall."""

    def add(self, start: datetime, amount: timedelta) -> datetime:
        """The first instant at which `amount` has passed since `start`; a negative amount goes back."""

    def between(self, start: datetime, end: datetime) -> timedelta:
        """How much passes from `start` to `end`; negative when that lies before."""


class WallTime:
    """Every minute counts."""

    def add(self, start: datetime, amount: timedelta) -> datetime:
        """`start + amount`. Raises NoWorkingTime past the end of all calendars."""
        try:
            return start + amount
        except OverflowError:
            raise NoWorkingTime("that lies beyond every calendar") from None

    def between(self, start: datetime, end: datetime) -> timedelta:
        """`end - start`."""
        return end - start


WALL_TIME = WallTime()


@dataclass(frozen=True, slots=True)
class Unfailing:
    """Another time line, and the clock on the wall where that one has no answer: nobody's step fails for an empty calendar."""

    timeline: Timeline

    def add(self, start: datetime, amount: timedelta) -> datetime:
        """As the time line says, else `start + amount`, within what a date can be."""
        try:
            return self.timeline.add(start, amount)
        except NoWorkingTime:
            try:
                return start + amount
            except OverflowError:
                return _LATEST if amount > timedelta(0) else _EARLIEST

    def between(self, start: datetime, end: datetime) -> timedelta:
        """As the time line says, else `end - start`."""
        try:
            return self.timeline.between(start, end)
        except NoWorkingTime:
            return end - start


_EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)


def parse_day(text: str) -> Day:
    """`08:30-12:00 14:00-17:30` as spans; `24:00` is the end of the day, an empty text a day off.

    Spans that touch are one. Raises Invalid for what is no span, ends before it begins, or overlaps; what goes over midnight is
    written as two, on two days.
    """
    spans: list[tuple[int, int]] = []
    for word in text.replace(",", " ").split():
        found = _SPAN.fullmatch(word)
        if found is None:
            raise Invalid(f"{word[:30]!r} is no span of hours like 08:30-12:00")
        from_hour, from_minute, to_hour, to_minute = map(int, found.groups())
        start, end = from_hour * 60 + from_minute, to_hour * 60 + to_minute
        if not start < end <= DAY_MINUTES:
            raise Invalid(
                f"{word} does not end after it begins and by 24:00; over midnight it is two spans on two days"
            )
        spans.append((start, end))
    spans.sort()
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            raise Invalid(f"the hours {text[:60]!r} overlap")
        if merged and start == merged[-1][1]:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return tuple(merged)


def format_day(day: Day) -> str:
    """The text that `parse_day` reads."""
    return " ".join(f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}" for start, end in day)


@dataclass(frozen=True, slots=True)
class Week:
    """The hours of a week, Monday first, in force from a day on; `makeup` are those of a weekend day that is worked (调休)."""

    days: tuple[Day, ...]
    makeup: Day
    holidays: bool = True
    """Whether public holidays and make-up days count at all; a centre that never closes knows none."""

    def __post_init__(self) -> None:
        if len(self.days) != WEEK_DAYS:
            raise Invalid(f"a week has {WEEK_DAYS} days")


_OFFICE = ((8 * 60 + 30, 12 * 60), (14 * 60, 17 * 60 + 30))
OFFICE_WEEK = Week(days=(*(_OFFICE,) * 5, (), ()), makeup=_OFFICE)


@dataclass(frozen=True)
class Calendar:
    """The hours of an area. `weeks` begin at a day each, the latest that has begun counts; before the first it counts as well.

    `special` is what the area itself says of a day (True: worked), before `public`, which says so of the country's days and
    None where it has no word: an ordinary day of the week.
    """

    zone: ZoneInfo
    weeks: Sequence[tuple[date, Week]]
    special: Mapping[date, bool] = field(default_factory=dict)
    public: Callable[[date], bool | None] = lambda _day: None
    _kept: dict[date, tuple[tuple[datetime, datetime], ...]] = field(default_factory=dict, compare=False, repr=False)

    def add(self, start: datetime, amount: timedelta) -> datetime:
        """The first instant at which `amount` of working time has passed since `start`.

        Raises NoWorkingTime when the calendar has none to give, rather than looking for ever.
        """
        if amount < timedelta(0):
            return self.subtract(start, -amount)
        if not amount:
            return start
        for opens, closes in self._forward(start):
            if amount <= closes - opens:
                return opens + amount
            amount -= closes - opens
        raise NoWorkingTime("this calendar has no working time")  # pragma: no cover  # _forward raises before

    def subtract(self, end: datetime, amount: timedelta) -> datetime:
        """The last instant from which `amount` of working time passes until `end`. Raises NoWorkingTime."""
        if amount < timedelta(0):
            return self.add(end, -amount)
        if not amount:
            return end
        for opens, closes in self._backward(end):
            if amount <= closes - opens:
                return closes - amount
            amount -= closes - opens
        raise NoWorkingTime("this calendar has no working time")  # pragma: no cover  # _backward raises before

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time from `start` to `end`; negative when `end` lies before."""
        if end < start:
            return -self.between(end, start)
        total = timedelta(0)
        day, last = self._day_of(start), self._day_of(end)
        while day <= last:
            for opens, closes in self.spans(day):
                total += max(timedelta(0), min(closes, end) - max(opens, start))
            if day == date.max:
                break
            day += timedelta(days=1)
        return total

    def is_open(self, at: datetime) -> bool:
        """Whether it is working time."""
        return any(opens <= at < closes for opens, closes in self.spans(self._day_of(at)))

    @property
    def full_day(self) -> timedelta:
        """What a working day (工作日) is worth: the longest of the week last in force. Raises NoWorkingTime for an empty week."""
        days = self.weeks[-1][1].days if self.weeks else ()
        minutes = max((sum(end - start for start, end in day) for day in days), default=0)
        if not minutes:
            raise NoWorkingTime("this calendar has no working day")
        return timedelta(minutes=minutes)

    def spans(self, day: date) -> tuple[tuple[datetime, datetime], ...]:
        """The open spans of a day as instants, ordered."""
        kept = self._kept.get(day)
        if kept is None:
            if len(self._kept) >= _DAYS_KEPT:
                self._kept.clear()
            kept = self._kept[day] = self._instants(day)
        return kept

    def hours(self, day: date) -> Day:
        """The open hours of a day."""
        week = self._week(day)
        if week is None:
            return ()
        worked = self.special.get(day)
        if worked is None and week.holidays:
            worked = self.public(day)
        usual = week.days[day.weekday()]
        if worked is None:
            return usual
        return (usual or week.makeup) if worked else ()

    def _week(self, day: date) -> Week | None:
        begun = [week for since, week in self.weeks if since <= day]
        return begun[-1] if begun else next((week for _, week in self.weeks), None)

    def _instants(self, day: date) -> tuple[tuple[datetime, datetime], ...]:
        found: list[tuple[datetime, datetime]] = []
        for start, end in self.hours(day):
            opens, closes = self._instant(day, start), self._instant(day, end)
            if found:
                opens = max(opens, found[-1][1])  # an hour that the zone leaves out
            if opens < closes:
                found.append((opens, closes))
        return tuple(found)

    def _instant(self, day: date, minute: int) -> datetime:
        ahead, minute = divmod(minute, DAY_MINUTES)
        local = datetime.combine(day + timedelta(days=ahead), time(minute // 60, minute % 60), self.zone)
        return local.astimezone(UTC)

    def _day_of(self, at: datetime) -> date:
        try:
            return at.astimezone(self.zone).date()
        except OverflowError:
            raise NoWorkingTime("that lies beyond every calendar") from None

    def _forward(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """What is open from `start` on. Raises NoWorkingTime where nothing comes for too long."""
        day, idle = self._day_of(start), 0
        while True:
            idle += 1
            for opens, closes in self._spans_or_end(day):
                if closes > start:
                    idle = 0
                    yield max(opens, start), closes
            day = self._next(day, 1, idle)

    def _backward(self, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        day, idle = self._day_of(end), 0
        while True:
            idle += 1
            for opens, closes in reversed(self._spans_or_end(day)):
                if opens < end:
                    idle = 0
                    yield opens, min(closes, end)
            day = self._next(day, -1, idle)

    def _spans_or_end(self, day: date) -> tuple[tuple[datetime, datetime], ...]:
        try:
            return self.spans(day)
        except OverflowError:
            raise NoWorkingTime("that lies beyond every calendar") from None

    @staticmethod
    def _next(day: date, step: int, idle: int) -> date:
        if idle > IDLE_MOST_DAYS:
            raise NoWorkingTime(f"this calendar has no working time within {IDLE_MOST_DAYS} days of {day}")
        try:
            return day + timedelta(days=step)
        except OverflowError:
            raise NoWorkingTime("that lies beyond every calendar") from None
