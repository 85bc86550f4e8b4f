"""What is counted of cases, and sums of it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from cloud.figures.histogram import Histogram, gather, packed

_Key = TypeVar("_Key")


class Fact(StrEnum):
    """What happened to a case on a day, once for each time that it happened. `cloud.figures.definitions` says what each one is."""

    OPENED = "opened"
    SERIOUS = "serious"
    COMPLAINTS = "complaints"
    OVERDUE = "overdue"
    VERIFIED = "verified"
    DISPATCHED = "dispatched"
    CLOSED = "closed"
    SELF_HANDLED = "self_handled"
    REWORKED = "reworked"
    RETURNED = "returned"
    REOPENED = "reopened"
    JUDGED = "judged"
    FALSE_ALARMS = "false_alarms"
    VERIFY_DUE = "verify_due"
    VERIFY_ON_TIME = "verify_on_time"
    CLOSE_DUE = "close_due"
    CLOSE_ON_TIME = "close_on_time"
    REPORTED_IN_VIEW = "reported_in_view"
    MISSED = "missed"


class Time(StrEnum):
    """Times that are kept as histograms, in seconds of the wall clock."""

    TO_VERIFY = "to_verify"
    TO_DISPATCH = "to_dispatch"
    TO_CLOSE = "to_close"


@dataclass(slots=True)
class Tally:
    """Counts and times that add up; what is nought is left out, so that equal tallies are equal."""

    counts: dict[Fact, int] = field(default_factory=dict)
    times: dict[Time, Histogram] = field(default_factory=dict)

    def count(self, fact: Fact) -> int:
        """How often."""
        return self.counts.get(fact, 0)

    def add(self, other: "Tally", sign: int = 1) -> None:
        """Add another one, or take it away."""
        for fact, number in other.counts.items():
            _put(self.counts, fact, sign * number)
        for time, histogram in other.times.items():
            mine = self.times.setdefault(time, {})
            for bucket, number in histogram.items():
                _put(mine, bucket, sign * number)
            if not mine:
                del self.times[time]

    def note(self, fact: Fact, number: int = 1) -> None:
        """It happened."""
        _put(self.counts, fact, number)

    def note_time(self, time: Time, bucket: int, number: int = 1) -> None:
        """It took so long."""
        mine = self.times.setdefault(time, {})
        _put(mine, bucket, number)
        if not mine:
            del self.times[time]

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened."""
        return not self.counts and not self.times

    @property
    def columns(self) -> dict[str, int | list[int]]:
        """As a row keeps it."""
        counts: dict[str, int | list[int]] = {fact.value: self.count(fact) for fact in Fact}
        return counts | {time.value: packed(self.times.get(time, {})) for time in Time}

    def take(self, row: object) -> None:
        """Add a row of the roll-up; times may be missing."""
        for fact in Fact:
            number = int(getattr(row, fact.value))
            if number:
                self.counts[fact] = self.counts.get(fact, 0) + number
        for time in Time:
            numbers = getattr(row, time.value, None)
            if numbers:
                gather(self.times.setdefault(time, {}), numbers)

    @classmethod
    def of(cls, *rows: object) -> "Tally":
        """The sum of rows of the roll-up."""
        found = cls()
        for row in rows:
            found.take(row)
        return found


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of them."""
    found = Tally()
    for each in tallies:
        found.add(each)
    return found


def _put(numbers: dict[_Key, int], key: _Key, number: int) -> None:
    new = numbers.get(key, 0) + number
    if new:
        numbers[key] = new
    else:
        numbers.pop(key, None)
