"""Devices with their points and their presence."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from psycopg import Connection
from pydantic import AwareDatetime, BaseModel

from cloud.access import areas, camera_access
from cloud.access.model import Principal
from cloud.api.dependencies import Conn, User
from cloud.api.paging import LARGEST_ID, After, Limit, decode_cursor, decode_id, encode_cursor
from cloud.api.parameters import Code, Name
from cloud.api.problems import RESPONSES
from cloud.errors import Invalid, NotFound
from cloud.fleet import store as fleet
from cloud.fleet.model import Presence
from cloud.telemetry import store as telemetry
from cloud.telemetry.store import PointState
from edge.contract.health import Level
from edge.contract.telemetry import GapReason

router = APIRouter(prefix="/api/v1", tags=["devices"], responses=RESPONSES)

DeviceId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


class PointKind(StrEnum):
    """Numbers are samples; states are told when they change."""

    NUMBER = "number"
    STATE = "state"


class AreaName(BaseModel):
    """An area by its code and name."""

    code: str
    name: str


class LatestValue(BaseModel):
    """The newest value of a point: a number, or the word of a state."""

    observed_at: AwareDatetime
    value: float | str


class DevicePoint(BaseModel):
    """What can be read of a device."""

    name: str
    kind: PointKind
    unit: str | None
    minimum: float | None
    maximum: float | None
    period_s: float | None
    latest: LatestValue | None


class NodeBacklog(BaseModel):
    """What its node said at `told_at` of what waits there, for all of its devices together. At a `share` of 1 the oldest
    readings are dropped and declared.
    """

    told_at: AwareDatetime
    level: Level
    share: float
    readings_waiting: int
    incidents_waiting: int
    files_waiting: int
    oldest_at: AwareDatetime | None


class GateRecall(BaseModel):
    """What decides at a camera's node which pictures are decoded, and how much of what decoding everything finds it finds: movements in
    `audited_s` seconds of decoding everything that it `found` too, or `missed`.
    """

    state: str
    reason: str
    audited_s: int = 0
    found: int = 0
    missed: int = 0


class CameraLink(BaseModel):
    """What its node said at `told_at` of a camera's connection within the hour before: how often it had to be made anew, and how
    often it stood and no picture came. Without a `gate` all of its pictures are decoded.
    """

    told_at: AwareDatetime
    reconnects_per_hour: int
    stalls_per_hour: int
    gate: GateRecall | None = None


class Device(BaseModel):
    """A device; `presence` of one behind a node that is not online is unknown. `department`: whose it is, `profile`: with which version of
    which profile it is set up, `behind`: the line that it is reached over, all as its node says; `link` is told of cameras.
    """

    id: int
    node: str
    device: str
    name: str
    kind: str
    spot: str | None
    grid: AreaName | None
    longitude: float | None
    latitude: float | None
    presence: Presence
    presence_since: AwareDatetime | None
    last_seen_at: AwareDatetime | None
    simulated: bool
    department: str | None
    profile: str | None
    behind: str | None
    points: list[DevicePoint]
    backlog: NodeBacklog | None
    link: CameraLink | None


class DroppedSum(BaseModel):
    """All declared drops of a device for one reason."""

    reason: GapReason
    gaps: int
    count: int
    from_at: AwareDatetime
    to_at: AwareDatetime


class DeclaredGap(BaseModel):
    """Readings of the device that its node declared as dropped, and when the cloud heard of it."""

    from_at: AwareDatetime
    to_at: AwareDatetime
    count: int
    reason: GapReason
    received_at: AwareDatetime


class GapPage(BaseModel):
    """A page of declared gaps, the latest first; `sums` are over all of them."""

    sums: list[DroppedSum]
    items: list[DeclaredGap]
    next: str | None


class DevicePage(BaseModel):
    """A page of devices by id; `next` is the cursor of the page after it."""

    items: list[Device]
    next: str | None


@router.get("/devices")
def list_devices(
    conn: Conn,
    user: User,
    *,
    area: Annotated[Code | None, Query()] = None,
    kind: Annotated[Name | None, Query()] = None,
    presence: Annotated[Presence | None, Query()] = None,
    limit: Limit = 50,
    after: After = None,
) -> DevicePage:
    """Devices in one's area, those that the newest birth of their node declares; for a department those that are its own to look at."""
    rows = fleet.list_devices(
        conn,
        scope=areas.scope_path(conn, user, area),
        sight=camera_access.devices_for(conn, user),
        kind=kind,
        presence=presence.value if presence else None,
        after=decode_id(after) or 0,
        count=limit + 1,
    )
    page = rows[:limit]
    following = encode_cursor(page[-1].id) if len(rows) > limit else None
    return DevicePage(items=_devices(conn, page), next=following)


@router.get("/devices/{device_id}")
def read_device(conn: Conn, user: User, device_id: DeviceId) -> Device:
    """One device."""
    return _devices(conn, [find_device(conn, user, device_id)])[0]


@router.get("/devices/{device_id}/gaps")
def list_gaps(conn: Conn, user: User, device_id: DeviceId, *, limit: Limit = 50, after: After = None) -> GapPage:
    """What the device's node declared as dropped, and why."""
    find_device(conn, user, device_id)
    rows = telemetry.newest_gaps(conn, device_id, after=_gap_cursor(after), count=limit + 1)
    page = rows[:limit]
    following = None
    if len(rows) > limit:
        following = encode_cursor(page[-1].from_at.isoformat(), str(page[-1].gap_id))
    return GapPage(
        sums=[DroppedSum.model_validate(row._asdict()) for row in telemetry.gap_sums(conn, device_id)],
        items=[DeclaredGap.model_validate(row._asdict()) for row in page],
        next=following,
    )


def _gap_cursor(after: str | None) -> tuple[datetime, UUID] | None:
    if after is None:
        return None
    from_at, gap_id = decode_cursor(after, str, str)
    try:
        moment = datetime.fromisoformat(str(from_at)).astimezone(UTC)
        return moment, UUID(str(gap_id))
    except (ValueError, OverflowError) as error:
        raise Invalid("`after` is not a cursor of this list") from error


def find_device(conn: Connection[Any], user: Principal, device_id: int) -> Any:
    """The row of a device in a person's scope. Raises NotFound also for one outside of it."""
    sight = camera_access.devices_for(conn, user)
    rows = fleet.list_devices(conn, scope=user.area_path, sight=sight, device_id=device_id, count=1)
    if not rows:
        raise NotFound("there is no such device in your scope")
    return rows[0]


def _devices(conn: Connection[Any], rows: Sequence[Any]) -> list[Device]:
    points: dict[int, list[DevicePoint]] = {row.id: [] for row in rows}
    for state in telemetry.points_of_devices(conn, list(points)):
        points[state.device_id].append(_point(state))
    return [
        Device(
            id=row.id,
            node=row.node,
            device=row.device,
            name=row.name,
            kind=row.kind,
            spot=row.spot,
            grid=AreaName(code=row.grid_code, name=row.grid_name) if row.grid_code is not None else None,
            longitude=row.longitude,
            latitude=row.latitude,
            presence=row.presence,
            presence_since=row.presence_since,
            last_seen_at=row.last_seen_at,
            simulated=row.simulated,
            department=row.department,
            profile=row.profile,
            behind=row.behind,
            points=points[row.id],
            backlog=_backlog(row),
            link=None if row.link is None else CameraLink.model_validate({**row.link, "told_at": row.told_at}),
        )
        for row in rows
    ]


def _backlog(row: Any) -> NodeBacklog | None:
    if row.told_at is None:
        return None
    return NodeBacklog(
        told_at=row.told_at,
        level=row.level,
        share=row.share,
        readings_waiting=row.readings_waiting,
        incidents_waiting=row.incidents_waiting,
        files_waiting=row.files_waiting,
        oldest_at=row.oldest_at,
    )


def _point(state: PointState) -> DevicePoint:
    value = state.value if state.value is not None else state.state
    latest = None
    if state.observed_at is not None and value is not None:
        latest = LatestValue(observed_at=state.observed_at, value=value)
    return DevicePoint(
        name=state.point,
        kind=PointKind(state.kind),
        unit=state.unit,
        minimum=state.minimum,
        maximum=state.maximum,
        period_s=state.period_s,
        latest=latest,
    )
