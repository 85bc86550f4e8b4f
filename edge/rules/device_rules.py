"""All rules on one device: what of their findings is told at once, and what of a history is told afterwards. Pure.

Live readings are judged as they come. What a device sent late (`edge/rules/history.py`) is judged in its order: what began and ended
in it is told as one thing that is over, what still holds as open, and nothing in it as if it happened now. Where a rule has seen newer
readings already, another one of the same settings looks at the history, and what it finds is told where nothing was told of that time.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Final

from edge.contract.incident import IncidentState
from edge.contract.telemetry import to_microseconds
from edge.flow import Finding, Reading, ReadingRule
from edge.rules.history import Past
from edge.settings import ReadingRuleSettings

HELD_S: Final = 600.0
"""What was open at the end of a history and seemed to end waits so long for a word that it is over; then it is told as open."""

UNSEEN_END: Final = "its end was not seen: later readings say nothing of it"

_REMEMBERED: Final = 64
_RECENT: Final = 32
"""So many of the newest live readings say how a history that comes behind them goes on."""

Guard = Callable[[Callable[[], Sequence[Finding]]], Sequence[Finding]]
"""Asks a rule; one that fails says nothing."""


@dataclass(frozen=True, slots=True)
class _Told:
    """One incident of a rule: in which time it was."""

    key: str
    since: datetime
    until: datetime

    def meets(self, finding: Finding) -> bool:
        """Whether the finding is of the same thing and time."""
        ended_at = finding.ended_at or finding.at
        return finding.key == self.key and finding.started_at <= self.until and ended_at >= self.since


@dataclass(slots=True, eq=False)
class Standing:
    """One rule, `fresh` makes another one of the same `settings`. `decided_at`: until then it had decided before a restart; `newest_at`: the
    newest reading of each point that it has judged, for what is known of one connector says nothing of another one.
    """

    rule: ReadingRule
    fresh: Callable[[], ReadingRule]
    settings: ReadingRuleSettings
    decided_at: datetime | None = None
    newest_at: dict[str, datetime] = field(default_factory=dict)
    open: dict[str, Finding] = field(default_factory=dict)
    held: dict[str, tuple[Finding, datetime]] = field(default_factory=dict)
    told: deque[_Told] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    recent: deque[Reading] = field(default_factory=lambda: deque(maxlen=_RECENT))

    def take_up(self, finding: Finding) -> None:
        """An incident of it was open before a restart."""
        self.open[finding.key] = finding

    def judged(self, reading: Reading) -> None:
        """It has seen this reading."""
        known = self.newest_at.get(reading.point)
        if known is None or reading.observed_at > known:
            self.newest_at[reading.point] = reading.observed_at

    def is_behind(self, reading: Reading) -> bool:
        """Whether it has seen a newer reading of the same point, and goes by the order."""
        newest_at = self.newest_at.get(reading.point)
        return newest_at is not None and reading.observed_at <= newest_at and not self.rule.takes_late


class DeviceRules:
    """The rules of one device, in the order of its configuration."""

    def __init__(self, standing: Sequence[Standing], guard: Guard) -> None:
        self.standing = tuple(standing)
        self._guard = guard

    def observe(self, reading: Reading, *, again: bool = False) -> Iterator[tuple[Standing, Finding]]:
        """A live reading; one that comes `again` after a crash only counts where it was not decided on."""
        for standing in self.standing:
            if not standing.rule.concerns(reading) or (again and _is_decided(standing, reading)):
                continue
            yield from self.observe_by(standing, reading)

    def observe_by(self, standing: Standing, reading: Reading) -> Iterator[tuple[Standing, Finding]]:
        """A live reading, for one of the rules."""
        found = self._guard(partial(standing.rule.observe, reading))
        standing.recent.append(reading)
        standing.judged(reading)
        yield from _each(standing, self._live(standing, found))

    def passed(self, at: datetime) -> Iterator[tuple[Standing, Finding]]:
        """Node time has gone on."""
        for standing in self.standing:
            found = self._guard(partial(standing.rule.passed, at))
            yield from _each(standing, self._live(standing, found))
            overdue = [key for key, (_, since) in standing.held.items() if (at - since).total_seconds() >= HELD_S]
            for key in overdue:
                yield standing, self._told_open(standing, key)

    def flush(self, standing: Standing) -> Iterator[tuple[Standing, Finding]]:
        """One of the rules goes, or the node stops: what waits for a word that it is over waits no longer."""
        for key in list(standing.held):
            yield standing, self._told_open(standing, key)

    def past(self, past: Past, at: datetime) -> Iterator[tuple[Standing, Finding]]:
        """A history that is complete, at a moment of node time."""
        for standing in self.standing:
            readings = [
                reading
                for index, reading in enumerate(past.readings)
                if standing.rule.concerns(reading) and not (index in past.again and _is_decided(standing, reading))
            ]
            older = [reading for reading in readings if standing.is_behind(reading)]
            newer = [reading for reading in readings if not standing.is_behind(reading)]
            yield from _each(standing, self._before(standing, older))
            yield from _each(standing, self._until_now(standing, newer, at, complete=past.complete))

    def _live(self, standing: Standing, found: Sequence[Finding]) -> Iterator[Finding]:
        for finding in found:
            held = standing.held.pop(finding.key, None)
            if held is None:
                yield self._noted(standing, finding)
            elif finding.state is IncidentState.ENDED:
                yield self._noted(standing, replace(finding, replayed=True))
            else:
                yield self._noted(standing, replace(finding, state=IncidentState.OPEN))
        if standing.held:
            for finding in self._guard(standing.rule.holding):
                if finding.key in standing.held:
                    del standing.held[finding.key]
                    yield self._noted(standing, replace(finding, state=IncidentState.OPEN))

    def _before(self, standing: Standing, older: Sequence[Reading]) -> Iterator[Finding]:
        """What a history says of a time before readings that were judged already: all of it is over."""
        if not older:
            return
        rule = standing.fresh()
        if standing.decided_at is not None:
            rule.pass_over(standing.decided_at)
        open_: dict[str, Finding] = {}
        behind = [reading for reading in standing.recent if reading.observed_at >= older[0].observed_at]
        readings = sorted((*older, *behind), key=lambda reading: reading.observed_at)
        for finding in self._fed(rule, readings):
            open_[finding.key] = finding
            if finding.state is IncidentState.ENDED:
                yield from self._told_late(standing, open_.pop(finding.key))
        for finding in self._guard(partial(rule.passed, readings[-1].observed_at)):
            if finding.state is IncidentState.ENDED:
                open_.pop(finding.key, None)
                yield from self._told_late(standing, finding)
        for key, finding in open_.items():
            if key not in standing.open:
                last_at = max(finding.at, finding.started_at)
                ended = replace(finding, state=IncidentState.ENDED, at=last_at, ended_at=last_at, note=UNSEEN_END)
                yield from self._told_late(standing, ended)

    @staticmethod
    def _told_late(standing: Standing, finding: Finding) -> Iterator[Finding]:
        """Unless it was told of that time already; under a key of its own, since the rule goes on with the other one."""
        going_on = standing.open.get(finding.key)
        if going_on is not None and (finding.ended_at or finding.at) >= going_on.started_at:
            return
        if any(told.meets(finding) for told in standing.told):
            return
        standing.told.append(_Told(finding.key, finding.started_at, finding.ended_at or finding.at))
        yield replace(finding, key=f"{finding.key}@{to_microseconds(finding.started_at)}", replayed=True)

    def _until_now(
        self, standing: Standing, readings: Sequence[Reading], at: datetime, *, complete: bool
    ) -> Iterator[Finding]:
        """What a history says of the time up to now, or of the time up to what is still to come of it."""
        if not readings and not standing.held:
            return
        found = self._fed(standing.rule, readings)
        for reading in readings:
            standing.judged(reading)
        if complete:
            found += self._guard(partial(standing.rule.passed, at))
        pending: dict[str, Finding] = {key: finding for key, (finding, _) in standing.held.items()}
        for finding in found:
            if finding.state is not IncidentState.ENDED:
                pending[finding.key] = finding
                continue
            pending.pop(finding.key, None)
            standing.held.pop(finding.key, None)
            yield self._noted(standing, replace(finding, replayed=True))
        holding = {finding.key for finding in self._guard(standing.rule.holding)}
        for key, finding in pending.items():
            if key in standing.open:
                yield self._noted(standing, replace(finding, state=IncidentState.UPDATE, replayed=True))
            elif complete and (key in holding or standing.rule.stands_alone(finding)):
                standing.held.pop(key, None)
                yield self._noted(standing, replace(finding, state=IncidentState.OPEN, replayed=True))
            else:
                standing.held[key] = finding, at

    def _told_open(self, standing: Standing, key: str) -> Finding:
        finding, _ = standing.held.pop(key)
        return self._noted(standing, replace(finding, state=IncidentState.OPEN, replayed=True))

    def _fed(self, rule: ReadingRule, readings: Sequence[Reading]) -> list[Finding]:
        return [finding for reading in readings for finding in self._guard(partial(rule.observe, reading))]

    @staticmethod
    def _noted(standing: Standing, finding: Finding) -> Finding:
        if finding.state is IncidentState.ENDED:
            standing.open.pop(finding.key, None)
            standing.told.append(_Told(finding.key, finding.started_at, finding.ended_at or finding.at))
        else:
            standing.open[finding.key] = finding
        return finding

    def standing_for(self, rule: str) -> Standing:
        """The rule of that name. Raises KeyError."""
        found = {standing.rule.id: standing for standing in self.standing}
        return found[rule]

    def memories(self) -> Mapping[str, Mapping[str, str]]:
        """What rules have to know after a restart, by the names of the rules."""
        memories = {standing.rule.id: standing.rule.memory() for standing in self.standing}
        return {name: memory for name, memory in memories.items() if memory}


def _each(standing: Standing, findings: Iterator[Finding]) -> Iterator[tuple[Standing, Finding]]:
    for finding in findings:
        yield standing, finding


def _is_decided(standing: Standing, reading: Reading) -> bool:
    return standing.decided_at is not None and reading.observed_at <= standing.decided_at
