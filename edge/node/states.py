"""Standing states (当前状态): what each state point of each device said last. Pure.

A device says a state when it changes, and the sources let only changes through. So a rule that begins later, as after a reload, would
learn of what stands only at its end; it is told here.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from edge.flow import Reading
from edge.rules.lost_while_charging import PRESENCE
from edge.settings import DeviceSettings

_JUST_AFTER: Final = timedelta(microseconds=1)


class States:
    """The newest state of each declared point: no more than the configuration names."""

    def __init__(self, devices: Sequence[DeviceSettings]) -> None:
        self._points: dict[str, set[str]] = {}
        self._last: dict[tuple[str, str], Reading] = {}
        self.adopt(devices)

    def adopt(self, devices: Sequence[DeviceSettings]) -> None:
        """From now on these devices are configured; what others said is forgotten."""
        self._points = {
            device.id: {PRESENCE, *(point.name for point in device.declared if point.kind == "state")}
            for device in devices
        }
        self._last = {
            (device, point): reading
            for (device, point), reading in self._last.items()
            if point in self._points.get(device, ())
        }

    def take(self, reading: Reading) -> None:
        """One reading; the same state once more holds since it was told first, and is no history once it is told live."""
        name = reading.device, reading.point
        if reading.is_event or not isinstance(reading.value, str) or name[1] not in self._points.get(name[0], ()):
            return
        known = self._last.get(name)
        if known is None or (reading.observed_at >= known.observed_at and reading.value != known.value):
            self._last[name] = reading
        elif reading.observed_at >= known.observed_at:
            lag = reading.received_at - reading.observed_at
            self._last[name] = replace(reading, observed_at=known.observed_at, received_at=known.observed_at + lag)

    def of(self, device: str, *, after: datetime | None = None) -> Sequence[Reading]:
        """What stands at a device, oldest first; what is older than `after` counts from just after it."""
        standing = (reading for (name, _), reading in self._last.items() if name == device)
        return sorted((_later(reading, after) for reading in standing), key=lambda reading: reading.observed_at)


def _later(reading: Reading, after: datetime | None) -> Reading:
    if after is None or reading.observed_at > after:
        return reading
    by = after + _JUST_AFTER - reading.observed_at
    return replace(reading, observed_at=reading.observed_at + by, received_at=reading.received_at + by)
