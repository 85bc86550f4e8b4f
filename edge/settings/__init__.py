"""The configuration of a node (`node.yaml`), as typed, validated values. Reading the file is `edge.configuration`'s work.

Unknown keys are mistakes. Coordinates are normalised (0–1 from the upper left corner), durations are seconds of event time. One
module for each part of the file; whoever uses its values imports them from here.
"""

from edge.settings.camera import AUTO, CameraSettings, Department, GatewaySettings
from edge.settings.composites import CompositeSettings, SignSettings
from edge.settings.configuration import DEVICE_SECTIONS, NodeConfiguration
from edge.settings.device import DeviceSettings, PointSettings
from edge.settings.ebike import EbikePileSettings, EbikeSettings
from edge.settings.ebike_map import EbikeMap
from edge.settings.ebike_maps import EBIKE_MAPS
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
from edge.settings.leased_lines import LeasedLineSettings, ProbeMethod
from edge.settings.modbus import ModbusDeviceSettings, ModbusPointSettings
from edge.settings.node import BrokerSettings, CloudSettings, MemorySettings, NodeSettings, OutboxSettings
from edge.settings.ocpp import OcppPileSettings, OcppSettings
from edge.settings.reading_rules import (
    Act,
    ActingSettings,
    DeviceFaultSettings,
    EventSettings,
    LostWhileChargingSettings,
    OverlongChargeSettings,
    RateOfChangeSettings,
    ReadingRuleSettings,
    StaleSettings,
    StateSettings,
    ThresholdSettings,
)
from edge.settings.rule import Day, RuleSettings, ScheduleWindow, TimeOfDay
from edge.settings.scene_rules import (
    MOTION,
    AbandonedObjectSettings,
    BinOverflowSettings,
    CameraTroubleSettings,
    CrowdSettings,
    Direction,
    FallenPersonSettings,
    IntrusionSettings,
    LineCrossingSettings,
    LitterSettings,
    LoiteringSettings,
    PlaceSettings,
    SceneRuleSettings,
    TwoWheelerSettings,
    VehicleDwellSettings,
)
from edge.settings.sensor import SensorSettings
from edge.settings.spots import SpotCameraSettings, SpotSettings
from edge.settings.terminals import TerminalKind, TerminalSettings
from edge.settings.ykc import YkcPileSettings, YkcSettings

__all__ = [
    "AUTO",
    "DEVICE_SECTIONS",
    "EBIKE_MAPS",
    "MOTION",
    "AbandonedObjectSettings",
    "Act",
    "ActingSettings",
    "BinOverflowSettings",
    "BrokerSettings",
    "CameraSettings",
    "CameraTroubleSettings",
    "Classes",
    "CloudSettings",
    "CompositeSettings",
    "CrowdSettings",
    "Day",
    "Department",
    "DeviceFaultSettings",
    "DeviceSettings",
    "Direction",
    "EbikeMap",
    "EbikePileSettings",
    "EbikeSettings",
    "EventSettings",
    "FallenPersonSettings",
    "GatewaySettings",
    "HttpUrl",
    "Identifier",
    "IntrusionSettings",
    "LeasedLineSettings",
    "Line",
    "LineCrossingSettings",
    "LitterSettings",
    "LoiteringSettings",
    "LostWhileChargingSettings",
    "MemorySettings",
    "ModbusDeviceSettings",
    "ModbusPointSettings",
    "MqttUrl",
    "NodeConfiguration",
    "NodeSettings",
    "OcppPileSettings",
    "OcppSettings",
    "OutboxSettings",
    "OverlongChargeSettings",
    "PlaceSettings",
    "PointSettings",
    "Polygon",
    "ProbeMethod",
    "RateOfChangeSettings",
    "ReadingRuleSettings",
    "RuleSettings",
    "SceneRuleSettings",
    "ScheduleWindow",
    "Seconds",
    "SensorSettings",
    "SignSettings",
    "SpotCameraSettings",
    "SpotSettings",
    "StaleSettings",
    "StateSettings",
    "Strict",
    "TerminalKind",
    "TerminalSettings",
    "ThresholdSettings",
    "TimeOfDay",
    "TwoWheelerSettings",
    "UnitInterval",
    "VehicleDwellSettings",
    "Vertex",
    "YkcPileSettings",
    "YkcSettings",
]
