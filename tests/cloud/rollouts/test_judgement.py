"""What becomes of a step, without a database: nothing but its own announcement makes a node a success."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from cloud.rollouts.judgement import HEALTH_WITHIN, ILL_FOR, LOST_AFTER, Target, judge, offered
from cloud.rollouts.model import STEPS, Announced, Facts, Report, Step, StepReason, StepState
from tests.fakes.node import AT

NEW, OLD = Announced("1.1.0", "b" * 64), Announced("1.0.0", "a" * 64)
TARGET = Target(NEW.version, NEW.sha256, timedelta(minutes=10), timedelta(minutes=30))
ORDER, OTHER, SESSION = UUID(int=1), UUID(int=2), UUID(int=3)
HERE = Facts(is_present=True, presence_since=AT, session=SESSION, announced=OLD)


def step(state: StepState = StepState.OFFERED, **more: object) -> Step:
    given = {"order": ORDER, "previous": OLD, "sent_at": AT, "was_sent": True}
    known = Step(rollout_id=UUID(int=9), node_id=1, node="n", stage=0, state=state, changed_at=AT)
    return replace(known, **(given | more))  # type: ignore[arg-type]


def word(state: str, code: str | None = None, *, order: UUID = ORDER) -> Report:
    return Report(order, state, code)


facts = st.builds(
    Facts,
    is_present=st.booleans(),
    presence_since=st.sampled_from([None, AT, AT - timedelta(hours=1)]),
    session=st.sampled_from([SESSION, OTHER]),
    announced=st.sampled_from([None, OLD, NEW, Announced(NEW.version, "f" * 64)]),
    report=st.none()
    | st.builds(
        Report,
        st.sampled_from([ORDER, OTHER]),
        st.sampled_from(["fetching", "trying", "applied", "refused", "failed", "rolled_back", "of a newer node"]),
        st.sampled_from([None, "downgrade"]),
    ),
    degraded=st.frozensets(st.sampled_from(["pile:no_link", "cam:slow"])),
    health_at=st.sampled_from([None, AT, AT + timedelta(hours=1)]),
)
steps = st.builds(
    step,
    st.sampled_from(StepState),
    previous=st.sampled_from([None, OLD]),
    sent_at=st.sampled_from([None, AT]),
    was_sent=st.booleans(),
    announced_at=st.sampled_from([None, AT]),
    session=st.sampled_from([None, SESSION, OTHER]),
    restarts=st.integers(0, 2),
    ill_since=st.sampled_from([None, AT]),
)


@given(steps, facts, st.integers(0, 7_200))
def test_every_way_is_in_the_table_and_judging_again_changes_nothing(known: Step, seen: Facts, seconds: int) -> None:
    now = AT + timedelta(seconds=seconds)
    after = judge(known, seen, TARGET, now=now)
    assert after.state is known.state or after.state in STEPS[known.state]
    for _ in range(4):
        settled, after = after, judge(after, seen, TARGET, now=now)
    assert settled == after


@given(steps, st.lists(facts, min_size=1, max_size=6), st.integers(1, 3_600))
def test_nobody_is_done_without_having_announced_exactly_this(known: Step, seen: list[Facts], seconds: int) -> None:
    now = AT
    for each in seen:
        now += timedelta(seconds=seconds)
        after = judge(known, each, TARGET, now=now)
        if after.state is StepState.DONE and known.state is not StepState.DONE:
            assert each.announced == NEW
            assert each.is_present
            assert known.announced_at is None or now - known.announced_at >= TARGET.soak
        if after.state is StepState.REVERTED and known.state is not StepState.REVERTED:
            assert each.announced == known.previous
        known = after


def test_what_a_node_says_moves_its_step_on() -> None:
    for said, state in {
        "fetching": StepState.FETCHING,
        "trying": StepState.TRYING,
        "refused": StepState.REFUSED,
        "failed": StepState.FAILED,
        "rolled_back": StepState.ROLLED_BACK,
        "applied": StepState.OFFERED,
        "of a newer node": StepState.OFFERED,
    }.items():
        assert judge(step(), replace(HERE, report=word(said)), TARGET, now=AT).state is state
        assert judge(step(), replace(HERE, report=word(said, order=OTHER)), TARGET, now=AT).state is StepState.OFFERED


def test_patience_begins_when_the_order_was_sent() -> None:
    late = AT + TARGET.patience
    assert judge(step(), HERE, TARGET, now=late - timedelta(seconds=1)).state is StepState.OFFERED
    out = judge(step(), HERE, TARGET, now=late)
    assert (out.state, out.reason) == (StepState.TIMED_OUT, StepReason.NO_ANSWER)
    assert judge(step(sent_at=None), HERE, TARGET, now=late).state is StepState.OFFERED
    assert judge(out, replace(HERE, announced=NEW), TARGET, now=late).state is StepState.ANNOUNCED


def test_a_short_break_of_the_link_is_nothing() -> None:
    gone = replace(HERE, is_present=False, presence_since=AT)
    for state in (StepState.OFFERED, StepState.TRYING):
        assert judge(step(state), gone, TARGET, now=AT + LOST_AFTER / 2).state is state
    assert judge(step(), gone, TARGET, now=AT + LOST_AFTER).state is StepState.ABSENT
    lost = judge(step(StepState.TRYING), gone, TARGET, now=AT + LOST_AFTER)
    assert (lost.state, lost.reason) == (StepState.FAILED, StepReason.LOST)


def test_who_refuses_what_it_runs_already_is_watched_as_if_it_had_said_nothing() -> None:
    refuses = replace(HERE, announced=NEW, report=word("refused", "downgrade"), health_at=AT + TARGET.soak)
    watched = judge(step(), refuses, TARGET, now=AT)
    assert watched.state is StepState.ANNOUNCED
    assert judge(watched, refuses, TARGET, now=AT + TARGET.soak).state is StepState.DONE
    other = judge(watched, replace(refuses, announced=OLD), TARGET, now=AT)
    assert (other.state, other.reason) == (StepState.FAILED, StepReason.OTHER_VERSION)


def test_who_was_away_is_not_asked_by_being_back_alone() -> None:
    never = step(StepState.ABSENT, order=None, sent_at=None, was_sent=False)
    for seen in (HERE, replace(HERE, announced=NEW), replace(HERE, is_present=False)):
        assert judge(never, seen, TARGET, now=AT + timedelta(days=7)) == never
    told = step(StepState.ABSENT)
    assert judge(told, HERE, TARGET, now=AT + timedelta(days=7)) == told
    assert judge(told, replace(HERE, announced=NEW), TARGET, now=AT).state is StepState.ANNOUNCED
    assert judge(told, replace(HERE, report=word("trying")), TARGET, now=AT).state is StepState.TRYING


def test_who_said_that_it_is_at_it_and_vanished_is_lost_and_not_absent() -> None:
    gone = replace(HERE, is_present=False, presence_since=AT, report=word("fetching"))
    now = AT + LOST_AFTER
    lost = judge(judge(step(), gone, TARGET, now=now), gone, TARGET, now=now)
    assert (lost.state, lost.reason) == (StepState.FAILED, StepReason.LOST)


def test_what_was_broken_before_counts_for_nothing_and_what_heals_neither() -> None:
    watched = step(StepState.ANNOUNCED, announced_at=AT, session=SESSION, degraded_before=frozenset({"cam:slow"}))
    well = replace(HERE, announced=NEW, health_at=AT + TARGET.soak, degraded=frozenset({"cam:slow"}))
    assert judge(watched, well, TARGET, now=AT + TARGET.soak).state is StepState.DONE
    ill = replace(well, degraded=frozenset({"cam:slow", "pile:no_link"}))
    noticed = judge(watched, ill, TARGET, now=AT + timedelta(minutes=1))
    assert (noticed.state, noticed.ill_since) == (StepState.ANNOUNCED, AT + timedelta(minutes=1))
    assert judge(noticed, well, TARGET, now=AT + timedelta(minutes=2)).ill_since is None
    failed = judge(noticed, ill, TARGET, now=AT + timedelta(minutes=1) + ILL_FOR)
    assert (failed.state, failed.reason, failed.detail) == (StepState.FAILED, StepReason.DEGRADED, "pile:no_link")


def test_what_breaks_before_a_node_begins_to_try_is_not_held_against_the_new() -> None:
    broken = replace(HERE, degraded=frozenset({"cam:slow"}))
    waits = judge(step(), broken, TARGET, now=AT)
    assert (waits.state, waits.degraded_before) == (StepState.OFFERED, broken.degraded)
    fetches = judge(step(), replace(broken, report=word("fetching")), TARGET, now=AT)
    assert (fetches.state, fetches.degraded_before) == (StepState.FETCHING, broken.degraded)
    healed = judge(fetches, replace(HERE, report=word("fetching")), TARGET, now=AT)
    assert healed.degraded_before == frozenset()
    tries = judge(healed, replace(broken, report=word("trying")), TARGET, now=AT)
    assert (tries.state, tries.degraded_before) == (StepState.TRYING, frozenset())
    applied = judge(healed, replace(broken, report=word("applied")), TARGET, now=AT)
    assert applied.degraded_before == frozenset()


def test_without_a_word_on_its_health_nobody_is_done() -> None:
    watched = step(StepState.ANNOUNCED, announced_at=AT, session=SESSION)
    silent = replace(HERE, announced=NEW, health_at=AT - timedelta(seconds=1))
    soaked = judge(watched, silent, replace(TARGET, soak=timedelta(0)), now=AT + timedelta(minutes=1))
    assert soaked.state is StepState.ANNOUNCED
    noticed = judge(watched, silent, TARGET, now=AT + HEALTH_WITHIN + timedelta(seconds=1))
    failed = judge(noticed, silent, TARGET, now=AT + HEALTH_WITHIN + ILL_FOR + timedelta(seconds=1))
    assert (failed.state, failed.reason) == (StepState.FAILED, StepReason.SILENT)


def test_going_back_is_over_only_when_the_node_has_heard_of_it() -> None:
    back = step(StepState.REVERTING)
    assert judge(back, HERE, TARGET, now=AT) == back
    assert judge(back, replace(HERE, report=word("applied")), TARGET, now=AT).state is StepState.REVERTED
    assert judge(replace(back, was_sent=False), HERE, TARGET, now=AT).state is StepState.REVERTED
    stuck = judge(back, replace(HERE, announced=NEW, report=word("failed", "no_room")), TARGET, now=AT)
    assert (stuck.state, stuck.reason) == (StepState.STUCK, "no_room")
    assert judge(stuck, replace(HERE, report=word("applied")), TARGET, now=AT).state is StepState.REVERTED


def test_what_is_offered_depends_on_what_runs() -> None:
    pending = step(StepState.PENDING, order=None, previous=None, sent_at=None, was_sent=False)

    def offer(
        announced: Announced | None, *, may_lower: bool = False, is_present: bool = True, has_begun: bool = False
    ) -> Step:
        seen = replace(HERE, announced=announced, is_present=is_present)
        return offered(pending, seen, TARGET, may_lower=may_lower, has_begun=has_begun, now=AT)

    assert offer(OLD).state is StepState.OFFERED
    assert offer(OLD).previous == OLD
    assert offer(None).state is StepState.OFFERED
    assert offer(OLD, is_present=False).state is StepState.ABSENT
    assert offer(NEW).reason == StepReason.ALREADY
    newer = Announced("2.0.0-rc.1", "c" * 64)
    assert offer(newer).reason == StepReason.NEWER
    assert offer(newer, has_begun=True).reason == offer(NEW, has_begun=True).reason == StepReason.MEANWHILE
    assert offer(newer, has_begun=True).detail == newer.version
    assert offer(newer, may_lower=True).state is StepState.OFFERED
    assert offer(Announced("built by hand", "c" * 64)).state is StepState.OFFERED
