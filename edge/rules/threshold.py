"""Threshold (越限): a value lies beyond a limit for some time; it ends once the value has been back for some time. Pure.

All time is the readings' own: the device's, where it tells one that the node believes, for it says when something was
measured however late it arrives; else the node's, which is never stepped. A long silence is no evidence: neither that the value
stayed beyond the limit, nor that it came back. Readings may come late, doubled and out of order; what was decided stays decided.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from math import isfinite
from statistics import median
from typing import Final

from edge.contract.incident import Incident, IncidentState
from edge.errors import ConfigurationError
from edge.flow import Finding, Reading, ReadingRule
from edge.rules.identity import rule_id, told_kind
from edge.settings import ThresholdSettings

UPDATE_S: Final = 30.0
"""A value that gets worse is told again, but not more often than this."""

SET_BACK_S: Final = 30.0
"""So long a rule sees nothing but the past before it believes that the clock was set back."""

_SET_BACK_READINGS: Final = 3
_SILENCE_PERIODS: Final = 3.0
_SILENCE_UNKNOWN_S: Final = 60.0
_SILENCE_LEAST_S: Final = 5.0
_LEARNT_INTERVALS: Final = 16
_LEARNING_INTERVALS: Final = 3
_MOST_KEPT: Final = 64


class _Side(Enum):
    BEYOND = "beyond"
    BETWEEN = "between"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class _Mark:
    at: datetime
    side: _Side
    value: float


@dataclass(frozen=True, slots=True)
class _Streak:
    """Readings on one side, unbroken by another one or by silence; `worst` is the farthest out."""

    side: _Side
    since: datetime
    until: datetime
    worst: float


@dataclass(frozen=True, slots=True)
class _Open:
    since: datetime
    worst: float
    told_at: datetime
    told_worst: float


@dataclass(frozen=True, slots=True)
class _Late:
    """Readings that came one after another and are all older than the newest one. A few of them are late; where for half a
    minute nothing else comes, at the pace of a clock and in its order, the clock that tells their times was set back.
    """

    first_at: datetime
    first_received_at: datetime
    received_at: datetime
    marks: tuple[_Mark, ...]

    @classmethod
    def after(cls, run: "_Late | None", mark: _Mark, received_at: datetime) -> "_Late":
        """The run with one more reading; one that is out of order, or leaps ahead, begins another run."""
        if run is None or not run.leads_to(mark, received_at):
            return cls(mark.at, received_at, received_at, (mark,))
        return replace(run, received_at=received_at, marks=(*run.marks, mark)[-_MOST_KEPT:])

    def leads_to(self, mark: _Mark, received_at: datetime) -> bool:
        """Whether a reading goes on with the run, at the pace of a clock."""
        step_s = (mark.at - self.marks[-1].at).total_seconds()
        return 0 < step_s <= 2 * (received_at - self.received_at).total_seconds() + _SILENCE_LEAST_S

    @property
    def is_set_back(self) -> bool:
        """Whether the run says so: a buffer that is played back comes much faster than it was filled."""
        received_s = (self.received_at - self.first_received_at).total_seconds()
        observed_s = (self.marks[-1].at - self.first_at).total_seconds()
        return len(self.marks) >= _SET_BACK_READINGS and received_s >= SET_BACK_S and observed_s <= 2 * received_s


class ThresholdRule(ReadingRule):
    """One limit on one point of one device.

    The key of its findings names device and rule alone: after a restart, a value that is still beyond the limit goes on
    with the incident that is open already.
    """

    def __init__(
        self, settings: ThresholdSettings, device: str, *, unit: str | None = None, period_s: float | None = None
    ) -> None:
        """Raises ConfigurationError unless exactly one of `above` and `below` is given and `clear` lies on its good side."""
        _check(settings, device)
        self._settings = settings
        self._device, self._unit, self._period_s = device, unit, period_s
        self._marks: list[_Mark] = []
        self._folded: _Streak | None = None
        self._intervals_s: list[float] = []
        self._decided_at: datetime | None = None
        self._newest_at: datetime | None = None
        self._open: _Open | None = None
        self._late: _Late | None = None
        self._newest_received_at: datetime | None = None
        self._set_back = 0

    @property
    def id(self) -> str:
        """What the rule is called on its device."""
        return rule_id(self._settings)

    @property
    def key(self) -> str:
        """The key of all its findings."""
        return f"{self._device}/{self.id}"

    @property
    def set_back(self) -> int:
        """How often the clock that tells the readings' times was set back."""
        return self._set_back

    def concerns(self, reading: Reading) -> bool:
        """Whether a reading is one of the point that is watched."""
        return reading.device == self._device and reading.point == self._settings.point

    def holding(self) -> Sequence[Finding]:
        """What is open, unless the newest readings are clear of it."""
        streak = self._newest_streak()
        if self._open is None or (streak is not None and streak.side is _Side.CLEAR):
            return ()
        at = self._open.told_at if streak is None else max(streak.until, self._open.since)
        return (self._finding(self._open, IncidentState.UPDATE, at),)

    def resume(self, incident: Incident) -> bool:
        """Go on with what was open before a restart: a value between limit and `clear` keeps it open, one that is clear for
        long enough ends it. False when the incident speaks of another point.
        """
        if incident.point != self._settings.point:
            return False
        limit = self._settings.above if self._settings.above is not None else self._settings.below
        worst = limit or 0.0 if incident.value is None else incident.value
        self._open = _Open(incident.started_at, worst, incident.updated_at, worst)
        self._decided_at = incident.updated_at
        return True

    def pass_over(self, until: datetime) -> None:
        """Everything up to `until` was decided before a restart."""
        self._decided_at = until if self._decided_at is None else max(until, self._decided_at)

    def observe(self, reading: Reading) -> Sequence[Finding]:
        """Take one reading. One that is older than the last decision changes nothing, nor does a second one of one time;
        unless all that comes is older, for then the clock was set back.
        """
        if not self.concerns(reading) or isinstance(reading.value, str) or not isfinite(reading.value):
            return ()
        mark = _Mark(reading.observed_at, self._side(reading.value), reading.value)
        newest_at = self._newest_at or self._decided_at
        if newest_at is None or mark.at > newest_at:
            self._late = None
            self._newest_received_at = reading.received_at
        else:
            self._late = _Late.after(self._late, mark, reading.received_at)
            if self._late.is_set_back:
                return self._begin_anew(self._late, newest_at)
        return self._take(mark)

    def _take(self, mark: _Mark) -> Sequence[Finding]:
        if self._settled(mark.at) or not self._insert(mark):
            return ()
        return self._decide_end(mark) if self._open else self._decide_start()

    def _begin_anew(self, late: _Late, newest_at: datetime) -> Sequence[Finding]:
        """The clock was set back: what is open goes on in the time that holds now, and what came since is looked at again."""
        waited = late.first_received_at - (self._newest_received_at or late.first_received_at)
        back = newest_at + waited - late.first_at
        if self._open is not None:
            since = min(self._open.since - back, late.first_at)  # it is older than whatever came after it
            self._open = replace(self._open, since=since, told_at=self._open.told_at - back)
        self._marks, self._folded = [], None
        self._decided_at = self._newest_at = self._late = None
        self._set_back += 1
        return [finding for mark in late.marks for finding in self._take(mark)]

    def _side(self, value: float) -> _Side:
        above, below, clear = self._settings.above, self._settings.below, self._settings.clear
        if above is not None:
            if value > above:
                return _Side.BEYOND
            return _Side.CLEAR if clear is None or value <= clear else _Side.BETWEEN
        if below is not None and value < below:
            return _Side.BEYOND
        return _Side.CLEAR if clear is None or value >= clear else _Side.BETWEEN

    def _settled(self, at: datetime) -> bool:
        """Whether a reading of this time comes too late to change anything."""
        decided = self._decided_at is not None and at <= self._decided_at
        return decided or (self._folded is not None and at <= self._folded.until)

    def _insert(self, mark: _Mark) -> bool:
        place = bisect_left(self._marks, mark.at, key=lambda kept: kept.at)
        if place < len(self._marks) and self._marks[place].at == mark.at:
            return False
        if self._newest_at is not None and mark.at > self._newest_at:
            self._intervals_s.append((mark.at - self._newest_at).total_seconds())
            del self._intervals_s[:-_LEARNT_INTERVALS]
        self._newest_at = mark.at if self._newest_at is None else max(self._newest_at, mark.at)
        self._marks.insert(place, mark)
        if len(self._marks) > _MOST_KEPT:
            self._fold(len(self._marks) // 2)
        return True

    def _fold(self, count: int) -> None:
        """Bound the memory: the oldest readings are kept as the one streak that they end in."""
        for mark in self._marks[:count]:
            self._folded = self._joined(self._folded, mark)
        del self._marks[:count]

    def _joined(self, streak: _Streak | None, mark: _Mark) -> _Streak:
        """The streak that goes on with the mark, or a new one where another side or a silence breaks it."""
        goes_on = streak is not None and streak.side is mark.side
        if streak is None or not goes_on or (mark.at - streak.until).total_seconds() > self._silence_s:
            return _Streak(mark.side, mark.at, mark.at, mark.value)
        return _Streak(mark.side, streak.since, mark.at, self._worse(streak.worst, mark.value))

    @property
    def _silence_s(self) -> float:
        """The longest time between two readings that still connects them."""
        if self._period_s is not None:
            return max(self._period_s * _SILENCE_PERIODS, _SILENCE_LEAST_S)
        if len(self._intervals_s) < _LEARNING_INTERVALS:
            return _SILENCE_UNKNOWN_S
        return max(median(self._intervals_s) * _SILENCE_PERIODS, _SILENCE_LEAST_S)

    def _newest_streak(self) -> _Streak | None:
        streak = self._folded
        for mark in self._marks:
            streak = self._joined(streak, mark)
        return streak

    def _decide_start(self) -> Sequence[Finding]:
        streak = self._newest_streak()
        if streak is None or streak.side is not _Side.BEYOND:
            return ()
        if (streak.until - streak.since).total_seconds() < self._settings.for_s:
            return ()
        self._open = _Open(streak.since, streak.worst, streak.until, streak.worst)
        self._decide(streak.until)
        return (self._finding(self._open, IncidentState.OPEN, streak.until),)

    def _decide_end(self, mark: _Mark) -> Sequence[Finding]:
        if self._open is None:
            return ()
        streak = self._newest_streak()
        if streak is None or streak.side is not _Side.CLEAR:
            return self._worsened(self._open, mark)
        if (streak.until - streak.since).total_seconds() < self._settings.clear_for_s:
            return ()
        finding = self._finding(self._open, IncidentState.ENDED, streak.until, ended_at=streak.since)
        self._open = None
        self._decide(streak.until)
        return (finding,)

    def _worsened(self, stretch: _Open, mark: _Mark) -> Sequence[Finding]:
        self._open = replace(stretch, worst=self._worse(stretch.worst, mark.value))
        due = (mark.at - stretch.told_at).total_seconds() >= UPDATE_S
        if self._open.worst == stretch.told_worst or not due:
            return ()
        self._open = replace(self._open, told_at=mark.at, told_worst=self._open.worst)
        return (self._finding(self._open, IncidentState.UPDATE, mark.at),)

    def _worse(self, one: float, other: float) -> float:
        return max(one, other) if self._settings.above is not None else min(one, other)

    def _decide(self, at: datetime) -> None:
        self._decided_at, self._folded = at, None
        self._marks = [mark for mark in self._marks if mark.at > at]

    def _finding(
        self, stretch: _Open, state: IncidentState, at: datetime, *, ended_at: datetime | None = None
    ) -> Finding:
        return Finding(
            key=self.key,
            state=state,
            rule=self.id,
            kind=told_kind(self._settings),
            category=self._settings.category,
            severity=self._settings.severity,
            device=self._device,
            started_at=stretch.since,
            at=at,
            ended_at=ended_at,
            dwell_s=max(0.0, round(((ended_at or at) - stretch.since).total_seconds(), 3)),
            point=self._settings.point,
            value=stretch.worst,
            unit=self._unit,
        )


def _check(settings: ThresholdSettings, device: str) -> None:
    above, below, clear = settings.above, settings.below, settings.clear
    if (above is None) == (below is None):
        raise ConfigurationError(
            f"sensor {device}: rule threshold on `{settings.point}` takes one of `above` and `below`"
        )
    if clear is not None and ((above is not None and clear > above) or (below is not None and clear < below)):
        raise ConfigurationError(
            f"sensor {device}: rule threshold on `{settings.point}`: `clear` lies beyond the limit"
        )
