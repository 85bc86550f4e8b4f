"""What an incident tells of, and who found it: only what tells of the same danger can be one case. Pure."""

from dataclasses import dataclass
from typing import Final

from edge.contract.incident import Incident, IncidentKind

_MEASURED: Final = frozenset({IncidentKind.THRESHOLD, IncidentKind.RATE_OF_CHANGE})
_OF_A_POINT: Final = frozenset({IncidentKind.EVENT, IncidentKind.STATE})

UNHEARD: Final = frozenset({IncidentKind.STALE, IncidentKind.LOST_WHILE_CHARGING})
"""Nothing is heard of the device: of forty behind one dead line that is one trouble."""

LASTING: Final = _MEASURED | {
    IncidentKind.STATE,
    IncidentKind.STALE,
    IncidentKind.VEHICLE_DWELL,
    IncidentKind.TWO_WHEELER,
    IncidentKind.ABANDONED_OBJECT,
    IncidentKind.BIN_OVERFLOW,
    IncidentKind.LITTER,
    IncidentKind.DOOR_HELD_OPEN,
    IncidentKind.OVERLONG_CHARGE,
    IncidentKind.STOP_UNCONFIRMED,
}
"""What is there until somebody removes it. Found again after its case was resolved, it was never gone."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a device stands, WGS 84 degrees."""

    longitude: float
    latitude: float


@dataclass(frozen=True, slots=True)
class Source:
    """Who found an incident: a camera or sensor, the zone and the rule; `danger` is what it tells of.

    `link` is the line that the device is reached over, where nothing being heard of it is the danger. `grid_code` and `position`
    are of the device.
    """

    node: str
    device: str
    zone: str
    rule: str
    danger: str
    spot: str | None = None
    link: str | None = None
    grid_code: str | None = None
    position: Position | None = None

    @property
    def locks(self) -> frozenset[str]:
        """What takes turns: all that can become one case with this has one of these keys."""
        keys = {f"{self.node}/{self.danger}"}
        if self.position is not None:
            keys.add(f"/{self.grid_code}/{self.danger}")
        return frozenset(keys)


def danger_of(incident: Incident) -> str:
    """What an incident tells of: heat is not smoke, and neither is somebody who walks by.

    Two ways to find the same measured quantity out of bounds are one danger; whatever else differs in kind is another.
    """
    if incident.kind in _MEASURED:
        return f"{incident.category}/measured/{incident.point or ''}"
    if incident.kind in _OF_A_POINT:
        return f"{incident.category}/{incident.kind}/{incident.point or ''}"
    return f"{incident.category}/{incident.kind}"


def source_of(
    node: str,
    incident: Incident,
    *,
    grid_code: str | None = None,
    position: Position | None = None,
    link: str | None = None,
) -> Source:
    """Who found an incident; place and line of the device come from the registry."""
    return Source(
        node=node,
        device=incident.device,
        zone=incident.zone or "",
        rule=incident.rule.id if incident.rule is not None else "",
        danger=danger_of(incident),
        spot=incident.spot,
        link=link if incident.kind in UNHEARD else None,
        grid_code=grid_code,
        position=position if grid_code is not None else None,
    )
