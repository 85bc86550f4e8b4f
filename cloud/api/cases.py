"""Cases: the list, one case, what people do with it, and the table of what may be done."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Self

from fastapi import APIRouter, Path, Query, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from cloud.access import areas
from cloud.access.model import Role
from cloud.api.dependencies import Conn, Parts, User, client_address
from cloud.api.paging import LARGEST_ID, After, Limit, decode_due, decode_id, encode_cursor, encode_due
from cloud.api.parameters import Code, Name
from cloud.api.problems import RESPONSES
from cloud.cases import service
from cloud.cases.life import Order
from cloud.cases.model import (
    OPEN_STATUSES,
    RUNNING_STATUSES,
    STAGE_OF,
    TRANSITIONS,
    CaseAction,
    CaseOrigin,
    CaseStatus,
    DismissalReason,
    Guard,
    Need,
    Petition,
    Stage,
    Transition,
)
from cloud.cases.service import CaseFilter
from cloud.cases.standing import BEST_RATING
from cloud.cases.view import CaseDetail, CaseSummary
from cloud.deadlines.clock import Light
from cloud.errors import Invalid
from edge.contract.incident import IncidentKind, Severity

router = APIRouter(prefix="/api/v1", tags=["cases"], responses=RESPONSES)


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("NUL is no character of a text")
    return text


Note = Annotated[str, StringConstraints(max_length=1000, strip_whitespace=True), AfterValidator(_without_nul)]
CaseId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]


class CaseOrder(StrEnum):
    """What stands first in a list: the newest case, or the one that is due first."""

    NEWEST = "newest"
    DUE = "due"


class CasePage(BaseModel):
    """A page of cases, in the order that was asked for; `next` is the cursor of the page after it, in that order alone."""

    items: list[CaseSummary]
    next: str | None


class ActionRequest(BaseModel):
    """What to do with a case. `version` is the one that was read: a case that has changed since is refused with 409.

    The case model tells what each action needs: `person` an account (who verifies, who checks), `department` who handles it,
    `target` the case that this one is merged into, `until` the date of a suspension or extension.
    """

    model_config = ConfigDict(extra="forbid")

    action: CaseAction
    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    reason: DismissalReason | None = None
    note: Note | None = None
    person: Id | None = None
    department: Id | None = None
    target: Id | None = None
    until: AwareDatetime | None = None
    rating: Annotated[int, Field(ge=1, le=BEST_RATING)] | None = None


class TransitionRow(BaseModel):
    """One row of the state machine."""

    model_config = ConfigDict(populate_by_name=True)

    action: CaseAction
    from_status: Annotated[CaseStatus, Field(alias="from")]
    to_status: Annotated[CaseStatus | None, Field(alias="to", description="null: where it stood before")]
    roles: list[Role]
    needs: list[Need]
    guards: list[Guard]
    asks: Petition | None
    answers: Petition | None
    reason_required: bool

    @classmethod
    def of(cls, row: Transition) -> Self:
        """The row as it is told."""
        return cls(
            action=row.action,
            from_status=row.from_status,
            to_status=row.to_status,
            roles=sorted(row.roles),
            needs=sorted(row.needs),
            guards=sorted(row.guards),
            asks=row.asks,
            answers=row.answers,
            reason_required=row.reason_required,
        )


class CaseModel(BaseModel):
    """The state machine of cases and the words that it is made of. `kinds` are those known here; nodes may know more."""

    statuses: list[CaseStatus]
    open_statuses: list[CaseStatus]
    running_statuses: list[CaseStatus]
    stages: dict[CaseStatus, Stage | None]
    origins: list[CaseOrigin]
    actions: list[CaseAction]
    reasons: list[DismissalReason]
    severities: list[Severity]
    kinds: list[IncidentKind]
    roles: list[Role]
    transitions: list[TransitionRow]


@router.get("/cases", summary="Cases in my scope")
def list_cases(
    *,
    user: User,
    conn: Conn,
    parts: Parts,
    status: Annotated[list[CaseStatus] | None, Query(max_length=20)] = None,
    severity: Annotated[list[Severity] | None, Query(max_length=10)] = None,
    kind: Annotated[list[Name] | None, Query(max_length=50)] = None,
    area: Annotated[Code | None, Query(description="Code of an area of any level")] = None,
    device: Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="Id of a device")] = None,
    open_only: Annotated[bool, Query(alias="open", description="Only those that still take incidents")] = False,
    order: Annotated[CaseOrder, Query(description="`due`: only those for which a clock runs, the first due first")] = (
        CaseOrder.NEWEST
    ),
    light: Annotated[Light | None, Query(description="Of the clock that runs; with `order=due` alone")] = None,
    limit: Limit = 50,
    after: After = None,
) -> CasePage:
    """The newest first, or what is due first. Filters of one name add up, those of different names narrow."""
    if light is not None and order is not CaseOrder.DUE:
        raise Invalid("a light is asked for with order=due")
    statuses: Sequence[CaseStatus] = status or ()
    if open_only:
        statuses = sorted(OPEN_STATUSES.intersection(status) if status else OPEN_STATUSES)
        if not statuses:
            return CasePage(items=[], next=None)
    wanted = CaseFilter(
        area_path=areas.scope_path(conn, user, area),
        department_id=user.department_id,
        statuses=statuses,
        severities=severity or (),
        kinds=kind or (),
        device_id=device,
    )
    if order is CaseOrder.DUE:
        found = service.page_due(conn, wanted, light=light, now=parts.clock(), after=decode_due(after), count=limit + 1)
    else:
        found = service.page(conn, wanted, before=decode_id(after), count=limit + 1)
    items = found[:limit]
    return CasePage(items=items, next=_cursor(items[-1], order) if len(found) > limit else None)


def _cursor(last: CaseSummary, order: CaseOrder) -> str:
    if order is CaseOrder.DUE and last.clock is not None:
        return encode_due(last.clock.due_at, last.clock.id)
    return encode_cursor(last.id)


@router.get("/cases/{case_id}", summary="One case")
def read_case(case_id: CaseId, user: User, conn: Conn, parts: Parts) -> CaseDetail:
    """With its incidents (the newest hundred), its history, and what I may do now."""
    return service.detail(conn, user, case_id, now=parts.clock())


@router.post("/cases/{case_id}/actions", summary="Do something with a case")
def act_on_case(
    *, case_id: CaseId, order: ActionRequest, user: User, conn: Conn, request: Request, parts: Parts
) -> CaseDetail:
    """The case as it stands afterwards. 409 when it has changed since it was read, or its status forbids the action."""
    return service.act(
        conn,
        user,
        case_id,
        Order(
            action=order.action,
            version=order.version,
            reason=order.reason,
            note=order.note or None,
            person=order.person,
            department=order.department,
            target=order.target,
            until=order.until,
            rating=order.rating,
        ),
        now=parts.clock(),
        address=client_address(request),
    )


@router.get("/case-model", summary="The state machine of cases")
def read_case_model(_user: User) -> CaseModel:
    """What a page needs to know to offer the right buttons."""
    return CaseModel(
        statuses=list(CaseStatus),
        open_statuses=sorted(OPEN_STATUSES, key=list(CaseStatus).index),
        running_statuses=sorted(RUNNING_STATUSES, key=list(CaseStatus).index),
        stages=dict(STAGE_OF),
        origins=list(CaseOrigin),
        actions=list(CaseAction),
        reasons=list(DismissalReason),
        severities=list(Severity),
        kinds=list(IncidentKind),
        roles=list(Role),
        transitions=[TransitionRow.of(row) for row in TRANSITIONS],
    )
