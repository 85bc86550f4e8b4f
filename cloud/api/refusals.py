"""What the cloud did not take, and what waits until somebody accepts or declares it: counted by node and reason."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict

from cloud.access.model import Principal, Role
from cloud.api.dependencies import Conn, require
from cloud.api.problems import RESPONSES
from cloud.fleet import store as fleet
from cloud.refusals import store

router = APIRouter(prefix="/api/v1", tags=["nodes"], responses=RESPONSES)

Steward = Annotated[Principal, Depends(require(Role.MAINTAINER, Role.ADMINISTRATOR))]


class RefusedMessages(BaseModel):
    """Messages that were refused for one reason; `node` is null for those that no enrolled node sent."""

    model_config = ConfigDict(from_attributes=True)

    node: str | None
    reason: str
    count: int
    first_at: AwareDatetime
    last_at: AwareDatetime
    last_detail: str


class WaitingMessages(BaseModel):
    """Messages in quarantine, of one node and for one reason."""

    model_config = ConfigDict(from_attributes=True)

    node: str
    reason: str
    messages: int
    size_bytes: int
    oldest_at: AwareDatetime


class KeptLetters(BaseModel):
    """Refused messages that are kept to be looked at, by reason."""

    model_config = ConfigDict(from_attributes=True)

    reason: str
    letters: int
    oldest_at: AwareDatetime


class Refusals(BaseModel):
    """What was refused in one's area, and what waits there. `kept` counts the dead letters of the whole service."""

    refused: list[RefusedMessages]
    waiting: list[WaitingMessages]
    kept: list[KeptLetters]


@router.get("/refusals")
def read_refusals(conn: Conn, user: Steward) -> Refusals:
    """Refused messages by node and reason, the latest first, and what lies in quarantine. What strangers send is shown to
    those whose area is everywhere.
    """
    everywhere = not user.area_path
    mine = fleet.names_in_scope(conn, user.area_path)
    return Refusals(
        refused=[
            RefusedMessages.model_validate(each)
            for each in store.counts(conn)
            if each.node in mine or (everywhere and each.node is None)
        ],
        waiting=[
            WaitingMessages.model_validate(each) for each in store.waiting(conn) if everywhere or each.node in mine
        ],
        kept=[KeptLetters.model_validate(each) for each in store.kept(conn)],
    )
