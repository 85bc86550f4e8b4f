"""Which rule a configured kind makes. Pure."""

from collections.abc import Hashable, Mapping, Sequence

from edge.errors import ConfigurationError
from edge.flow import ReadingRule, SceneObserver, SceneRule
from edge.geometry import Point
from edge.rules.abandoned_object import AbandonedObjectRule
from edge.rules.camera_trouble import CameraTroubleRule
from edge.rules.crowd import CrowdRule
from edge.rules.device_fault import FAULTS, STOP_REASON, DeviceFaultRule
from edge.rules.event import EventRule
from edge.rules.folding import FoldingRule
from edge.rules.identity import quantity_of, subject
from edge.rules.intrusion import IntrusionRule
from edge.rules.line_crossing import LineCrossingRule
from edge.rules.loitering import LoiteringRule
from edge.rules.lost_while_charging import TELLING, LostWhileChargingRule
from edge.rules.rate_of_change import RateOfChangeRule
from edge.rules.reading_folding import folded
from edge.rules.spell_rule import SpellRule
from edge.rules.stale import StaleRule
from edge.rules.standing_matter import StandingMatterRule
from edge.rules.threshold import ThresholdRule
from edge.rules.vehicle_dwell import VehicleDwellRule
from edge.settings import (
    AbandonedObjectSettings,
    ActingSettings,
    BinOverflowSettings,
    CameraSettings,
    CameraTroubleSettings,
    CrowdSettings,
    DeviceFaultSettings,
    DeviceSettings,
    EventSettings,
    FallenPersonSettings,
    IntrusionSettings,
    LineCrossingSettings,
    LitterSettings,
    LoiteringSettings,
    LostWhileChargingSettings,
    OverlongChargeSettings,
    PointSettings,
    RateOfChangeSettings,
    ReadingRuleSettings,
    SceneRuleSettings,
    StaleSettings,
    StateSettings,
    ThresholdSettings,
    TwoWheelerSettings,
    VehicleDwellSettings,
)

ZoneRuleSettings = (
    IntrusionSettings
    | TwoWheelerSettings
    | LoiteringSettings
    | CrowdSettings
    | VehicleDwellSettings
    | AbandonedObjectSettings
    | BinOverflowSettings
    | LitterSettings
    | FallenPersonSettings
)
"""The rules that stand on a zone."""


def footing(settings: SceneRuleSettings, camera: CameraSettings) -> Hashable:
    """What makes a rule on a camera the same rule: its settings, and the zone or line that it stands on."""
    outlines = camera.lines if isinstance(settings, LineCrossingSettings) else camera.zones
    return settings, outlines.get(subject(settings) or "")


def scene_rule(settings: SceneRuleSettings, camera: CameraSettings) -> SceneRule:
    """The rule on a camera's tracks. Raises ConfigurationError when its zone or line is not one of the camera's."""
    return FoldingRule(_observer(settings, camera), settings)


def _observer(settings: SceneRuleSettings, camera: CameraSettings) -> SceneObserver:
    match settings:
        case LineCrossingSettings():
            line = _outline(settings, "line", camera.lines, camera)
            return LineCrossingRule(settings, line, camera.id, simulated=camera.simulated)
        case CameraTroubleSettings():
            return CameraTroubleRule(settings, camera.id)
        case _:
            return _in_zone(settings, _outline(settings, "zone", camera.zones, camera), camera.id)


def _in_zone(settings: ZoneRuleSettings, zone: Sequence[Point], camera: str) -> SceneObserver:
    match settings:
        case IntrusionSettings() | TwoWheelerSettings():
            return IntrusionRule(settings, zone, camera)
        case LoiteringSettings():
            return LoiteringRule(settings, zone, camera)
        case CrowdSettings():
            return CrowdRule(settings, zone, camera)
        case VehicleDwellSettings():
            return VehicleDwellRule(settings, zone, camera)
        case AbandonedObjectSettings():
            return AbandonedObjectRule(settings, zone, camera)
        case BinOverflowSettings() | LitterSettings() | FallenPersonSettings():
            return StandingMatterRule(settings, zone, camera)


def _outline(
    settings: SceneRuleSettings, what: str, outlines: Mapping[str, Sequence[Point]], camera: CameraSettings
) -> Sequence[Point]:
    name = subject(settings) or ""
    if name not in outlines:
        known = ", ".join(sorted(outlines)) or "none"
        raise ConfigurationError(
            f"camera {camera.id}: rule {settings.kind} names the {what} `{name}`; there is {known}"
        )
    return outlines[name]


def points_of(settings: ReadingRuleSettings, device: DeviceSettings) -> tuple[PointSettings, ...]:
    """The points of a device that a rule looks at."""
    match settings:
        case DeviceFaultSettings():
            return tuple(point for point in device.declared if quantity_of(point.name) in {FAULTS, STOP_REASON})
        case LostWhileChargingSettings():
            return tuple(point for point in device.declared if quantity_of(point.name) in TELLING)
        case _:
            return tuple(point for point in device.declared if point.name == settings.point)


def reading_footing(settings: ReadingRuleSettings, device: DeviceSettings) -> Hashable:
    """What makes a rule on a device the same rule: its settings and its points'."""
    return settings, points_of(settings, device)


def reading_rule(settings: ReadingRuleSettings, device: DeviceSettings) -> ReadingRule:
    """The rule on a device's readings. Raises ConfigurationError for a point that is not there or of another kind, or senseless
    limits.
    """
    return folded(_of_readings(settings, device), settings)


def _of_readings(settings: ReadingRuleSettings, device: DeviceSettings) -> ReadingRule:
    if isinstance(settings, ActingSettings) and settings.act is not None:
        _require_acting(settings, device)
    match settings:
        case ThresholdSettings() | RateOfChangeSettings() | StaleSettings():
            return _of_a_number(settings, _point(settings, device, "number"), device.id)
        case StateSettings() | OverlongChargeSettings():
            _point(settings, device, "state")
            return SpellRule(settings, device.id)
        case EventSettings():
            _point(settings, device, "event")
            return EventRule(settings, device.id)
        case DeviceFaultSettings():
            _some_points(settings, device, "`faults` and no `stop_reason`")
            return DeviceFaultRule(settings, device.id)
        case LostWhileChargingSettings():
            _some_points(settings, device, "`charging` and no `status`")
            return LostWhileChargingRule(settings, device.id)


def _of_a_number(
    settings: ThresholdSettings | RateOfChangeSettings | StaleSettings, point: PointSettings, device: str
) -> ReadingRule:
    match settings:
        case ThresholdSettings():
            return ThresholdRule(settings, device, unit=point.unit, period_s=point.period_s)
        case RateOfChangeSettings():
            return RateOfChangeRule(settings, device, unit=point.unit, period_s=point.period_s)
        case StaleSettings():
            return StaleRule(settings, device, unit=point.unit)


def _require_acting(settings: ThresholdSettings | DeviceFaultSettings, device: DeviceSettings) -> None:
    """What acts has to see each time that it is too hot: nothing may hold its findings back."""
    held_back = [name for name in ("schedule", "fold_s", "cooldown_s") if getattr(settings, name)]
    if held_back:
        raise ConfigurationError(
            f"device {device.id}: rule {settings.kind} asks for `act: {settings.act}` and has `{'`, `'.join(held_back)}`: "
            "what is held back, or joins what was told already, would stop nothing; give what is to be told less often a rule of its own, without `act`"
        )
    if not device.may_be_stopped:
        raise ConfigurationError(
            f"device {device.id}: rule {settings.kind} asks for `act: {settings.act}`, and the device does not allow it: `allow_stop: true`"
        )


_IN_WORDS = {"number": "a numeric point", "state": "a state", "event": "an event"}


def _point(
    settings: ThresholdSettings
    | RateOfChangeSettings
    | StaleSettings
    | StateSettings
    | EventSettings
    | OverlongChargeSettings,
    device: DeviceSettings,
    kind: str,
) -> PointSettings:
    found = next((point for point in device.declared if point.name == settings.point), None)
    if found is None or found.kind != kind:
        known = ", ".join(sorted(point.name for point in device.declared if point.kind == kind)) or "none"
        raise ConfigurationError(
            f"device {device.id}: rule {settings.kind} needs {_IN_WORDS[kind]}, `{settings.point}` is none; there is {known}"
        )
    return found


def _some_points(
    settings: DeviceFaultSettings | LostWhileChargingSettings, device: DeviceSettings, missing: str
) -> None:
    if not points_of(settings, device):
        raise ConfigurationError(
            f"device {device.id}: rule {settings.kind} has nothing to look at: there is no {missing}"
        )
