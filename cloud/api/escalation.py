"""Whistles (吹哨报到): who was called to a case and who has come; and what would go unheard."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, status
from pydantic import BaseModel, ConfigDict, Field

from cloud.access.model import Principal, Role
from cloud.api.cases import CaseId, Id, Note
from cloud.api.dependencies import Conn, Parts, User, client_address, require
from cloud.api.paging import LARGEST_ID
from cloud.api.parameters import Name
from cloud.api.problems import RESPONSES
from cloud.escalation import service
from cloud.escalation.service import CALLED_MOST, WarningView, Whistles

router = APIRouter(prefix="/api/v1", tags=["escalation"], responses=RESPONSES)

Insider = Annotated[Principal, Depends(require(*(role for role in Role if role is not Role.DEPARTMENT)))]
Blower = Annotated[Principal, Depends(require(*service.BLOWERS))]
WhistleId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
CallId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


class WhistleRequest(BaseModel):
    """Call departments to a case, by a level of your own scope."""

    model_config = ConfigDict(extra="forbid")

    level: Name
    departments: Annotated[list[Id], Field(min_length=1, max_length=CALLED_MOST)]
    note: Note = ""


class NoteBody(BaseModel):
    """What there is to say."""

    model_config = ConfigDict(extra="forbid")

    note: Note = ""


class DutyWarnings(BaseModel):
    """What would go unheard in my scope, the next first."""

    items: list[WarningView]


@router.get("/cases/{case_id}/whistles", summary="The whistles of a case")
def list_whistles(case_id: CaseId, user: User, conn: Conn) -> Whistles:
    """Who was called, by when to come, and who has come; and by which levels I may blow one."""
    return service.of_case(conn, user, case_id)


@router.post("/cases/{case_id}/whistles", status_code=status.HTTP_201_CREATED, summary="Blow a whistle")
def blow_whistle(
    *, case_id: CaseId, body: WhistleRequest, user: Blower, conn: Conn, request: Request, parts: Parts
) -> Whistles:
    """Each department that is called may read the case, and is expected by a time. 409 when all of them were called already."""
    return service.blow(
        conn,
        user,
        case_id,
        level=body.level,
        called=body.departments,
        note=body.note,
        now=parts.clock(),
        address=client_address(request),
    )


@router.post("/cases/{case_id}/whistles/{whistle_id}/calls/{call_id}/arrival", summary="Report in")
def report_in(
    *,
    case_id: CaseId,
    whistle_id: WhistleId,
    call_id: CallId,
    body: NoteBody,
    user: User,
    conn: Conn,
    request: Request,
    parts: Parts,
) -> Whistles:
    """For one's own department or oneself; who is in charge may do it for others. 409 when that was done already."""
    return service.arrive(
        conn,
        user,
        case_id,
        whistle_id,
        call_id,
        note=body.note,
        now=parts.clock(),
        address=client_address(request),
    )


@router.post("/cases/{case_id}/whistles/{whistle_id}/end", summary="End a whistle")
def end_whistle(
    *,
    case_id: CaseId,
    whistle_id: WhistleId,
    body: NoteBody,
    user: Blower,
    conn: Conn,
    request: Request,
    parts: Parts,
) -> Whistles:
    """Whoever blew it, or is in charge of its level; with a note where somebody has not come."""
    return service.end(
        conn, user, case_id, whistle_id, note=body.note, now=parts.clock(), address=client_address(request)
    )


@router.get("/duty-warnings", summary="What would go unheard")
def list_warnings(user: Insider, conn: Conn) -> DutyWarnings:
    """Areas without anybody on duty, people whom no channel reaches, a calendar that ends."""
    return DutyWarnings(items=service.warnings(conn, user))
