"""From a stay in a zone to what a rule says: open, now and then an update, ended."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from edge.contract.incident import IncidentState
from edge.contract.telemetry import to_microseconds
from edge.flow import Finding
from edge.rules.identity import rule_id
from edge.rules.zones import Stay
from edge.settings import IntrusionSettings, LoiteringSettings, TwoWheelerSettings, VehicleDwellSettings

UPDATE_S: Final = 30.0
"""A finding that goes on is told again this often, so that its dwell and path grow where people look."""


@dataclass(slots=True)
class StayReporter:
    """Tells the stays of one rule; each stay that was opened is ended exactly once."""

    settings: IntrusionSettings | LoiteringSettings | TwoWheelerSettings | VehicleDwellSettings
    camera: str
    _told: dict[tuple[int, datetime], datetime] = field(default_factory=dict)

    def present(self, stay: Stay, at: datetime) -> Finding | None:
        """What to say of a stay that goes on and fulfils the rule: open at first, later an update when one is due."""
        key = stay.track.track_id, stay.first_at
        told_at = self._told.get(key)
        if told_at is not None and (at - told_at).total_seconds() < UPDATE_S:
            return None
        self._told[key] = at
        return self._finding(stay, at, IncidentState.OPEN if told_at is None else IncidentState.UPDATE)

    def over(self, stay: Stay, at: datetime) -> Finding | None:
        """What to say of a stay that is over: ended, if it had been opened."""
        if self._told.pop((stay.track.track_id, stay.first_at), None) is None:
            return None
        return self._finding(stay, at, IncidentState.ENDED)

    def _finding(self, stay: Stay, at: datetime, state: IncidentState) -> Finding:
        rule = rule_id(self.settings)
        return Finding(
            key=f"{self.camera}/{rule}/{stay.track.track_id}/{to_microseconds(stay.first_at)}",
            state=state,
            rule=rule,
            kind=self.settings.kind,
            category=self.settings.category,
            severity=self.settings.severity,
            device=self.camera,
            started_at=stay.first_at,
            at=at,
            ended_at=stay.last_at if state is IncidentState.ENDED else None,
            zone=self.settings.zone,
            confidence=stay.track.peak_confidence,
            dwell_s=round(stay.dwell_s, 3),
            track_ids=(stay.track.track_id,),
            path=stay.path,
        )
