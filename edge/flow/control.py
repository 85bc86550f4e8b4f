"""Acting on a device: what can be asked of it, and how."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from edge.contract.device_command import DeviceAction

__all__ = ["DeviceAction", "DeviceControl"]


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
