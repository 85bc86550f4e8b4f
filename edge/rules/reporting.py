"""From a stay in a zone to what a rule says: open, now and then an update, ended."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from edge.contract.incident import IncidentState
from edge.flow import Finding
from edge.rules.held import Held, Teller
from edge.rules.zones import Stay
from edge.settings import IntrusionSettings, LoiteringSettings, TwoWheelerSettings, VehicleDwellSettings


@dataclass(slots=True)
class StayReporter:
    """Tells the stays of one rule; each stay that was opened is ended exactly once."""

    settings: IntrusionSettings | LoiteringSettings | TwoWheelerSettings | VehicleDwellSettings
    camera: str
    _told: dict[tuple[int, datetime], Held] = field(default_factory=dict)

    def present(self, stay: Stay, at: datetime) -> Finding | None:
        """What to say of a stay that goes on and fulfils the rule: open at first, later an update when one is due. It opens with a look
        alone, not where its track is only expected.
        """
        key = stay.track.track_id, stay.first_at
        if key not in self._told and stay.track.is_expected:
            return None
        held = self._told.setdefault(key, Held(stay.first_at, stay.last_at))
        state = held.due(at)
        return None if state is None else self._finding(held, stay, at, state)

    def over(self, stay: Stay, at: datetime) -> Finding | None:
        """What to say of a stay that is over: ended, if it had been opened."""
        held = self._told.pop((stay.track.track_id, stay.first_at), None)
        return None if held is None else self._finding(held, stay, at, IncidentState.ENDED)

    def _finding(self, held: Held, stay: Stay, at: datetime, state: IncidentState) -> Finding:
        held.last_at = stay.last_at
        return replace(
            Teller(self.settings, self.camera).finding(held, state, at, stay.track.track_id),
            zone=self.settings.zone,
            confidence=stay.track.peak_confidence,
            track_ids=(stay.track.track_id,),
            path=stay.path,
        )
