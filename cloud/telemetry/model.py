"""Readings on their way to the table: many columns of many messages become four flat ones. Pure."""

from array import array
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from edge.contract.telemetry import ReadingFlag, SeriesColumn, to_microseconds

MINUTE_US = 60_000_000

FUTURE_BOUND = timedelta(hours=24)
"""A reading further ahead of the cloud's clock than this is refused: it can only be a broken clock."""

LATEST_BOUND = timedelta(minutes=1)
"""A reading further ahead than this is kept, but never becomes the newest one: it would hide all that follow."""

EARLIEST_US = 946_684_800_000_000
"""2000-01-01T00:00Z; what claims to be older comes from a device without a clock."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which times are taken, in microseconds since 1970, seen from one moment of the cloud's clock."""

    earliest_us: int
    final_us: int
    newest_us: int

    @classmethod
    def at(cls, now: datetime) -> "Bounds":
        """The bounds that hold at `now`."""
        return cls(EARLIEST_US, to_microseconds(now + FUTURE_BOUND), to_microseconds(now + LATEST_BOUND))


Sample = tuple[int, float, int]
"""Time in microseconds since 1970, value, flag."""


@dataclass(slots=True)
class Readings:
    """The readings of one transaction, flat; `newest` and `minutes` are worked out on the way.

    `series_id`, `observed_at_us`, `value` and `flag` have one length. `corrections` are kept apart, the last one told for
    a (series, time) stands. `refused` counts readings outside of the bounds.
    """

    bounds: Bounds
    series_id: "array[int]" = field(default_factory=lambda: array("i"))
    observed_at_us: "array[int]" = field(default_factory=lambda: array("q"))
    value: "array[float]" = field(default_factory=lambda: array("d"))
    flag: "array[int]" = field(default_factory=lambda: array("h"))
    corrections: dict[tuple[int, int], tuple[float, int]] = field(default_factory=dict)
    newest: dict[int, Sample] = field(default_factory=dict)
    minutes: set[tuple[int, int]] = field(default_factory=set)
    refused: int = 0

    def take_flat(self) -> tuple["array[int]", "array[int]", "array[float]", "array[int]"]:
        """Hand out the flat columns collected so far and begin new ones; corrections and notes stay."""
        flat = (self.series_id, self.observed_at_us, self.value, self.flag)
        self.series_id, self.observed_at_us, self.value, self.flag = array("i"), array("q"), array("d"), array("h")
        return flat

    def __len__(self) -> int:
        """How many are held."""
        return len(self.series_id) + len(self.corrections)

    def add(self, series_id: int, column: SeriesColumn) -> None:
        """Take one column. All its times in bounds and no correction among it: no step per reading in Python."""
        times = column.observed_at_us
        if not times:
            return
        first, last = min(times), max(times)
        bounds = self.bounds
        special = bool(column.flag) and any(flag & ReadingFlag.CORRECTION for flag in column.flag)
        if special or first < bounds.earliest_us or last > bounds.newest_us:
            self._add_one_by_one(series_id, column)
            return
        count = len(times)
        self.series_id.extend(array("i", (series_id,)) * count)
        self.observed_at_us.extend(times)
        self.value.extend(column.value)
        self.flag.extend(column.flag or array("h", (0,)) * count)
        at = times.index(last)
        self._advance(series_id, (last, column.value[at], column.flag[at] if column.flag else 0))
        if first // MINUTE_US == last // MINUTE_US:
            self.minutes.add((series_id, first // MINUTE_US))
        else:
            self.minutes.update((series_id, minute) for minute in {us // MINUTE_US for us in times})

    def _add_one_by_one(self, series_id: int, column: SeriesColumn) -> None:
        flags = column.flag or [0] * len(column.value)
        for us, value, flag in zip(column.observed_at_us, column.value, flags, strict=True):
            if not self.bounds.earliest_us <= us <= self.bounds.final_us:
                self.refused += 1
                continue
            self.minutes.add((series_id, us // MINUTE_US))
            if flag & ReadingFlag.CORRECTION:
                self.corrections[series_id, us] = (value, flag)
            else:
                self.series_id.append(series_id)
                self.observed_at_us.append(us)
                self.value.append(value)
                self.flag.append(flag)
            if us <= self.bounds.newest_us:
                self._advance(series_id, (us, value, flag))

    def _advance(self, series_id: int, sample: Sample) -> None:
        known = self.newest.get(series_id)
        if known is None or sample[0] > known[0] or (sample[0] == known[0] and sample[2] & ReadingFlag.CORRECTION):
            self.newest[series_id] = sample
