"""The keys that sign what nodes are asked to do: which nodes believe, and the end of one."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import AwareDatetime, BaseModel

from cloud.access.model import Principal, Role
from cloud.api.dependencies import Conn, Parts, client_address, require
from cloud.api.problems import RESPONSES
from cloud.enrolment import service, store
from cloud.signing import Signer
from edge.contract.signing import fingerprint

router = APIRouter(prefix="/api/v1/command-keys", tags=["enrolment"], responses=RESPONSES)

Steward = Annotated[Principal, Depends(require(Role.MAINTAINER, Role.ADMINISTRATOR))]
Fingerprint = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]


class CommandKey(BaseModel):
    """A key of the cloud by its fingerprint. `in_use`: this machine signs with it; another one may sign with another."""

    fingerprint: str
    first_used_at: AwareDatetime
    retired_at: AwareDatetime | None
    in_use: bool


class CommandKeyList(BaseModel):
    """All keys that ever signed commands, the newest first."""

    items: list[CommandKey]


@router.get("")
def list_command_keys(conn: Conn, _user: Steward, parts: Parts) -> CommandKeyList:
    """The keys that nodes believe, and those that they believe no more."""
    signer = Signer.made(parts.settings)
    used = None if signer is None else signer.public_key
    return CommandKeyList(
        items=[
            CommandKey(
                fingerprint=fingerprint(each.public_key),
                first_used_at=each.first_used_at,
                retired_at=each.retired_at,
                in_use=each.public_key == used,
            )
            for each in store.list_command_keys(conn)
        ]
    )


@router.delete("/{key}", status_code=204)
def retire_command_key(conn: Conn, user: Steward, *, parts: Parts, request: Request, key: Fingerprint) -> None:
    """Have all nodes believe a key no longer, for good. For those whose area is everywhere; 409 for the last key."""
    service.retire_command_key(conn, key, now=parts.clock(), actor=user, address=client_address(request))
