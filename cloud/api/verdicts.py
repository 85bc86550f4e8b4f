"""Verdicts: how often what is told is true, advice for thresholds, proposals for the next profile, the labelled set."""

from datetime import timedelta
from itertools import chain
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from cloud.access import areas
from cloud.access.model import Principal, Role
from cloud.api.cases import Note
from cloud.api.dependencies import Conn, Parts, Services, client_address, require
from cloud.api.paging import LARGEST_ID, After, Limit, decode_id, encode_cursor
from cloud.api.parameters import Code, Name
from cloud.api.problems import RESPONSES
from cloud.errors import NotFound
from cloud.verdicts import export, proposals, service, store
from cloud.verdicts.advice import Side
from cloud.verdicts.export import ExportOrder
from cloud.verdicts.model import Verdict
from cloud.verdicts.precision import Dimension
from cloud.verdicts.proposals import PROPOSING, ProposalState, Wish
from cloud.verdicts.store import VerdictFilter
from cloud.verdicts.view import AdviceView, Proposal, VerdictTable, named
from edge.contract.fields import uuid7

router = APIRouter(prefix="/api/v1", tags=["verdicts"], responses=RESPONSES)

USUAL_DAYS = 90

Reader = Annotated[Principal, Depends(require(Role.DUTY_CHIEF, Role.MAINTAINER, Role.AUDITOR, Role.ADMINISTRATOR))]
Proposer = Annotated[Principal, Depends(require(*PROPOSING))]
Steward = Annotated[Principal, Depends(require(Role.MAINTAINER, Role.ADMINISTRATOR))]
Days = Annotated[int, Query(ge=1, le=730, description="Judgements of the last so many days")]
ProposalId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Purpose = Annotated[
    str, StringConstraints(min_length=3, max_length=300, strip_whitespace=True, pattern=r"^[^\x00-\x1f]*$")
]


def _chosen(parts: Services, scope: str, days: int) -> VerdictFilter:
    until = parts.clock()
    return VerdictFilter(scope=scope, since=until - timedelta(days=days), until=until)


@router.get("/verdicts", summary="How often what is told is true")
def read_verdicts(
    *,
    user: Reader,
    conn: Conn,
    parts: Parts,
    by: Annotated[
        list[Dimension] | None, Query(max_length=6, description="Told apart by; without any device and rule")
    ] = None,
    days: Days = USUAL_DAYS,
    node: Annotated[Name | None, Query()] = None,
    device: Annotated[Name | None, Query()] = None,
    rule: Annotated[Name | None, Query()] = None,
    kind: Annotated[Name | None, Query()] = None,
    area: Annotated[Code | None, Query(description="Code of an area of any level")] = None,
    simulated: bool = False,
    drills: bool = False,
) -> VerdictTable:
    """Judgements, not incidents, are counted: a case of fifty incidents was looked at once. Those that could not be told (`unsure`) and tests
    stand beside, and count for nothing.
    """
    span = _chosen(parts, areas.scope_path(conn, user, area), days)
    chosen = VerdictFilter(
        scope=span.scope,
        since=span.since,
        until=span.until,
        node=node,
        device=device,
        rule=rule,
        kind=kind,
        simulated=simulated,
        drills=drills,
    )
    dimensions = by or [Dimension.DEVICE, Dimension.RULE]
    table = service.table(conn, chosen, dimensions, zone=parts.settings.timezone)
    devices = store.devices_called(conn, named(table.cells))
    return VerdictTable.of(table, devices, since=chosen.since, until=chosen.until)


@router.get("/verdicts/advice", summary="What another threshold would have cost and saved")
def read_advice(
    *,
    user: Reader,
    conn: Conn,
    parts: Parts,
    node: Annotated[Name, Query()],
    device: Annotated[Name, Query()],
    rule: Annotated[Name, Query()],
    side: Side = Side.ABOVE,
    days: Days = USUAL_DAYS,
) -> AdviceView:
    """From the rule's own verdicts as it is set now. Nothing is advised from too few, and nothing that would have lost a true alarm."""
    chosen = _chosen(parts, user.area_path, days)
    found = service.advice(conn, chosen, node=node, device=device, rule=rule, side=side, zone=parts.settings.timezone)
    return AdviceView.of(found)


class ProposalRequest(BaseModel):
    """A threshold for a rule of a device; the figures are counted over the last `days`."""

    model_config = ConfigDict(extra="forbid")

    node: Name
    device: Name
    rule: Name
    threshold: Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]
    side: Side = Side.ABOVE
    days: Annotated[int, Field(ge=1, le=730)] = USUAL_DAYS
    note: Note | None = None


class ProposalAnswer(BaseModel):
    """What becomes of a proposal: a maintainer accepts or declines it, whoever made it may withdraw it."""

    model_config = ConfigDict(extra="forbid")

    state: ProposalState
    note: Note | None = None


class ProposalPage(BaseModel):
    """A page of proposals, the newest first; `next` is the cursor of the page after it."""

    items: list[Proposal]
    next: str | None


@router.get("/rule-proposals", summary="Proposals for the next profile")
def list_proposals(
    *,
    user: Reader,
    conn: Conn,
    state: Annotated[list[ProposalState] | None, Query(max_length=4)] = None,
    node: Annotated[Name | None, Query()] = None,
    device: Annotated[Name | None, Query()] = None,
    rule: Annotated[Name | None, Query()] = None,
    limit: Limit = 50,
    after: After = None,
) -> ProposalPage:
    """Those of my area, the newest first."""
    rows = store.proposals(
        conn,
        user.area_path,
        states=state,
        node=node,
        device=device,
        rule=rule,
        before=decode_id(after),
        limit=limit + 1,
    )
    items = [Proposal.of(each, user) for each in rows[:limit]]
    return ProposalPage(items=items, next=encode_cursor(items[-1].id) if len(rows) > limit else None)


@router.post("/rule-proposals", summary="Propose a threshold", status_code=201)
def propose(*, wish: ProposalRequest, user: Proposer, conn: Conn, request: Request, parts: Parts) -> Proposal:
    """422 where there are too few verdicts, or where it would have lost a true alarm that was high or critical; 409 while a proposal for the
    same setting is open.
    """
    proposal_id = proposals.propose(
        conn,
        user,
        _chosen(parts, user.area_path, wish.days),
        Wish(
            node=wish.node,
            device=wish.device,
            rule=wish.rule,
            threshold=wish.threshold,
            side=wish.side,
            note=wish.note,
        ),
        zone=parts.settings.timezone,
        now=parts.clock(),
        address=client_address(request),
    )
    return _proposal(conn, user, proposal_id)


@router.post("/rule-proposals/{proposal_id}/answer", summary="Accept, decline or withdraw a proposal")
def answer_proposal(
    *, proposal_id: ProposalId, answer: ProposalAnswer, user: Proposer, conn: Conn, request: Request, parts: Parts
) -> Proposal:
    """As it stands afterwards. 409 when it has an answer already."""
    proposals.answer(
        conn, user, proposal_id, answer.state, note=answer.note, now=parts.clock(), address=client_address(request)
    )
    return _proposal(conn, user, proposal_id)


def _proposal(conn: Conn, user: Principal, proposal_id: int) -> Proposal:
    rows = store.proposals(conn, user.area_path, proposal_id=proposal_id, limit=1)
    if not rows:
        raise NotFound("there is no such proposal in your scope")
    return Proposal.of(rows[0], user)


class ExportRequest(BaseModel):
    """Which judged incidents, and what for. Exercises and simulations only where they are asked for."""

    model_config = ConfigDict(extra="forbid")

    purpose: Purpose
    days: Annotated[int, Field(ge=1, le=730)] = USUAL_DAYS
    area: Code | None = None
    node: Name | None = None
    device: Name | None = None
    rule: Name | None = None
    kind: Name | None = None
    verdicts: Annotated[list[Verdict], Field(min_length=1, max_length=5)] = [
        Verdict.TRUE,
        Verdict.DUPLICATE,
        Verdict.FALSE_ALARM,
    ]
    simulated: bool = False
    drills: bool = False
    most: Annotated[int, Field(ge=1, le=export.MOST_PICTURES)] = 10_000


@router.post(
    "/verdicts/export",
    summary="The labelled set",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}}},
)
def export_verdicts(
    *, wanted: ExportRequest, user: Steward, conn: Conn, request: Request, parts: Parts
) -> StreamingResponse:
    """Masked pictures with what people found, as a zip: see the package `cloud.verdicts` for its format. The purpose and each picture stand
    in the audit log. 429 while others are written.
    """
    now = parts.clock()
    span = _chosen(parts, areas.scope_path(conn, user, wanted.area), wanted.days)
    order = ExportOrder(
        export_id=uuid7(int(now.timestamp() * 1000)),
        user=user,
        purpose=wanted.purpose,
        chosen=VerdictFilter(
            scope=span.scope,
            since=span.since,
            until=span.until,
            node=wanted.node,
            device=wanted.device,
            rule=wanted.rule,
            kind=wanted.kind,
            simulated=wanted.simulated,
            drills=wanted.drills,
        ),
        verdicts=frozenset(wanted.verdicts),
        most=wanted.most,
        at=now,
        address=client_address(request),
        zone=parts.settings.zone,
    )
    chunks = export.written(parts.pool, parts.evidence.files, order)
    first = next(chunks, b"")  # what is refused is refused before the answer begins
    return StreamingResponse(
        chain([first], chunks),
        media_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="gridward-verdicts-{now:%Y%m%d-%H%M}.zip"',
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )
