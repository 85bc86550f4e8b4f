"""Whom a stage takes, and what plans can be."""

import math
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.errors import ConfigurationError
from cloud.rollouts import policy, store
from cloud.rollouts.model import (
    ACTIONS,
    BY_ITSELF,
    LIVE,
    OPEN,
    RING_POSITION,
    STEPS,
    UNTOUCHED,
    Plan,
    Ring,
    RolloutState,
    Stage,
    StepState,
)
from cloud.rollouts.plans import FOLDER, read_plans

plans = st.lists(st.tuples(st.floats(0.1, 100), st.sampled_from(Ring)), max_size=4).map(
    lambda drawn: Plan(
        stages=(
            *(
                Stage(name=f"s{number}", percent=percent, ring=ring)
                for number, (percent, ring) in enumerate(
                    zip(
                        sorted(p for p, _ in drawn),
                        sorted((r for _, r in drawn), key=RING_POSITION.__getitem__),
                        strict=True,
                    )
                )
            ),
            Stage(name="last", percent=100),
        )
    )
)
fleets = st.dictionaries(
    st.text("abc0123456789", min_size=1, max_size=6), st.sampled_from(Ring), min_size=1, max_size=60
)


@given(st.uuids(), fleets, plans)
def test_every_node_has_one_stage_and_no_stage_more_than_its_share(
    rollout_id: UUID, rings: dict[str, Ring], plan: Plan
) -> None:
    assert policy.wrong_with(plan) is None
    stages = policy.stages_of(rollout_id, rings, plan)
    assert stages.keys() == rings.keys()
    for number, stage in enumerate(plan.stages):
        so_far = [node for node, of in stages.items() if of <= number]
        assert len(so_far) <= math.ceil(stage.percent * len(rings) / 100)
        assert all(RING_POSITION[rings[node]] <= RING_POSITION[stage.ring] for node in so_far)
    shuffled = dict(sorted(rings.items(), key=lambda each: each[0][::-1]))
    assert policy.stages_of(rollout_id, shuffled, plan) == stages


def test_canaries_come_first_and_it_is_not_always_the_same_of_the_others() -> None:
    rings = {f"node-{number:03}": Ring.CANARY if number < 2 else Ring.BROAD for number in range(100)}
    plan = Plan(stages=(Stage(name="few", percent=5), Stage(name="all", percent=100)))
    chosen = []
    for number in range(20):
        stages = policy.stages_of(UUID(int=number), rings, plan)
        first = {node for node, of in stages.items() if of == 0}
        assert len(first) == 5
        assert {"node-000", "node-001"} <= first
        chosen.append(frozenset(first))
    assert len(set(chosen)) == 20


def test_plans_that_can_not_be_are_named() -> None:
    last = Stage(name="all", percent=100)
    for stages, words in (
        ((), "at least one"),
        ((Stage(name="half", percent=50),), "last stage"),
        ((Stage(name="all", percent=100, ring=Ring.EARLY),), "last stage"),
        ((Stage(name="none", percent=0), last), "more than 0"),
        ((Stage(name="a", percent=50), Stage(name="b", percent=10), last), "lower"),
        (
            (Stage(name="a", percent=1, ring=Ring.BROAD), Stage(name="b", percent=2, ring=Ring.CANARY), last),
            "earlier ring",
        ),
        ((Stage(name="all", percent=1), last), "one name"),
    ):
        assert words in (policy.wrong_with(Plan(stages=stages)) or "")


def test_the_tables_are_whole() -> None:
    assert STEPS.keys() == set(StepState)
    assert all(STEPS[state] for state in OPEN), "an open step can go on"
    assert UNTOUCHED.isdisjoint(OPEN)
    assert BY_ITSELF.keys() == LIVE
    reached = set(ACTIONS.values()) | {after for ways in BY_ITSELF.values() for after in ways} | {RolloutState.DRAFT}
    assert reached == set(RolloutState)


def test_the_shipped_plans_can_be_used() -> None:
    found = {each.name: each.plan for each in read_plans()}
    assert set(found) == {"standard", "careful", "quick", "piles"}
    assert [stage.percent for stage in found["standard"].stages] == [1, 10, 100]
    assert all(store.plan_of_json(store.plan_as_json(plan)) == plan for plan in found.values())
    assert found["quick"].stages[0].soak == timedelta(minutes=5)
    assert FOLDER.is_dir()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "title: x",
        "title: x\ntitle_zh: y\nstages: [{name: a, percent: 50}]",
        "title: x\ntitle_zh: y\nstages: [{name: a, percent: 100, soak: 5}]",
        "title: x\ntitle_zh: y\nstages: [{name: a, percent: 1000}]",
        "{",
    ],
)
def test_a_plan_with_mistakes_names_its_file(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("rings")
    (folder / "own.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"own\.yaml"):
        read_plans(folder)
