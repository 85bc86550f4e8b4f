"""Asking a device to do something: a charge is stopped, a pile starts anew, is set, updated, or tells how it is."""

import re
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud.access.model import Principal, Role
from cloud.api.commands import Command
from cloud.api.dependencies import Conn, Parts, client_address, require
from cloud.api.devices import DeviceId, find_device
from cloud.api.problems import RESPONSES
from cloud.commands import service
from cloud.errors import Forbidden, Invalid
from edge.contract.device_command import ARGUMENTS, MOST_CONNECTORS, DeviceAction, DeviceActionArguments
from edge.contract.downlink import CommandName

router = APIRouter(prefix="/api/v1", tags=["commands"], responses=RESPONSES)

MOST_ARGUMENTS = 10
_WITHOUT_DEVICES = frozenset({"camera", "node"})
_FOR_DUTY_CHIEFS = frozenset({DeviceAction.STOP_CHARGE})

Asker = Annotated[Principal, Depends(require(Role.DUTY_CHIEF, Role.MAINTAINER, Role.ADMINISTRATOR))]


class DeviceOrder(BaseModel):
    """What a device shall do, at which connector, and what has to be said with it:

    `reset` {kind: soft | hard}, `change_configuration` {key, value}, `read_configuration` {keys}, `update_firmware` {location, retrieve_at,
    version, sha256}, `trigger_message` {message: boot_notification | diagnostics_status | firmware_status | heartbeat | meter_values |
    status}; the others take nothing.
    """

    model_config = ConfigDict(extra="forbid")

    action: DeviceAction
    connector: Annotated[int, Field(ge=1, le=MOST_CONNECTORS)] | None = None
    arguments: Annotated[dict[str, Any], Field(max_length=MOST_ARGUMENTS)] = Field(default_factory=dict)


@router.post("/devices/{device_id}/actions", status_code=202)
def ask_device(
    conn: Conn, user: Asker, *, parts: Parts, request: Request, device_id: DeviceId, body: DeviceOrder
) -> Command:
    """Ask a device to act; `GET /commands/{id}` has its answer. That it agrees is not that it has done it: its readings tell that.

    A duty chief may stop a charge, all else is for maintainers. 409 while the node is away, or while somebody else asks the device.
    """
    if user.role is Role.DUTY_CHIEF and body.action not in _FOR_DUTY_CHIEFS:
        raise Forbidden("a duty chief may stop a charge; all else is for maintainers")
    device = find_device(conn, user, device_id)
    if device.kind in _WITHOUT_DEVICES:
        raise Invalid(f"{device.device} is a {device.kind}: it can't be asked to act")
    arguments = _checked(body)
    command = service.ask(
        conn,
        CommandName.DEVICE_ACTION,
        node=device.node,
        device=device.device,
        actor=user,
        now=parts.clock(),
        arguments=msgspec.to_builtins(arguments),
        address=client_address(request),
        noted=_told(arguments),
    )
    return Command.model_validate(command)


def _checked(body: DeviceOrder) -> DeviceActionArguments:
    try:
        msgspec.convert(body.arguments, ARGUMENTS[body.action])
    except (msgspec.ValidationError, ValueError, TypeError, RecursionError) as error:
        raise Invalid(f"{body.action}: {error}") from error
    return DeviceActionArguments(action=body.action, connector=body.connector, arguments=body.arguments)


def _told(asked: DeviceActionArguments) -> dict[str, Any]:
    """What the audit trail keeps: all but the value of a setting, and what lets one in at an address, which may be nobody's business."""
    said = {key: value for key, value in asked.arguments.items() if key != "value"}
    if isinstance(location := said.get("location"), str):
        said["location"] = _without_secrets(location)
    return {"action": asked.action.value, "connector": asked.connector, "arguments": said}


def _without_secrets(url: str) -> str:
    """An address without the user in it, and without its query, where signed addresses have their signature.

    A password may hold what ends an authority: whatever stands before the last `@` is left out.
    """
    scheme, _, rest = url.partition("://")
    _, at, place = rest.rpartition("@")
    shown, *more = re.split(r"[?#]", place, maxsplit=1)
    return f"{scheme}://{'***@' if at else ''}{shown}{'?***' if more else ''}"
