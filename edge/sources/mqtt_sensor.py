"""Sensors (传感器) that publish JSON on one topic each. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.flow import DeviceControl, Reading
from edge.settings import NodeConfiguration, SensorSettings
from edge.sources.mqtt_device import Answer, MqttDevice, Publish, Said, patience_s
from edge.sources.payload import Parsed, parse


@dataclass(frozen=True, slots=True)
class MqttSensor:
    """A sensor: what it says stands at the paths of its points."""

    settings: SensorSettings

    @property
    def topics(self) -> Sequence[str]:
        """The one."""
        return (self.settings.topic,)

    @property
    def patience_s(self) -> float:
        """As its points' periods have it."""
        return patience_s(self.settings)

    def parse(self, said: Said) -> Parsed:
        """As declared."""
        return parse(said.payload, self.settings, said.received_at, correction=said.correction, retained=said.retained)

    def answers(self, said: Said, kept: Sequence[Reading]) -> Sequence[Answer]:  # noqa: ARG002
        """A sensor hears nothing."""
        return ()

    def control(self, publish: Publish) -> DeviceControl | None:  # noqa: ARG002
        """A sensor takes no orders."""
        return None


def sensor_devices(configuration: NodeConfiguration) -> tuple[MqttDevice, ...]:
    """The sensors of a configuration."""
    return tuple(MqttSensor(sensor) for sensor in configuration.sensors)
