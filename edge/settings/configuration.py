"""The whole file."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import Field

from edge.settings.camera import CameraSettings, GatewaySettings
from edge.settings.device import DeviceSettings
from edge.settings.fields import Strict
from edge.settings.node import BrokerSettings, CloudSettings, MemorySettings, NodeSettings, OutboxSettings
from edge.settings.sensor import SensorSettings


class NodeConfiguration(Strict):
    """The whole file. What tells readings stands in `DEVICE_SECTIONS` too."""

    node: NodeSettings
    cloud: CloudSettings
    local_mqtt: BrokerSettings | None = None
    gateways: Annotated[tuple[GatewaySettings, ...], Field(max_length=16)] = ()
    cameras: Annotated[tuple[CameraSettings, ...], Field(max_length=64)] = ()
    sensors: Annotated[tuple[SensorSettings, ...], Field(max_length=400)] = ()
    outbox: OutboxSettings = OutboxSettings()
    memory: MemorySettings = MemorySettings()

    @property
    def devices(self) -> tuple[DeviceSettings, ...]:
        """All that tell readings, of all sections, in the order of the file's parts."""
        return tuple(self.sensors)


DEVICE_SECTIONS: Final[Mapping[tuple[str, ...], type[DeviceSettings]]] = MappingProxyType(
    {
        ("sensors",): SensorSettings,
    }
)
"""Where in the file the lists of devices stand that tell readings."""
