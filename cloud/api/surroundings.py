"""What stood around an incident: the devices at its spot, and what they said at that time."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel

from cloud.api.cases import CaseId
from cloud.api.dependencies import Conn, Parts, User
from cloud.api.problems import RESPONSES
from cloud.cases import service as cases
from cloud.errors import NotFound
from cloud.fleet import spots
from cloud.telemetry import store as telemetry
from cloud.telemetry.store import PointAround

router = APIRouter(prefix="/api/v1", tags=["cases"], responses=RESPONSES)

MOST_POINTS = 200

Minutes = Annotated[int, Query(ge=1, le=120, description="so long before the beginning and after the end")]


class PlaceName(BaseModel):
    """A spot (点位) of a node."""

    id: str
    name: str | None


class NearbyPoint(BaseModel):
    """What a point said: the last word up to the moment (None where there was none), and of a number the range around it."""

    point: str
    unit: str | None
    observed_at: AwareDatetime | None
    value: float | str | None
    minimum: float | None
    maximum: float | None
    readings: int


class NearbyDevice(BaseModel):
    """A device at the spot, or a camera that shows it."""

    id: int
    device: str
    name: str
    kind: str
    simulated: bool
    points: list[NearbyPoint]


class Surroundings(BaseModel):
    """`moment` is when the incident began; what is told lies between `from_at` and `to_at`."""

    spot: PlaceName | None
    moment: AwareDatetime
    from_at: AwareDatetime
    to_at: AwareDatetime
    devices: list[NearbyDevice]


@router.get("/cases/{case_id}/surroundings", summary="What the devices at the spot of a case said at the time")
def read_surroundings(
    *,
    case_id: CaseId,
    user: User,
    conn: Conn,
    parts: Parts,
    incident: Annotated[UUID | None, Query(description="an incident of the case; its newest unless given")] = None,
    minutes: Minutes = 10,
) -> Surroundings:
    """The device of the case first, then the others, cameras last; devices outside of my scope are not told of."""
    case = cases.detail(conn, user, case_id, now=parts.clock())
    found = next((each for each in case.incidents if incident in {None, each.incident_id}), None)
    if found is None or case.device is None:
        raise NotFound("there is no such incident in this case")
    around = timedelta(minutes=minutes)
    moment, from_at = found.started_at, found.started_at - around
    to_at = _end(found.ended_at or parts.clock(), moment) + around
    near = spots.devices_around(
        conn, node=case.device.node, spot=case.spot, device=case.device.device, scope=user.area_path
    )
    told: dict[int, list[NearbyPoint]] = {each.id: [] for each in near}
    for point in telemetry.points_around(
        conn, list(told), from_at=from_at, moment=moment, to_at=to_at, count=MOST_POINTS
    ):
        told[point.device_id].append(_shown(point))
    place = None if case.spot is None else spots.spot_of(conn, case.device.node, case.spot)
    return Surroundings(
        spot=None if place is None else PlaceName(id=place.id, name=place.name),
        moment=moment,
        from_at=from_at,
        to_at=to_at,
        devices=[
            NearbyDevice(
                id=each.id,
                device=each.device,
                name=each.name,
                kind=each.kind,
                simulated=each.simulated,
                points=told[each.id],
            )
            for each in near
        ],
    )


def _end(end: datetime, moment: datetime) -> datetime:
    """Of an incident that lasts for weeks its first day is what stands around its beginning."""
    return max(moment, min(end, moment + timedelta(days=1)))


def _shown(point: PointAround) -> NearbyPoint:
    return NearbyPoint(
        point=point.point,
        unit=point.unit,
        observed_at=point.observed_at,
        value=point.value if point.state is None else point.state,
        minimum=point.minimum,
        maximum=point.maximum,
        readings=point.readings,
    )
