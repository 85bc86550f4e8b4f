"""Records of changes of shift (交接班记录): given by who goes, taken by who comes."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from cloud.access.model import Role
from cloud.api.dependencies import Conn, Insider, Parts, Session, client_address
from cloud.api.duty import LongWords, without_nul
from cloud.api.paging import LARGEST_ID, After, Limit, decode_id, encode_cursor
from cloud.api.problems import RESPONSES
from cloud.errors import Forbidden
from cloud.handover import records
from cloud.handover.records import RecordDetail, ShiftRecord, Which

router = APIRouter(prefix="/api/v1", tags=["duty"], responses=RESPONSES)

RecordId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
FreeWords = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4_000), AfterValidator(without_nul)]


class GiveRequest(BaseModel):
    """What the next one has to know beside what the system has drawn up."""

    model_config = ConfigDict(extra="forbid")

    words: FreeWords = ""


class TakeRequest(BaseModel):
    """Which record was read: its SHA-256, hexadecimal. `reason`: why somebody of a level above takes it."""

    model_config = ConfigDict(extra="forbid")

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), AfterValidator(without_nul)] = ""


class RemarkRequest(BaseModel):
    """What is to be added."""

    model_config = ConfigDict(extra="forbid")

    note: LongWords


class RecordPage(BaseModel):
    """A page of records, the newest first; `at` is the time of the cloud."""

    items: list[ShiftRecord]
    next: str | None
    at: datetime


@router.get("/duty/records", summary="Records of changes of shift")
def list_shift_records(
    *, user: Insider, conn: Conn, parts: Parts, which: Which = Which.ALL, limit: Limit = 50, after: After = None
) -> RecordPage:
    """Mine to give, mine to take, or all of my area, the newest first."""
    now = parts.clock()
    found = records.page(conn, user, which, now=now, before=decode_id(after), count=limit + 1)
    items = found[:limit]
    return RecordPage(items=items, next=encode_cursor(items[-1].id) if len(found) > limit else None, at=now)


@router.get("/duty/records/{record_id}", summary="A record of a change of shift")
def read_shift_record(record_id: RecordId, user: Insider, conn: Conn, parts: Parts) -> RecordDetail:
    """How things stood when it was given; before that how they stand now."""
    return records.detail(conn, user, record_id, now=parts.clock())


@router.post("/duty/records/{record_id}/given", summary="Give the record of my shift")
def give_shift_record(
    *, record_id: RecordId, body: GiveRequest, session: Session, conn: Conn, request: Request, parts: Parts
) -> RecordDetail:
    """I confirm how things stand now. From then on it stays as it is. 409 when it was given."""
    _check_insider(session)
    return records.give(conn, session, record_id, words=body.words, now=parts.clock(), address=client_address(request))


@router.post("/duty/records/{record_id}/taken", summary="Take the record of the shift before")
def take_shift_record(
    *, record_id: RecordId, body: TakeRequest, session: Session, conn: Conn, request: Request, parts: Parts
) -> RecordDetail:
    """I confirm what I have read. Another person than who gave it, in a session of his own, whose shift follows; a duty chief of a level above says why. 409 when it is not what was read."""
    _check_insider(session)
    return records.take(
        conn,
        session,
        record_id,
        sha256=body.sha256,
        reason=body.reason or None,
        now=parts.clock(),
        address=client_address(request),
    )


@router.post("/duty/records/{record_id}/remarks", summary="Add to a record", status_code=201)
def remark_on_shift_record(
    *, record_id: RecordId, body: RemarkRequest, user: Insider, conn: Conn, request: Request, parts: Parts
) -> RecordDetail:
    """What was given is never changed; this stands below it. 409 before it was given."""
    return records.remark(conn, user, record_id, note=body.note, now=parts.clock(), address=client_address(request))


def _check_insider(session: Any) -> None:
    if session.principal.role is Role.DEPARTMENT:
        raise Forbidden("this is for who works for the district itself")
