"""The configuration of a node (`node.yaml`), as typed, validated values. Reading the file is `edge.configuration`'s work.

Unknown keys are mistakes. Coordinates are normalised (0–1 from the upper left corner), durations are seconds of event time. One
module for each part of the file; whoever uses its values imports them from here.
"""

from edge.settings.camera import CameraSettings, Department, GatewaySettings
from edge.settings.configuration import DEVICE_SECTIONS, NodeConfiguration
from edge.settings.device import DeviceSettings, PointSettings
from edge.settings.fields import (
    Classes,
    HttpUrl,
    Identifier,
    Line,
    MqttUrl,
    Polygon,
    Seconds,
    Strict,
    UnitInterval,
    Vertex,
)
from edge.settings.node import BrokerSettings, CloudSettings, MemorySettings, NodeSettings, OutboxSettings
from edge.settings.reading_rules import ReadingRuleSettings, ThresholdSettings
from edge.settings.rule import Day, RuleSettings, ScheduleWindow, TimeOfDay
from edge.settings.scene_rules import (
    MOTION,
    AbandonedObjectSettings,
    CameraTroubleSettings,
    CrowdSettings,
    Direction,
    IntrusionSettings,
    LineCrossingSettings,
    LoiteringSettings,
    SceneRuleSettings,
    TwoWheelerSettings,
    VehicleDwellSettings,
)
from edge.settings.sensor import SensorSettings

__all__ = [
    "DEVICE_SECTIONS",
    "MOTION",
    "AbandonedObjectSettings",
    "BrokerSettings",
    "CameraSettings",
    "CameraTroubleSettings",
    "Classes",
    "CloudSettings",
    "CrowdSettings",
    "Day",
    "Department",
    "DeviceSettings",
    "Direction",
    "GatewaySettings",
    "HttpUrl",
    "Identifier",
    "IntrusionSettings",
    "Line",
    "LineCrossingSettings",
    "LoiteringSettings",
    "MemorySettings",
    "MqttUrl",
    "NodeConfiguration",
    "NodeSettings",
    "OutboxSettings",
    "PointSettings",
    "Polygon",
    "ReadingRuleSettings",
    "RuleSettings",
    "SceneRuleSettings",
    "ScheduleWindow",
    "Seconds",
    "SensorSettings",
    "Strict",
    "ThresholdSettings",
    "TimeOfDay",
    "TwoWheelerSettings",
    "UnitInterval",
    "VehicleDwellSettings",
    "Vertex",
]
