"""The audit log: for auditors and administrators, as far as their area reaches."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from cloud.access import audit_trail
from cloud.access.audit_trail import AuditFilter
from cloud.access.model import Principal, Role
from cloud.api.dependencies import Conn, client_address, require
from cloud.api.paging import LARGEST_ID, After, Limit, decode_id, encode_cursor
from cloud.api.problems import RESPONSES

router = APIRouter(prefix="/api/v1/audit", tags=["access"], responses=RESPONSES)

Reader = Annotated[Principal, Depends(require(Role.AUDITOR, Role.ADMINISTRATOR))]
Words = Annotated[str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class AuditItem(BaseModel):
    """Who did or saw what. `case` and `purpose` where one was told; `chained` once the row is part of the chain."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: AwareDatetime
    actor: str | None
    action: str
    subject: str
    area: str | None
    address: str | None
    case: str | None
    purpose: str | None
    detail: dict[str, Any]
    chained: bool


class AuditPage(BaseModel):
    """A page of the log, the newest first; `next` is the cursor of the page after it."""

    items: list[AuditItem]
    next: str | None


class AuditChain(BaseModel):
    """How far the chain is: `rows` in it, those that wait, to which place it is sealed and with which key (its fingerprint).

    Whether it holds says `gridward-cloud audit verify`, which reads all of it.
    """

    model_config = ConfigDict(from_attributes=True)

    rows: int
    waiting: int
    sealed: int
    sealed_at: AwareDatetime | None
    key: str | None


def wanted_rows(
    *,
    actor: Words = None,
    action: Annotated[
        str | None, Query(pattern=r"^[a-z][a-z_.]{0,60}$", description="A word or its beginning, such as `evidence.`")
    ] = None,
    subject: Words = None,
    case: Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="Id of a case")] = None,
    from_at: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    to_at: Annotated[AwareDatetime | None, Query(alias="to")] = None,
) -> AuditFilter:
    """The filters that the list and the export share."""
    return AuditFilter(actor=actor, action=action, subject=subject, case=case, from_at=from_at, to_at=to_at)


Wanted = Annotated[AuditFilter, Depends(wanted_rows)]


@router.get("", summary="The audit log")
def list_audit(user: Reader, conn: Conn, wanted: Wanted, *, limit: Limit = 50, after: After = None) -> AuditPage:
    """The newest first. What lies in no area is for those whose scope is everything."""
    found = audit_trail.page(conn, user, wanted, before=decode_id(after), count=limit + 1)
    items = [AuditItem.model_validate(entry) for entry in found[:limit]]
    return AuditPage(items=items, next=encode_cursor(items[-1].id) if len(found) > limit else None)


@router.get("/chain", summary="How far the audit log is chained and sealed")
def read_audit_chain(_user: Reader, conn: Conn) -> AuditChain:
    """A row is chained within a minute."""
    return AuditChain.model_validate(audit_trail.chain_state(conn))


@router.get(
    "/export",
    summary="The audit log as a table",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}},
)
def export_audit(user: Reader, conn: Conn, wanted: Wanted, request: Request) -> Response:
    """CSV with the same filters, in which no cell is a formula. 422 for more than 20,000 rows. The export stands in the log."""
    content = audit_trail.export(conn, user, wanted, address=client_address(request))
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"', "Cache-Control": "private, no-store"}
    return Response(content, media_type="text/csv", headers=headers)
