"""Too many failures turn a rollout back, and nothing but a failure does."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cloud.rollouts import store
from cloud.rollouts.model import FAILURES, RolloutState, Stage, StepReason, StepState
from tests.cloud.rollouts.simulated import MINUTE, Fleet, Nature, fresh, running


class Happens(StrEnum):
    """What becomes of one node, none of it a failure."""

    COMES = "comes"
    COMES_WITH_THIS = "comes_with_this"
    COMES_WITH_NEWER = "comes_with_newer"
    GOES = "goes"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Life:
    """A fleet (nature, whether it is present at the start) and what happens to which node, one after the other."""

    nodes: tuple[tuple[Nature, bool], ...]
    events: tuple[tuple[int, Happens], ...]
    error_percent: float
    at_once: int


natures = st.sampled_from([*[Nature.GOOD] * 3, Nature.REFUSES, Nature.FAILS, Nature.GOES_BACK])
lives = st.builds(
    Life,
    st.lists(st.tuples(natures, st.booleans()), min_size=2, max_size=10).map(tuple),
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(Happens)), min_size=1, max_size=12).map(tuple),
    st.sampled_from([0.0, 10.0, 25.0, 40.0, 60.0]),
    st.integers(1, 6),
)

ONE_FAILED_AND_THE_REST_HAVE_IT = Life(
    nodes=((Nature.REFUSES, True), (Nature.GOOD, True), *[(Nature.GOOD, False)] * 6),
    events=tuple((number, Happens.COMES_WITH_NEWER) for number in range(2, 8)),
    error_percent=20.0,
    at_once=6,
)


def happen(fleet: Fleet, what: Happens, which: int) -> None:
    node = list(fleet.nodes.values())[which % len(fleet.nodes)]
    if what is Happens.GOES and node.is_present and node.order is None and not node.inbox:
        fleet.go(node)
    elif what is not Happens.GOES and what is not Happens.NOTHING and not node.is_present:
        if what is not Happens.COMES:
            node.running = running("1.1.0" if what is Happens.COMES_WITH_THIS else "1.2.0")
        fleet.come(node)


def require_a_failure_where_it_turned(fleet: Fleet, rollout_id: UUID) -> None:
    events = store.events(fleet.conn, rollout_id, count=10_000)
    for turned in (row for row in events if row.node is None and row.after == RolloutState.ROLLING_BACK):
        failed = [row for row in events if row.node is not None and row.after in FAILURES and row.at == turned.at]
        assert failed, f"nothing failed when it was turned back: {turned.reason}"


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@example(ONE_FAILED_AND_THE_REST_HAVE_IT)
@given(life=lives)
def test_nothing_but_a_failure_turns_a_rollout_back(fleet_of_all: Fleet, life: Life) -> None:
    with fresh(fleet_of_all) as fleet:
        for number, (nature, is_present) in enumerate(life.nodes):
            node = fleet.add(f"node-{number}", nature)
            if not is_present:
                fleet.go(node)
        stage = Stage(name="all", percent=100, soak=3 * MINUTE, error_percent=life.error_percent, success_percent=0)
        rollout_id = fleet.start("1.1.0", stage, plan={"at_once": life.at_once})
        for which, what in life.events:
            fleet.round()
            happen(fleet, what, which)
        fleet.live_through(20 * MINUTE, every=timedelta(minutes=2))
        require_a_failure_where_it_turned(fleet, rollout_id)


def test_a_node_that_came_by_something_newer_meanwhile_counts_as_asked(fleet: Fleet) -> None:
    fleet.add("bad", Nature.REFUSES)
    fleet.add("good")
    away = [fleet.add(f"away-{number}") for number in range(4)]
    for node in away:
        fleet.go(node)
    had_it = fleet.add("had-it", version="1.2.0")
    stage = Stage(name="all", percent=100, soak=60 * MINUTE, error_percent=20, success_percent=0)
    rollout_id = fleet.start("1.1.0", stage)
    fleet.live_through(5 * MINUTE)
    assert fleet.states(rollout_id)["bad"] is StepState.REFUSED
    for node in away:
        node.running = running("1.2.0")
        fleet.come(node)
        fleet.round()
    assert fleet.rollout(rollout_id).state is RolloutState.SOAKING
    steps = {step.node: step for step, _ in store.steps(fleet.conn, rollout_id)}
    assert [(steps[name].state, steps[name].reason) for name in ("away-0", had_it.fake.name)] == [
        (StepState.SKIPPED, StepReason.MEANWHILE),
        (StepState.SKIPPED, StepReason.NEWER),
    ]
    [tally] = store.tallies(fleet.conn, [fleet.rollout(rollout_id)])[rollout_id]
    assert (tally.total, tally.of(StepState.SKIPPED), tally.asked) == (7, 5, 6)
    assert away[0].was_told == []


def test_who_has_no_step_to_make_takes_no_place_and_is_known_before_anybody_is_asked(fleet: Fleet) -> None:
    for number in range(4):
        fleet.add(f"had-it-{number}", version="1.1.0")
    for number in range(3):
        fleet.add(f"station-{number}")
    rollout_id = fleet.start("1.1.0", Stage(name="all", percent=100), plan={"at_once": 1})
    fleet.sweep()
    states = list(fleet.states(rollout_id).values())
    assert (states.count(StepState.SKIPPED), states.count(StepState.OFFERED), states.count(StepState.PENDING)) == (
        4,
        1,
        2,
    )
    [tally] = store.tallies(fleet.conn, [fleet.rollout(rollout_id)])[rollout_id]
    assert tally.asked == 3
