"""Acting on a device: what can be asked of it, and how."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from edge.contract.device_command import DeviceAction

__all__ = ["DeviceAction", "DeviceControl", "FirmwareControl", "FirmwareTold"]


class DeviceControl(Protocol):
    """Acts on the devices of one source. Any thread."""

    def actions(self, device: str) -> Collection[DeviceAction]:
        """What can be asked of it at all."""
        ...

    def act(
        self,
        device: str,
        action: DeviceAction,
        arguments: Mapping[str, Any],
        *,
        connector: int | None = None,
        wait_s: float,
    ) -> dict[str, Any]:
        """Ask, and give what the device answers, ready for JSON; blocks until then, `wait_s` at the longest.

        That it agrees says nothing of what it does: a meter tells that. Raises CommandRefused in the device's own words where it
        refuses or arguments make no sense, DeviceUnreachable where it is not there or does not answer in time.
        """
        ...


@dataclass(frozen=True, slots=True)
class FirmwareTold:
    """What a device told of its firmware (固件) since the node began to listen: what it said of itself last, at `booted_at`, and its last
    word on an installation, in node time. `started_at`: when it last said so unasked, as a device does that has started. `address` is that
    under which the device reaches this node.
    """

    vendor: str = ""
    model: str = ""
    version: str = ""
    booted_at: datetime | None = None
    started_at: datetime | None = None
    status: str | None = None
    status_at: datetime | None = None
    is_connected: bool = False
    is_idle: bool = False
    address: str | None = None


class FirmwareControl(DeviceControl, Protocol):
    """Devices that take a firmware. Any thread."""

    def firmware_of(self) -> Mapping[str, FirmwareTold]:
        """What each device told, by its id."""
        ...
