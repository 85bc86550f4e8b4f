"""What a rule is called, and the keys of what rules on readings find. Pure."""

from edge.contract.incident import Incident, IncidentKind
from edge.settings import (
    CameraTroubleSettings,
    DeviceFaultSettings,
    EventSettings,
    LineCrossingSettings,
    LostWhileChargingSettings,
    OverlongChargeSettings,
    RateOfChangeSettings,
    ReadingRuleSettings,
    SceneRuleSettings,
    StaleSettings,
    StateSettings,
    ThresholdSettings,
)

STOP = "stop"
"""Part of the key of a stop that was not confirmed."""


def rule_id(settings: SceneRuleSettings | ReadingRuleSettings) -> str:
    """The rule's configured id, or its kind and its zone, line or point."""
    if settings.id is not None:
        return settings.id
    name = subject(settings)
    return settings.kind if name is None else f"{settings.kind}-{name}"


def subject(settings: SceneRuleSettings | ReadingRuleSettings) -> str | None:
    """What the rule looks at: the name of a zone, a line or a point; None for the whole picture."""
    match settings:
        case (
            ThresholdSettings()
            | RateOfChangeSettings()
            | StaleSettings()
            | StateSettings()
            | EventSettings()
            | OverlongChargeSettings()
        ):
            return settings.point
        case LineCrossingSettings():
            return settings.line
        case CameraTroubleSettings() | DeviceFaultSettings() | LostWhileChargingSettings():
            return None
        case _:
            return settings.zone


def told_kind(settings: ReadingRuleSettings) -> str:
    """What an incident of the rule is called."""
    return settings.incident_kind or settings.kind


def connector_of(point: str | None) -> int | None:
    """The connector or socket that a point belongs to: 2 of `temperature_c.2`, None of `temperature_c`."""
    name, _, number = (point or "").rpartition(".")
    return int(number) if name and number.isascii() and number.isdigit() else None


def quantity_of(point: str) -> str:
    """What a point tells, whatever connector it belongs to: `temperature_c` of `temperature_c.2`."""
    return point if connector_of(point) is None else point.rpartition(".")[0]


def fault_key(device: str, rule: str, connector: int | None, fault: str) -> str:
    """The key of what is found of one member of the taxonomy at one connector."""
    return f"{device}/{rule}/{connector or 0}/{fault}"


def stop_key(device: str, rule: str, connector: int | None) -> str:
    """The key of a stop of a charge that was not confirmed."""
    return f"{device}/{rule}/{STOP}/{connector or 0}"


def resumed_key(incident: Incident, rule: str | None = None) -> str:
    """The key of the findings of a rule that can go on after a restart, told from what was kept of its incident."""
    rule = rule or (incident.rule.id if incident.rule else incident.kind)
    if incident.kind == IncidentKind.STOP_UNCONFIRMED:
        return stop_key(incident.device, rule, connector_of(incident.point))
    if incident.fault is not None:
        return fault_key(incident.device, rule, connector_of(incident.point), incident.fault)
    return f"{incident.device}/{rule}"
