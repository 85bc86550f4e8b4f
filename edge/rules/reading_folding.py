"""A rule on readings with a schedule, folding or a cool-down: what of its findings is told. Pure.

What is told follows `edge/rules/folding.py`, in the readings' own time; where no reading comes that time goes on as the node's does.
A value that lies farther out than all before it is worse: it passes through a cool-down, and is the value of the whole. Faults of
a device are folded each for itself: one is never part of another.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from edge.contract.incident import Incident, IncidentState
from edge.contract.telemetry import ReadingFlag
from edge.flow import Finding, Reading, ReadingRule
from edge.rules.folding import Badness, Folding, by_severity
from edge.rules.identity import resumed_key
from edge.settings import RateOfChangeSettings, ReadingRuleSettings, ThresholdSettings

_NOT_AT_ALL: Final = timedelta(0)


class FoldedReadings(ReadingRule):
    """One rule on readings, and what of its findings is told. `apart` says what is folded for itself."""

    def __init__(
        self,
        rule: ReadingRule,
        settings: ReadingRuleSettings,
        *,
        badness: Callable[[Finding], Badness] = by_severity,
        apart: Callable[[Finding], str | None] = lambda _finding: None,
    ) -> None:
        self.rule = rule
        self._settings, self._badness, self._apart = settings, badness, apart
        self._foldings: dict[str | None, Folding] = {}
        self._at: datetime | None = None
        self._of_node: datetime | None = None

    @property
    def id(self) -> str:
        """What the rule is called on its device."""
        return self.rule.id

    @property
    def set_back(self) -> int:
        """How often the clock that tells the readings' times was set back."""
        return self.rule.set_back

    @property
    def kept(self) -> int:
        """How many findings are kept."""
        return sum(folding.kept for folding in self._foldings.values())

    @property
    def takes_late(self) -> bool:
        """What is folded has an order."""
        return False

    def stands_alone(self, finding: Finding) -> bool:
        """Whether what is found has happened, whatever is told afterwards."""
        return self.rule.stands_alone(finding)

    def concerns(self, reading: Reading) -> bool:
        """Whether the rule looks at this reading."""
        return self.rule.concerns(reading)

    def observe(self, reading: Reading) -> Sequence[Finding]:
        """Take one reading; it may come late."""
        if not self.rule.concerns(reading):
            return ()
        before = self.rule.set_back
        found = self.rule.observe(reading)
        told: list[Finding] = []
        if self.rule.set_back != before:
            self._at = reading.observed_at
            for folding in self._foldings.values():
                told += folding.set_back(self._at)
        self._at = reading.observed_at if self._at is None else max(self._at, reading.observed_at)
        self._of_node = self._at if ReadingFlag.REPLAYED in reading.flag else reading.received_at
        return [*told, *self._told(found, self._at)]

    def passed(self, at: datetime) -> Sequence[Finding]:
        """Node time has gone on without a reading: what waits for its fold to be over does not wait for the device."""
        found = self.rule.passed(at)
        if (
            self._at is None or self._of_node is None
        ):  # nothing is told since the start: what was known before it goes on
            return list(self._told(found, at)) if found or self._foldings else ()
        return list(self._told(found, self._at + max(at - self._of_node, _NOT_AT_ALL)))

    def holding(self) -> Sequence[Finding]:
        """What is open and holds, of what is told."""
        holding = []
        for finding in self.rule.holding():
            told = self._folding(finding).told_as(finding.key)
            if told is not None:
                holding.append(replace(finding, key=told.key, started_at=told.started_at))
        return holding

    def resume(self, incident: Incident) -> bool:
        """Go on with what was open before a restart, with the number of stretches that it has had; a cool-down is forgotten."""
        if not self.rule.resume(incident):
            return False
        finding = Finding(
            key=resumed_key(incident, self.id),
            state=IncidentState.UPDATE,
            rule=self.id,
            kind=incident.kind,
            category=incident.category,
            severity=incident.severity,
            device=incident.device,
            started_at=incident.started_at,
            at=incident.updated_at,
            dwell_s=incident.dwell_s,
            count=incident.count,
            point=incident.point,
            value=incident.value,
            unit=incident.unit,
            note=incident.note,
            fault=incident.fault,
            raw_code=incident.raw_code,
        )
        self._folding(finding).take_up(finding)
        return True

    def pass_over(self, until: datetime) -> None:
        """Everything up to `until` was decided before a restart."""
        self.rule.pass_over(until)

    def memory(self) -> Mapping[str, str] | None:
        """What the rule has to know after a restart."""
        return self.rule.memory()

    def recall(self, memory: Mapping[str, str]) -> None:
        """What it gave before a restart."""
        self.rule.recall(memory)

    def _folding(self, finding: Finding) -> Folding:
        name = self._apart(finding)
        known = self._foldings.get(name)
        if known is None:
            known = self._foldings[name] = Folding(self._settings, self._badness)
        return known

    def _told(self, found: Sequence[Finding], at: datetime) -> Iterator[Finding]:
        for finding in found:
            yield from self._folding(finding).told((finding,), finding.at)
        for folding in self._foldings.values():
            yield from folding.told((), at)


def folded(rule: ReadingRule, settings: ReadingRuleSettings) -> ReadingRule:
    """The rule as it is told; one without schedule, folding and cool-down as it is."""
    return folded_always(rule, settings) if settings.schedule or settings.fold_s or settings.cooldown_s else rule


def folded_always(rule: ReadingRule, settings: ReadingRuleSettings) -> FoldedReadings:
    """The same, also where nothing is asked for."""
    if isinstance(settings, ThresholdSettings | RateOfChangeSettings):
        sign = -1.0 if isinstance(settings, ThresholdSettings) and settings.above is None else 1.0
        return FoldedReadings(
            rule, settings, badness=lambda finding: (finding.severity.rank, sign * (finding.value or 0.0))
        )
    return FoldedReadings(rule, settings, apart=lambda finding: None if finding.fault is None else finding.key)
