"""What rollouts do by themselves: a sweep that reads rows and may run at any time, twice, or after a week.

Each rollout is one transaction. Orders are locked before steps, here and everywhere, so that nobody waits in a ring.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from cloud.db import live
from cloud.db.pool import Pool
from cloud.rollouts import judgement, order_store, policy, revocation, store
from cloud.rollouts.judgement import Target
from cloud.rollouts.model import LIVE, OPEN, Facts, Place, Rollout, RolloutState, Step, StepReason, StepState
from cloud.rollouts.policy import Verdict
from cloud.rollouts.revocation import NONE_REVOKED
from cloud.rollouts.store import Event
from cloud.rollouts.turning import event_of, turn_back
from edge.contract.fields import uuid7

ENDED_AT_ONCE = 100
"""Of so many rollouts that are over late words of nodes are looked for at once, the newest first."""


def advance_all(pool: Pool, *, now: datetime, revoked: Mapping[str, str] = NONE_REVOKED) -> int:
    """Bring every rollout up to what is known now; how many moved. `revoked`: the names of revoked keys by fingerprint.

    What is wrong with one keeps no other from going on: the errors of all are raised together at the end.
    """
    with pool.connection() as conn:
        going, over = store.live_ids(conn), store.ended_ids(conn, ENDED_AT_ONCE)
    count, errors = 0, []
    for bring_up, rollout_ids in ((advance, going), (note_late, over)):
        for rollout_id in rollout_ids:
            try:
                with pool.connection() as conn:
                    count += bring_up(conn, rollout_id, now=now, revoked=revoked)
            except Exception as error:  # noqa: BLE001  # raised below
                error.add_note(f"rollout {rollout_id}")
                errors.append(error)
    if errors:
        raise ExceptionGroup("rollouts that could not be brought up", errors)
    return count


def advance(
    conn: Connection[Any], rollout_id: UUID, *, now: datetime, revoked: Mapping[str, str] = NONE_REVOKED
) -> bool:
    """One live rollout; whether anything moved. Another process that is at it is left to it."""
    rollout = store.lock_live(conn, rollout_id)
    if rollout is None:
        return False
    order_store.lock_orders(conn, rollout.id)
    before, rollout = rollout.state, revocation.stop(conn, rollout, revoked, now=now)
    pairs = store.steps(conn, rollout.id)
    judged = [(step, _judged(rollout, step, facts, now=now), facts) for step, facts in pairs]
    after_all = {after.place: after for _, after, _ in judged}
    verdict = _verdict(rollout, after_all.values(), now=now)
    if verdict.state not in {RolloutState.ROLLING_BACK, RolloutState.PAUSED}:
        pairs = [(after, facts) for _, after, facts in judged]
        after_all |= _welcome(conn, rollout, pairs, begun=_begun(pairs), now=now)
        verdict = _verdict(rollout, after_all.values(), now=now)
    if verdict.state is RolloutState.ROLLING_BACK and rollout.state is not RolloutState.ROLLING_BACK:
        _save(conn, rollout, _changed(judged, after_all), now=now)
        tell(conn, turn_back(conn, rollout, reason=verdict.reason, cause=verdict.cause, now=now))
        return True
    after_all |= _offer(conn, rollout, [(after_all[step.place], facts) for step, _, facts in judged], verdict, now=now)
    moved = _changed(judged, after_all)
    _save(conn, rollout, moved, now=now)
    has_moved = _proceed(conn, rollout, verdict, now=now)
    has_moved = has_moved or rollout.state is not before
    if moved or has_moved:
        tell(conn, replace(rollout, state=verdict.state, stage=verdict.stage))
    return bool(moved) or has_moved


def _verdict(rollout: Rollout, steps: Iterable[Step], *, now: datetime) -> Verdict:
    verdict = policy.decide(rollout, policy.tallies_of(steps, rollout.plan), now=now)
    policy.require_by_itself(rollout.state, verdict.state)
    return verdict


def _changed(judged: Sequence[tuple[Step, Step, Facts]], after_all: Mapping[Place, Step]) -> list[tuple[Step, Step]]:
    return [(step, after_all[step.place]) for step, _, _ in judged if after_all[step.place] != step]


def note_late(
    conn: Connection[Any], rollout_id: UUID, *, now: datetime, revoked: Mapping[str, str] = NONE_REVOKED
) -> bool:
    """What nodes said after the rollout was over: it is written down, and moves nothing but their steps.

    Nodes that were away when it was done are asked when they are back, unless another rollout has them now, or the key of its
    artifact is `revoked`.
    """
    rollout = store.lock_ended(conn, rollout_id)
    if rollout is None:
        return False
    judged = [
        (step, _judged(rollout, step, facts, now=now), facts) for step, facts in store.steps(conn, rollout.id, OPEN)
    ]
    after_all = {after.place: after for _, after, _ in judged}
    if rollout.state is RolloutState.DONE and rollout.artifact.key not in revoked:
        back = [step.place for step, _, facts in judged if step.state is StepState.ABSENT and facts.is_present]
        taken = store.held(conn, rollout, back) if back else frozenset()
        free = [(after, facts) for _, after, facts in judged if after.place not in taken]
        after_all |= _welcome(conn, rollout, free, begun=range(len(rollout.plan.stages)), now=now)
    changed = _changed(judged, after_all)
    _save(conn, rollout, changed, now=now)
    if changed:
        tell(conn, rollout)
    return bool(changed)


def _judged(rollout: Rollout, step: Step, facts: Facts, *, now: datetime) -> Step:
    return judgement.judge(step, facts, _target(rollout, step), now=now)


def _target(rollout: Rollout, step: Step) -> Target:
    artifact, plan = rollout.artifact, rollout.plan
    runs = artifact.announced
    return Target(runs.version, runs.sha256, plan.stages[step.stage].soak, plan.patience, by_maker=artifact.is_firmware)


def _welcome(
    conn: Connection[Any],
    rollout: Rollout,
    steps: Sequence[tuple[Step, Facts]],
    *,
    begun: Collection[int],
    now: datetime,
) -> dict[Place, Step]:
    """Ask as many as may be asked now of those that were away when their turn came and are back, by node."""
    places = policy.free_places(rollout.plan, policy.tallies_of((step for step, _ in steps), rollout.plan))
    back = [each for each in steps if each[0].state is StepState.ABSENT and each[1].is_present]
    back.sort(key=lambda each: (each[0].stage, policy.draw(rollout.id, each[0].label)))
    return _ask(conn, rollout, back[:places], begun=begun, now=now)


def _offer(
    conn: Connection[Any], rollout: Rollout, steps: Sequence[tuple[Step, Facts]], verdict: Verdict, *, now: datetime
) -> dict[Place, Step]:
    """Ask as many nodes of the stage as may be asked now, by node. Those that are away take no place, and get no order either."""
    if not verdict.offer:
        return {}
    waiting = [each for each in steps if each[0].state is StepState.PENDING and each[0].stage == verdict.stage]
    waiting.sort(key=lambda each: policy.draw(rollout.id, each[0].label))
    # who has no step to make takes no place, and is known to have none before the first of the stage is asked
    idle: list[tuple[Step, Facts]] = []
    here: list[tuple[Step, Facts]] = []
    away: list[tuple[Step, Facts]] = []
    for each in waiting:
        (idle if _no_step_to_make(rollout, *each) else here if each[1].is_present else away).append(each)
    found = _ask(conn, rollout, idle + here[: verdict.offer] + away, begun=_begun(steps), now=now)
    absent = sorted(place for place, step in found.items() if step.state is StepState.ABSENT)
    order_store.want_nothing(conn, absent, rollout.artifact)  # what earlier rollouts wanted of them is over
    for other, node, device in store.supersede(conn, rollout, sorted(found), now=now):
        event = Event(StepState.SUPERSEDED.value, node=node, reason=str(rollout.id), device=device or None)
        store.add_events(conn, other, [event], now=now)
    return found


def _begun(steps: Iterable[tuple[Step, Facts]]) -> frozenset[int]:
    """The stages of which a node was asked to make a step."""
    return frozenset(step.stage for step, _ in steps if step.order is not None and step.state is not StepState.SKIPPED)


def _no_step_to_make(rollout: Rollout, step: Step, facts: Facts) -> StepReason | None:
    return judgement.no_step_to_make(facts, _target(rollout, step), may_lower=rollout.may_lower)


def _ask(
    conn: Connection[Any],
    rollout: Rollout,
    waiting: Sequence[tuple[Step, Facts]],
    *,
    begun: Collection[int],
    now: datetime,
) -> dict[Place, Step]:
    """The steps of these nodes now that it is their turn, by node; what is wanted of them is written down. `begun`: the stages of
    which nodes were asked before.
    """
    found = {}
    for step, facts in waiting:
        after = judgement.offered(
            step,
            facts,
            _target(rollout, step),
            may_lower=rollout.may_lower,
            has_begun=step.stage in begun,
            now=now,
        )
        if _no_step_to_make(rollout, step, facts) is StepReason.NEWER:
            if step.order is not None:
                order_store.want_no_more(conn, step.place, rollout.artifact, step.order)
        elif after.state is not StepState.ABSENT and step.order is None:
            after = replace(after, order=_want(conn, rollout, step.place, now=now))
        found[step.place] = after
    return found


def _want(conn: Connection[Any], rollout: Rollout, place: Place, *, now: datetime) -> UUID:
    order = uuid7(int(now.timestamp() * 1000))
    order_store.want(
        conn,
        place,
        rollout.artifact,
        desired_id=order,
        roll_back=rollout.may_lower,
        confirm=False,
        rollout_id=rollout.id,
        now=now,
    )
    return order


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
