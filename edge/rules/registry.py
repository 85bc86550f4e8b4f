"""Which rule a configured kind makes. Pure."""

from collections.abc import Hashable, Mapping, Sequence

from edge.errors import ConfigurationError
from edge.flow import ReadingRule, SceneObserver, SceneRule
from edge.geometry import Point
from edge.rules.abandoned_object import AbandonedObjectRule
from edge.rules.camera_trouble import CameraTroubleRule
from edge.rules.crowd import CrowdRule
from edge.rules.folding import FoldingRule
from edge.rules.identity import subject
from edge.rules.intrusion import IntrusionRule
from edge.rules.line_crossing import LineCrossingRule
from edge.rules.loitering import LoiteringRule
from edge.rules.threshold import ThresholdRule
from edge.rules.threshold_folding import FoldingThreshold
from edge.rules.vehicle_dwell import VehicleDwellRule
from edge.settings import (
    AbandonedObjectSettings,
    CameraSettings,
    CameraTroubleSettings,
    CrowdSettings,
    DeviceSettings,
    IntrusionSettings,
    LineCrossingSettings,
    LoiteringSettings,
    ReadingRuleSettings,
    SceneRuleSettings,
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


def reading_footing(settings: ReadingRuleSettings, device: DeviceSettings) -> Hashable:
    """What makes a rule on a device the same rule: its settings and its point's."""
    return settings, next((point for point in device.declared if point.name == settings.point), None)


def reading_rule(settings: ReadingRuleSettings, device: DeviceSettings) -> ReadingRule:
    """The rule on a device's readings. Raises ConfigurationError for an unknown or textual point, or senseless limits."""
    point = next((point for point in device.declared if point.name == settings.point), None)
    if point is None or point.kind != "number":
        known = ", ".join(sorted(point.name for point in device.declared if point.kind == "number")) or "none"
        raise ConfigurationError(
            f"device {device.id}: rule threshold needs a numeric point, `{settings.point}` is none; there is {known}"
        )
    rule = ThresholdRule(settings, device.id, unit=point.unit, period_s=point.period_s)
    folds = settings.schedule or settings.fold_s or settings.cooldown_s
    return FoldingThreshold(rule, settings) if folds else rule
