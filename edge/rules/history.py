"""History (历史数据): what a device sends late by itself waits until all of it is there, and is looked at in its order. Pure.

A device that was away sends what it has measured meanwhile, as fast as it can and in any order. Were each reading judged as it comes,
what began and ended an hour ago would ring as if it held now. So it waits until nothing more has come for `settle_s`: then
rules see it as they would have seen it live, and only what still holds is told as something that holds.

A device whose clock is slow looks the same at first: all that it says is late. But it is late by the same time always, and comes at
the pace at which it is measured. That is no history: its readings count by the node's clock.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from edge.contract.telemetry import ReadingFlag
from edge.flow import Reading

SETTLE_S: Final = 10.0
"""So long nothing more of it has come: all of it is there."""

STEADY_WITHIN_S: Final = 5.0
"""A clock that is slow is late by the same time, but for so much."""

_STEADY_READINGS: Final = 3
_STEADY_S: Final = 20.0
_MOST_OF_A_DEVICE: Final = 10_000
_MOST: Final = 100_000
"""So many readings wait in memory, of all devices together; then the longest history is looked at as far as it is there."""


@dataclass(frozen=True, slots=True)
class Past:
    """What a device sent late, in the order of its event times, each once. `again` were delivered before a crash already. One that is
    not `complete` is a beginning for which there was no more room: what is open at its end may be over in what follows.
    """

    device: str
    readings: tuple[Reading, ...]
    again: frozenset[int] = frozenset()
    complete: bool = True


@dataclass(slots=True)
class _Lag:
    """By how much a device is late, and since when it has been so without a change."""

    lag: timedelta
    since: datetime
    readings: int = 1

    def goes_on(self, lag: timedelta) -> bool:
        return abs((lag - self.lag).total_seconds()) <= STEADY_WITHIN_S

    def is_steady(self, at: datetime) -> bool:
        return self.readings >= _STEADY_READINGS and (at - self.since).total_seconds() >= _STEADY_S


@dataclass(slots=True)
class _Waiting:
    last_at: datetime
    readings: list[tuple[Reading, bool]] = field(default_factory=list)


class History:
    """What waits, of all devices. `clock` tells node time."""

    def __init__(self, clock: Callable[[], datetime], *, settle_s: float = SETTLE_S) -> None:
        self._clock, self._settle = clock, timedelta(seconds=settle_s)
        self._waiting: dict[str, _Waiting] = {}
        self._lags: dict[str, _Lag] = {}
        self._begun: set[str] = set()
        self._last_at: dict[str, datetime] = {}
        self._kept = 0

    @property
    def kept(self) -> int:
        """How many readings wait."""
        return self._kept

    def is_begun(self, device: str) -> bool:
        """Whether the beginning of a device's history was looked at, and the rest is still to come."""
        return device in self._begun

    def take(self, reading: Reading, *, again: bool = False) -> Reading | None:
        """A reading as rules have to see it now, or None where it waits."""
        if ReadingFlag.REPLAYED not in reading.flag:
            return reading
        if not again and self._is_slow_clock(reading):
            return replace(reading, observed_at=reading.received_at, flag=reading.flag & ~ReadingFlag.REPLAYED)
        now = self._clock()
        waiting = self._waiting.setdefault(reading.device, _Waiting(now))
        waiting.last_at = now
        waiting.readings.append((reading, again))
        self._kept += 1
        return None

    def due(self) -> Sequence[Past]:
        """The histories that are complete, or for which there is no room any more."""
        now = self._clock()
        ready = {device for device, waiting in self._waiting.items() if now - waiting.last_at >= self._settle}
        full = {
            device for device, waiting in self._waiting.items() if len(waiting.readings) >= _MOST_OF_A_DEVICE
        } - ready
        if self._kept > _MOST and not ready and not full:
            full.add(max(self._waiting, key=lambda device: len(self._waiting[device].readings)))
        settled = {device for device in self._begun - self._waiting.keys() if self._is_settled(device, now)}
        pasts = [*self._taken(ready), *self._taken(full, complete=False), *(Past(device, ()) for device in settled)]
        self._begun = (self._begun | full) - ready - settled
        self._last_at = {device: at for device, at in self._last_at.items() if device in self._begun}
        return pasts

    def _is_settled(self, device: str, now: datetime) -> bool:
        return now - self._last_at.get(device, now - self._settle) >= self._settle

    def rest(self) -> Sequence[Past]:
        """All that waits: the node stops."""
        begun, self._begun = self._begun - self._waiting.keys(), set()
        return [*self._taken(list(self._waiting)), *(Past(device, ()) for device in begun)]

    def forget(self, devices: Iterable[str]) -> None:
        """They are no part of the configuration any more."""
        self._taken([device for device in devices if device in self._waiting])
        for device in devices:
            self._lags.pop(device, None)
            self._begun.discard(device)

    def _is_slow_clock(self, reading: Reading) -> bool:
        """Whether it is late by what the device has been late by for a while, whatever it said."""
        lag = reading.received_at - reading.observed_at
        known = self._lags.get(reading.device)
        if known is None or not known.goes_on(lag):
            self._lags[reading.device] = _Lag(lag, reading.received_at)
            return False
        known.readings += 1
        return known.is_steady(reading.received_at)

    def _taken(self, devices: Iterable[str], *, complete: bool = True) -> list[Past]:
        pasts = []
        for device in devices:
            waiting = self._waiting.pop(device)
            self._kept -= len(waiting.readings)
            if not complete:
                self._last_at[device] = waiting.last_at
            once: dict[tuple[str, datetime, float | str], tuple[Reading, bool]] = {}
            for reading, again in waiting.readings:
                once.setdefault((reading.point, reading.observed_at, reading.value), (reading, again))
            ordered = sorted(once.values(), key=lambda each: (each[0].observed_at, each[0].point))
            pasts.append(
                Past(
                    device,
                    tuple(reading for reading, _ in ordered),
                    frozenset(index for index, (_, again) in enumerate(ordered) if again),
                    complete,
                )
            )
        return pasts
