"""What people ask of nodes, and what came of it."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from cloud.access.model import Principal, Role
from cloud.api.dependencies import Conn, Parts, client_address, require
from cloud.api.parameters import Name
from cloud.api.problems import RESPONSES
from cloud.commands import service
from cloud.commands.model import CommandState
from cloud.errors import Invalid, NotFound
from edge.contract.downlink import CommandName
from edge.contract.log_tail import MOST_LINES, LogLevel, LogTailArguments

router = APIRouter(prefix="/api/v1", tags=["commands"], responses=RESPONSES)

NodeName = Annotated[Name, Path()]
Asker = Annotated[Principal, Depends(require(Role.DUTY_CHIEF, Role.MAINTAINER, Role.ADMINISTRATOR))]
Steward = Annotated[Principal, Depends(require(Role.MAINTAINER, Role.ADMINISTRATOR))]


class Command(BaseModel):
    """Asked of a node. `reason` says why it was refused or failed; `result` is what the node gave, for a day. Past its `deadline`
    nobody carries it out.
    """

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    node: str
    device: str | None
    name: str
    state: CommandState
    asked_by: str
    asked_at: AwareDatetime
    deadline: AwareDatetime
    delivered_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    reason: str | None
    result: dict[str, Any] | None


class CommandList(BaseModel):
    """The newest commands of a node, without their results."""

    items: list[Command]


class LogTail(BaseModel):
    """Which lines of a node's log: the newest so many of a level or graver, not older than a time by the node's clock."""

    model_config = ConfigDict(extra="forbid")

    lines: Annotated[int, Field(ge=1, le=MOST_LINES)] = 200
    level: LogLevel = LogLevel.INFO
    since: AwareDatetime | None = None


@router.post("/nodes/{node}/log-tail", status_code=202)
def ask_for_log_tail(
    conn: Conn, user: Steward, *, parts: Parts, request: Request, node: NodeName, body: LogTail
) -> Command:
    """Ask a node that is present for the newest lines of its log; `GET /commands/{id}` has them when it has answered.

    409 while the node is away, or while somebody else asks it for the same.
    """
    try:
        asked = LogTailArguments(lines=body.lines, level=body.level, since=body.since)
    except ValueError as error:
        raise Invalid(str(error)) from error
    command = service.ask(
        conn,
        CommandName.LOG_TAIL,
        node=node,
        actor=user,
        now=parts.clock(),
        arguments=msgspec.to_builtins(asked),
        address=client_address(request),
    )
    return Command.model_validate(command)


@router.get("/nodes/{node}/commands")
def list_commands(
    conn: Conn, user: Steward, node: NodeName, name: Annotated[CommandName | None, Query()] = None
) -> CommandList:
    """What was asked of a node lately, the newest first; with `name` that alone."""
    found = service.of_node(conn, node, scope=user.area_path, name=name)
    return CommandList(items=[Command.model_validate(each) for each in found])


@router.get("/commands/{command_id}")
def read_command(conn: Conn, user: Asker, *, request: Request, command_id: UUID) -> Command:
    """One command, with what the node answered. Where that shows a picture, the audit log says who saw it. A duty chief sees what was
    asked of devices, and nothing else.
    """
    if (
        user.role is Role.DUTY_CHIEF
        and service.find(conn, command_id, scope=user.area_path).name != CommandName.DEVICE_ACTION
    ):
        raise NotFound("there is no such command in your scope")
    return Command.model_validate(service.read(conn, command_id, reader=user, address=client_address(request)))
