"""Which nodes a rollout asks and when, and what it does next from how they stand. Pure."""

import hashlib
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID

from cloud.rollouts.judgement import LOST_AFTER
from cloud.rollouts.model import (
    BY_ITSELF,
    RING_POSITION,
    WORKING,
    Plan,
    Ring,
    Rollout,
    RolloutCause,
    RolloutState,
    Stage,
    Step,
    StepReason,
    StepState,
    Tally,
)

AGAIN_AFTER: Final = timedelta(seconds=60)
"""An order that no birth has mentioned by then is sent again; the node acts on an id once."""

LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rollout does next: the state it is in, the stage it has reached, how many more nodes it may ask now."""

    state: RolloutState
    stage: int
    offer: int = 0
    reason: str | None = None
    cause: RolloutCause | None = None


def decide(rollout: Rollout, tallies: Sequence[Tally], *, now: datetime) -> Verdict:
    """The next state of a live rollout, from how the nodes of each stage stand. Failures turn it back also while it is paused."""
    if rollout.state is RolloutState.ROLLING_BACK:
        return _turned_back(rollout, tallies, now=now)
    for number, (stage, tally) in enumerate(zip(rollout.plan.stages, tallies, strict=True)):
        if number <= rollout.stage and tally.failures > failures_allowed(stage, tally):
            reason = f"{tally.failures} of {tally.total} nodes failed in stage {stage.name}"
            return Verdict(RolloutState.ROLLING_BACK, rollout.stage, reason=reason, cause=RolloutCause.FAILURES)
    if rollout.state is RolloutState.PAUSED:
        return Verdict(RolloutState.PAUSED, rollout.stage, reason=rollout.reason, cause=rollout.cause)
    return _going_on(rollout, tallies)


def _going_on(rollout: Rollout, tallies: Sequence[Tally]) -> Verdict:
    tally = tallies[rollout.stage]
    if waiting := tally.of(StepState.PENDING):
        return Verdict(RolloutState.RUNNING, rollout.stage, min(waiting, free_places(rollout.plan, tallies)))
    if tally.of(*WORKING):
        return Verdict(RolloutState.RUNNING, rollout.stage)
    if tally.of(StepState.ANNOUNCED):
        return Verdict(RolloutState.SOAKING, rollout.stage)
    return _stage_over(rollout, tally)


def free_places(plan: Plan, tallies: Iterable[Tally]) -> int:
    """How many more nodes may be at it now."""
    return max(0, plan.at_once - sum(each.of(*WORKING) for each in tallies))


def _stage_over(rollout: Rollout, tally: Tally) -> Verdict:
    stage, last = rollout.plan.stages[rollout.stage], len(rollout.plan.stages) - 1
    done, failures = tally.of(StepState.DONE), tally.failures
    is_let_pass = rollout.approved >= rollout.stage
    if not is_let_pass:
        if not done and not failures and tally.of(StepState.ABSENT):
            return Verdict(
                RolloutState.RUNNING,
                rollout.stage,
                reason="no node of this stage is present",
                cause=RolloutCause.NOBODY_PRESENT,
            )
        if done + failures and 100 * done < stage.success_percent * (done + failures):
            reason = f"{done} of {done + failures} nodes are well in stage {stage.name}, below its {stage.success_percent:g} %"
            return Verdict(
                RolloutState.WAITING_APPROVAL, rollout.stage, reason=reason, cause=RolloutCause.BELOW_SUCCESS
            )
        if stage.approval:
            return Verdict(
                RolloutState.WAITING_APPROVAL,
                rollout.stage,
                reason=f"after stage {stage.name}",
                cause=RolloutCause.STAGE_APPROVAL,
            )
    if rollout.stage == last:
        return Verdict(RolloutState.DONE, rollout.stage)
    return Verdict(RolloutState.RUNNING, rollout.stage + 1)


def _turned_back(rollout: Rollout, tallies: Sequence[Tally], *, now: datetime) -> Verdict:
    total = sum((Counter(each.counts) for each in tallies), Counter[StepState]())
    waiting, stuck = total[StepState.REVERTING], total[StepState.STUCK]
    until = (rollout.turned_at or now) + 2 * rollout.plan.patience + LOST_AFTER
    if waiting and now < until:
        return Verdict(RolloutState.ROLLING_BACK, rollout.stage, reason=rollout.reason, cause=rollout.cause)
    if waiting or stuck:
        reason = f"{waiting + stuck} nodes are not known to run what they ran before; {rollout.reason or 'turned back'}"
        return Verdict(
            RolloutState.FAILED, rollout.stage, reason=reason[:LONGEST_REASON], cause=RolloutCause.NOT_ALL_BACK
        )
    return Verdict(RolloutState.ROLLED_BACK, rollout.stage, reason=rollout.reason, cause=rollout.cause)


def failures_allowed(stage: Stage, tally: Tally) -> int:
    """How many nodes of a stage may fail without turning everything back; those that had no step to make don't count."""
    return math.floor(stage.error_percent * tally.asked / 100)


def require_by_itself(state: RolloutState, after: RolloutState) -> None:
    """Raises ValueError for a way that the table does not have."""
    if after is not state and after not in BY_ITSELF.get(state, frozenset()):
        raise ValueError(f"a rollout does not go from {state} to {after} by itself")


def tallies_of(steps: Iterable[Step], plan: Plan) -> list[Tally]:
    """How the nodes of each stage stand."""
    counts: list[Counter[StepState]] = [Counter() for _ in plan.stages]
    meanwhile: Counter[int] = Counter()
    for step in steps:
        counts[step.stage][step.state] += 1
        meanwhile[step.stage] += step.state is StepState.SKIPPED and step.reason == StepReason.MEANWHILE
    return [Tally(MappingProxyType(each), meanwhile[number]) for number, each in enumerate(counts)]


def stages_of(rollout_id: UUID, rings: Mapping[str, Ring], plan: Plan) -> dict[str, int]:
    """In which stage each node's turn comes. The same question has the same answer at any time.

    Within a ring the order is that of a hash over rollout and node, so that it is not always the same nodes that try what is new.
    A stage takes nodes until it has its share of all; nodes of a later ring than its own are not for it.
    """
    waiting = sorted(rings, key=lambda node: (RING_POSITION[rings[node]], draw(rollout_id, node), node))
    found: dict[str, int] = {}
    for number, stage in enumerate(plan.stages):
        room = math.ceil(stage.percent * len(rings) / 100) - len(found)
        fitting = [node for node in waiting if RING_POSITION[rings[node]] <= RING_POSITION[stage.ring]]
        found.update(dict.fromkeys(fitting[: max(0, room)], number))
        waiting = [node for node in waiting if node not in found]
    return found


def draw(rollout_id: UUID, node: str) -> bytes:
    """A number that nobody chose, the same each time."""
    return hashlib.sha256(rollout_id.bytes + node.encode()).digest()


def wrong_with(plan: Plan) -> str | None:
    """What a plan can't be, in words; None for one that is coherent."""
    stages, pairs = plan.stages, list(itertools.pairwise(plan.stages))
    faults = {
        "a rollout has at least one stage": not stages,
        "a stage has more than 0 % and at most 100 % of the nodes": any(not 0 < each.percent <= 100 for each in stages),
        "each stage holds those before it: its percent can't be lower": any(b.percent < a.percent for a, b in pairs),
        "a stage can't stand for an earlier ring than the one before it": any(
            RING_POSITION[b.ring] < RING_POSITION[a.ring] for a, b in pairs
        ),
        "the last stage has all nodes: 100 % of the ring broad": bool(stages)
        and (stages[-1].percent != 100 or stages[-1].ring is not Ring.BROAD),
        "two stages have one name": len({each.name for each in stages}) < len(stages),
    }
    return next((fault for fault, is_there in faults.items() if is_there), None)
