"""The one way in for hotlines (12345, 12319) and other platforms, and the page for whoever asked for something.

The names of fields follow Open311 GeoReport v2 where it has one; bodies are JSON. Nothing personal is taken: whoever called is
known to the platform, by the number that it gives (`external_id`).
"""

import time
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from cloud.access.api_keys import MachinePrincipal
from cloud.api.dependencies import Conn, IntakeMachine, Parts, client_address
from cloud.api.parameters import Code
from cloud.api.problems import RESPONSES
from cloud.api.reports import (
    LINK_PAGE,
    CategoryCode,
    CategoryList,
    IdempotencyKey,
    Latitude,
    Line,
    Longitude,
    ReportId,
    Words,
)
from cloud.cases.model import CaseOrigin
from cloud.cases.standing import BEST_RATING
from cloud.errors import Invalid, NotFound
from cloud.intake import categories, requests, service
from cloud.intake.model import Progress, Report
from cloud.intake.requests import Standing
from cloud.intake.service import Arrival, Reporter
from edge.contract.incident import Severity

router = APIRouter(prefix="/api/v1", tags=["intake"], responses=RESPONSES)

Link = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
_QUIET = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow"}


class Source(StrEnum):
    """Who had it first."""

    HOTLINE = "hotline"
    PLATFORM = "platform"
    REQUEST = "request"


class IntakeRequest(BaseModel):
    """A report of another program. Where: `address_id` (the code of an area), else `lat` and `long` (WGS 84)."""

    model_config = ConfigDict(extra="forbid")

    source: Source = Source.HOTLINE
    service_code: CategoryCode
    title: Line | None = None
    description: Words | None = None
    severity: Severity | None = None
    lat: Latitude | None = None
    long: Longitude | None = None
    address_string: Line | None = None
    address_id: Code | None = None
    requested_datetime: AwareDatetime | None = None
    external_id: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,100}$")] | None = None


class IntakeReceipt(BaseModel):
    """`service_request_id` is by what it is asked for; `link` is the page for whoever asked for it, who may rate there."""

    service_request_id: UUID
    number: str
    received_at: datetime
    link: str | None


class Openness(StrEnum):
    """Whether somebody has yet to do something."""

    OPEN = "open"
    CLOSED = "closed"


class IntakeStatus(BaseModel):
    """How far a report is. `expected_datetime` is when the present step is to be done."""

    service_request_id: UUID
    number: str
    status: Openness
    status_notes: Progress
    service_code: str | None
    service_name: str | None
    requested_datetime: datetime
    updated_datetime: datetime
    expected_datetime: datetime | None
    address: str | None
    lat: float | None
    long: float | None
    rating: int | None


class RequestPage(BaseModel):
    """What whoever asked for something is told: neither place nor words, for a link can be passed on."""

    number: str
    progress: Progress
    service_zh: str | None
    service_en: str | None
    requested_at: datetime
    updated_at: datetime
    rating: int | None
    ratable: bool


class Rating(BaseModel):
    """One to five stars."""

    model_config = ConfigDict(extra="forbid")

    rating: Annotated[int, Field(ge=1, le=BEST_RATING)]


@router.get("/intake/services", summary="What may be reported")
def list_services(_caller: IntakeMachine, conn: Conn) -> CategoryList:
    """Codes of five characters are chosen; those of three are their classes."""
    return CategoryList(items=categories.usable(conn))


@router.post("/intake/reports", summary="Hand in a report", responses={201: {"model": IntakeReceipt}})
def take_report(
    *,
    wanted: IntakeRequest,
    key: IdempotencyKey,
    caller: IntakeMachine,
    conn: Conn,
    request: Request,
    response: Response,
    parts: Parts,
) -> IntakeReceipt:
    """201 and it is kept; 200 with the same answer where it came before; 409 where the key came with another report.

    After a time-out, or 503, send the same again with the same key.
    """
    category = categories.find(conn, wanted.service_code)
    report = Report(
        origin=CaseOrigin(wanted.source),
        category_code=wanted.service_code,
        title=wanted.title or category.name_zh,
        description=wanted.description or None,
        severity=wanted.severity,
        area_code=wanted.address_id,
        longitude=wanted.long,
        latitude=wanted.lat,
        address=wanted.address_string,
        occurred_at=wanted.requested_datetime,
        external_id=wanted.external_id,
    )
    arrival = Arrival(key, parts.clock(), parts.settings.zone, client_address(request))
    try:
        taken = service.take_in(conn, _reporter(caller), report, arrival)
    except NotFound as error:
        raise Invalid("no area of this key is there: see address_id, lat and long") from error
    response.status_code = HTTPStatus.CREATED if taken.is_new else HTTPStatus.OK
    return IntakeReceipt(
        service_request_id=taken.id,
        number=taken.number,
        received_at=taken.received_at,
        link=f"{LINK_PAGE}{taken.link}" if taken.link is not None else None,
    )


@router.get("/intake/reports/{report_id}", summary="What became of a report")
def read_report(report_id: ReportId, caller: IntakeMachine, conn: Conn) -> IntakeStatus:
    """Of one that was handed in with the same key. Where it was merged into another case, how far that is; what and where stays as told."""
    handed_in = service.receipt(conn, _reporter(caller), report_id)
    found = requests.of_report(conn, report_id)
    return IntakeStatus(
        service_request_id=report_id,
        number=found.number,
        status=Openness.OPEN if found.is_open else Openness.CLOSED,
        status_notes=found.progress,
        service_code=found.category_code,
        service_name=found.name_zh,
        requested_datetime=handed_in.received_at,
        updated_datetime=found.moved_at,
        expected_datetime=found.due_at,
        address=found.address,
        lat=found.latitude,
        long=found.longitude,
        rating=found.rating,
    )


@router.get("/public/requests/{link}", summary="How far my request is")
def read_request(link: Link, conn: Conn, request: Request, response: Response, parts: Parts) -> RequestPage:
    """Without an account, for whoever holds the link."""
    parts.public_pace.admit(client_address(request), time.monotonic())
    response.headers.update(_QUIET)
    return _page(requests.of_link(conn, link))


@router.post("/public/requests/{link}/rating", summary="Rate what was done")
def rate_request(
    *, link: Link, given: Rating, conn: Conn, request: Request, response: Response, parts: Parts
) -> RequestPage:
    """Once, when it is closed; whoever is not content opens it again. 409 when it can't be rated."""
    parts.public_pace.admit(client_address(request), time.monotonic())
    response.headers.update(_QUIET)
    found = requests.rate(conn, link, given.rating, now=parts.clock(), address=client_address(request))
    return _page(found)


def _page(found: Standing) -> RequestPage:
    return RequestPage(
        number=found.number,
        progress=found.progress,
        service_zh=found.name_zh,
        service_en=found.name_en,
        requested_at=found.opened_at,
        updated_at=found.moved_at,
        rating=found.rating,
        ratable=found.progress is Progress.CLOSED and not found.is_rated,
    )


def _reporter(caller: MachinePrincipal) -> Reporter:
    return Reporter(scope=caller.area_path, key_id=caller.key_id, key_name=caller.name)
