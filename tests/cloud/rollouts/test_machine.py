"""Any fleet, any order of events: what must hold of rollouts holds after each of them.

Nodes fail, hang, die in the middle, lie about success, come and go, and stay away for a week; people start, pause, approve, cancel and
turn back; sweeps run often, seldom and twice.
"""

import contextlib
import math
from collections import defaultdict
from contextlib import ExitStack
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from cloud.errors import Conflict, TransitionRefused
from cloud.rollouts import policy, store
from cloud.rollouts.model import (
    ACTIONS,
    BY_ITSELF,
    LIVE,
    STEPS,
    UNTOUCHED,
    WORKING,
    Ring,
    RolloutAction,
    RolloutState,
    Stage,
    StepState,
)
from tests.cloud.rollouts.simulated import MINUTE, Fleet, Nature, SimulatedNode, fresh, running

VERSIONS = ("1.0.0", "1.1.0", "1.2.0")
UNDER_WAY = frozenset({RolloutState.RUNNING, RolloutState.SOAKING, RolloutState.WAITING_APPROVAL})
PLANS = (
    (Stage(name="all", percent=100, soak=5 * MINUTE, error_percent=20),),
    (
        Stage(name="canary", percent=1, ring=Ring.CANARY, soak=5 * MINUTE),
        Stage(
            name="early",
            percent=40,
            ring=Ring.EARLY,
            soak=5 * MINUTE,
            error_percent=50,
            success_percent=60,
            approval=True,
        ),
        Stage(name="broad", percent=100, soak=10 * MINUTE, error_percent=30, success_percent=50),
    ),
    (
        Stage(name="tenth", percent=10, soak=MINUTE, error_percent=0),
        Stage(name="half", percent=50, soak=MINUTE, error_percent=34, success_percent=50),
        Stage(name="broad", percent=100, soak=MINUTE, error_percent=100, success_percent=0),
    ),
)


class Rollouts(RuleBasedStateMachine):
    """One life of a fleet, in a transaction that is rolled back."""

    known: ClassVar[Fleet]

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.fleet = self._stack.enter_context(fresh(self.known))
        self.sizes: dict[UUID, int] = {}

    def teardown(self) -> None:
        self._stack.close()

    @initialize(
        natures=st.lists(st.sampled_from([*[Nature.GOOD] * 12, *Nature]), min_size=2, max_size=7),
        rings=st.lists(st.sampled_from(Ring), min_size=7, max_size=7),
    )
    def enrol(self, natures: list[Nature], rings: list[Ring]) -> None:
        for number, nature in enumerate(natures):
            self.fleet.add(f"node-{number}", nature, ring=rings[number])

    # --- people

    @rule(
        version=st.sampled_from(VERSIONS), plan=st.sampled_from(PLANS), lower=st.booleans(), at_once=st.integers(1, 5)
    )
    def begin(self, version: str, plan: tuple[Stage, ...], lower: bool, at_once: int) -> None:
        draft = self.fleet.draft(version, *plan, may_lower=lower, plan={"at_once": at_once})
        with contextlib.suppress(Conflict):
            self.fleet.act(draft.id, RolloutAction.START)
            self.sizes[draft.id] = len(self.fleet.nodes)

    @rule(action=st.sampled_from(RolloutAction), which=st.integers(0, 30))
    def act(self, action: RolloutAction, which: int) -> None:
        if not self.sizes:
            return
        rollout_id = sorted(self.sizes)[which % len(self.sizes)]
        with contextlib.suppress(Conflict, TransitionRefused):
            self.fleet.act(rollout_id, action, by=self.fleet.second)

    @rule(revoked=st.booleans())
    def revoke(self, revoked: bool) -> None:
        self.fleet.revoked = {"0" * 64: "the site's"} if revoked else {}

    # --- nodes

    def _node(self, which: int) -> SimulatedNode:
        return list(self.fleet.nodes.values())[which % len(self.fleet.nodes)]

    @rule(which=st.integers(0, 6))
    def go(self, which: int) -> None:
        node = self._node(which)
        if node.is_present:
            self.fleet.go(node)

    @rule(which=st.integers(0, 6))
    def come(self, which: int) -> None:
        self.fleet.come(self._node(which))

    @rule(which=st.integers(0, 6), nature=st.sampled_from(Nature))
    def change(self, which: int, nature: Nature) -> None:
        node = self._node(which)
        if nature is Nature.GOOD or node.nature is Nature.GOOD:
            node.nature = nature

    # --- time

    @rule(rounds=st.integers(1, 12))
    def live(self, rounds: int) -> None:
        for _ in range(rounds):
            self.fleet.round()

    @rule()
    def a_week(self) -> None:
        self.fleet.wait(timedelta(days=7))

    @rule()
    def broker(self) -> None:
        self.fleet.deaf_broker = not self.fleet.deaf_broker

    @rule()
    def sweep_twice(self) -> None:
        """Sweeping again at the same moment comes to rest, and sending again sends nothing."""
        for _ in range(8):
            before = self._all()
            self.fleet.sweep()
            if self._all() == before:
                break
        else:
            raise AssertionError("sweeping does not come to rest")
        self.fleet.send()
        assert self.fleet.send() == 0 or self.fleet.deaf_broker

    def _all(self) -> list[Any]:
        conn = self.fleet.conn
        return [
            conn.execute(f"select * from {table} order by 1, 2").fetchall()  # noqa: S608
            for table in ("rollout", "rollout_step", "node_desired", "rollout_event")
        ]

    # --- what must hold

    @invariant()
    def never_more_are_touched_than_the_stage_allows(self) -> None:
        for rollout_id, size in self.sizes.items():
            rollout = self.fleet.rollout(rollout_id)
            steps = [step for step, _ in store.steps(self.fleet.conn, rollout_id)]
            assert len(steps) == size, "no step is lost"
            touched = [step for step in steps if step.order is not None]
            assert all(step.stage <= rollout.stage for step in touched)
            assert len(touched) <= math.ceil(rollout.plan.stages[rollout.stage].percent * size / 100)
            without_order = UNTOUCHED | {StepState.ABSENT, StepState.REVERTED}
            assert all(step.state in without_order for step in steps if step.order is None)

    @invariant()
    def never_more_are_at_it_than_the_plan_says_whoever_comes_and_goes(self) -> None:
        for rollout_id in self.sizes:
            rollout = self.fleet.rollout(rollout_id)
            steps = [step for step, _ in store.steps(self.fleet.conn, rollout_id)]
            assert sum(step.state in WORKING for step in steps) <= rollout.plan.at_once
            waiting = {step.order for step in steps if step.state in WORKING | {StepState.ABSENT}} - {None}
            busy = [node for node in self.fleet.nodes.values() if self._is_at_one_of(node, waiting)]
            assert len(busy) <= rollout.plan.at_once

    @staticmethod
    def _is_at_one_of(node: SimulatedNode, orders: set[UUID | None]) -> bool:
        """Whether it lies in the node's hands, heard or begun."""
        in_hand = [*node.inbox, *([] if node.order is None else [node.order])]
        return node.is_present and any(each.desired_id in orders for each in in_hand)

    @invariant()
    def a_node_is_held_once_and_has_one_order(self) -> None:
        held: dict[str, list[UUID]] = defaultdict(list)
        for rollout_id in self.sizes:
            if self.fleet.rollout(rollout_id).state in LIVE:
                for step, _ in store.steps(self.fleet.conn, rollout_id):
                    held[step.node].append(rollout_id)
        assert all(len(each) == 1 for each in held.values())

    @invariant()
    def only_sound_nodes_are_called_done(self) -> None:
        rows = self.fleet.conn.execute(
            "select event.node, event.at, rollout.artifact_id from rollout_event as event"
            " join rollout on rollout.id = event.rollout_id where event.after = 'done' and event.node is not null"
        ).fetchall()
        by_id = {artifact.id: version for version, artifact in self.fleet.artifacts.items()}
        for node, at, artifact_id in rows:
            assert any(
                what == running(by_id[artifact_id]) and since <= at <= until
                for what, since, until, _ in self.fleet.spells(self.fleet.nodes[node])
            )

    @invariant()
    def the_history_is_whole_and_every_way_is_in_the_table(self) -> None:
        for rollout_id in self.sizes:
            last: dict[str | None, str | None] = defaultdict(lambda: None)
            for row in reversed(store.events(self.fleet.conn, rollout_id, count=100_000)):
                if row.after.startswith("stage:") or row.after == StepState.SUPERSEDED:
                    last[row.node] = row.after if row.after == StepState.SUPERSEDED else last[row.node]
                    continue
                before = last[row.node] or (StepState.PENDING.value if row.node else None)
                assert row.before == before
                if row.node is not None:
                    assert StepState(row.after) in STEPS[StepState(row.before)]
                elif row.before is not None:
                    by_people = {after for (state, _), after in ACTIONS.items() if state == row.before}
                    by_itself = BY_ITSELF.get(RolloutState(row.before), frozenset())
                    assert RolloutState(row.after) in by_people | by_itself
                last[row.node] = row.after
            assert self.fleet.rollout(rollout_id).state == last[None]
            for node, state in self.fleet.states(rollout_id).items():
                assert state == (last[node] or StepState.PENDING)

    @invariant()
    def what_is_reverted_runs_what_it_ran_before(self) -> None:
        wanted = {
            (row[0], row[1]): row[2]
            for row in self.fleet.conn.execute(
                "select node.name, rollout_id, roll_back from node_desired join node on node.id = node_id"
            )
        }
        for rollout_id in self.sizes:
            for step, _ in store.steps(self.fleet.conn, rollout_id, [StepState.REVERTED]):
                node = self.fleet.nodes[step.node]
                if wanted.get((step.node, rollout_id)) and step.previous is not None and node.nature is not Nature.DEAF:
                    assert node.running is not None
                    assert (node.running.version, node.running.sha256) == (step.previous.version, step.previous.sha256)

    @invariant()
    def what_a_revoked_key_signed_goes_to_no_further_node(self) -> None:
        told = self.fleet.told_forward()
        if self.fleet.revoked:
            self.fleet.sweep()
            self.fleet.send()
            assert self.fleet.told_forward() == told
            assert all(self.fleet.rollout(each).state not in UNDER_WAY for each in self.sizes)

    @invariant()
    def after_a_sweep_too_many_failures_have_turned_it_back(self) -> None:
        self.fleet.sweep()
        for rollout_id in self.sizes:
            rollout = self.fleet.rollout(rollout_id)
            if rollout.state not in LIVE - {RolloutState.ROLLING_BACK}:
                continue
            steps = (step for step, _ in store.steps(self.fleet.conn, rollout_id))
            for stage, tally in zip(rollout.plan.stages, policy.tallies_of(steps, rollout.plan), strict=True):
                assert tally.failures <= policy.failures_allowed(stage, tally)


def test_rollouts_hold_whatever_nodes_and_people_do(fleet_of_all: Fleet) -> None:
    Rollouts.known = fleet_of_all
    run_state_machine_as_test(
        Rollouts,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
