"""Rollouts over a real database and simulated nodes: each kind of trouble, and what people do."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from cloud.access import independence
from cloud.errors import Conflict, Forbidden, Invalid, NotFound, TransitionRefused
from cloud.rollouts import advance, artifact_store, service, store
from cloud.rollouts.model import (
    FAILURES,
    WORKING,
    Plan,
    Ring,
    RolloutAction,
    RolloutState,
    Stage,
    StepReason,
    StepState,
)
from cloud.rollouts.service import Draft
from tests.cloud.rollouts.simulated import KEY, MINUTE, Fleet, Nature, digest, running, signature
from tests.fakes.node import AT

HALVES = (Stage(name="first", percent=50, soak=10 * MINUTE), Stage(name="rest", percent=100, soak=10 * MINUTE))
PATIENT = Stage(name="all", percent=100, soak=10 * MINUTE, error_percent=100, success_percent=0)


def test_a_rollout_reaches_everybody_stage_by_stage_and_is_done_when_they_announce_it(fleet: Fleet) -> None:
    for number in range(10):
        fleet.add(f"station-{number:02}")
    rollout_id = fleet.start("1.1.0", Stage(name="one", percent=10, soak=30 * MINUTE), *HALVES[1:])
    fleet.round()
    states = list(fleet.states(rollout_id).values())
    assert states.count(StepState.OFFERED) == 1
    assert states.count(StepState.PENDING) == 9
    fleet.live_through(20 * MINUTE)
    assert fleet.rollout(rollout_id).state is RolloutState.SOAKING
    assert list(fleet.states(rollout_id).values()).count(StepState.ANNOUNCED) == 1
    done = fleet.settle(rollout_id, RolloutState.DONE)
    assert set(fleet.states(rollout_id).values()) == {StepState.DONE}
    assert all(node.running == running("1.1.0") for node in fleet.nodes.values())
    assert done.ended_at is not None
    assert done.ended_at - AT >= 40 * MINUTE
    assert all(len(node.was_told) == 1 for node in fleet.nodes.values())


@pytest.mark.parametrize(
    ("nature", "state", "reason"),
    [
        (Nature.REFUSES, StepState.REFUSED, "bad_signature"),
        (Nature.FAILS, StepState.FAILED, "not_fetched"),
        (Nature.GOES_BACK, StepState.ROLLED_BACK, "unhealthy"),
        (Nature.HANGS, StepState.TIMED_OUT, StepReason.NO_ANSWER),
        (Nature.DEAF, StepState.TIMED_OUT, StepReason.NO_ANSWER),
        (Nature.DIES, StepState.FAILED, StepReason.LOST),
        (Nature.SAYS_ONLY, StepState.TIMED_OUT, StepReason.SAYS_APPLIED),
        (Nature.OTHER_BYTES, StepState.FAILED, StepReason.OTHER_BYTES),
        (Nature.ILL, StepState.FAILED, StepReason.DEGRADED),
        (Nature.SILENT, StepState.FAILED, StepReason.SILENT),
        (Nature.RESTARTS, StepState.FAILED, StepReason.RESTARTS),
        (Nature.FALLS_BACK, StepState.FAILED, StepReason.OTHER_VERSION),
    ],
)
def test_every_kind_of_failure_is_seen_for_what_it_is(
    fleet: Fleet, nature: Nature, state: StepState, reason: str
) -> None:
    bad = fleet.add("bad", nature)
    fleet.add("good")
    rollout_id = fleet.start("1.1.0", PATIENT)
    fleet.settle(rollout_id, RolloutState.DONE)
    steps = {step.node: step for step, _ in store.steps(fleet.conn, rollout_id)}
    assert steps["good"].state is StepState.DONE
    assert (steps["bad"].state, steps["bad"].reason) == (state, reason)
    assert bad.was_told


@pytest.mark.parametrize("nature", [each for each in Nature if each is not Nature.GOOD])
def test_one_failing_canary_turns_everything_back_and_nobody_else_is_touched(fleet: Fleet, nature: Nature) -> None:
    canary = fleet.add("canary", nature, ring=Ring.CANARY)
    for number in range(4):
        fleet.add(f"station-{number}")
    stages = (Stage(name="canary", percent=20, ring=Ring.CANARY, soak=10 * MINUTE), *HALVES[1:])
    rollout_id = fleet.start("1.1.0", *stages)
    fleet.settle(rollout_id, RolloutState.ROLLING_BACK)
    if not canary.is_present:
        fleet.come(canary)
    over = fleet.settle(rollout_id, RolloutState.ROLLED_BACK, RolloutState.FAILED)
    states = fleet.states(rollout_id)
    assert [states[f"station-{number}"] for number in range(4)] == [StepState.CANCELLED] * 4
    assert not any(fleet.nodes[f"station-{number}"].was_told for number in range(4))
    if nature is Nature.DEAF:  # nobody knows what it does with what it was told
        assert (over.state, states["canary"]) == (RolloutState.FAILED, StepState.STUCK)
    else:
        assert (over.state, states["canary"]) == (RolloutState.ROLLED_BACK, StepState.REVERTED)
        assert canary.running == running("1.0.0")
        assert canary.was_told[-1].roll_back
    assert over.reason is not None
    assert "stage canary" in over.reason
    why = store.failures(fleet.conn, rollout_id)
    assert (why[0][1], why[0][2]) == (1, "canary"), "why it failed is known after it was turned back"


def test_a_node_that_comes_back_after_a_week_gets_what_is_current(fleet: Fleet) -> None:
    away = fleet.add("away")
    fleet.add("here")
    fleet.go(away)
    first = fleet.start("1.1.0", PATIENT)
    fleet.settle(first, RolloutState.DONE)
    assert fleet.states(first) == {"away": StepState.ABSENT, "here": StepState.DONE}
    second = fleet.start("1.2.0", PATIENT)
    fleet.settle(second, RolloutState.DONE)
    assert fleet.states(first)["away"] is StepState.SUPERSEDED
    fleet.now += timedelta(days=7)
    fleet.come(away)
    fleet.live_through(20 * MINUTE)
    assert [each.version for each in away.was_told] == ["1.2.0"]
    assert away.running == running("1.2.0")
    assert fleet.states(second)["away"] is StepState.DONE
    assert fleet.rollout(second).state is RolloutState.DONE


def test_a_node_that_missed_a_rollout_and_its_way_back_hears_of_neither(fleet: Fleet) -> None:
    away = fleet.add("away")
    fleet.add("bad", Nature.REFUSES)
    fleet.go(away)
    rollout_id = fleet.start("1.1.0")
    fleet.settle(rollout_id, RolloutState.ROLLED_BACK)
    step = {step.node: step for step, _ in store.steps(fleet.conn, rollout_id)}["away"]
    assert (step.state, step.reason) == (StepState.REVERTED, StepReason.NEVER_SENT)
    fleet.come(away)
    fleet.live_through(10 * MINUTE)
    assert away.was_told == []


def test_a_node_that_was_told_and_is_away_is_turned_back_when_it_returns(fleet: Fleet) -> None:
    hangs = fleet.add("hangs", Nature.HANGS)
    rollout_id = fleet.start("1.1.0", PATIENT)
    fleet.live_through(3 * MINUTE)
    fleet.go(hangs)
    fleet.act(rollout_id, RolloutAction.ROLL_BACK)
    failed = fleet.settle(rollout_id, RolloutState.FAILED)
    assert failed.reason is not None
    assert "1 nodes are not known" in failed.reason
    assert fleet.states(rollout_id) == {"hangs": StepState.REVERTING}
    fleet.now += timedelta(days=7)
    fleet.come(hangs)
    fleet.live_through(5 * MINUTE)
    assert hangs.was_told[-1].roll_back
    assert fleet.states(rollout_id) == {"hangs": StepState.REVERTED}
    assert fleet.rollout(rollout_id).state is RolloutState.FAILED


def test_a_roll_back_overtakes_an_order_that_is_under_way(fleet: Fleet) -> None:
    node = fleet.add("slow")
    rollout_id = fleet.start("1.1.0", PATIENT)
    fleet.sweep()
    fleet.send()  # it lies in the node's hands, which announces what it ran before
    fleet.act(rollout_id, RolloutAction.ROLL_BACK)
    fleet.sweep()
    assert fleet.states(rollout_id) == {"slow": StepState.REVERTING}
    fleet.settle(rollout_id, RolloutState.ROLLED_BACK)
    assert [each.roll_back for each in node.was_told] == [False, True]
    assert node.running == running("1.0.0")


def test_what_has_nothing_to_go_back_to_is_said_and_counted(fleet: Fleet) -> None:
    fleet.add("new", version=None)
    fleet.add("unknown", version="0.9.9")
    fleet.add("known")
    rollout = fleet.draft("1.1.0", PATIENT)
    seen = service.preview(fleet.conn, rollout)
    assert (seen.stages, seen.without_way_back, seen.held_by) == ((3,), 2, ())
    fleet.act(rollout.id, RolloutAction.START)
    fleet.settle(rollout.id, RolloutState.DONE)
    fleet.act(rollout.id, RolloutAction.ROLL_BACK)
    failed = fleet.settle(rollout.id, RolloutState.FAILED)
    assert fleet.states(rollout.id) == {
        "new": StepState.STUCK,
        "unknown": StepState.STUCK,
        "known": StepState.REVERTED,
    }
    assert failed.reason is not None
    assert failed.reason.startswith("2 nodes")


def test_two_rollouts_of_an_artifact_never_have_one_node(fleet: Fleet) -> None:
    fleet.add("station-1")
    first = fleet.start("1.1.0", PATIENT)
    other = fleet.draft("1.2.0", PATIENT)
    assert service.preview(fleet.conn, other).held_by == ((first, "to 1.1.0"),)
    with pytest.raises(Conflict, match=r"to 1\.1\.0"):
        fleet.act(other.id, RolloutAction.START)
    fleet.settle(first, RolloutState.DONE)
    fleet.act(other.id, RolloutAction.START)
    with pytest.raises(Conflict, match=r"to 1\.2\.0"):
        fleet.act(first, RolloutAction.ROLL_BACK)
    fleet.settle(other.id, RolloutState.DONE)
    fleet.act(other.id, RolloutAction.ROLL_BACK)
    fleet.settle(other.id, RolloutState.ROLLED_BACK)
    assert fleet.nodes["station-1"].running == running("1.1.0")


def test_turning_back_an_old_rollout_leaves_what_a_later_one_has(fleet: Fleet) -> None:
    both, only_first = fleet.add("both"), fleet.add("only-first")
    first = fleet.start("1.1.0", PATIENT)
    fleet.settle(first, RolloutState.DONE)
    only_first.running = running("1.2.0")  # somebody else brought it there: the later rollout skips it
    fleet.come(only_first)
    second = fleet.start("1.2.0", PATIENT)
    fleet.settle(second, RolloutState.DONE)
    assert RolloutAction.ROLL_BACK not in service.actions(fleet.conn, fleet.rollout(first))
    with pytest.raises(TransitionRefused, match="later rollouts"):
        fleet.act(first, RolloutAction.ROLL_BACK)
    fleet.live_through(10 * MINUTE)
    assert both.running == running("1.2.0")
    assert fleet.states(second)["both"] is StepState.DONE
    assert RolloutAction.ROLL_BACK in service.actions(fleet.conn, fleet.rollout(second))


def test_of_an_old_rollout_only_nodes_are_turned_back_that_no_later_one_asked(fleet: Fleet) -> None:
    for number in range(2):
        fleet.add(f"station-{number}")
    first = fleet.start("1.1.0", PATIENT)
    fleet.settle(first, RolloutState.DONE)
    second = fleet.start("1.2.0", *HALVES)
    while StepState.DONE not in fleet.states(second).values():
        fleet.round()
    fleet.act(second, RolloutAction.CANCEL)
    asked = next(name for name, state in fleet.states(second).items() if state is StepState.DONE)
    [other] = set(fleet.nodes) - {asked}
    assert RolloutAction.ROLL_BACK in service.actions(fleet.conn, fleet.rollout(first))
    fleet.act(first, RolloutAction.ROLL_BACK)
    fleet.settle(first, RolloutState.ROLLED_BACK)
    assert fleet.states(first) == {asked: StepState.SUPERSEDED, other: StepState.REVERTED}
    assert fleet.nodes[asked].running == running("1.2.0")
    assert fleet.nodes[other].running == running("1.0.0")


def test_rollouts_are_turned_back_one_after_the_other(fleet: Fleet) -> None:
    node = fleet.add("station-1")
    started = []
    for version in ("1.1.0", "1.2.0"):
        started.append(fleet.start(version, PATIENT))
        fleet.settle(started[-1], RolloutState.DONE)
    for rollout_id, version in zip(reversed(started), ("1.1.0", "1.0.0"), strict=True):
        fleet.act(rollout_id, RolloutAction.ROLL_BACK)
        fleet.settle(rollout_id, RolloutState.ROLLED_BACK)
        assert node.running == running(version)
    assert not any(RolloutAction.ROLL_BACK in service.actions(fleet.conn, fleet.rollout(each)) for each in started)


def test_pausing_holds_what_was_not_sent_and_failures_turn_back_all_the_same(fleet: Fleet) -> None:
    fleet.add("a")
    fleet.add("b", Nature.FAILS)
    rollout_id = fleet.start("1.1.0", Stage(name="all", percent=100, soak=MINUTE), plan={"at_once": 1})
    fleet.sweep()
    fleet.act(rollout_id, RolloutAction.PAUSE)
    for _ in range(60):
        fleet.round()
    assert not any(node.was_told for node in fleet.nodes.values())
    assert fleet.rollout(rollout_id).state is RolloutState.PAUSED
    fleet.act(rollout_id, RolloutAction.RESUME)
    while not fleet.nodes["b"].was_told:
        fleet.round(timedelta(seconds=1))
    fleet.act(rollout_id, RolloutAction.PAUSE)
    fleet.settle(rollout_id, RolloutState.ROLLED_BACK)
    assert fleet.nodes["a"].running == running("1.0.0")


def test_an_approval_is_given_by_a_second_person(fleet: Fleet) -> None:
    for number in range(4):
        fleet.add(f"station-{number}")
    stages = (Stage(name="first", percent=50, soak=MINUTE, approval=True), *HALVES[1:])
    rollout_id = fleet.start("1.1.0", *stages)
    waiting = fleet.settle(rollout_id, RolloutState.WAITING_APPROVAL)
    assert waiting.reason == "after stage first"
    fleet.live_through(60 * MINUTE)
    assert list(fleet.states(rollout_id).values()).count(StepState.DONE) == 2
    with pytest.raises(Forbidden):
        fleet.act(rollout_id, RolloutAction.APPROVE)
    with fleet.conn.transaction(force_rollback=True):
        independence.issued(fleet.conn, fleet.second.user_id, by=fleet.chief.user_id, at=fleet.now)
        with pytest.raises(Forbidden, match="issued"):
            fleet.act(rollout_id, RolloutAction.APPROVE, by=fleet.second)
    fleet.act(rollout_id, RolloutAction.APPROVE, by=fleet.second)
    fleet.settle(rollout_id, RolloutState.DONE)


def test_too_few_successes_wait_for_a_person(fleet: Fleet) -> None:
    fleet.add("good")
    fleet.add("bad", Nature.REFUSES)
    stage = Stage(name="all", percent=100, soak=MINUTE, error_percent=50, success_percent=90)
    rollout_id = fleet.start("1.1.0", stage)
    waiting = fleet.settle(rollout_id, RolloutState.WAITING_APPROVAL)
    assert waiting.reason == "1 of 2 nodes are well in stage all, below its 90 %"
    fleet.act(rollout_id, RolloutAction.APPROVE, by=fleet.second)
    fleet.settle(rollout_id, RolloutState.DONE)


def test_a_stage_of_nodes_that_are_all_away_does_not_pass(fleet: Fleet) -> None:
    for number in range(2):
        fleet.add(f"station-{number}")
    rollout_id = fleet.start("1.1.0", *HALVES)
    first = next(node for node in fleet.nodes.values() if _stage(fleet, rollout_id, node.fake.name) == 0)
    fleet.go(first)
    fleet.live_through(timedelta(hours=5))
    waiting = fleet.rollout(rollout_id)
    assert (waiting.state, waiting.stage) == (RolloutState.RUNNING, 0)
    assert waiting.reason == "no node of this stage is present"
    fleet.come(first)
    fleet.settle(rollout_id, RolloutState.DONE)


def _stage(fleet: Fleet, rollout_id: object, name: str) -> int:
    return next(step.stage for step, _ in store.steps(fleet.conn, rollout_id) if step.node == name)  # type: ignore[arg-type]


def test_cancelling_ends_it_where_it_stands_and_it_can_still_be_turned_back(fleet: Fleet) -> None:
    for number in range(4):
        fleet.add(f"station-{number}")
    rollout_id = fleet.start("1.1.0", *HALVES)
    fleet.live_through(5 * MINUTE)
    fleet.act(rollout_id, RolloutAction.CANCEL)
    fleet.live_through(30 * MINUTE)
    assert sorted(fleet.states(rollout_id).values()) == [StepState.CANCELLED] * 2 + [StepState.DONE] * 2
    assert sorted(node.running == running("1.1.0") for node in fleet.nodes.values()) == [False, False, True, True]
    fleet.act(rollout_id, RolloutAction.ROLL_BACK)
    fleet.settle(rollout_id, RolloutState.ROLLED_BACK)
    assert all(node.running == running("1.0.0") for node in fleet.nodes.values())


@pytest.mark.parametrize("nature", [Nature.DEAF, Nature.HANGS, Nature.DIES])
def test_after_cancelling_nobody_is_told_of_it_any_more(fleet: Fleet, nature: Nature) -> None:
    node = fleet.add("missing", nature)
    fleet.add("good")
    rollout_id = fleet.start("1.1.0", replace(PATIENT, soak=timedelta(hours=2)))
    while fleet.states(rollout_id)["missing"] not in FAILURES:
        fleet.round()
    state = fleet.states(rollout_id)["missing"]
    fleet.go(node)
    fleet.act(rollout_id, RolloutAction.CANCEL)
    assert fleet.states(rollout_id)["missing"] is state, "what went wrong is not forgotten"
    fleet.now += timedelta(days=7)
    told = len(node.was_told)
    node.nature, node.order, node.newest = Nature.GOOD, None, None
    fleet.come(node)
    assert fleet.send() == 0
    fleet.live_through(10 * MINUTE)
    assert len(node.was_told) == told
    assert node.running == running("1.0.0")


def test_an_order_after_one_that_was_called_back_is_the_younger_one_whatever_the_clock_says(fleet: Fleet) -> None:
    node = fleet.add("deaf", Nature.DEAF)
    first = fleet.start("1.1.0", PATIENT)
    fleet.round()
    (told,) = node.was_told
    fleet.act(first, RolloutAction.CANCEL)
    fleet.now -= timedelta(hours=1)  # somebody corrects the clock of the cloud
    fleet.start("1.2.0", PATIENT)
    fleet.round()
    assert told.issued_at is not None
    later = [each.issued_at for each in node.was_told[1:]]
    assert later
    assert all(at is not None and at > told.issued_at for at in later)


def test_what_runs_already_or_is_newer_is_left_alone(fleet: Fleet) -> None:
    fleet.add("same", version="1.1.0")
    newer = fleet.add("newer", version="1.2.0")
    older = fleet.add("older")
    rollout_id = fleet.start("1.1.0", PATIENT)
    fleet.settle(rollout_id, RolloutState.DONE)
    steps = {step.node: (step.state, step.reason) for step, _ in store.steps(fleet.conn, rollout_id)}
    assert steps["same"] == (StepState.SKIPPED, StepReason.ALREADY)
    assert steps["newer"] == (StepState.SKIPPED, StepReason.NEWER)
    assert steps["older"][0] is StepState.DONE
    assert newer.was_told == []
    lower = fleet.start("1.0.0", PATIENT, may_lower=True)
    fleet.settle(lower, RolloutState.DONE)
    assert {node.running for node in (newer, older)} == {running("1.0.0")}
    assert all(node.was_told[-1].roll_back for node in (newer, older))


def test_only_those_that_run_such_a_thing_are_asked_where_that_is_wanted(fleet: Fleet) -> None:
    fleet.add("without", version=None)
    fleet.add("with")
    rollout_id = fleet.start("1.1.0", PATIENT, only_running=True)
    assert set(fleet.states(rollout_id)) == {"with"}


def test_no_more_are_at_it_at_once_than_the_plan_says(fleet: Fleet) -> None:
    for number in range(12):
        fleet.add(f"station-{number:02}", Nature.HANGS)
    rollout_id = fleet.start("1.1.0", PATIENT, plan={"at_once": 5})
    for _ in range(20):
        fleet.round()
        at_it = [state for state in fleet.states(rollout_id).values() if state is not StepState.PENDING]
        assert len(at_it) <= 5


def at_it(fleet: Fleet, rollout_id: UUID) -> int:
    return sum(state in WORKING for state in fleet.states(rollout_id).values())


def test_nodes_that_come_back_together_are_asked_a_few_at_a_time(fleet: Fleet) -> None:
    """A dead uplink does not make a guarded stage an all at once."""
    fleet.add("here")
    away = [fleet.add(f"away-{number:02}", Nature.GOES_BACK) for number in range(19)]
    for node in away:
        fleet.go(node)
    stage = Stage(name="all", percent=100, soak=60 * MINUTE, error_percent=5)
    rollout_id = fleet.start("1.1.0", stage, plan={"at_once": 2})
    fleet.live_through(15 * MINUTE)
    assert list(fleet.states(rollout_id).values()).count(StepState.ABSENT) == 19
    assert fleet.send() == 0
    for node in away:
        fleet.come(node)
    fleet.sweep()
    assert fleet.send() == 2
    fleet.settle(rollout_id, RolloutState.ROLLED_BACK)
    assert sum(bool(node.was_told) for node in away) <= 4, "it was turned back before many had it"


def test_who_was_told_and_went_away_waits_for_a_place_when_it_is_back(fleet: Fleet) -> None:
    nodes = [fleet.add(f"station-{number}", Nature.DEAF) for number in range(4)]
    rollout_id = fleet.start("1.1.0", replace(PATIENT, soak=timedelta(hours=5)), plan={"at_once": 2})
    fleet.round()
    first = [node for node in nodes if node.was_told]
    assert len(first) == 2
    for node in first:
        fleet.go(node)
    fleet.live_through(10 * MINUTE)
    assert all(node.was_told for node in nodes), "who is away keeps nobody from his turn"
    for node in first:
        fleet.come(node)
    fleet.sweep()
    assert fleet.send() == 0
    assert at_it(fleet, rollout_id) == 2
    for node in nodes:
        node.nature = Nature.GOOD
    while set(fleet.states(rollout_id).values()) != {StepState.ANNOUNCED}:
        fleet.round()
        assert at_it(fleet, rollout_id) <= 2
    assert [len(node.was_told) for node in nodes] == [1] * 4, "it is still the same order"


def test_who_comes_back_after_it_is_done_is_asked_a_few_at_a_time_too(fleet: Fleet) -> None:
    fleet.add("here")
    away = [fleet.add(f"away-{number}") for number in range(5)]
    for node in away:
        fleet.go(node)
    rollout_id = fleet.start("1.1.0", PATIENT, plan={"at_once": 2})
    fleet.settle(rollout_id, RolloutState.DONE)
    away[0].running = running("1.2.0")  # a person was there
    away[1].running = running("1.1.0")
    for node in away:
        fleet.come(node)
    while StepState.ABSENT in fleet.states(rollout_id).values():
        fleet.sweep()
        assert fleet.send() <= 2
        assert at_it(fleet, rollout_id) <= 2
        fleet.round()
    fleet.live_through(30 * MINUTE)
    states = fleet.states(rollout_id)
    assert [states[node.fake.name] for node in away] == [StepState.SKIPPED] * 2 + [StepState.DONE] * 3
    assert [bool(node.was_told) for node in away] == [False] * 2 + [True] * 3


def test_who_was_away_hears_of_the_newest_alone_while_that_has_it(fleet: Fleet) -> None:
    fleet.add("here")
    away = fleet.add("away")
    fleet.go(away)
    first = fleet.start("1.1.0", PATIENT)
    fleet.settle(first, RolloutState.DONE)
    second = fleet.start("1.2.0", PATIENT)  # its turn has not come there
    fleet.come(away)
    for rollout_id in store.ended_ids(fleet.conn, 100):
        advance.note_late(fleet.conn, rollout_id, now=fleet.now)
    assert fleet.send() == 0
    fleet.settle(second, RolloutState.DONE)
    assert [each.version for each in away.was_told] == ["1.2.0"]
    assert fleet.states(first)["away"] is StepState.SUPERSEDED


def test_an_absent_node_is_told_nothing_that_an_earlier_rollout_wanted(fleet: Fleet) -> None:
    fleet.add("here")
    slow = fleet.add("slow", Nature.HANGS)
    first = fleet.start("1.1.0", PATIENT)
    fleet.settle(first, RolloutState.DONE)
    assert fleet.states(first)["slow"] is StepState.TIMED_OUT
    fleet.go(slow)
    second = fleet.start("1.2.0", PATIENT)
    fleet.live_through(2 * MINUTE)
    assert fleet.states(second)["slow"] is StepState.ABSENT
    fleet.come(slow)
    assert fleet.send() == 0
    fleet.act(second, RolloutAction.CANCEL)
    fleet.come(slow)
    assert fleet.send() == 0


def test_new_hardware_under_an_old_name_is_told_again(fleet: Fleet) -> None:
    node = fleet.add("station-1")
    rollout_id = fleet.start("1.1.0", PATIENT)
    fleet.settle(rollout_id, RolloutState.DONE)
    node.running, node.report, node.newest, node.was_told = running("1.0.0"), None, None, []
    fleet.come(node)
    fleet.live_through(5 * MINUTE)
    assert [each.version for each in node.was_told] == ["1.1.0"]
    assert node.running == running("1.1.0")


def test_what_the_broker_does_not_take_is_no_silence_of_the_node(fleet: Fleet) -> None:
    fleet.add("station-1")
    fleet.deaf_broker = True
    rollout_id = fleet.start("1.1.0", PATIENT)
    fleet.live_through(timedelta(hours=3))
    assert fleet.states(rollout_id) == {"station-1": StepState.OFFERED}
    fleet.deaf_broker = False
    fleet.settle(rollout_id, RolloutState.DONE)


def test_an_order_is_told_once_a_minute_until_it_is_mentioned_and_once_a_session_then(fleet: Fleet) -> None:
    node = fleet.add("station-1", Nature.DEAF)
    fleet.start("1.1.0", PATIENT)
    fleet.sweep()
    sent = 0
    for _ in range(180):
        sent += fleet.send()
        fleet.wait(timedelta(seconds=1))
    assert sent == 3
    node.nature = Nature.HANGS
    fleet.work(node)
    assert fleet.send() == 0
    fleet.come(node)
    assert [fleet.send(), fleet.send()] == [1, 0]


def test_the_history_of_a_rollout_says_everything(fleet: Fleet) -> None:
    fleet.add("station-1", Nature.REFUSES)
    rollout_id = fleet.start("1.1.0")
    fleet.settle(rollout_id, RolloutState.ROLLED_BACK)
    told = [(row.node, row.before, row.after, row.actor_name) for row in reversed(store.events(fleet.conn, rollout_id))]
    assert told[:3] == [
        (None, None, "draft", "starter"),
        (None, "draft", "running", "starter"),
        ("station-1", "pending", "offered", None),
    ]
    assert (None, "running", "rolling_back", None) in told
    assert told[-2:] == [("station-1", "reverting", "reverted", None), (None, "rolling_back", "rolled_back", None)]
    noted = fleet.conn.execute("select action from audit where subject = %s order by id", [f"rollout:{rollout_id}"])
    assert [row[0] for row in noted] == ["rollout.created", "rollout.start"]


def test_what_is_not_allowed_is_refused_in_words(fleet: Fleet) -> None:
    with pytest.raises(Conflict, match="no node"):
        fleet.start("1.1.0")
    fleet.add("station-1")
    rollout = fleet.draft("1.1.0")
    for action in (RolloutAction.PAUSE, RolloutAction.RESUME, RolloutAction.APPROVE, RolloutAction.ROLL_BACK):
        with pytest.raises(TransitionRefused):
            fleet.act(rollout.id, action)
    fleet.act(rollout.id, RolloutAction.CANCEL)
    with pytest.raises(TransitionRefused, match="never began"):
        fleet.act(rollout.id, RolloutAction.ROLL_BACK)
    with pytest.raises(Invalid, match="last stage"):
        fleet.draft("1.1.0", Stage(name="half", percent=50))
    with pytest.raises(NotFound):
        service.create(fleet.conn, Draft("x", 9_999, None, Plan(stages=HALVES)), actor=fleet.chief, now=AT)
    artifact_store.add_artifact(fleet.conn, signature("2.0.0"), added_by="keeper", now=AT)
    found = artifact_store.artifact_of_version(fleet.conn, *KEY, "2.0.0")
    assert found is not None
    with pytest.raises(Conflict, match="not here yet"):
        service.create(fleet.conn, Draft("x", found.id, None, Plan(stages=HALVES)), actor=fleet.chief, now=AT)


def test_the_database_itself_refuses_what_must_not_be(fleet: Fleet) -> None:
    fleet.add("station-1")
    first = fleet.start("1.1.0")
    other = fleet.draft("1.2.0")
    with pytest.raises(psycopg.errors.UniqueViolation), fleet.conn.transaction():
        store.add_steps(fleet.conn, other, {(fleet.nodes["station-1"].node_id, ""): 0}, now=AT)
    with pytest.raises(psycopg.errors.RestrictViolation), fleet.conn.transaction():
        fleet.conn.execute("update artifact set sha256 = %s", [digest("x", "y")])
    assert fleet.rollout(first).state is RolloutState.RUNNING
