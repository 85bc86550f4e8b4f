"""Reports of people: a grid worker's own find (巡查), what a resident asks the desk for (点单), a call to the hotline."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from starlette.concurrency import run_in_threadpool

from cloud.access.model import Principal
from cloud.api.cases import CaseId
from cloud.api.dependencies import AS_PERSON, Conn, Parts, Services, User, client_address, require, signed_in
from cloud.api.evidence import Purpose
from cloud.api.parameters import Code
from cloud.api.problems import RESPONSES
from cloud.api.receiving import read_whole
from cloud.cases import service as cases
from cloud.cases.model import CaseOrigin
from cloud.errors import Forbidden, UnsupportedMedia
from cloud.intake import categories, nearby, pictures, service
from cloud.intake.categories import Category
from cloud.intake.model import Report
from cloud.intake.nearby import NearCase
from cloud.intake.service import ORIGINS_OF, Arrival
from edge.contract.incident import Severity

router = APIRouter(prefix="/api/v1", tags=["reports"], responses=RESPONSES)


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("NUL is no character of a text")
    return text


Line = Annotated[
    str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), AfterValidator(_without_nul)
]
Words = Annotated[str, StringConstraints(max_length=1000, strip_whitespace=True), AfterValidator(_without_nul)]
CategoryCode = Annotated[str, StringConstraints(pattern=r"^[PE][0-9]{4}$")]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,100}$",
        description="Made by the sender, another one for each report: sent twice, it is one report",
    ),
]
Hash = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file")]
ReportId = Annotated[UUID, Path()]
ReportingPerson = Annotated[Principal, Depends(require(*ORIGINS_OF))]

LINK_PAGE = "/r/"
"""Where whoever asked for something sees how far it is."""


class ReportRequest(BaseModel):
    """What is reported. Where: `area`, else the area that is drawn around the place.

    Times are by the phone's clock; with `sent_at` its error is put right. Numbers of telephones and of identity cards are not
    kept: they are masked in all texts.
    """

    model_config = ConfigDict(extra="forbid")

    origin: CaseOrigin
    category: CategoryCode
    title: Line
    description: Words | None = None
    severity: Severity | None = None
    area: Code | None = None
    longitude: Longitude | None = None
    latitude: Latitude | None = None
    address: Line | None = None
    occurred_at: AwareDatetime | None = None
    sent_at: AwareDatetime | None = None
    external_id: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,100}$")] | None = None
    drill: bool = False


class ReportReceipt(BaseModel):
    """What became of it. `near`: open cases that may be the same thing; `link`: the page for whoever asked for it."""

    id: UUID
    case_id: int
    number: str
    received_at: datetime
    link: str | None
    near: list[NearCase]


class CategoryList(BaseModel):
    """Categories and their classes, by their codes."""

    items: list[Category]


class NearCases(BaseModel):
    """Open cases of the same category near by, the nearest first."""

    items: list[NearCase]


class ReportPicture(BaseModel):
    """A picture that is kept; its hash is another one than that of what was sent, where the phone had written into it."""

    sha256: str
    width: int
    height: int


@router.get("/categories", summary="Categories of cases")
def list_categories(_user: User, conn: Conn) -> CategoryList:
    """Parts (部件) and events (事件): classes have three characters, what is chosen has five."""
    return CategoryList(items=categories.usable(conn))


@router.post("/reports", summary="Report something", responses={201: {"model": ReportReceipt}})
def make_report(
    *,
    wanted: ReportRequest,
    key: IdempotencyKey,
    user: ReportingPerson,
    conn: Conn,
    request: Request,
    response: Response,
    parts: Parts,
) -> ReportReceipt:
    """201 with the case that was opened for it; 200 where the same was sent before; 409 where the key came with another report."""
    report = Report(
        origin=wanted.origin,
        category_code=wanted.category,
        title=wanted.title,
        description=wanted.description or None,
        severity=wanted.severity,
        area_code=wanted.area,
        longitude=wanted.longitude,
        latitude=wanted.latitude,
        address=wanted.address,
        occurred_at=wanted.occurred_at,
        sent_at=wanted.sent_at,
        external_id=wanted.external_id,
        drill=wanted.drill,
    )
    service.check_origin(user, report)
    arrival = Arrival(key, parts.clock(), parts.settings.zone, client_address(request))
    taken = service.take_in(conn, service.of_person(user), report, arrival)
    response.status_code = HTTPStatus.CREATED if taken.is_new else HTTPStatus.OK
    return ReportReceipt(
        id=taken.id,
        case_id=taken.case_id,
        number=taken.number,
        received_at=taken.received_at,
        link=f"{LINK_PAGE}{taken.link}" if taken.link is not None else None,
        near=nearby.near(conn, user, taken.case_id),
    )


@router.put("/reports/{report_id}/pictures/{sha256}", summary="Send a picture of my report", dependencies=AS_PERSON)
async def send_picture(report_id: ReportId, sha256: Hash, request: Request, parts: Parts) -> ReportPicture:
    """A JPEG of at most 12 MiB; what the phone wrote into it (place, device, time) is not kept. Nine at most."""
    # asynchronous, for a body is read as it comes and must hold neither a thread nor a connection to the database
    user = await run_in_threadpool(_sender, request, parts, report_id)
    if request.headers.get("content-type", "image/jpeg").partition(";")[0].strip().lower() != "image/jpeg":
        raise UnsupportedMedia("pictures come as image/jpeg")
    with parts.evidence.slots.taken(f"account:{user.user_id}"):
        content = await read_whole(request, pictures.MAXIMUM_BYTES)
        return await run_in_threadpool(_keep, parts, user, report_id, sha256, content)


def _sender(request: Request, parts: Services, report_id: UUID) -> Principal:
    with parts.pool.connection() as conn:
        user = signed_in(request, conn, parts).principal
        if user.role not in ORIGINS_OF:
            raise Forbidden(f"the role {user.role} reports nothing")
        service.receipt(conn, service.of_person(user), report_id)
        return user


def _keep(parts: Services, user: Principal, report_id: UUID, sha256: str, content: bytes) -> ReportPicture:
    with parts.pool.connection() as conn:
        kept = pictures.keep(
            conn, parts.evidence.files, user, report_id, sent_sha256=sha256, content=content, now=parts.clock()
        )
    return ReportPicture(sha256=kept.sha256, width=kept.width, height=kept.height)


@router.get("/cases/{case_id}/near", summary="Open cases that may be the same thing")
def list_near(case_id: CaseId, user: User, conn: Conn) -> NearCases:
    """Of the same category within a hundred metres, or in the same area where nobody said where exactly."""
    cases.check_visible(conn, user, case_id)
    return NearCases(items=nearby.near(conn, user, case_id))


@router.get(
    "/cases/{case_id}/pictures/{sha256}",
    summary="Look at a picture of a report",
    response_class=StreamingResponse,
    responses={200: {"content": {"image/jpeg": {}}}},
)
def read_picture(
    *, case_id: CaseId, sha256: Hash, user: User, conn: Conn, request: Request, parts: Parts, purpose: Purpose = None
) -> StreamingResponse:
    """Of a case in my scope. Every view stands in the audit log. 428 without a purpose where the case is over or not mine to work on."""
    size_bytes, content = pictures.view(
        conn, parts.evidence.files, user, case_id, sha256, address=client_address(request), purpose=purpose
    )
    headers = {
        "Content-Length": str(size_bytes),
        "Content-Disposition": f'inline; filename="{sha256[:16]}.jpg"',
        "Cache-Control": "private, no-store",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(content, media_type="image/jpeg", headers=headers)
