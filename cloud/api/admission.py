"""What may become a case (事项准入), what became none by it, and what a case is made of."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from cloud.access.model import Principal, Role
from cloud.api.cases import CaseId, Note
from cloud.api.dependencies import Conn, Parts, User, client_address, require
from cloud.api.paging import LARGEST_ID, After, Limit, decode_id, encode_cursor
from cloud.api.parameters import Code, Name
from cloud.api.problems import RESPONSES
from cloud.correlate import admission_rules, admission_trial
from cloud.correlate.admission import AdmissionWish
from cloud.correlate.composition import Folding, folding_of
from cloud.correlate.rules import CorrelationRules
from edge.contract.incident import IncidentState, Severity

router = APIRouter(prefix="/api/v1", tags=["correlation"], responses=RESPONSES)

Administrator = Annotated[Principal, Depends(require(Role.ADMINISTRATOR))]
Overseer = Annotated[Principal, Depends(require(Role.ADMINISTRATOR, Role.DUTY_CHIEF, Role.AUDITOR))]


class AdmissionRequest(BaseModel):
    """What may become a case: from which severity on, where, of which kind. What is left out fits everything."""

    model_config = ConfigDict(extra="forbid")

    area_code: Code | None = None
    level: Name | None = None
    category: Name | None = None
    kind: Name | None = None
    admitted_from: Annotated[
        Severity, Field(description="medium, high or critical; what is critical always becomes a case")
    ]
    note: Note = ""

    def wish(self) -> AdmissionWish:
        """What is asked for."""
        return AdmissionWish(
            area_code=self.area_code,
            level=self.level,
            category=self.category,
            kind=self.kind,
            admitted_from=self.admitted_from,
            note=self.note,
        )


class AdmissionTrialRequest(BaseModel):
    """A rule more (`rule`), one less (`ends`, its number), or both at once: tried on what was found in the last `days`."""

    model_config = ConfigDict(extra="forbid")

    rule: AdmissionRequest | None = None
    ends: Annotated[int | None, Field(ge=1, le=LARGEST_ID)] = None
    days: Annotated[int, Field(ge=1, le=admission_trial.DAYS_MOST)] = 7


class AdmissionTrialLine(BaseModel):
    """Incidents for which the change would make a difference."""

    model_config = ConfigDict(from_attributes=True)

    kind: str
    category: str
    severity: Severity
    incidents: int
    admitted: int
    would_be_admitted: int


class AdmissionTrialView(BaseModel):
    """What was found, what the rules that hold now let in of it, and what they would with the change.

    `cases` of those that were opened in that time would have been without it, `would_be_cases` with it. `more`: it was too much to look
    at all of it.
    """

    model_config = ConfigDict(from_attributes=True)

    since: AwareDatetime
    until: AwareDatetime
    incidents: int
    admitted: int
    would_be_admitted: int
    cases: int
    would_be_cases: int
    lines: list[AdmissionTrialLine]
    more: bool


class AdmissionRow(BaseModel):
    """A rule that holds, or did until `ended_at`. `incidents` became no case by it."""

    model_config = ConfigDict(from_attributes=True)

    rule_id: int
    area_code: str | None
    level: str | None
    category: str | None
    kind: str | None
    admitted_from: Severity
    note: str
    made_by: str
    made_at: AwareDatetime
    ended_by: str | None
    ended_at: AwareDatetime | None
    incidents: int


class AdmissionList(BaseModel):
    """Rules, the newest first."""

    items: list[AdmissionRow]


class UnadmittedIncident(BaseModel):
    """An incident that became no case, by the rule `rule_id`."""

    model_config = ConfigDict(from_attributes=True)

    incident_id: UUID
    node: str
    device: str
    simulated: bool
    kind: str
    category: str
    severity: Severity
    state: IncidentState
    started_at: AwareDatetime
    updated_at: AwareDatetime
    ended_at: AwareDatetime | None
    received_at: AwareDatetime
    rule_id: int


class UnadmittedPage(BaseModel):
    """A page of incidents, the newest first; `next` is the cursor of the page after it."""

    items: list[UnadmittedIncident]
    next: str | None


@router.get("/admission-rules", summary="What may become a case")
def list_admission_rules(user: Overseer, conn: Conn) -> AdmissionList:
    """The rules that say something of my area, those that have ended too. Of those that fit an incident the narrowest decides; without any it becomes a case."""
    return AdmissionList(items=[AdmissionRow.model_validate(rule) for rule in admission_rules.everything(conn, user)])


@router.post("/admission-rules", status_code=HTTPStatus.CREATED, summary="Say what may become a case")
def add_admission_rule(
    *, wish: AdmissionRequest, user: Administrator, conn: Conn, request: Request, parts: Parts
) -> AdmissionRow:
    """From now on. 409 when a rule says something of just this already."""
    made = admission_rules.add(conn, user, wish.wish(), now=parts.clock(), address=client_address(request))
    return AdmissionRow.model_validate(made)


@router.post("/admission-rules/try", summary="What a rule would have let in")
def try_admission_rule(asked: AdmissionTrialRequest, user: Overseer, conn: Conn, parts: Parts) -> AdmissionTrialView:
    """Of what was found lately in my area. Nothing is changed."""
    found = admission_trial.try_out(
        conn,
        user,
        wish=asked.rule.wish() if asked.rule is not None else None,
        ends=asked.ends,
        days=asked.days,
        now=parts.clock(),
    )
    return AdmissionTrialView.model_validate(found)


@router.delete("/admission-rules/{admission_id}", status_code=HTTPStatus.NO_CONTENT, summary="End a rule")
def end_admission_rule(
    *,
    admission_id: Annotated[int, Path(ge=1, le=LARGEST_ID)],
    user: Administrator,
    conn: Conn,
    request: Request,
    parts: Parts,
) -> None:
    """What became no case by it stays none, unless its node tells more of it."""
    admission_rules.end(conn, user, admission_id, now=parts.clock(), address=client_address(request))


@router.get("/unadmitted-incidents", summary="Incidents that became no case")
def list_unadmitted(
    user: Overseer,
    conn: Conn,
    rule: Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="Only those of this rule")] = None,
    limit: Limit = 50,
    after: After = None,
) -> UnadmittedPage:
    """Nothing that was found is lost: all of them in my area, the newest first."""
    found = admission_rules.unadmitted(conn, user, rule_id=rule, before=decode_id(after), count=limit + 1)
    items = found[:limit]
    return UnadmittedPage(
        items=[UnadmittedIncident.model_validate(row) for row in items],
        next=encode_cursor(items[-1].id) if len(found) > limit else None,
    )


@router.get("/cases/{case_id}/folding", summary="What a case is made of")
def read_folding(case_id: CaseId, user: User, conn: Conn, parts: Parts) -> Folding:
    """How many incidents of whom, whether it is flooded or counts a repeated false alarm, and the cases that it is linked to."""
    return folding_of(conn, user, case_id, CorrelationRules.of(parts.settings).folding)
