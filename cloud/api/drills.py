"""Drills (演练): start, prolong and end one, what runs here, what came of it; and declaring a case of one real."""

from dataclasses import fields
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from cloud.access.model import Principal, Role
from cloud.api.cases import CaseId, Note
from cloud.api.dependencies import Conn, Insider, Parts, User, client_address, require
from cloud.api.duty import Moment, Words
from cloud.api.paging import LARGEST_ID, After, Limit, decode_id, encode_cursor
from cloud.api.parameters import Code, Name
from cloud.api.problems import RESPONSES
from cloud.cases import reality
from cloud.cases.view import CaseDetail
from cloud.drills import report, service
from cloud.drills.model import DEPARTMENTS_MOST, SOURCES_MOST, ChosenSource, DrillWish
from cloud.drills.report import DrillReport, ExercisedCase
from cloud.drills.service import Drill
from cloud.organisation.tables import write_csv

router = APIRouter(prefix="/api/v1", tags=["drills"], responses=RESPONSES)

Starter = Annotated[Principal, Depends(require(*service.STARTERS))]
Reader = Annotated[Principal, Depends(require(*service.STARTERS, Role.GRID_LEAD, Role.AUDITOR))]
Declarer = Annotated[Principal, Depends(require(*reality.DECLARERS))]
DrillId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Rule = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{0,64}$")]


class SourceRequest(BaseModel):
    """A node; of it one device; of that one rule."""

    model_config = ConfigDict(extra="forbid")

    node: Name
    device: Name | None = None
    rule: Rule = ""


class DrillRequest(BaseModel):
    """A drill that starts now. `reports`: people report into it by their own form; `channels`: they are told outside of the page too."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Words, Field(max_length=100)]
    purpose: Words
    area_code: Code
    planned_end_at: Moment
    sources: Annotated[list[SourceRequest], Field(max_length=SOURCES_MOST)] = []
    reports: bool = False
    channels: bool = False
    departments: Annotated[list[Annotated[int, Field(ge=1, le=LARGEST_ID)]], Field(max_length=DEPARTMENTS_MOST)] = []

    def wish(self) -> DrillWish:
        """What is to be started."""
        return DrillWish(
            name=self.name,
            purpose=self.purpose,
            area_code=self.area_code,
            planned_end_at=self.planned_end_at,
            sources=tuple(ChosenSource(each.node, each.device or "", each.rule) for each in self.sources),
            reports=self.reports,
            channels=self.channels,
            departments=tuple(self.departments),
        )


class ProlongRequest(BaseModel):
    """Until when it lasts instead."""

    model_config = ConfigDict(extra="forbid")

    until: Moment


class RealRequest(BaseModel):
    """What there is to say of the danger."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[Note, Field(max_length=500)] = ""


class DrillPage(BaseModel):
    """A page of drills, the newest first."""

    items: list[Drill]
    next: str | None


class CurrentDrills(BaseModel):
    """The drills that run in my area, or around it; `at` is the time of the cloud."""

    items: list[Drill]
    at: datetime


@router.get("/drills", summary="Drills of my area")
def list_drills(user: Insider, conn: Conn, parts: Parts, limit: Limit = 50, after: After = None) -> DrillPage:
    """Those inside of my area and around it, over or not, the newest first."""
    found = service.page(conn, user, now=parts.clock(), before=decode_id(after), count=limit + 1)
    items = found[:limit]
    return DrillPage(items=items, next=encode_cursor(items[-1].id) if len(found) > limit else None)


@router.get("/drills/current", summary="What is exercised here now")
def list_current_drills(user: User, conn: Conn, parts: Parts) -> CurrentDrills:
    """For the banner over every page."""
    now = parts.clock()
    return CurrentDrills(items=service.page(conn, user, now=now, running=True), at=now)


@router.post("/drills", status_code=status.HTTP_201_CREATED, summary="Start a drill")
def start_drill(body: DrillRequest, user: Starter, conn: Conn, request: Request, parts: Parts) -> Drill:
    """What the chosen sources find from now on is part of it, and nothing else is.

    409 when another one has the same sources, or one of them took part in drills for 72 hours of seven days.
    """
    return service.start(conn, user, body.wish(), now=parts.clock(), address=client_address(request))


@router.post("/drills/{drill_id}/prolong", summary="Move the end of a drill")
def prolong_drill(
    *, drill_id: DrillId, body: ProlongRequest, user: Starter, conn: Conn, request: Request, parts: Parts
) -> Drill:
    """A day ahead at most. 409 when it is over, or too little of the week would be real."""
    return service.prolong(conn, user, drill_id, until=body.until, now=parts.clock(), address=client_address(request))


@router.post("/drills/{drill_id}/end", summary="End a drill")
def end_drill(drill_id: DrillId, user: Starter, conn: Conn, request: Request, parts: Parts) -> Drill:
    """From now on everything is real again. Its cases stay marked. 409 when it is over."""
    return service.end(conn, user, drill_id, now=parts.clock(), address=client_address(request))


@router.get(
    "/drills/{drill_id}/report",
    summary="What came of a drill",
    response_model=DrillReport,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def read_drill_report(
    *,
    drill_id: DrillId,
    user: Reader,
    conn: Conn,
    parts: Parts,
    form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> DrillReport | Response:
    """What was opened, how long each stage took, who reacted; as CSV its cases."""
    found = report.report(conn, user, drill_id, now=parts.clock())
    if form == "json":
        return found
    headers = {"Content-Disposition": f'attachment; filename="drill-{drill_id}.csv"'}
    names = [each.name for each in fields(ExercisedCase)]
    content = write_csv(names, ([getattr(case, name) for name in names] for case in found.cases))
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/cases/{case_id}/real", summary="Declare the case of a drill real")
def make_case_real(
    *, case_id: CaseId, body: RealRequest, user: Declarer, conn: Conn, request: Request, parts: Parts
) -> CaseDetail:
    """It leaves the drill with all that hangs together with it, and people are told anew. 409 when it is no drill."""
    return reality.make_real(
        conn, user, case_id, note=body.note or None, now=parts.clock(), address=client_address(request)
    )
