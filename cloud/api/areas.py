"""Areas, how they are drawn, and the figures over them."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from psycopg import Connection
from pydantic import BaseModel

from cloud.access import areas, camera_access
from cloud.access.model import Principal
from cloud.api.dependencies import Conn, Parts, User
from cloud.api.parameters import Code
from cloud.api.problems import RESPONSES
from cloud.cases import service as cases
from cloud.cases.model import OPEN_STATUSES
from cloud.fleet import service as fleet
from edge.contract.incident import Severity

router = APIRouter(prefix="/api/v1", tags=["areas"], responses=RESPONSES)

LevelName = Annotated[str, Query(pattern=r"^[a-z_]{1,32}$")]


class AreaItem(BaseModel):
    """An area; `parent` is the code of the one above."""

    code: str
    level: str
    parent: str | None
    name: str


class AreaList(BaseModel):
    """The areas of a scope and those above it, from the top down."""

    items: list[AreaItem]


class BoundaryProperties(BaseModel):
    """What a map shows of an area: its open cases and the worst of them."""

    code: str
    name: str
    level: str
    parent: str | None
    open_cases: int
    severity: Severity | None


class Geometry(BaseModel):
    """A GeoJSON geometry (RFC 7946), WGS 84."""

    type: Literal["Polygon", "MultiPolygon"]
    coordinates: list[Any]


class BoundaryFeature(BaseModel):
    """A GeoJSON feature; `id` is the area's code."""

    type: Literal["Feature"] = "Feature"
    id: str
    properties: BoundaryProperties
    geometry: Geometry | None


class BoundaryCollection(BaseModel):
    """A GeoJSON feature collection."""

    type: Literal["FeatureCollection"] = "FeatureCollection"
    features: list[BoundaryFeature]


class Figures(BaseModel):
    """The counts of an area; days begin at local midnight. `open_simulated` are part of `open_cases`, `devices_simulated` of
    `devices_total`.
    """

    open_cases: int
    open_simulated: int
    by_severity: dict[Severity, int]
    reported: int
    today_opened: int
    devices_online: int
    devices_total: int
    devices_simulated: int
    incidents_24h: int


@router.get("/areas", summary="Areas in my scope")
def list_areas(user: User, conn: Conn) -> AreaList:
    """From the top down, with those that lead there."""
    return AreaList(
        items=[
            AreaItem(code=area.code, level=area.level, parent=area.parent, name=area.name)
            for area in areas.in_scope(conn, user)
        ]
    )


@router.get("/areas/{code}/geometry", summary="How areas are drawn", response_model=BoundaryCollection)
def read_geometry(code: Annotated[Code, Path()], user: User, conn: Conn, level: LevelName = "grid") -> Response:
    """The areas of one level inside of an area, as GeoJSON. A department finds counted what it was told of."""
    # written out once: the way of smaller answers goes through each of tens of thousands of coordinates twice
    return Response(_drawn(code, user, conn, level).model_dump_json(), media_type="application/json")


def _drawn(code: str, user: Principal, conn: Connection[Any], level: str) -> BoundaryCollection:
    area = areas.find_in_scope(conn, user, code)
    drawn = areas.boundaries(
        conn, area.path, level, open_statuses=sorted(OPEN_STATUSES), department_id=user.department_id
    )
    return BoundaryCollection(
        features=[
            BoundaryFeature(
                id=boundary.code,
                properties=BoundaryProperties(
                    code=boundary.code,
                    name=boundary.name,
                    level=boundary.level,
                    parent=boundary.parent,
                    open_cases=boundary.open_cases,
                    severity=Severity(boundary.severity) if boundary.severity is not None else None,
                ),
                geometry=Geometry(**boundary.geometry) if boundary.geometry is not None else None,
            )
            for boundary in drawn
        ]
    )


@router.get("/figures", summary="Counts of an area")
def read_figures(user: User, conn: Conn, parts: Parts, area: Annotated[Code | None, Query()] = None) -> Figures:
    """Cases, incidents and devices of an area, or of my whole scope; of a department those that it was told of, and its own."""
    path = areas.scope_path(conn, user, area)
    now = parts.clock()
    midnight = now.astimezone(parts.settings.zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    day_start = now - max(now - midnight, timedelta(0))
    figures = cases.figures(conn, path, now=now, day_start=day_start, department_id=user.department_id)
    online, total, made = fleet.count_devices(conn, path, camera_access.devices_for(conn, user))
    return Figures(
        open_cases=figures.open_cases,
        open_simulated=figures.open_simulated,
        by_severity=figures.by_severity,
        reported=figures.reported,
        today_opened=figures.today_opened,
        devices_online=online,
        devices_total=total,
        devices_simulated=made,
        incidents_24h=figures.incidents_24h,
    )
