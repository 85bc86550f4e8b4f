"""Readings on their way to the table: many columns of many messages become four flat ones. Pure."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from edge.contract.telemetry import ReadingFlag, SeriesColumn, to_microseconds

MINUTE_US = 60_000_000

AHEAD = timedelta(minutes=1)
"""So far ahead of its receipt a time may lie: clocks differ, and nothing that happened later stays hidden for longer."""

EARLIEST_US = 946_684_800_000_000
"""2000-01-01T00:00Z; what claims to be older comes from a device without a clock."""

_SPAN_US = 24 * 60 * MINUTE_US


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which times are believed of what was received at one moment (µs since 1970)."""

    earliest_us: int
    final_us: int
    received_us: int

    @classmethod
    def at(cls, received_at: datetime) -> "Bounds":
        """The bounds of what the cloud received at `received_at`."""
        return cls(EARLIEST_US, to_microseconds(received_at + AHEAD), to_microseconds(received_at))

    def believe(self, us: int) -> bool:
        """Whether a time can be."""
        return self.earliest_us <= us <= self.final_us

    def clamped(self, times: Sequence[int]) -> list[int]:
        """The times, those that can't be put to where they could have been at the latest: the last one at the receipt, the
        others as long before it as they claim to be; closely in their order where they claim more than a day. Nothing that
        comes later is hidden by them, and none takes the place of another.
        """
        result = list(times)
        late = [place for place, us in enumerate(times) if us > self.final_us]
        early = [place for place, us in enumerate(times) if us < self.earliest_us]
        for places in (late, early):
            places.sort(key=lambda place: -times[place])
            for rank, place in enumerate(places):
                behind_us = times[places[0]] - times[place]
                together = times[places[0]] - times[places[-1]] <= _SPAN_US
                result[place] = self.received_us - (behind_us if together else rank)
        return result


Sample = tuple[int, float, int]
"""Time in microseconds since 1970, value, flag."""


@dataclass(slots=True)
class Readings:
    """The readings of one transaction, flat; `newest` and `minutes` are worked out on the way.

    `series_id`, `observed_at_us`, `value` and `flag` have one length. `corrections` are kept apart, the last one told for
    a (series, time) stands. `clamped` counts readings whose time could not be; they are flagged.
    """

    series_id: "array[int]" = field(default_factory=lambda: array("i"))
    observed_at_us: "array[int]" = field(default_factory=lambda: array("q"))
    value: "array[float]" = field(default_factory=lambda: array("d"))
    flag: "array[int]" = field(default_factory=lambda: array("h"))
    corrections: dict[tuple[int, int], tuple[float, int]] = field(default_factory=dict)
    newest: dict[int, Sample] = field(default_factory=dict)
    minutes: set[tuple[int, int]] = field(default_factory=set)
    clamped: int = 0

    def take_flat(self) -> tuple["array[int]", "array[int]", "array[float]", "array[int]"]:
        """Hand out the flat columns collected so far and begin new ones; corrections and notes stay."""
        flat = (self.series_id, self.observed_at_us, self.value, self.flag)
        self.series_id, self.observed_at_us, self.value, self.flag = array("i"), array("q"), array("d"), array("h")
        return flat

    def __len__(self) -> int:
        """How many are held."""
        return len(self.series_id) + len(self.corrections)

    def add(self, series_id: int, column: SeriesColumn, bounds: Bounds) -> None:
        """Take one column. All its times in bounds and no correction among it: no step per reading in Python."""
        times = column.observed_at_us
        if not times:
            return
        first, last = min(times), max(times)
        special = bool(column.flag) and any(flag & ReadingFlag.CORRECTION for flag in column.flag)
        if special or first < bounds.earliest_us or last > bounds.final_us:
            self._add_one_by_one(series_id, column, bounds)
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

    def _add_one_by_one(self, series_id: int, column: SeriesColumn, bounds: Bounds) -> None:
        flags = column.flag or [0] * len(column.value)
        times = bounds.clamped(column.observed_at_us)
        for told_us, us, value, told_flag in zip(column.observed_at_us, times, column.value, flags, strict=True):
            flag = told_flag if told_us == us else told_flag | ReadingFlag.CLAMPED
            self.clamped += told_us != us
            self.minutes.add((series_id, us // MINUTE_US))
            if flag & ReadingFlag.CORRECTION:
                self.corrections[series_id, us] = (value, int(flag))
            else:
                self.series_id.append(series_id)
                self.observed_at_us.append(us)
                self.value.append(value)
                self.flag.append(int(flag))
            self._advance(series_id, (us, value, int(flag)))

    def _advance(self, series_id: int, sample: Sample) -> None:
        known = self.newest.get(series_id)
        if known is None or sample[0] > known[0] or (sample[0] == known[0] and sample[2] & ReadingFlag.CORRECTION):
            self.newest[series_id] = sample
