"""What rollouts do by themselves: a sweep that reads rows and may run at any time, twice, or after a week.

Each rollout is one transaction. Orders are locked before steps, here and everywhere, so that nobody waits in a ring.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from cloud.db import live
from cloud.db.pool import Pool
from cloud.rollouts import judgement, order_store, policy, store
from cloud.rollouts.judgement import Target
from cloud.rollouts.model import LIVE, OPEN, Facts, Rollout, RolloutState, Step, StepReason, StepState
from cloud.rollouts.policy import Verdict
from cloud.rollouts.store import Event
from cloud.rollouts.turning import event_of, turn_back
from edge.contract.fields import uuid7

ENDED_AT_ONCE = 100
"""Of so many rollouts that are over late words of nodes are looked for at once, the newest first."""


def advance_all(pool: Pool, *, now: datetime) -> int:
    """Bring every rollout up to what is known now; how many moved.

    What is wrong with one keeps no other from going on: the errors of all are raised together at the end.
    """
    with pool.connection() as conn:
        going, over = store.live_ids(conn), store.ended_ids(conn, ENDED_AT_ONCE)
    count, errors = 0, []
    for bring_up, rollout_ids in ((advance, going), (note_late, over)):
        for rollout_id in rollout_ids:
            try:
                with pool.connection() as conn:
                    count += bring_up(conn, rollout_id, now=now)
            except Exception as error:  # noqa: BLE001  # raised below
                error.add_note(f"rollout {rollout_id}")
                errors.append(error)
    if errors:
        raise ExceptionGroup("rollouts that could not be brought up", errors)
    return count


def advance(conn: Connection[Any], rollout_id: UUID, *, now: datetime) -> bool:
    """One live rollout; whether anything moved. Another process that is at it is left to it."""
    rollout = store.lock_live(conn, rollout_id)
    if rollout is None:
        return False
    order_store.lock_orders(conn, rollout.id)
    pairs = store.steps(conn, rollout.id)
    judged = [(step, _judged(rollout, step, facts, now=now), facts) for step, facts in pairs]
    tallies = policy.tallies_of((after for _, after, _ in judged), rollout.plan)
    verdict = policy.decide(rollout, tallies, now=now)
    policy.require_by_itself(rollout.state, verdict.state)
    if verdict.state is RolloutState.ROLLING_BACK and rollout.state is not RolloutState.ROLLING_BACK:
        _save(conn, rollout, [(step, after) for step, after, _ in judged if after != step], now=now)
        tell(conn, turn_back(conn, rollout, reason=verdict.reason, cause=verdict.cause, now=now))
        return True
    offered = _offer(conn, rollout, [(after, facts) for _, after, facts in judged], verdict, now=now)
    changed = [(step, offered.get(after.node_id, after)) for step, after, _ in judged]
    moved = [(step, after) for step, after in changed if after != step]
    _save(conn, rollout, moved, now=now)
    has_moved = _proceed(conn, rollout, verdict, now=now)
    if moved or has_moved:
        tell(conn, replace(rollout, state=verdict.state, stage=verdict.stage))
    return bool(moved) or has_moved


def note_late(conn: Connection[Any], rollout_id: UUID, *, now: datetime) -> bool:
    """What nodes said after the rollout was over: it is written down, and moves nothing but their steps."""
    rollout = store.lock_ended(conn, rollout_id)
    if rollout is None:
        return False
    changed = []
    for step, facts in store.steps(conn, rollout.id, OPEN):
        after = _judged(rollout, step, facts, now=now)
        if after != step:
            changed.append((step, after))
    _save(conn, rollout, changed, now=now)
    if changed:
        tell(conn, rollout)
    return bool(changed)


def _judged(rollout: Rollout, step: Step, facts: Facts, *, now: datetime) -> Step:
    artifact, plan = rollout.artifact, rollout.plan
    target = Target(artifact.version, artifact.sha256, plan.stages[step.stage].soak, plan.patience)
    return judgement.judge(step, facts, target, now=now)


def _offer(
    conn: Connection[Any], rollout: Rollout, steps: Sequence[tuple[Step, Facts]], verdict: Verdict, *, now: datetime
) -> dict[int, Step]:
    """Ask as many nodes of the stage as may be asked now, by node."""
    if not verdict.offer:
        return {}
    artifact = rollout.artifact
    target = Target(artifact.version, artifact.sha256, rollout.plan.stages[verdict.stage].soak, rollout.plan.patience)
    waiting = [each for each in steps if each[0].state is StepState.PENDING and each[0].stage == verdict.stage]
    waiting.sort(key=lambda each: policy.draw(rollout.id, each[0].node))
    found = {}
    for step, facts in waiting[: verdict.offer]:
        after = judgement.offered(step, facts, target, may_lower=rollout.may_lower, now=now)
        if after.reason != StepReason.NEWER:
            after = replace(after, order=uuid7(int(now.timestamp() * 1000)))
            order_store.want(
                conn,
                step.node_id,
                artifact,
                desired_id=after.order or rollout.id,
                roll_back=rollout.may_lower,
                confirm=False,
                rollout_id=rollout.id,
                now=now,
            )
        found[step.node_id] = after
    for other, node in store.supersede(conn, rollout, sorted(found), now=now):
        store.add_events(conn, other, [Event(StepState.SUPERSEDED.value, node=node, reason=str(rollout.id))], now=now)
    return found


def _save(conn: Connection[Any], rollout: Rollout, changed: Sequence[tuple[Step, Step]], *, now: datetime) -> None:
    store.save_steps(conn, [after for _, after in changed])
    moved = [event_of(step, after) for step, after in changed if after.state is not step.state]
    store.add_events(conn, rollout.id, moved, now=now)


def _proceed(conn: Connection[Any], rollout: Rollout, verdict: Verdict, *, now: datetime) -> bool:
    """Write where the rollout itself stands; whether that is news."""
    if (verdict.state, verdict.stage, verdict.reason) == (rollout.state, rollout.stage, rollout.reason):
        return False
    is_over = verdict.state not in LIVE
    after = replace(
        rollout,
        state=verdict.state,
        stage=verdict.stage,
        reason=verdict.reason,
        cause=verdict.cause,
        ended_at=now if is_over else None,
    )
    store.save(conn, after)
    if is_over:
        store.hold(conn, rollout.id, holds=False)
    events = []
    if verdict.stage != rollout.stage:
        events.append(Event(f"stage:{rollout.plan.stages[verdict.stage].name}"))
    if verdict.state is not rollout.state:
        events.append(Event(verdict.state.value, before=rollout.state.value, reason=verdict.reason))
    store.add_events(conn, rollout.id, events, now=now)
    return True


def tell(conn: Connection[Any], rollout: Rollout) -> None:
    """Tell those who watch that a rollout moved."""
    payload = {"id": str(rollout.id), "state": rollout.state.value, "stage": rollout.stage}
    live.emit_at(conn, "rollout.updated", rollout.area_path, payload)
