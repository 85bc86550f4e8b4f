"""A threshold with a schedule, folding or a cool-down: what of its findings is told. Pure.

What is told follows `edge/rules/folding.py`, in the readings' own time; where no reading comes that time goes on as the node's does.
A value that lies farther out than all before it is worse: it passes through a cool-down, and is the value of the whole.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from edge.contract.incident import Incident, IncidentState
from edge.flow import Finding, Reading
from edge.rules.folding import Badness, Folding
from edge.rules.threshold import ThresholdRule
from edge.settings import ThresholdSettings

_NOT_AT_ALL: Final = timedelta(0)


class FoldingThreshold:
    """One threshold, and what of its findings is told."""

    def __init__(self, rule: ThresholdRule, settings: ThresholdSettings) -> None:
        self.rule = rule
        self._above = settings.above is not None
        self.folding = Folding(settings, self._badness)
        self._at: datetime | None = None
        self._received_at: datetime | None = None

    @property
    def id(self) -> str:
        """What the rule is called on its device."""
        return self.rule.id

    @property
    def set_back(self) -> int:
        """How often the clock that tells the readings' times was set back."""
        return self.rule.set_back

    def observe(self, reading: Reading) -> Sequence[Finding]:
        """Take one reading; it may come late."""
        if not self.rule.concerns(reading):
            return ()
        before = self.rule.set_back
        found = self.rule.observe(reading)
        told: list[Finding] = []
        if self.rule.set_back != before:
            self._at = reading.observed_at
            told += self.folding.set_back(self._at)
        self._at = reading.observed_at if self._at is None else max(self._at, reading.observed_at)
        self._received_at = reading.received_at
        for finding in found:
            told += self.folding.told((finding,), finding.at)
        return [*told, *self.folding.told((), self._at)]

    def passed(self, at: datetime) -> Sequence[Finding]:
        """Node time has gone on without a reading: what waits for its fold to be over does not wait for the sensor."""
        if self._at is None or self._received_at is None:
            return ()
        return list(self.folding.told((), self._at + max(at - self._received_at, _NOT_AT_ALL)))

    def resume(self, incident: Incident) -> bool:
        """Go on with what was open before a restart, with the number of stretches that it has had; a cool-down is forgotten."""
        if not self.rule.resume(incident):
            return False
        self.folding.take_up(
            Finding(
                key=self.rule.key,
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
            )
        )
        return True

    def pass_over(self, until: datetime) -> None:
        """Everything up to `until` was decided before a restart."""
        self.rule.pass_over(until)

    def _badness(self, finding: Finding) -> Badness:
        value = finding.value or 0.0
        return finding.severity.rank, value if self._above else -value
