"""What holds for some time: told when it counts, now and then while it goes on, and once when it is over. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from edge.contract.incident import IncidentState
from edge.contract.telemetry import to_microseconds
from edge.flow import Finding
from edge.rules.identity import rule_id
from edge.settings import SceneRuleSettings

UPDATE_S: Final = 30.0
"""A finding that goes on is told again this often, so that its dwell and path grow where people look."""


@dataclass(slots=True)
class Held:
    """Since when something holds, and when it was seen to last; `told_at`: when it was told of last (None: not yet)."""

    since: datetime
    last_at: datetime
    told_at: datetime | None = field(default=None, kw_only=True)

    @property
    def lasted_s(self) -> float:
        """From the first sight to the last."""
        return (self.last_at - self.since).total_seconds()

    def unseen_s(self, at: datetime) -> float:
        """How long ago it was seen last."""
        return (at - self.last_at).total_seconds()

    def due(self, at: datetime) -> IncidentState | None:
        """What is to be told of something that counts and goes on, and is told herewith: that it opens, an update, or nothing."""
        told_at = self.told_at
        if told_at is not None and (at - told_at).total_seconds() < UPDATE_S:
            return None
        self.told_at = at
        return IncidentState.OPEN if told_at is None else IncidentState.UPDATE


@dataclass(frozen=True, slots=True)
class Teller:
    """Makes the findings of one rule on a camera."""

    settings: SceneRuleSettings
    camera: str

    def finding(self, held: Held, state: IncidentState, at: datetime, *names: object) -> Finding:
        """What all findings say; `names` tell those apart that begin at the same moment."""
        rule = rule_id(self.settings)
        return Finding(
            key="/".join(str(part) for part in (self.camera, rule, *names, to_microseconds(held.since))),
            state=state,
            rule=rule,
            kind=self.settings.kind,
            category=self.settings.category,
            severity=self.settings.severity,
            device=self.camera,
            started_at=held.since,
            at=at,
            ended_at=held.last_at if state is IncidentState.ENDED else None,
            dwell_s=round(held.lasted_s, 3),
        )
