"""What waits of an accepted node, and the word of a person that takes in what its key has not signed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from cloud.access.model import Principal, Role
from cloud.api.dependencies import Conn, Parts, client_address, require
from cloud.api.parameters import Name
from cloud.api.problems import RESPONSES
from cloud.enrolment import vouching
from edge.contract.incident import Severity

router = APIRouter(prefix="/api/v1", tags=["enrolment"], responses=RESPONSES)

NodeName = Annotated[Name, Path()]
Steward = Annotated[Principal, Depends(require(Role.MAINTAINER, Role.ADMINISTRATOR))]


class HeldGroup(BaseModel):
    """Messages that wait for one reason. `kind`: the last part of their topic. `needs_word`: until a person vouches for them; others
    are taken in once their device is accepted.
    """

    kind: str
    reason: str
    messages: int
    size_bytes: int
    since: AwareDatetime
    latest_at: AwareDatetime
    needs_word: bool


class UnprovenIncident(BaseModel):
    """An incident in the node's name that its key has not signed, with what it says of itself where it can be read."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    reason: str
    device: str
    received_at: AwareDatetime
    kind: str | None
    severity: Severity | None
    started_at: AwareDatetime | None
    simulated: bool


class HeldMessages(BaseModel):
    """What waits of a node, by kind and reason; of the incidents that need somebody's word the newest fifty."""

    node: str
    groups: list[HeldGroup]
    incidents: list[UnprovenIncident]


class Vouching(BaseModel):
    """`upto`: the id of the newest incident that was seen. What came after it goes on waiting."""

    model_config = ConfigDict(extra="forbid")

    upto: Annotated[int, Field(ge=1, lt=1 << 63)]


class Vouched(BaseModel):
    """How many incidents are taken in now."""

    messages: int


@router.get("/nodes/{node}/held-messages")
def list_held_messages(conn: Conn, user: Steward, node: NodeName) -> HeldMessages:
    """What waits of an accepted node, and why."""
    held = vouching.held_messages(conn, node, actor=user)
    return HeldMessages(
        node=held.node,
        groups=[
            HeldGroup(
                kind=each.channel.rpartition("/")[2],
                reason=each.reason,
                messages=each.messages,
                size_bytes=each.size_bytes,
                since=each.since,
                latest_at=each.latest_at,
                needs_word=each.needs_word,
            )
            for each in held.groups
        ],
        incidents=[UnprovenIncident.model_validate(each) for each in held.incidents],
    )


@router.post("/nodes/{node}/held-messages/vouch")
def vouch_for_held_messages(
    conn: Conn, user: Steward, *, parts: Parts, request: Request, node: NodeName, body: Vouching
) -> Vouched:
    """Take in incidents that the node's key has not signed: somebody has made sure that they are its own. 409 when none waits."""
    address = client_address(request)
    return Vouched(messages=vouching.vouch(conn, node, now=parts.clock(), upto=body.upto, actor=user, address=address))
