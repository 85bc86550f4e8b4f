"""Which rule a configured kind makes. Pure."""

from edge.errors import ConfigurationError
from edge.flow import ReadingRule, SceneRule
from edge.rules.intrusion import IntrusionRule
from edge.rules.loitering import LoiteringRule
from edge.rules.threshold import ThresholdRule
from edge.settings import (
    CameraSettings,
    IntrusionSettings,
    LoiteringSettings,
    SensorSettings,
    ThresholdSettings,
)


def scene_rule(settings: IntrusionSettings | LoiteringSettings, camera: CameraSettings) -> SceneRule:
    """The rule on a camera's tracks. Raises ConfigurationError when its zone is not one of the camera's."""
    polygon = camera.zones.get(settings.zone)
    if polygon is None:
        known = ", ".join(sorted(camera.zones)) or "none"
        raise ConfigurationError(
            f"camera {camera.id}: rule {settings.kind} names the zone `{settings.zone}`; there is {known}"
        )
    match settings:
        case IntrusionSettings():
            return IntrusionRule(settings, polygon, camera.id)
        case LoiteringSettings():
            return LoiteringRule(settings, polygon, camera.id)


def reading_rule(settings: ThresholdSettings, sensor: SensorSettings) -> ReadingRule:
    """The rule on a sensor's readings. Raises ConfigurationError for an unknown or textual point, or senseless limits."""
    point = next((point for point in sensor.points if point.name == settings.point), None)
    if point is None or point.kind != "number":
        known = ", ".join(sorted(point.name for point in sensor.points if point.kind == "number")) or "none"
        raise ConfigurationError(
            f"sensor {sensor.id}: rule threshold needs a numeric point, `{settings.point}` is none; there is {known}"
        )
    return ThresholdRule(settings, sensor.id, unit=point.unit, period_s=point.period_s)
