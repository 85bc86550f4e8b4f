"""Rate of change (变化率): a value rises or falls by so much within some time. Pure.

What a point has changed is a series of its own: the difference between a reading and the lowest (or highest) one of the `over_s`
seconds before it. That series goes through the rule for limits, with all its care for late, doubled and out-of-order readings.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import isfinite
from typing import Final

from edge.contract.incident import Incident
from edge.errors import ConfigurationError
from edge.flow import Finding, Reading, ReadingRule
from edge.rules.identity import rule_id, told_kind
from edge.rules.threshold import ThresholdRule
from edge.settings import RateOfChangeSettings, ThresholdSettings

_MOST_KEPT: Final = 512
_FINENESS: Final = 128
"""Of each such part of `over_s` the lowest and the highest reading is enough."""


class RateOfChangeRule(ReadingRule):
    """The change of one number of one device; `value` of its findings is by how much it has changed."""

    def __init__(
        self, settings: RateOfChangeSettings, device: str, *, unit: str | None = None, period_s: float | None = None
    ) -> None:
        """Raises ConfigurationError unless exactly one of `rise` and `fall` is given and `clear` lies below it."""
        limit = settings.rise if settings.rise is not None else settings.fall
        if limit is None or (settings.rise is not None and settings.fall is not None):
            raise ConfigurationError(
                f"device {device}: rule rate_of_change on `{settings.point}` takes one of `rise` and `fall`"
            )
        clear = limit / 2 if settings.clear is None else settings.clear
        if clear >= limit:
            raise ConfigurationError(
                f"device {device}: rule rate_of_change on `{settings.point}`: `clear` is as much as what opens it"
            )
        self._settings, self._device = settings, device
        self._over = timedelta(seconds=settings.over_s)
        self._window: list[tuple[datetime, float]] = []
        said = unit or ""
        self._limit = ThresholdRule(
            ThresholdSettings(
                kind="threshold",
                id=rule_id(settings),
                incident_kind=told_kind(settings),
                point=settings.point,
                above=_just_below(limit),
                clear=clear,
                clear_for_s=settings.clear_for_s,
                severity=settings.severity,
                category=settings.category,
            ),
            device,
            unit=f"{said}/{settings.over_s:g}s",
            period_s=period_s,
        )

    @property
    def id(self) -> str:
        """What the rule is called on its device."""
        return self._limit.id

    @property
    def set_back(self) -> int:
        """How often the clock that tells the readings' times was set back."""
        return self._limit.set_back

    def concerns(self, reading: Reading) -> bool:
        """Whether a reading is one of the point that is watched."""
        return self._limit.concerns(reading)

    def observe(self, reading: Reading) -> Sequence[Finding]:
        """Take one reading. A late one counts for those that come after it."""
        if not self.concerns(reading) or isinstance(reading.value, str) or not isfinite(reading.value):
            return ()
        change = self._change(reading.observed_at, reading.value)
        self._keep(reading.observed_at, reading.value)
        return self._limit.observe(replace(reading, value=change))

    def holding(self) -> Sequence[Finding]:
        """What is open and goes on changing."""
        return self._limit.holding()

    def resume(self, incident: Incident) -> bool:
        """Go on with what was open before a restart."""
        return self._limit.resume(incident)

    def pass_over(self, until: datetime) -> None:
        """Everything up to `until` was decided before a restart."""
        self._limit.pass_over(until)

    def _change(self, at: datetime, value: float) -> float:
        """By how much it lies above the lowest, or below the highest, of the time before."""
        first = bisect_left(self._window, (at - self._over, float("-inf")))
        before = [kept for told_at, kept in self._window[first:] if told_at <= at]
        if not before:
            return 0.0
        return max(0.0, value - min(before) if self._settings.rise is not None else max(before) - value)

    def _keep(self, at: datetime, value: float) -> None:
        insort(self._window, (at, value))
        newest = self._window[-1][0]
        if at < newest - 2 * self._over:  # the clock was set back: what lay ahead of it counts no more
            self._window = [(at, value)]
            return
        del self._window[: bisect_left(self._window, (newest - self._over, float("-inf")))]
        if len(self._window) > _MOST_KEPT:
            self._thin_out()

    def _thin_out(self) -> None:
        part = self._over / _FINENESS
        thinned: dict[int, list[tuple[datetime, float]]] = {}
        newest = self._window[-1][0]
        for each in self._window:
            of_part = thinned.setdefault((newest - each[0]) // part, [])
            of_part.append(each)
        self._window = sorted(
            {each for kept in thinned.values() for each in (min(kept, key=_value), max(kept, key=_value))}
        )


def _value(each: tuple[datetime, float]) -> float:
    return each[1]


def _just_below(limit: float) -> float:
    """The rule for limits counts what lies beyond; here the limit itself counts."""
    return limit - abs(limit) * 1e-9
