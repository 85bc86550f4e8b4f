"""Stale (数据停滞): a number that is not heard any more, or that stands still though it is told. Pure.

Silence is measured between the times at which values were measured, and at its end by the node's clock: a device that sends later
what it has measured meanwhile was not silent for longer than nothing was heard.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from edge.contract.incident import Incident, IncidentState
from edge.contract.telemetry import ReadingFlag
from edge.errors import ConfigurationError
from edge.flow import Finding, Reading, ReadingRule
from edge.rules.identity import rule_id, told_kind
from edge.rules.listening import Listening
from edge.settings import StaleSettings

_NOTED_AGAIN_S: Final = 300.0
_NOTED_AGAIN_PART: Final = 8
"""When something was heard is noted again after five minutes, and of a long silence that counts after this part: not with each reading."""


class Staleness(StrEnum):
    """In what way a value says nothing new; the incident's note begins with it."""

    SILENT = "silent"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class _Last:
    """The newest reading, and since when its value is the same."""

    at: datetime
    of_node: datetime
    value: float
    same_since: datetime


@dataclass(frozen=True, slots=True)
class _Open:
    how: Staleness
    since: datetime


class StaleRule(ReadingRule):
    """One number of one device. Its findings have one key; one that falls silent while it is frozen is told as silent."""

    def __init__(self, settings: StaleSettings, device: str, *, unit: str | None = None) -> None:
        """Raises ConfigurationError unless one of `silent_s` and `frozen_s` is given."""
        if settings.silent_s is None and settings.frozen_s is None:
            raise ConfigurationError(
                f"device {device}: rule stale on `{settings.point}` takes `silent_s` or `frozen_s`, or both"
            )
        self._settings, self._device, self._unit = settings, device, unit
        self._last: _Last | None = None
        self._open: _Open | None = None
        self._decided_at: datetime | None = None
        self._noted_at: datetime | None = None
        self._silent_since: datetime | None = None
        self._listening = Listening(timedelta(seconds=settings.silent_s or 0.0))

    @property
    def id(self) -> str:
        """What the rule is called on its device."""
        return rule_id(self._settings)

    def concerns(self, reading: Reading) -> bool:
        """Whether a reading is one of the point that is watched."""
        return (
            reading.device == self._device
            and reading.point == self._settings.point
            and not isinstance(reading.value, str)
        )

    def observe(self, reading: Reading) -> Sequence[Finding]:
        """Take one reading; one that is older than the newest says only that the value was another one then."""
        if not self.concerns(reading) or isinstance(reading.value, str):
            return ()
        at, last = reading.observed_at, self._last
        of_node = at if ReadingFlag.REPLAYED in reading.flag else reading.received_at
        self._note(of_node)
        if last is None:
            self._last = _Last(at, of_node, reading.value, at)
            return list(self._heard(self._last))
        if at <= last.at:
            if reading.value != last.value and at >= last.same_since:
                self._last = _Last(last.at, last.of_node, last.value, last.at)
            elif of_node > last.of_node + timedelta(seconds=self._patience_s):
                self._last = _Last(at, of_node, reading.value, at)  # the clock was set back
            return ()
        found = [*self._fell_silent(last, at)]
        same = reading.value == last.value and not self._is_silence(last.at, at)
        self._last = _Last(at, of_node, reading.value, last.same_since if same else at)
        return [*found, *self._heard(self._last), *self._froze(self._last)]

    def passed(self, at: datetime) -> Sequence[Finding]:
        """Nothing was heard meanwhile; where nothing was heard since the start, the silence is as old as is known."""
        if self._last is None:
            return self._never_heard(at)
        if at <= self._last.of_node:
            return ()
        return list(self._fell_silent(self._last, self._last.at + (at - self._last.of_node)))

    def holding(self) -> Sequence[Finding]:
        """What is open: both kinds of it end with the first reading that is news."""
        if self._open is None:
            return ()
        at = self._open.since if self._last is None else max(self._last.at, self._open.since)
        return (self._told(self._open, IncidentState.UPDATE, at),)

    def resume(self, incident: Incident) -> bool:
        """Go on with what was open before a restart, as far as it speaks of the same point."""
        if incident.point != self._settings.point:
            return False
        frozen = (incident.note or "").startswith(Staleness.FROZEN)
        self._open = _Open(Staleness.FROZEN if frozen else Staleness.SILENT, incident.started_at)
        if frozen and incident.value is not None:
            self._last = _Last(incident.updated_at, incident.updated_at, incident.value, incident.started_at)
        return True

    def pass_over(self, until: datetime) -> None:
        """Everything up to `until` was decided before a restart."""
        self._decided_at = until

    def memory(self) -> Mapping[str, str] | None:
        """When something was heard of it, not to the second: it is kept for the case of a restart."""
        if self._noted_at is None or self._settings.silent_s is None:
            return None
        return {"heard_at": self._noted_at.isoformat(), "point": self._settings.point}

    def recall(self, memory: Mapping[str, str]) -> None:
        """When something was heard before a restart; it may have been heard for a little longer."""
        if memory.get("point") != self._settings.point:
            return
        try:
            heard_at = datetime.fromisoformat(memory.get("heard_at", ""))
        except ValueError:
            return
        if heard_at.tzinfo is not None:
            self._noted_at, self._silent_since = heard_at, heard_at + self._noted_again

    @property
    def _noted_again(self) -> timedelta:
        return timedelta(seconds=max(_NOTED_AGAIN_S, (self._settings.silent_s or 0.0) / _NOTED_AGAIN_PART))

    def _note(self, heard_at: datetime) -> None:
        if self._noted_at is None or heard_at - self._noted_at >= self._noted_again:
            self._noted_at = heard_at

    def _never_heard(self, at: datetime) -> Sequence[Finding]:
        may_tell = self._listening.has_heard_enough(at)
        if self._silent_since is None or self._silent_since > at:
            self._silent_since = at
        if not may_tell or self._open is not None or not self._is_silence(self._silent_since, at):
            return ()
        self._open = _Open(Staleness.SILENT, self._silent_since)
        opened_at = self._silent_since + timedelta(seconds=self._settings.silent_s or 0.0)
        return (self._told(self._open, IncidentState.OPEN, opened_at),)

    @property
    def _patience_s(self) -> float:
        return max(self._settings.silent_s or 0.0, 60.0)

    def _is_silence(self, since: datetime, until: datetime) -> bool:
        silent_s = self._settings.silent_s
        return silent_s is not None and (until - since).total_seconds() >= silent_s

    def _is_decided(self, at: datetime) -> bool:
        return self._decided_at is not None and at <= self._decided_at

    def _fell_silent(self, last: _Last, at: datetime) -> Iterator[Finding]:
        silent_s = self._settings.silent_s
        if silent_s is None or not self._is_silence(last.at, at) or self._is_decided(at):
            return
        if self._open is not None and self._open.how is Staleness.SILENT:
            return
        state = IncidentState.OPEN if self._open is None else IncidentState.UPDATE
        self._open = _Open(Staleness.SILENT, last.at if self._open is None else self._open.since)
        yield self._told(self._open, state, last.at + timedelta(seconds=silent_s))

    def _froze(self, last: _Last) -> Iterator[Finding]:
        frozen_s = self._settings.frozen_s
        if frozen_s is None or self._open is not None or self._is_decided(last.at):
            return
        if (last.at - last.same_since).total_seconds() >= frozen_s:
            self._open = _Open(Staleness.FROZEN, last.same_since)
            yield self._told(self._open, IncidentState.OPEN, last.at)

    def _heard(self, last: _Last) -> Iterator[Finding]:
        """Something was heard: a silence is over, and where it is another value a standstill too."""
        stretch = self._open
        if stretch is None or self._is_decided(last.at):
            return
        if stretch.how is Staleness.SILENT or last.same_since == last.at:
            self._open = None
            self._decided_at = last.at
            yield self._told(stretch, IncidentState.ENDED, last.at, ended_at=last.at)

    def _told(self, stretch: _Open, state: IncidentState, at: datetime, *, ended_at: datetime | None = None) -> Finding:
        at = max(at, stretch.since)
        words = "nothing is heard of it" if stretch.how is Staleness.SILENT else "its value stands still"
        return Finding(
            key=f"{self._device}/{self.id}",
            state=state,
            rule=self.id,
            kind=told_kind(self._settings),
            category=self._settings.category,
            severity=self._settings.severity,
            device=self._device,
            started_at=stretch.since,
            at=at,
            ended_at=None if ended_at is None else max(ended_at, stretch.since),
            dwell_s=max(0.0, round((at - stretch.since).total_seconds(), 3)),
            point=self._settings.point,
            value=None if self._last is None else self._last.value,
            unit=self._unit,
            note=f"{stretch.how.value}: {words}",
        )
