"""What a kind of device on the local broker has to bring: its topics, and what its messages say. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from edge.flow import DeviceControl, Reading
from edge.settings import DeviceSettings
from edge.sources.payload import Parsed

SILENT_PERIODS = 3.0
SILENT_AFTER_S = 120.0
"""A device without a declared period counts as lost after so long."""

Publish = Callable[[str, bytes], bool]
"""Topic and payload; False without a connection."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message, received at `received_at` (node time; the true time is `correction` later). One that is `retained` was said before the
    node listened, nobody knows when.
    """

    topic: str
    payload: bytes = field(repr=False)
    received_at: datetime
    correction: timedelta = timedelta(0)
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device is to hear once what it said is kept."""

    topic: str
    payload: bytes


class MqttDevice(Protocol):
    """One configured device. One that stays as it is over a reload stays the same object."""

    @property
    def settings(self) -> DeviceSettings:
        """Who it is, and what it declares."""
        ...

    @property
    def topics(self) -> Sequence[str]:
        """Where it speaks: exact topics, no wildcards."""
        ...

    @property
    def patience_s(self) -> float:
        """Silent for longer, it is lost."""
        ...

    def parse(self, said: Said) -> Parsed:
        """What a message on one of its topics says; raises nothing, whatever it holds."""
        ...

    def answers(self, said: Said, kept: Sequence[Reading]) -> Sequence[Answer]:
        """What to tell the device of a message whose readings are `kept`. One that was kept before and came again is answered too."""
        ...

    def control(self, publish: Publish) -> DeviceControl | None:
        """What acts on it, where anything can."""
        ...


def patience_s(settings: DeviceSettings) -> float:
    """Three of its longest declared periods."""
    periods = [point.period_s for point in settings.declared if point.period_s is not None]
    return max(10.0, SILENT_PERIODS * max(periods)) if periods else SILENT_AFTER_S
