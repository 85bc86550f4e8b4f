"""Zones and rules tried on what a camera has really seen: asked of its node, which remembers it."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud.access import camera_access
from cloud.access.model import Principal, Role
from cloud.api.commands import Command
from cloud.api.dependencies import Conn, Parts, client_address, require
from cloud.api.devices import DeviceId, find_device
from cloud.api.problems import RESPONSES
from cloud.commands import service
from cloud.errors import Forbidden, Invalid
from edge.contract.downlink import CommandName
from edge.contract.rules_try import LARGEST_ZONES_CHARACTERS, RulesTryArguments

router = APIRouter(prefix="/api/v1", tags=["commands"], responses=RESPONSES)

CAMERA = "camera"
SPAN = r"^[0-9A-Za-z:.+-]{1,40}$"

Steward = Annotated[Principal, Depends(require(Role.MAINTAINER, Role.ADMINISTRATOR))]
Span = Annotated[str, Field(pattern=SPAN)]


class RulesTry(BaseModel):
    """Zones, lines and rules in the words of the configuration (YAML; without them those that the camera has), from when to when: a length
    such as 7d, 12h or 30m back from the newest that the node remembers, or a time.
    """

    model_config = ConfigDict(extra="forbid")

    zones: Annotated[str, Field(max_length=LARGEST_ZONES_CHARACTERS, pattern=r"^[^\x00]*$")] | None = None
    since: Span = "7d"
    until: Span | None = None
    background: bool = True


@router.post("/devices/{device_id}/rules-try", status_code=202)
def try_rules(
    conn: Conn, user: Steward, *, parts: Parts, request: Request, device_id: DeviceId, body: RulesTry
) -> Command:
    """Ask the node of a camera what these zones and rules would have told; `GET /commands/{id}` has the answer, which is that of
    `gridward-edge rules try --json`. 403 where one may not look at its owner's cameras, 409 while the node is away, or while somebody else tries rules on this camera.
    """
    device = find_device(conn, user, device_id)
    if device.kind != CAMERA:
        raise Invalid(f"{device.device} is no camera")
    if not camera_access.sight_of(conn, user).may(device.department):
        raise Forbidden(
            "what this camera sees is not yours to look at: its owner decides, see the rules of camera access"
        )
    asked = RulesTryArguments(zones=body.zones, since=body.since, until=body.until, background=body.background)
    command = service.ask(
        conn,
        CommandName.RULES_TRY,
        node=device.node,
        device=device.device,
        actor=user,
        now=parts.clock(),
        arguments=msgspec.to_builtins(asked),
        address=client_address(request),
    )
    return Command.model_validate(command)
