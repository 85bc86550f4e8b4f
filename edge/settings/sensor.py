"""Sensors that publish JSON on the station's local broker."""

from typing import Annotated

from pydantic import Field

from edge.settings.device import DeviceSettings, PointSettings
from edge.settings.fields import Identifier


class SensorSettings(DeviceSettings):
    """A device that publishes JSON on a topic of the local broker. `time` leads to its own time (ISO 8601, or seconds
    or milliseconds since 1970) in the message.
    """

    kind: Identifier = "sensor"
    topic: Annotated[str, Field(min_length=1, max_length=500)]
    time: str | None = Field(default=None, max_length=200)
    points: Annotated[tuple[PointSettings, ...], Field(min_length=1, max_length=200)]

    @property
    def device_kind(self) -> str:
        """As configured."""
        return self.kind

    @property
    def declared(self) -> tuple[PointSettings, ...]:
        """As configured."""
        return self.points
