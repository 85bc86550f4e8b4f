"""Counts per direction in intervals of event time, told as readings of the camera (footfall, 客流). Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from edge.contract.birth import Point
from edge.contract.telemetry import ReadingFlag, from_microseconds, to_microseconds
from edge.flow import Reading
from edge.rules.identity import rule_id
from edge.settings import Direction, LineCrossingSettings

LATE_S: Final = 5.0
"""An interval is told so long after its end: a track counts a few seconds after its first sight. What comes later still counts
in the interval that is open then.
"""


def count_point(settings: LineCrossingSettings, direction: Direction) -> str:
    """The name of the point under which a direction is charted."""
    return f"{rule_id(settings)}.{direction.value}_count"


def count_points(settings: LineCrossingSettings) -> tuple[Point, ...]:
    """What a camera declares of a rule that counts."""
    return tuple(
        Point(name=count_point(settings, direction), minimum=0.0, period_s=float(settings.interval_s))
        for direction in Direction
    )


@dataclass(slots=True)
class IntervalCounter:
    """Counts of one rule. An interval in which the camera was seen is told even if nothing crossed, and one in which it was
    not seen is not told at all: a hole in the chart is no zero.

    A reading's time is the beginning of what was counted: of the interval, or of the watch within it, so that what a
    restarted node counts in the rest of an interval is another reading.
    """

    settings: LineCrossingSettings
    camera: str
    simulated: bool = False
    _open: dict[int, dict[Direction, int]] = field(default_factory=dict)
    _began_us: int | None = None
    _closed_us: int = 0

    def watched(self, at: datetime) -> None:
        """The camera was seen at a moment."""
        at_us = to_microseconds(at)
        if self._began_us is None:
            self._began_us = at_us
        self._interval(at_us)

    def add(self, direction: Direction, at: datetime) -> None:
        """Something crossed; what is told of too late counts in the earliest interval that is not told yet."""
        self._interval(to_microseconds(at))[direction] += 1

    def readings(self, at: datetime) -> Sequence[Reading]:
        """The counts of the intervals that are over, each once."""
        return self._told(to_microseconds(at) - round(LATE_S * 1e6), at)

    def rest(self, at: datetime) -> Sequence[Reading]:
        """The counts that are left when the watch ends, also of the interval that has not ended."""
        told = self._told(None, at)
        self._began_us = None
        return told

    @property
    def _length_us(self) -> int:
        return self.settings.interval_s * 1_000_000

    def _interval(self, at_us: int) -> dict[Direction, int]:
        at_us = max(at_us, self._closed_us, self._began_us or 0)
        start_us = at_us - at_us % self._length_us
        return self._open.setdefault(start_us, dict.fromkeys(Direction, 0))

    def _told(self, until_us: int | None, at: datetime) -> Sequence[Reading]:
        over = [start_us for start_us in self._open if until_us is None or start_us + self._length_us <= until_us]
        told = []
        for start_us in sorted(over):
            counts = self._open.pop(start_us)
            self._closed_us = max(self._closed_us, start_us + self._length_us)
            observed_at = from_microseconds(max(start_us, self._began_us or 0))
            told += [self._reading(direction, count, observed_at, at) for direction, count in counts.items()]
        return told

    def _reading(self, direction: Direction, count: int, observed_at: datetime, at: datetime) -> Reading:
        flag = ReadingFlag.SIMULATED if self.simulated else ReadingFlag.NONE
        point = count_point(self.settings, direction)
        return Reading(self.camera, point, observed_at, float(count), received_at=at, flag=flag)
