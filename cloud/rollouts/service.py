"""What people do with rollouts. Each use case takes the connection of one transaction and never commits it."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.errors import UniqueViolation

from cloud.access import areas, audit, independence
from cloud.access.model import Principal
from cloud.errors import Conflict, Forbidden, Invalid, NotFound, TransitionRefused
from cloud.rollouts import artifact_store, judgement, order_store, policy, store
from cloud.rollouts.advance import tell
from cloud.rollouts.model import (
    ACTIONS,
    LIVE,
    Artifact,
    Place,
    Plan,
    Ring,
    Rollout,
    RolloutAction,
    RolloutCause,
    RolloutState,
    Step,
    StepState,
)
from cloud.rollouts.store import Candidate, Event
from cloud.rollouts.turning import call_back, event_of, turn_back
from edge.contract.fields import uuid7

NODES_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants to bring to which nodes. Without an area: to all that he sees."""

    title: str
    artifact_id: int
    area_code: str | None
    plan: Plan
    only_running: bool = False
    may_lower: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """Whom a rollout would have if it began now: nodes of each stage, how many could not be turned back, and who holds some."""

    stages: tuple[int, ...]
    without_way_back: int
    held_by: tuple[tuple[UUID, str], ...]


def create(
    conn: Connection[Any], draft: Draft, *, actor: Principal, now: datetime, address: str | None = None
) -> Rollout:
    """Keep a rollout that does nothing yet. Raises Invalid for a plan that can't be, NotFound, Conflict (no bytes yet)."""
    problem = policy.wrong_with(draft.plan)
    if problem is not None:
        raise Invalid(problem)
    artifact = artifact_store.artifact_of_id(conn, draft.artifact_id)
    if artifact is None:
        raise NotFound("there is no such artifact")
    require_stored(artifact)
    area_path = areas.scope_path(conn, actor, draft.area_code)
    rollout = Rollout(
        id=uuid7(int(now.timestamp() * 1000)),
        title=draft.title,
        artifact=artifact,
        area_code=draft.area_code or actor.area_code,
        area_path=area_path,
        only_running=draft.only_running,
        may_lower=draft.may_lower,
        plan=draft.plan,
        state=RolloutState.DRAFT,
        reason=None,
        cause=None,
        stage=0,
        approved=-1,
        created_by_id=actor.user_id,
        created_by=actor.name,
        created_at=now,
        started_by_id=None,
        started_by=None,
        started_at=None,
        turned_at=None,
        ended_at=None,
    )
    store.add(conn, rollout)
    _note(conn, rollout, "rollout.created", None, actor=actor, address=address, now=now)
    return rollout


def require_stored(artifact: Artifact) -> None:
    """Raises Conflict while the bytes of an artifact are not here: nobody could fetch them."""
    if artifact.stored_at is None:
        raise Conflict(f"the bytes of {artifact.name} {artifact.version} are not here yet")


def find(conn: Connection[Any], rollout_id: UUID, *, scope: str) -> Rollout:
    """One rollout. Raises NotFound."""
    found = store.find(conn, rollout_id, scope=scope)
    if found is None:
        raise NotFound("there is no such rollout in your scope")
    return found


def preview(conn: Connection[Any], rollout: Rollout) -> Preview:
    """Whom it would have if it began now."""
    found = _candidates(conn, rollout)
    stages = _stages(rollout, found)
    counts = Counter(stages.values())
    places = sorted(stages)
    artifact = rollout.artifact
    return Preview(
        tuple(counts[number] for number in range(len(rollout.plan.stages))),
        store.without_way_back(conn, places, artifact=artifact.kind, name=artifact.name),
        tuple(store.holders(conn, rollout, places)),
    )


def _candidates(conn: Connection[Any], rollout: Rollout) -> list[Candidate]:
    return store.candidates(
        conn,
        area_path=rollout.area_path,
        artifact=rollout.artifact.kind,
        name=rollout.artifact.name,
        only_running=rollout.only_running
        or rollout.artifact.is_firmware,  # of a device it is known what it is by what it runs
    )


def _stages(rollout: Rollout, found: list[Candidate]) -> dict[Place, int]:
    stages = policy.stages_of(rollout.id, {each.label: each.ring for each in found}, rollout.plan)
    return {each.place: stages[each.label] for each in found}


def act(
    conn: Connection[Any],
    rollout_id: UUID,
    action: RolloutAction,
    *,
    actor: Principal,
    now: datetime,
    reason: str | None = None,
    address: str | None = None,
) -> Rollout:
    """Start, pause, resume, approve, roll back or cancel.

    Raises NotFound, TransitionRefused (the state does not allow it), Conflict (another rollout has some of the nodes), Forbidden
    (whoever started it can't approve it).
    """
    rollout = store.lock(conn, rollout_id, scope=actor.area_path)
    if rollout is None:
        raise NotFound("there is no such rollout in your scope")
    if (rollout.state, action) not in ACTIONS:
        raise TransitionRefused(f"a rollout that is {rollout.state.value} can't be told to {action.value}")
    order_store.lock_orders(conn, rollout.id)
    after = _DO[action](conn, rollout, actor, now, reason)
    detail = {"state": after.state.value, "reason": reason}
    _note(conn, after, f"rollout.{action.value}", rollout.state, actor=actor, address=address, now=now, detail=detail)
    tell(conn, after)
    return after


def _start(conn: Connection[Any], rollout: Rollout, actor: Principal, now: datetime, _reason: str | None) -> Rollout:
    require_stored(rollout.artifact)
    found = _candidates(conn, rollout)
    if not found:
        raise Conflict("there is no node that this rollout could have")
    if len(found) > NODES_MOST:
        raise Conflict(f"{len(found)} nodes; one rollout has at most {NODES_MOST}")
    stages = _stages(rollout, found)
    _require_free(conn, rollout, sorted(stages))
    try:
        with conn.transaction():
            store.add_steps(conn, rollout, stages, now=now)
    except UniqueViolation as error:
        raise Conflict("another rollout has just begun with some of these nodes") from error
    started = replace(
        rollout, state=RolloutState.RUNNING, started_by_id=actor.user_id, started_by=actor.name, started_at=now
    )
    store.save(conn, started)
    return started


def _require_free(conn: Connection[Any], rollout: Rollout, places: list[Place]) -> None:
    held = store.holders(conn, rollout, places)
    if held:
        titles = ", ".join(f"{title!r}" for _, title in held)
        raise Conflict(f"other rollouts of {rollout.artifact.name} have some of these nodes: {titles}")


def _pause(conn: Connection[Any], rollout: Rollout, _actor: Principal, _now: datetime, reason: str | None) -> Rollout:
    paused = replace(rollout, state=RolloutState.PAUSED, reason=reason, cause=RolloutCause.PERSON)
    store.save(conn, paused)
    return paused


def _resume(conn: Connection[Any], rollout: Rollout, _actor: Principal, _now: datetime, _reason: str | None) -> Rollout:
    resumed = replace(rollout, state=RolloutState.RUNNING, reason=None, cause=None)
    store.save(conn, resumed)
    return resumed


def _approve(conn: Connection[Any], rollout: Rollout, actor: Principal, now: datetime, _reason: str | None) -> Rollout:
    if actor.user_id == rollout.started_by_id:
        raise Forbidden("a second person has to approve it: you started it")
    if rollout.started_by_id is not None:
        independence.check_independent(conn, rollout.started_by_id, actor.user_id, now, acted_at=rollout.started_at)
    approved = replace(rollout, state=RolloutState.RUNNING, reason=None, cause=None, approved=rollout.stage)
    store.save(conn, approved)
    return approved


def _roll_back(conn: Connection[Any], rollout: Rollout, actor: Principal, now: datetime, reason: str | None) -> Rollout:
    steps = [step for step, _ in store.steps(conn, rollout.id)]
    if not steps:
        raise TransitionRefused("the rollout never began: there is nothing to turn back")
    turnable = None if rollout.state in LIVE else _hold_again(conn, rollout, steps)
    return turn_back(
        conn, rollout, reason=reason, cause=RolloutCause.PERSON, now=now, actor_name=actor.name, turnable=turnable
    )


def _hold_again(conn: Connection[Any], rollout: Rollout, steps: list[Step]) -> frozenset[Place]:
    """A rollout that is over let go of its nodes; one that has begun since is not disturbed. Which of them no later one had."""
    _require_free(conn, rollout, [step.place for step in steps])
    try:
        with conn.transaction():
            store.hold(conn, rollout.id, holds=True)
            turnable = store.turnable(conn, rollout.id)
            if not turnable:
                raise TransitionRefused(
                    "none of its nodes can be turned back: they are back, or later rollouts had them"
                )
    except UniqueViolation as error:
        raise Conflict("another rollout has just begun with some of these nodes") from error
    return turnable


def actions(conn: Connection[Any], rollout: Rollout) -> list[RolloutAction]:
    """What people can do with it as it stands; turning back one that is over only while it has a node that could be."""
    possible = [action for action in RolloutAction if (rollout.state, action) in ACTIONS]
    if rollout.state not in LIVE and not store.turnable(conn, rollout.id, count=1):
        return [action for action in possible if action is not RolloutAction.ROLL_BACK]
    return possible


def _cancel(conn: Connection[Any], rollout: Rollout, _actor: Principal, now: datetime, reason: str | None) -> Rollout:
    changed = []
    for step, _facts in store.steps(conn, rollout.id):
        if step.order is not None and step.state not in _HAVE_IT:
            order_store.want_no_more(conn, step.place, rollout.artifact, step.order)
        if step.state in _CANCELLED_WITH_IT:
            called = call_back(conn, rollout, step, now=now) if _waits_there(step) else step
            changed.append((step, judgement.moved(called, StepState.CANCELLED, now=now)))
    store.save_steps(conn, [after for _, after in changed])
    store.add_events(conn, rollout.id, [event_of(step, after) for step, after in changed], now=now)
    cancelled = replace(rollout, state=RolloutState.CANCELLED, reason=reason, cause=RolloutCause.PERSON, ended_at=now)
    store.save(conn, cancelled)
    store.hold(conn, rollout.id, holds=False)
    return cancelled


def _waits_there(step: Step) -> bool:
    """Whether a node may hold an order for its device until that is idle."""
    return bool(step.device) and step.was_sent and step.state is not StepState.PENDING


_CANCELLED_WITH_IT = frozenset(
    {StepState.PENDING, StepState.OFFERED, StepState.ABSENT, StepState.FETCHING, StepState.TRYING}
)
"""Nodes that announced it are watched on: what they run is a fact."""

_HAVE_IT = frozenset({StepState.ANNOUNCED, StepState.DONE, StepState.SKIPPED})
"""Of all others nothing is wanted any more, also of those that failed or did not answer: they would be told when they return."""

_DO = {
    RolloutAction.START: _start,
    RolloutAction.PAUSE: _pause,
    RolloutAction.RESUME: _resume,
    RolloutAction.APPROVE: _approve,
    RolloutAction.ROLL_BACK: _roll_back,
    RolloutAction.CANCEL: _cancel,
}


def set_ring(conn: Connection[Any], node: str, ring: Ring, *, actor: Principal, address: str | None = None) -> None:
    """Say how early a node gets what is new. Rollouts that have begun keep their order. Raises NotFound."""
    found = store.set_ring(conn, node, ring, scope=actor.area_path)
    if found is None:
        raise NotFound("there is no such node in your scope")
    before, area_path = found
    if before is not ring:
        detail = {"before": before.value, "ring": ring.value}
        audit.write(conn, "node.ring", node, actor=actor, area_path=area_path, address=address, detail=detail)


def _note(
    conn: Connection[Any],
    rollout: Rollout,
    action: str,
    before: RolloutState | None,
    *,
    actor: Principal,
    address: str | None,
    now: datetime,
    detail: dict[str, Any] | None = None,
) -> None:
    """A line in the audit log for whoever did it, and one in the rollout's own history."""
    artifact = rollout.artifact
    named = {"title": rollout.title, "artifact": f"{artifact.kind}/{artifact.name}/{artifact.version}"}
    audit.write(
        conn,
        action,
        f"rollout:{rollout.id}",
        actor=actor,
        area_path=rollout.area_path,
        address=address,
        detail=named | (detail or {}),
    )
    if rollout.state is not RolloutState.ROLLING_BACK:  # turning back has its own line
        event = Event(rollout.state.value, before=None if before is None else before.value, reason=rollout.reason)
        store.add_events(conn, rollout.id, [event], now=now, actor_name=actor.name)
