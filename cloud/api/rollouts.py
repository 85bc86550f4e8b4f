"""Rollouts: what goes out to which nodes, how far it is, and what people do about it; what runs where."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from psycopg import Connection
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from cloud.access.model import Principal, Role
from cloud.api.artifacts import Artifact
from cloud.api.dependencies import Conn, Parts, client_address, require
from cloud.api.paging import After, Limit, decode_cursor, decode_id, encode_cursor
from cloud.api.parameters import Code, Name
from cloud.api.problems import RESPONSES
from cloud.errors import Invalid
from cloud.rollouts import announced_store, artifacts, plans, service, store
from cloud.rollouts.model import (
    ACTIONS,
    Plan,
    Ring,
    Rollout,
    RolloutAction,
    RolloutCause,
    RolloutState,
    Stage,
    StepState,
    Tally,
)
from firmware_configs.signature import ArtifactClass

router = APIRouter(prefix="/api/v1", tags=["rollouts"], responses=RESPONSES)

Steward = Annotated[Principal, Depends(require(Role.MAINTAINER, Role.ADMINISTRATOR))]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
_LONGEST_S = 30 * 86_400
_TO_FURTHER_NODES = frozenset({RolloutAction.START, RolloutAction.RESUME, RolloutAction.APPROVE})


class RolloutStage(BaseModel):
    """A part of a rollout: up to `percent` of all its nodes together, of rings up to `ring`. More than `error_percent` failures turn
    everything back; with fewer than `success_percent` successes among those that were there it waits for a person.
    """

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
    percent: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
    ring: Ring = Ring.BROAD
    soak_s: Annotated[float, Field(ge=0, le=_LONGEST_S)] = 1_800
    success_percent: Percent = 95
    error_percent: Percent = 5
    approval: bool = False


class RolloutPlan(BaseModel):
    """How a rollout goes on. A node that is present and shows no progress for `patience_s` has failed; `at_once` at most are at it."""

    model_config = ConfigDict(extra="forbid")

    stages: Annotated[list[RolloutStage], Field(min_length=1, max_length=10)]
    patience_s: Annotated[float, Field(ge=60, le=_LONGEST_S)] = 1_800
    at_once: Annotated[int, Field(ge=1, le=1_000)] = 50


class NamedPlan(BaseModel):
    """A plan that comes with the program."""

    name: str
    title: str
    title_zh: str
    plan: RolloutPlan


class PlanList(BaseModel):
    """All plans, by name."""

    items: list[NamedPlan]


class NewRollout(BaseModel):
    """What to bring to which nodes: of an area, or of all that one sees; with `only_running` those that run such a thing already. A firmware is
    for the devices of its make and model that have told so. A lower version than a node runs goes out only with `may_lower`.
    """

    model_config = ConfigDict(extra="forbid")

    title: Words
    artifact_id: Annotated[int, Field(ge=1, le=2**63 - 1)]
    area_code: Code | None = None
    only_running: bool = False
    may_lower: bool = False
    plan: RolloutPlan


class RolloutOrder(BaseModel):
    """What to do, and why."""

    model_config = ConfigDict(extra="forbid")

    action: RolloutAction
    reason: Words | None = None


class StageProgress(BaseModel):
    """How the nodes of a stage stand: how many are in each state, how many failures it bears."""

    name: str
    nodes: int
    counts: dict[StepState, int]
    failures: int


class RolloutSummary(BaseModel):
    """A rollout and how far it is. `stage` counts from 0; `reason` says why it waits, is paused, or was turned
    back, `cause` what that is about. `actions` is what its state allows.
    """

    id: UUID
    title: str
    artifact: Artifact
    area_code: str | None
    only_running: bool
    may_lower: bool
    state: RolloutState
    reason: str | None
    cause: RolloutCause | None
    stage: int
    approved: int
    actions: list[RolloutAction]
    plan: RolloutPlan
    progress: list[StageProgress]
    created_by: str
    created_at: AwareDatetime
    started_by: str | None
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None


class RolloutPage(BaseModel):
    """A page of rollouts, the newest first."""

    items: list[RolloutSummary]
    next: str | None


class RolloutPreview(BaseModel):
    """Whom a draft would have if it began now: nodes of each stage, how many could not be turned back, and who has some of them."""

    stages: list[int]
    without_way_back: int
    held_by: list[str]


class FailureReason(BaseModel):
    """Why nodes failed or could not be turned back: a word of this program or of the node, how many, and the name of one."""

    reason: str
    nodes: int
    example: str


class RolloutDetail(RolloutSummary):
    """One rollout, with the reasons of failures; a draft with whom it would have. `actions` is what can be done with it now: one of which
    later rollouts have all nodes can't be turned back.
    """

    failures: list[FailureReason]
    preview: RolloutPreview | None


class RolloutStep(BaseModel):
    """One node within a rollout, or one `device` of it. `failure` says why it counted against its stage, also once it was turned back; `running_version` is what its own birth says, `told_state` what it answers."""

    model_config = ConfigDict(from_attributes=True)

    node: str
    device: str
    title: str
    simulated: bool
    ring: Ring
    stage: int
    state: StepState
    changed_at: AwareDatetime
    reason: str | None
    detail: str | None
    failure: str | None
    previous_version: str | None
    announced_at: AwareDatetime | None
    running_version: str | None
    presence: str
    told_state: str | None


class RolloutStepPage(BaseModel):
    """A page of steps, by node."""

    items: list[RolloutStep]
    next: str | None


class RolloutEvent(BaseModel):
    """Something that became of a rollout (`node` null) or of a node's step."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: AwareDatetime
    node: str | None
    device: str | None
    before: str | None
    after: str
    reason: str | None
    detail: str | None
    actor_name: str | None


class RolloutEventPage(BaseModel):
    """A page of what happened, the newest first."""

    items: list[RolloutEvent]
    next: str | None


class RingChoice(BaseModel):
    """How early a node gets what is new."""

    model_config = ConfigDict(extra="forbid")

    ring: Ring


class RunningVersion(BaseModel):
    """A version that nodes announce: how many, of how many something else is wanted, and whether its bytes are here."""

    model_config = ConfigDict(from_attributes=True)

    artifact: str
    name: str
    version: str
    sha256: str
    nodes: int
    drifting: int
    is_registered: bool


class VersionList(BaseModel):
    """All versions that run in one's area."""

    items: list[RunningVersion]


class NodeVersion(BaseModel):
    """What is wanted of a node, or of a `device` of it, and what it announces."""

    model_config = ConfigDict(from_attributes=True)

    node: str
    device: str
    title: str
    simulated: bool
    ring: Ring
    presence: str
    software: str | None
    artifact: str | None
    name: str | None
    running_version: str | None
    announced_at: AwareDatetime | None
    wanted_version: str | None
    rollout_id: UUID | None
    told_state: str | None
    told_code: str | None
    drifts: bool


class NodeVersionPage(BaseModel):
    """A page of nodes with what runs on them."""

    items: list[NodeVersion]
    next: str | None


@router.get("/rollout-plans")
def list_rollout_plans(_user: Steward) -> PlanList:
    """The plans that come with the program."""
    return PlanList(
        items=[
            NamedPlan(name=each.name, title=each.title, title_zh=each.title_zh, plan=_plan(each.plan))
            for each in plans.read_plans()
        ]
    )


@router.get("/rollouts")
def list_rollouts(conn: Conn, user: Steward, *, limit: Limit = 50, after: After = None) -> RolloutPage:
    """Rollouts in one's area, the newest first."""
    rows = store.rollouts(conn, scope=user.area_path, after=_uuid(after), count=limit + 1)
    shown = rows[:limit]
    tallies = store.tallies(conn, shown)
    following = encode_cursor(str(shown[-1].id)) if len(rows) > limit else None
    return RolloutPage(
        items=[RolloutSummary.model_validate(_summary(each, tallies[each.id])) for each in shown], next=following
    )


@router.post("/rollouts", status_code=201)
def create_rollout(conn: Conn, user: Steward, *, parts: Parts, request: Request, body: NewRollout) -> RolloutDetail:
    """Keep a draft; it begins with the action `start`."""
    draft = service.Draft(
        title=body.title,
        artifact_id=body.artifact_id,
        area_code=body.area_code,
        plan=_read_plan(body.plan),
        only_running=body.only_running,
        may_lower=body.may_lower,
    )
    made = service.create(conn, draft, actor=user, now=parts.clock(), address=client_address(request))
    return _detail(conn, made)


@router.get("/rollouts/{rollout_id}")
def read_rollout(conn: Conn, user: Steward, rollout_id: UUID) -> RolloutDetail:
    """One rollout."""
    return _detail(conn, service.find(conn, rollout_id, scope=user.area_path))


@router.post("/rollouts/{rollout_id}/actions")
def act_on_rollout(
    conn: Conn, user: Steward, *, parts: Parts, request: Request, rollout_id: UUID, body: RolloutOrder
) -> RolloutDetail:
    """Start, pause, resume, approve, roll back or cancel. 403 for whoever approves what he started himself, 409 where the state or
    another rollout does not allow it, or where the key that vouched for the artifact is no longer trusted.
    """
    if body.action in _TO_FURTHER_NODES:
        rollout = service.find(conn, rollout_id, scope=user.area_path)
        artifacts.require_vouched(rollout.artifact, artifacts.trusted_keys(parts.settings))
    after = service.act(
        conn,
        rollout_id,
        body.action,
        actor=user,
        now=parts.clock(),
        reason=body.reason,
        address=client_address(request),
    )
    return _detail(conn, after)


@router.get("/rollouts/{rollout_id}/steps")
def list_rollout_steps(
    conn: Conn,
    user: Steward,
    rollout_id: UUID,
    *,
    state: Annotated[StepState | None, Query()] = None,
    limit: Limit = 50,
    after: After = None,
) -> RolloutStepPage:
    """The nodes of a rollout, of one state or of all, as far as they lie in one's area."""
    service.find(conn, rollout_id, scope=user.area_path)
    node, device = map(str, decode_cursor(after, str, str)) if after is not None else ("", "")
    rows = store.steps_page(conn, rollout_id, scope=user.area_path, state=state, after=(node, device), count=limit + 1)
    following = encode_cursor(rows[limit - 1].node, rows[limit - 1].device) if len(rows) > limit else None
    return RolloutStepPage(items=[RolloutStep.model_validate(row) for row in rows[:limit]], next=following)


@router.get("/rollouts/{rollout_id}/events")
def list_rollout_events(
    conn: Conn,
    user: Steward,
    rollout_id: UUID,
    *,
    node: Annotated[Name | None, Query()] = None,
    limit: Limit = 50,
    after: After = None,
) -> RolloutEventPage:
    """Everything that became of a rollout, the newest first; with `node` of that one alone."""
    service.find(conn, rollout_id, scope=user.area_path)
    rows = store.events(conn, rollout_id, node=node, after=decode_id(after), count=limit + 1)
    following = encode_cursor(rows[limit - 1].id) if len(rows) > limit else None
    return RolloutEventPage(items=[RolloutEvent.model_validate(row) for row in rows[:limit]], next=following)


@router.put("/nodes/{node}/ring", status_code=204)
def set_node_ring(
    conn: Conn, user: Steward, *, request: Request, node: Annotated[Name, Path()], body: RingChoice
) -> None:
    """Say how early a node gets what is new. Rollouts that have begun keep their order."""
    service.set_ring(conn, node, body.ring, actor=user, address=client_address(request))


@router.get("/versions")
def list_versions(conn: Conn, user: Steward) -> VersionList:
    """What runs in one's area: each version of each artifact."""
    rows = announced_store.versions(conn, scope=user.area_path)
    return VersionList(items=[RunningVersion.model_validate(row) for row in rows])


@router.get("/versions/nodes")
def list_node_versions(
    conn: Conn,
    user: Steward,
    *,
    artifact: Annotated[ArtifactClass | None, Query()] = None,
    name: Annotated[Name | None, Query()] = None,
    drifting: Annotated[bool, Query(description="Only where something else is wanted than runs")] = False,
    limit: Limit = 50,
    after: After = None,
) -> NodeVersionPage:
    """What is wanted of each node and what it announces, by node."""
    begin = tuple(map(str, decode_cursor(after, str, str, str, str))) if after is not None else ("", "", "", "")
    rows = announced_store.node_versions(
        conn,
        scope=user.area_path,
        artifact=artifact,
        name=name,
        only_drifting=drifting,
        after=begin,
        count=limit + 1,
    )
    following = None
    if len(rows) > limit:
        last = rows[limit - 1]
        following = encode_cursor(last.node, last.artifact or "", last.name or "", last.device)
    return NodeVersionPage(items=[NodeVersion.model_validate(row) for row in rows[:limit]], next=following)


def _uuid(after: str | None) -> UUID | None:
    if after is None:
        return None
    try:
        return UUID(str(decode_cursor(after, str)[0]))
    except ValueError as error:
        raise Invalid("this is no cursor of ours") from error


def _plan(plan: Plan) -> RolloutPlan:
    return RolloutPlan.model_validate(store.plan_as_json(plan))


def _read_plan(told: RolloutPlan) -> Plan:
    return Plan(
        stages=tuple(
            Stage(
                name=stage.name,
                percent=stage.percent,
                ring=stage.ring,
                soak=timedelta(seconds=stage.soak_s),
                success_percent=stage.success_percent,
                error_percent=stage.error_percent,
                approval=stage.approval,
            )
            for stage in told.stages
        ),
        patience=timedelta(seconds=told.patience_s),
        at_once=told.at_once,
    )


def _summary(rollout: Rollout, tallies: Sequence[Tally]) -> dict[str, Any]:
    return {
        "id": rollout.id,
        "title": rollout.title,
        "artifact": Artifact.model_validate(rollout.artifact),
        "area_code": rollout.area_code,
        "only_running": rollout.only_running,
        "may_lower": rollout.may_lower,
        "state": rollout.state,
        "reason": rollout.reason,
        "cause": rollout.cause,
        "stage": rollout.stage,
        "approved": rollout.approved,
        "actions": [action for action in RolloutAction if (rollout.state, action) in ACTIONS],
        "plan": _plan(rollout.plan),
        "progress": [
            StageProgress(name=stage.name, nodes=tally.total, counts=dict(tally.counts), failures=tally.failures)
            for stage, tally in zip(rollout.plan.stages, tallies, strict=True)
        ],
        "created_by": rollout.created_by,
        "created_at": rollout.created_at,
        "started_by": rollout.started_by,
        "started_at": rollout.started_at,
        "ended_at": rollout.ended_at,
    }


def _detail(conn: Connection[Any], rollout: Rollout) -> RolloutDetail:
    tallies = store.tallies(conn, [rollout])[rollout.id]
    preview = None
    if rollout.state is RolloutState.DRAFT:
        seen = service.preview(conn, rollout)
        preview = RolloutPreview(
            stages=list(seen.stages),
            without_way_back=seen.without_way_back,
            held_by=[title for _, title in seen.held_by],
        )
    failures = [
        FailureReason(reason=reason, nodes=nodes, example=example)
        for reason, nodes, example in store.failures(conn, rollout.id)
    ]
    told = {"actions": service.actions(conn, rollout), "failures": failures, "preview": preview}
    return RolloutDetail.model_validate(_summary(rollout, tallies) | told)
