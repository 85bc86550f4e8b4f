"""The organisation: teams, sites, estates and buildings, what an area was before, and tables in and out."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from cloud.access import areas
from cloud.access.model import Principal, Role
from cloud.api.areas import Geometry
from cloud.api.dependencies import Conn, Insider, Parts, User, require
from cloud.api.parameters import Code
from cloud.api.problems import RESPONSES
from cloud.errors import Forbidden
from cloud.organisation import exchange, places
from cloud.organisation.exchange import Intake, TableKind
from cloud.organisation.model import FIXED_KINDS, MemberKind, SiteKind
from cloud.organisation.places import Building, Estate, Member, Outcome, Site

router = APIRouter(prefix="/api/v1", tags=["organisation"], responses=RESPONSES)

LONGEST_CSV = 900_000
Administrator = Annotated[Principal, Depends(require(Role.ADMINISTRATOR))]
EstateCode = Annotated[str, Query(pattern=r"^[0-9A-Za-z_-]{1,32}$", description="Code of an estate")]


class SiteList(BaseModel):
    """Sites by their codes."""

    items: list[Site]


class EstateList(BaseModel):
    """Estates by their codes."""

    items: list[Estate]


class BuildingList(BaseModel):
    """Buildings by estate and code."""

    items: list[Building]


class Team(BaseModel):
    """The teams of an area (1+5+N). `missing`: of its lead and the five fixed kinds, those that nobody fills here, above or below."""

    items: list[Member]
    missing: list[MemberKind]


class AreaVersionItem(BaseModel):
    """An area as it was drawn and named from one time to another; `valid_to` is null for the one of now."""

    code: str
    level: str
    parent: str | None
    name: str
    geometry: Geometry | None
    valid_from: AwareDatetime
    valid_to: AwareDatetime | None


class AreaHistory(BaseModel):
    """All that a code has stood for, the oldest first."""

    items: list[AreaVersionItem]


class TableIntake(BaseModel):
    """A table to take in. With `skip_bad` its good rows are taken although there are bad ones."""

    model_config = ConfigDict(extra="forbid")

    csv: Annotated[str, Field(max_length=LONGEST_CSV)]
    skip_bad: bool = False


class TableFault(BaseModel):
    """Why a line, or a cell of it, can't be taken."""

    line: int
    column: str | None
    reason: str


class TableResult(BaseModel):
    """What became of a table. Nothing was changed where `taken` is false."""

    kind: TableKind
    taken: bool
    outcomes: dict[Outcome, int]
    skipped: int
    problems: list[TableFault]


class TableText(BaseModel):
    """A table as CSV, as it can be taken in again."""

    kind: TableKind
    csv: str


@router.get("/areas/{code}/team", summary="Who belongs to the teams of an area")
def read_team(
    code: Annotated[Code, Path()],
    user: Insider,
    conn: Conn,
    parts: Parts,
    at: Annotated[AwareDatetime | None, Query(description="As it was then; now without it")] = None,
) -> Team:
    """The lead, the five fixed kinds, and whoever else helps."""
    area = areas.find_in_scope(conn, user, code)
    members = places.members(conn, area.path, at=_moment(at, parts.clock()), with_above=True)
    there = {member.kind for member in members}
    return Team(items=members, missing=[kind for kind in (MemberKind.LEAD, *FIXED_KINDS) if kind not in there])


@router.get("/areas/{code}/versions", summary="How an area was drawn before")
def read_area_versions(code: Annotated[Code, Path()], user: User, conn: Conn) -> AreaHistory:
    """Re-drawing keeps the past."""
    area = areas.find_in_scope(conn, user, code)
    return AreaHistory(
        items=[
            AreaVersionItem(
                code=each.area.code,
                level=each.area.level,
                parent=each.area.parent,
                name=each.area.name,
                geometry=Geometry(**each.geometry) if each.geometry is not None else None,
                valid_from=each.valid_from,
                valid_to=each.valid_to,
            )
            for each in areas.versions(conn, area.code)
            if user.sees(each.area.path)
        ]
    )


@router.get("/sites", summary="Sites in my scope")
def list_sites(
    user: Insider,
    conn: Conn,
    area: Annotated[Code | None, Query()] = None,
    kind: Annotated[list[SiteKind] | None, Query(max_length=10)] = None,
) -> SiteList:
    """Command centre, service centres, workstations, stations, gate houses."""
    return SiteList(items=places.sites(conn, areas.scope_path(conn, user, area), kinds=kind or None))


@router.get("/estates", summary="Estates in my scope")
def list_estates(user: Insider, conn: Conn, area: Annotated[Code | None, Query()] = None) -> EstateList:
    """With the company that runs each."""
    return EstateList(items=places.estates(conn, areas.scope_path(conn, user, area)))


@router.get("/buildings", summary="Buildings in my scope")
def list_buildings(
    user: Insider, conn: Conn, area: Annotated[Code | None, Query()] = None, estate: EstateCode | None = None
) -> BuildingList:
    """Of an area, of an estate, or of both."""
    return BuildingList(items=places.buildings(conn, areas.scope_path(conn, user, area), estate=estate))


@router.get("/organisation/tables/{kind}", summary="A table of the organisation")
def read_table(
    kind: TableKind, user: Administrator, conn: Conn, parts: Parts, area: Annotated[Code | None, Query()] = None
) -> TableText:
    """As CSV for a spreadsheet: no cell of it runs as a formula."""
    scope = areas.scope_path(conn, user, area)
    text = exchange.give_out(conn, kind, scope, now=parts.clock(), zone=parts.settings.zone)
    return TableText(kind=kind, csv=text)


@router.post("/organisation/tables/{kind}", summary="Take in a table of the organisation")
def take_in_table(kind: TableKind, wanted: TableIntake, user: Administrator, conn: Conn, parts: Parts) -> TableResult:
    """One bad row and nothing is taken, unless `skip_bad`; every bad cell is named. For administrators of everything."""
    if user.area_path:
        raise Forbidden("tables are taken in by administrators of the whole")
    data = wanted.csv.encode("utf-8", "replace")
    intake = Intake(now=parts.clock(), zone=parts.settings.zone, actor=user, skips_bad=wanted.skip_bad)
    report = exchange.take_in_csv(conn, kind, data, intake)
    problems = [TableFault(line=each.line, column=each.column, reason=each.reason) for each in report.problems]
    return TableResult(
        kind=kind, taken=report.taken, outcomes=report.outcomes, skipped=report.skipped, problems=problems
    )


def _moment(at: Any, now: datetime) -> datetime:
    return now if at is None else at
