"""What the cloud asks of a device (设备指令): the command `device_action`, handed to the source that speaks with the device."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from edge.contract.device_command import DeviceActionArguments, DeviceActionResult
from edge.errors import CommandRefused
from edge.flow import DeviceControl
from edge.node.commands import Handler, Request

RESERVE_S: Final = 5.0
"""Of the time until the deadline so much is left for the answer's way back."""

SHORTEST_S: Final = 1.0


def device_action_of(control: Callable[[str], DeviceControl | None]) -> Handler:
    """The handler; `control` finds what acts on a device at present."""

    def act(request: Request) -> dict[str, Any]:
        try:
            asked = msgspec.convert(dict(request.arguments), DeviceActionArguments)
        except (msgspec.ValidationError, ValueError) as error:
            raise CommandRefused(f"not understood: {error}") from error
        if request.device is None:
            raise CommandRefused("it is not said which device shall act")
        found = control(request.device)
        if found is None:
            raise CommandRefused(f"nothing here acts on {request.device}")
        possible = found.actions(request.device)
        if asked.action not in possible:
            raise CommandRefused(f"{request.device} can't be asked to {asked.action}; it knows {_listed(possible)}")
        request.require_time()
        answer = found.act(
            request.device,
            asked.action,
            asked.arguments,
            connector=asked.connector,
            wait_s=max(SHORTEST_S, request.left_s() - RESERVE_S),
        )
        result: dict[str, Any] = msgspec.to_builtins(DeviceActionResult(action=asked.action, answer=answer))
        return result

    return act


def _listed(actions: Any) -> str:
    return ", ".join(sorted(actions)) or "nothing"
