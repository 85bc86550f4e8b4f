"""The picture wall: cameras in one's area as they are now. People look by lease, nodes send while somebody looks."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from prometheus_client import Counter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from cloud.api.dependencies import (
    AS_NODE,
    Conn,
    Node,
    Parts,
    Services,
    Session,
    User,
    client_address,
    node_principal,
)
from cloud.api.paging import LARGEST_ID, After, Limit, decode_id, encode_cursor
from cloud.api.parameters import Name
from cloud.api.problems import RESPONSES
from cloud.errors import CloudError, Invalid, UnsupportedMedia
from cloud.fleet.model import Presence
from cloud.wall import service
from cloud.wall.model import Tile, TileState
from cloud.wall.policy import CAMERAS_OF_PERSON, LEASE
from edge.contract.wall import CAPTURED_AT_HEADER, Absence

router = APIRouter(prefix="/api/v1/wall", tags=["wall"], responses=RESPONSES)

CameraName = Annotated[Name, Path(description="The name of a camera of this node")]
DeviceId = Annotated[int, Path(ge=1, le=LARGEST_ID)]

PAGE = r"^[0-9a-z]{0,32}$"
PAGE_WORDS = "Which of the pages of one session: each has a wall of its own"

_JPEG = "image/jpeg"
_PICTURES = Counter("gridward_wall_pictures_total", "Pictures that nodes sent, by how that ended", ["outcome"])


class WallArea(BaseModel):
    """Where a camera stands."""

    code: str
    name: str


class WallCamera(BaseModel):
    """A camera. Where `state` is given, this person looks at it until `lease_until`; `captured_at` is when its newest picture was
    taken, which is at `url` for some minutes, however old it looks. `reason` are the node's own words.
    """

    id: int
    node: str
    device: str
    name: str
    spot: str | None
    area: WallArea | None
    simulated: bool
    presence: Presence
    state: TileState | None
    reason: str | None
    lease_until: AwareDatetime | None
    captured_at: AwareDatetime | None
    url: str | None


class WallPage(BaseModel):
    """A page of cameras; `next` is the cursor of the page after it."""

    items: list[WallCamera]
    next: str | None


class Look(BaseModel):
    """Which cameras somebody looks at from now on, all of them, and to what end: that stands in the audit log."""

    model_config = ConfigDict(extra="forbid")

    cameras: Annotated[list[Annotated[int, Field(ge=1, le=LARGEST_ID)]], Field(max_length=CAMERAS_OF_PERSON)]
    purpose: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=3, max_length=200, pattern=r"^[^\x00]*$")
    ]
    page: Annotated[str, Field(pattern=PAGE, description=PAGE_WORDS)] = ""


class Watched(BaseModel):
    """What is looked at, for `lease_s` seconds unless it is asked for again."""

    items: list[WallCamera]
    lease_s: float


class LeaseLeft(BaseModel):
    """So many seconds somebody looks at the camera still."""

    left_s: float


class AbsenceTold(BaseModel):
    """Why a node sends no picture."""

    reason: Absence


@router.get("", summary="Cameras in my area, or those that I look at")
def list_wall(
    conn: Conn,
    user: User,
    parts: Parts,
    *,
    watched: Annotated[bool, Query(description="Only those that I look at")] = False,
    limit: Limit = 50,
    after: After = None,
) -> WallPage:
    """What can be seen of each camera that one looks at; of the others that they are there."""
    found = service.cameras(
        conn, user, now=parts.clock(), watched=watched, after=decode_id(after) or 0, count=limit + 1
    )
    page = [_camera(tile) for tile in found[:limit]]
    return WallPage(items=page, next=encode_cursor(page[-1].id) if len(found) > limit else None)


@router.post("/leases", summary="Look at these cameras, or go on looking")
def watch_cameras(conn: Conn, session: Session, *, parts: Parts, request: Request, body: Look) -> Watched:
    """Nodes make pictures of a camera only while somebody asks for it again and again. What is no camera in my area, or not any more,
    is left out; 404 where none is left, 409 where too many are looked at.
    """
    found = service.watch(
        conn,
        session,
        body.cameras,
        page=body.page,
        purpose=body.purpose,
        address=client_address(request),
        now=parts.clock(),
    )
    return Watched(items=[_camera(tile) for tile in found], lease_s=LEASE.total_seconds())


@router.delete("/leases", status_code=204, summary="Look no more")
def leave_wall(
    conn: Conn, session: Session, page: Annotated[str, Query(pattern=PAGE, description=PAGE_WORDS)] = ""
) -> None:
    """The nodes stop within seconds."""
    service.leave(conn, session, page=page)


@router.get(
    "/{device_id}/picture",
    summary="The newest picture of a camera that I look at",
    response_class=Response,
    responses={200: {"content": {_JPEG: {}}}, 304: {"description": "No newer one than `If-None-Match` names"}},
)
def read_wall_picture(device_id: DeviceId, conn: Conn, user: User, parts: Parts, request: Request) -> Response:
    """A masked JPEG, never to be stored; `Captured-At` is when it was taken. 404 without a lease, and outside of my area."""
    found = service.picture(conn, user, device_id, now=parts.clock())
    tag = f'"{found.captured_at.timestamp():.6f}"'
    headers = {
        "Cache-Control": "private, no-store",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "ETag": tag,
        CAPTURED_AT_HEADER: found.captured_at.isoformat(),
    }
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(found.content, media_type=_JPEG, headers=headers)


@router.put("/{camera}", summary="Send a picture that somebody waits for", dependencies=AS_NODE)
async def send_wall_picture(camera: CameraName, request: Request, parts: Parts) -> LeaseLeft:
    """For nodes: a masked JPEG with the header `Captured-At`. 404 no camera of this node, 409 nobody looks at it, 429 too often."""
    # asynchronous, for the body is read without holding a thread or a connection to the database
    try:
        left_s = await _keep(camera, request, parts)
    except CloudError as error:
        _PICTURES.labels(type(error).__name__).inc()
        raise
    _PICTURES.labels("kept").inc()
    return LeaseLeft(left_s=left_s)


@router.put("/{camera}/absence", summary="Say why there is no picture that somebody waits for")
def tell_wall_absence(camera: CameraName, conn: Conn, node: Node, parts: Parts, body: AbsenceTold) -> LeaseLeft:
    """For nodes. 404 no camera of this node, 409 nobody looks at it."""
    return LeaseLeft(left_s=service.tell_absence(conn, node.node, camera, body.reason, now=parts.clock()))


async def _keep(camera: str, request: Request, parts: Services) -> float:
    node = await run_in_threadpool(_expected, camera, request, parts)
    mime = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if mime != _JPEG:
        raise UnsupportedMedia(f"a picture is {_JPEG}, not {mime[:60]}")
    captured_at = _moment(request.headers.get(CAPTURED_AT_HEADER, ""))
    try:
        content = await request.body()
    except ClientDisconnect as error:
        raise Invalid("the body broke off") from error
    return await run_in_threadpool(_store, node, camera, content, captured_at, parts)


def _expected(camera: str, request: Request, parts: Services) -> str:
    with parts.pool.connection() as conn:
        node = node_principal(request, conn).node
        service.expected(conn, node, camera, now=parts.clock())
        return node


def _store(node: str, camera: str, content: bytes, captured_at: datetime, parts: Services) -> float:
    with parts.pool.connection() as conn:
        return service.keep(conn, node, camera, content, captured_at=captured_at, now=parts.clock())


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text[:40])
    except ValueError as error:
        raise Invalid(f"{CAPTURED_AT_HEADER} is no time") from error
    if moment.tzinfo is None:
        raise Invalid(f"{CAPTURED_AT_HEADER} names no zone")
    return moment


def _camera(tile: Tile) -> WallCamera:
    camera = tile.camera
    seen = tile.state is not None and camera.picture_at is not None
    return WallCamera(
        id=camera.device_id,
        node=camera.node,
        device=camera.device,
        name=camera.name,
        spot=camera.spot,
        area=None if camera.area_code is None else WallArea(code=camera.area_code, name=camera.area_name or ""),
        simulated=camera.simulated,
        presence=Presence(camera.presence),
        state=tile.state,
        reason=tile.reason,
        lease_until=camera.lease_until,
        captured_at=camera.picture_at if seen else None,
        url=f"{router.prefix}/{camera.device_id}/picture" if seen else None,
    )
