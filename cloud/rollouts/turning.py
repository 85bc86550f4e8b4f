"""Turning a rollout back: each node that may have the new gets what it ran before."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.rollouts import artifact_store, judgement, order_store, store
from cloud.rollouts.model import (
    STEPS,
    Announced,
    Artifact,
    Facts,
    Place,
    Rollout,
    RolloutCause,
    RolloutState,
    Step,
    StepReason,
    StepState,
)
from cloud.rollouts.store import Event
from edge.contract.fields import uuid7


def turn_back(
    conn: Connection[Any],
    rollout: Rollout,
    *,
    reason: str | None,
    cause: RolloutCause | None,
    now: datetime,
    actor_name: str | None = None,
    turnable: Collection[Place] | None = None,
) -> Rollout:
    """Want of each node of the rollout what it ran before; nodes whose turn had not come are left alone. Of a rollout that was over
    only those are turned (`turnable`) that no later one has had since.

    Nobody sends orders of the rollout meanwhile (`lock_orders`), so that what may have been sent is known.
    """
    order_store.lock_orders(conn, rollout.id)
    changed = []
    for step, facts in store.steps(conn, rollout.id):
        if turnable is None or step.place in turnable:
            after = _turned(conn, rollout, step, facts, now=now)
        else:
            after = _given_up(step, now=now)
        if after != step:
            changed.append((step, after))
    store.save_steps(conn, [after for _, after in changed])
    turned = replace(rollout, state=RolloutState.ROLLING_BACK, reason=reason, cause=cause, turned_at=now, ended_at=None)
    store.save(conn, turned)
    told = Event(RolloutState.ROLLING_BACK.value, before=rollout.state.value, reason=reason)
    store.add_events(conn, rollout.id, [told], now=now, actor_name=actor_name)
    store.add_events(conn, rollout.id, [event_of(step, after) for step, after in changed], now=now)
    return turned


def event_of(step: Step, after: Step) -> Event:
    """The line that says how a step moved."""
    return Event(after.state.value, step.state.value, step.node, after.reason, after.detail, step.device or None)


def _turned(conn: Connection[Any], rollout: Rollout, step: Step, facts: Facts, *, now: datetime) -> Step:
    if step.state is StepState.PENDING:
        return judgement.moved(step, StepState.CANCELLED, now=now)
    if step.state in _LEFT_ALONE or not _was_its_turn(step):
        return step
    before = _artifact_of(conn, rollout.artifact, step.previous)
    may_have_it = step.was_sent or facts.announced == rollout.artifact.announced
    if before is None:
        if step.order is not None:
            order_store.want_no_more(conn, step.place, rollout.artifact, step.order)
        if may_have_it:
            return _moved_once(step, StepState.STUCK, now=now, reason=StepReason.NO_WAY_BACK)
        return judgement.moved(step, StepState.REVERTED, StepReason.NEVER_SENT, now=now)
    order = uuid7(int(now.timestamp() * 1000))
    order_store.want(
        conn,
        step.place,
        before,
        desired_id=order,
        roll_back=True,
        confirm=may_have_it,
        rollout_id=rollout.id,
        now=now,
    )
    ordered = replace(step, order=order, sent_at=None, was_sent=step.was_sent or may_have_it)
    if may_have_it:
        return judgement.moved(ordered, StepState.REVERTING, now=now)
    return judgement.moved(ordered, StepState.REVERTED, StepReason.NEVER_SENT, now=now)


_LEFT_ALONE = frozenset({StepState.SKIPPED, StepState.SUPERSEDED, StepState.REVERTED, StepState.REVERTING})


def _was_its_turn(step: Step) -> bool:
    return step.order is not None or step.state is StepState.ABSENT


def _given_up(step: Step, *, now: datetime) -> Step:
    """A node that is a later rollout's; one that was never asked, or had no step to make, is what it was."""
    if not _was_its_turn(step) or StepState.SUPERSEDED not in STEPS[step.state]:
        return step
    return judgement.moved(step, StepState.SUPERSEDED, now=now)


def _moved_once(step: Step, state: StepState, *, now: datetime, reason: str) -> Step:
    return step if step.state is state else judgement.moved(step, state, reason, now=now)


def call_back(conn: Connection[Any], rollout: Rollout, step: Step, *, now: datetime) -> Step:
    """Want of a device what it runs, so that its node forgets an order that waits there until nobody charges; the step with that order.

    Where the file of what it runs is not kept nothing can be ordered: the order that waits acts until its deadline.
    """
    before = _artifact_of(conn, rollout.artifact, step.previous)
    if before is None:
        return step
    order = uuid7(int(now.timestamp() * 1000))
    order_store.want(
        conn, step.place, before, desired_id=order, roll_back=True, confirm=True, rollout_id=rollout.id, now=now
    )
    return replace(step, order=order, sent_at=None)


def _artifact_of(conn: Connection[Any], artifact: Artifact, previous: Announced | None) -> Artifact | None:
    """What a node ran before, where its very bytes are here."""
    if previous is None:
        return None
    found = artifact_store.artifact_of_version(conn, artifact.kind, artifact.name, previous.version)
    if found is None or found.announced != previous or found.stored_at is None:
        return None
    return found
