"""Nodes, accepted or waiting, and the acceptance of those that wait."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from psycopg import Connection
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from cloud.access import areas, audit
from cloud.access.model import Principal, Role
from cloud.api.dependencies import Conn, Insider, Parts, client_address, require
from cloud.api.paging import After, Limit, decode_cursor, encode_cursor
from cloud.api.parameters import Code, Name
from cloud.api.problems import RESPONSES
from cloud.enrolment import devices
from cloud.errors import Invalid, NotFound
from cloud.fleet import service
from cloud.fleet import store as fleet
from cloud.fleet.model import Presence, WaitReason
from edge.contract.health import Level
from edge.contract.telemetry import GapReason

router = APIRouter(prefix="/api/v1", tags=["nodes"], responses=RESPONSES)

NodeName = Annotated[Name, Path()]
Steward = Annotated[Principal, Depends(require(Role.MAINTAINER, Role.ADMINISTRATOR))]


class NodeState(StrEnum):
    """Whether somebody enrolled it."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"


class NodeModel(BaseModel):
    """Weights that the node has loaded, or could not load (`problem`)."""

    id: str
    version: str
    sha256: str
    problem: str | None = None


class NodeDegradation(BaseModel):
    """Something of the node that does not work while the rest goes on."""

    subject: str
    reason: str
    detail: str
    since: AwareDatetime


class Backlog(BaseModel):
    """What waits in the outbox of a node. At a `share` of 1 the oldest readings are dropped; `unsaved` incidents wait in
    memory because its disk takes nothing.
    """

    level: Level
    share: float
    used_bytes: int
    quota_bytes: int
    readings: int
    incidents: int
    messages: int
    unsaved: int = 0
    oldest_at: AwareDatetime | None = None


class EvidenceBacklog(BaseModel):
    """Files that wait to be uploaded; `refused` are lost for good, `left_out` found no room on the node."""

    level: Level
    files: int
    bytes: int
    quota_bytes: int
    refused: int = 0
    left_out: int = 0
    oldest_at: AwareDatetime | None = None


class LinkQuality(BaseModel):
    """What the node's link to the broker did since its start."""

    connected_since: AwareDatetime
    connections: int
    sent: int
    resent: int
    acknowledged: int


class DroppedReadings(BaseModel):
    """Readings of a device between two event times that will never come, all of one reason together."""

    device: str
    reason: GapReason
    count: int
    from_at: AwareDatetime
    to_at: AwareDatetime


class DeadLetters(BaseModel):
    """What the cloud rejected for good and the node keeps to be looked at."""

    subject: str
    reason: str
    count: int
    first_at: AwareDatetime
    last_at: AwareDatetime


class NodeCamera(BaseModel):
    """How steady a camera's connection was within the last hour: how often it had to be made anew, and how often it stood and no
    picture came.
    """

    device_id: int
    camera: str
    name: str
    simulated: bool
    presence: Presence
    reconnects_per_hour: int
    stalls_per_hour: int


class Knock(BaseModel):
    """Who has called over a protocol and is not configured on the node."""

    protocol: str
    name: str
    count: int


class NodeHealth(BaseModel):
    """What a node said of itself at `told_at` (by the clock of the cloud): what waits, since when, what was lost and why.
    `lost_readings` and `lost_incidents` went with a damaged disk. `lost_at`: when the node last told of more that is lost or
    dropped, whatever the event times are. Of `cameras` the least steady come first.
    """

    told_at: AwareDatetime
    backlog: Backlog
    evidence: EvidenceBacklog
    link: LinkQuality
    dropped_total: int
    dropped: list[DroppedReadings]
    lost_readings: int = 0
    lost_incidents: int = 0
    lost_at: AwareDatetime | None
    rejected_incidents: int
    dead_letters: list[DeadLetters]
    cameras: list[NodeCamera]
    knocks: list[Knock] = []


class Node(BaseModel):
    """A node; one that waits shows what it says of itself. `device_id` is the node as a device, `health` its last word on
    what waits in it; `waiting_devices` were declared by it and nobody has accepted them.
    """

    node: str
    name: str
    district: str
    state: NodeState
    presence: Presence
    presence_since: AwareDatetime | None
    session: UUID | None
    software: str | None
    last_seen_at: AwareDatetime | None
    skew_s: float | None
    models: list[NodeModel]
    degraded: list[NodeDegradation]
    devices: int
    waiting_devices: int = 0
    device_id: int | None
    health: NodeHealth | None


class NodePage(BaseModel):
    """A page of nodes, those that wait first; `next` is the cursor of the page after it."""

    items: list[Node]
    next: str | None


class WaitingPoint(BaseModel):
    """A point of a device that waits."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    unit: str | None


class WaitingDevice(BaseModel):
    """A device that an enrolled node declares and nobody has accepted. `reason`: it is `new`, or it says that it has become another
    kind. `ignored_at`: a person does not want it.
    """

    device: str
    name: str | None
    kind: str
    spot: str | None
    profile: str | None
    simulated: bool
    points: list[WaitingPoint]
    reason: WaitReason
    first_seen_at: AwareDatetime
    last_seen_at: AwareDatetime
    ignored_at: AwareDatetime | None
    ignored_by: str | None


class WaitingDevices(BaseModel):
    """What waits of one node, what was put aside at the end."""

    items: list[WaitingDevice]


class DeviceDecision(StrEnum):
    """What a person says of devices that wait."""

    ACCEPT = "accept"
    PUT_ASIDE = "put_aside"
    RECONSIDER = "reconsider"


class DeviceDecisions(BaseModel):
    """One decision on devices by name; without names `accept` takes all that wait."""

    model_config = ConfigDict(extra="forbid")

    decision: DeviceDecision
    devices: Annotated[list[Name] | None, Field(min_length=1, max_length=500)] = None


class Acceptance(BaseModel):
    """Where an accepted node belongs."""

    model_config = ConfigDict(extra="forbid")

    area_code: Code


@router.get("/nodes")
def list_nodes(conn: Conn, user: Insider, *, limit: Limit = 50, after: After = None) -> NodePage:
    """Nodes in one's area; maintainers and administrators also see those that wait."""
    accepted, name = decode_cursor(after, int, str) if after is not None else (0, "")
    scope = user.area_path
    rows: list[Any] = []
    if not accepted and user.role in {Role.MAINTAINER, Role.ADMINISTRATOR}:
        rows = fleet.list_quarantined_nodes(conn, scope=scope, after=str(name), count=limit + 1)
    if len(rows) <= limit:
        begin = str(name) if accepted else ""
        rows += fleet.list_nodes(conn, scope=scope, after=begin, count=limit + 1 - len(rows))
    page = [_node(row) for row in rows[:limit]]
    following = None
    if len(rows) > limit:
        following = encode_cursor(int(page[-1].state is NodeState.ACCEPTED), page[-1].node)
    return NodePage(items=page, next=following)


@router.get("/nodes/{node}")
def read_node(conn: Conn, user: Insider, node: NodeName) -> Node:
    """One accepted node."""
    return _node(_found_node(conn, user, node))


def _found_node(conn: Connection[Any], user: Principal, node: str) -> Any:
    """The row of an accepted node in scope. Raises NotFound."""
    rows = fleet.list_nodes(conn, scope=user.area_path, name=node)
    if not rows:
        raise NotFound("there is no such node in your scope")
    return rows[0]


def _node(row: Any) -> Node:
    fields = row._asdict()
    report, lost_at, cameras = fields.pop("health"), fields.pop("lost_at"), fields.pop("cameras")
    health = None
    if report is not None:
        told = {"told_at": report["at"], "lost_at": lost_at, "cameras": cameras or []}
        health = NodeHealth.model_validate({**report, **told})
    return Node.model_validate({**fields, "health": health})


@router.get("/nodes/{node}/waiting-devices")
def list_waiting_devices(conn: Conn, user: Steward, node: NodeName) -> WaitingDevices:
    """What an enrolled node declares and nobody has accepted."""
    _found_node(conn, user, node)
    found = fleet.waiting_devices(conn, node, scope=user.area_path)
    return WaitingDevices(
        items=[
            WaitingDevice(
                device=each.name,
                name=each.declared.name,
                kind=each.declared.kind,
                spot=each.declared.spot,
                profile=each.declared.profile,
                simulated=each.declared.simulated,
                points=[WaitingPoint.model_validate(point) for point in each.declared.points],
                reason=each.reason,
                first_seen_at=each.first_seen_at,
                last_seen_at=each.last_seen_at,
                ignored_at=each.ignored_at,
                ignored_by=each.ignored_by,
            )
            for each in found
        ]
    )


@router.post("/nodes/{node}/waiting-devices", status_code=204)
def decide_on_devices(
    conn: Conn, user: Steward, *, parts: Parts, request: Request, node: NodeName, body: DeviceDecisions
) -> None:
    """Accept devices, and what they told meanwhile; put them aside; or think of them again."""
    _found_node(conn, user, node)
    now, address = parts.clock(), client_address(request)
    if body.decision is DeviceDecision.ACCEPT:
        devices.accept(conn, node, body.devices, now=now, actor=user, address=address)
    elif body.devices is None:
        raise Invalid("name the devices")
    elif body.decision is DeviceDecision.PUT_ASIDE:
        devices.put_aside(conn, node, body.devices, now=now, actor=user, address=address)
    else:
        devices.reconsider(conn, node, body.devices, actor=user, address=address)


@router.post("/nodes/{node}/accept", status_code=204)
def accept_node(conn: Conn, user: Steward, *, parts: Parts, request: Request, node: NodeName, body: Acceptance) -> None:
    """Enrol a node that waits in quarantine; what it sent meanwhile is taken in."""
    area = areas.find_in_scope(conn, user, body.area_code)
    service.accept_node(conn, node, area_code=body.area_code, now=parts.clock())
    audit.write(conn, "node.accepted", node, actor=user, area_path=area.path, address=client_address(request))
