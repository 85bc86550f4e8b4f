"""The whole file."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import Field

from edge.settings.camera import CameraSettings, GatewaySettings
from edge.settings.composites import CompositeSettings
from edge.settings.device import DeviceSettings
from edge.settings.ebike import EbikePileSettings, EbikeSettings
from edge.settings.fields import Strict
from edge.settings.leased_lines import LeasedLineSettings
from edge.settings.modbus import ModbusDeviceSettings
from edge.settings.node import BrokerSettings, CloudSettings, MemorySettings, NodeSettings, OutboxSettings
from edge.settings.ocpp import OcppPileSettings, OcppSettings
from edge.settings.sensor import SensorSettings
from edge.settings.spots import SpotSettings
from edge.settings.terminals import TerminalSettings
from edge.settings.ykc import YkcPileSettings, YkcSettings


class NodeConfiguration(Strict):
    """The whole file. What tells readings stands in `DEVICE_SECTIONS` too."""

    node: NodeSettings
    cloud: CloudSettings
    local_mqtt: BrokerSettings | None = None
    gateways: Annotated[tuple[GatewaySettings, ...], Field(max_length=16)] = ()
    cameras: Annotated[tuple[CameraSettings, ...], Field(max_length=64)] = ()
    spots: Annotated[tuple[SpotSettings, ...], Field(max_length=200)] = ()
    sensors: Annotated[tuple[SensorSettings, ...], Field(max_length=400)] = ()
    terminals: Annotated[tuple[TerminalSettings, ...], Field(max_length=400)] = ()
    modbus: Annotated[tuple[ModbusDeviceSettings, ...], Field(max_length=400)] = ()
    leased_lines: Annotated[tuple[LeasedLineSettings, ...], Field(max_length=100)] = ()
    ocpp: OcppSettings | None = None
    ykc: YkcSettings | None = None
    ebike: EbikeSettings | None = None
    composites: Annotated[tuple[CompositeSettings, ...], Field(max_length=64)] = ()
    outbox: OutboxSettings = OutboxSettings()
    memory: MemorySettings = MemorySettings()

    @property
    def devices(self) -> tuple[DeviceSettings, ...]:
        """All that tell readings, of all sections, in the order of the file's parts."""
        return (
            *self.sensors,
            *self.terminals,
            *self.modbus,
            *self.leased_lines,
            *(self.ocpp.piles if self.ocpp is not None else ()),
            *(self.ykc.piles if self.ykc is not None else ()),
            *(self.ebike.piles if self.ebike is not None else ()),
        )

    @property
    def behind(self) -> dict[str, str]:
        """By camera or device: the leased line that it is reached over."""
        return {name: line.id for line in self.leased_lines for name in line.carries}


DEVICE_SECTIONS: Final[Mapping[tuple[str, ...], type[DeviceSettings]]] = MappingProxyType(
    {
        ("sensors",): SensorSettings,
        ("terminals",): TerminalSettings,
        ("modbus",): ModbusDeviceSettings,
        ("leased_lines",): LeasedLineSettings,
        ("ykc", "piles"): YkcPileSettings,
        ("ebike", "piles"): EbikePileSettings,
        ("ocpp", "piles"): OcppPileSettings,
    }
)
"""Where in the file the lists of devices stand that tell readings."""
