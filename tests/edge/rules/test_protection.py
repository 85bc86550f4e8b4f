"""A stop is asked for until the meter confirms it, and after that only for what begins anew."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.rules.connector import Connector, Flow, Means
from edge.rules.protection import FIRST_AGAIN_S, LONGEST_AGAIN_S, MOST_AGAIN, QUIET_S, Stage, Stop
from tests.fakes.scenes import at

MEANS = Means(confirm_s=30, zero_a=0.2, zero_w=20)


def ordered() -> Stop:
    return Stop(1, at(0)).asked(at(0), "77")


def looked(stop: Stop, time_s: float, flow: Flow) -> Stop:
    return stop.looked(Connector(flow), MEANS, at(time_s))


def test_a_zero_that_was_measured_before_the_order_confirms_nothing() -> None:
    flow = Flow().said("current_a", 0.0, at(0))
    assert looked(ordered(), 29, flow).stage is Stage.ORDERED
    assert looked(ordered(), 30, flow).stage is Stage.UNCONFIRMED
    assert looked(ordered(), 5, flow.said("current_a", 0.1, at(1))).stage is Stage.CONFIRMED


def test_current_counts_before_power_and_power_where_there_is_no_ammeter() -> None:
    power = Flow().said("power_w", 5.0, at(2))
    assert looked(ordered(), 5, power).stage is Stage.CONFIRMED
    assert looked(ordered(), 5, power.said("current_a", 16.0, at(2))).stage is Stage.ORDERED


def test_what_the_pile_says_counts_for_nothing() -> None:
    stop = ordered().answered("accepted")
    assert looked(stop, 30, Flow().said("current_a", 16.0, at(29))).stage is Stage.UNCONFIRMED


def test_it_is_asked_again_ever_more_seldom_until_it_is_confirmed() -> None:
    stop, times = Stop(1, at(0)), []
    for second in range(120):
        if stop.is_due(at(second)):
            stop = stop.asked(at(second)).answered("refused: busy")
            times.append(second)
    assert times == [0, 5, 15, 35, 75]
    assert times[1] == FIRST_AGAIN_S


def test_what_flows_again_is_asked_to_stop_with_its_own_time() -> None:
    flow = Flow().said("current_a", 0.0, at(3))
    stop = looked(ordered().answered("accepted"), 3, flow)
    assert not stop.is_needed_again(Connector(flow), MEANS)
    flow = flow.said("current_a", 16.0, at(40))
    assert stop.is_needed_again(Connector(flow), MEANS)
    stop = stop.again(at(40), Connector(flow))
    assert stop.is_due(at(40))
    stop = stop.asked(at(40)).answered("accepted")
    assert looked(stop, 69, flow).stage is Stage.ORDERED
    assert looked(stop, 70, flow).stage is Stage.UNCONFIRMED
    assert looked(stop, 69, flow.said("current_a", 0.0, at(60))).stage is Stage.CONFIRMED


def test_a_charge_that_begins_each_few_seconds_is_worse_and_is_asked_at_a_slow_pace() -> None:
    stop, flow, times, stages = Stop(1, at(0)), Flow(), list[int](), list[Stage]()
    for second in range(600):
        flow = flow.said("current_a", 0.0 if second % 10 >= 5 else 16.0, at(second))
        if stop.is_needed_again(Connector(flow), MEANS):
            stop = stop.again(at(second), Connector(flow))
        stop = looked(stop, second, flow)
        if stop.is_due(at(second)):
            stop = stop.asked(at(second)).answered("accepted")
            times.append(second)
        stages.append(stop.stage)
    assert times[: MOST_AGAIN + 1] == [0, 10, 20, 30]
    assert all(later - before >= LONGEST_AGAIN_S for before, later in pairwise(times[8:]))
    assert len(times) < 20
    assert set(stages[45:]) == {Stage.UNCONFIRMED}, "one incident, not one for each charge"
    assert looked(stop, 595 + QUIET_S - 1, flow).stage is Stage.UNCONFIRMED
    assert looked(stop, 595 + QUIET_S, flow).stage is Stage.CONFIRMED


def test_what_an_older_program_kept_is_read_and_so_is_what_a_newer_one_adds() -> None:
    plain = ordered().plain()
    for name in ("asked_at", "meant_at", "followed", "begun_again", "zero_at"):
        del plain[name]
    assert Stop.of(plain | {"of_a_newer_one": 1}) == ordered().answered("")


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("meter"), st.sampled_from([0.0, 0.1, 16.0]), st.integers(-60, 5)),
        st.tuples(st.just("wait"), st.integers(0, 20), st.just(0)),
        st.tuples(st.just("answer"), st.sampled_from(["accepted", "refused: no", "no answer: gone"]), st.just(0)),
        st.tuples(st.just("restart"), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@dataclass
class Watched:
    """A stop, its meter, and what must hold of both at any time."""

    now: float = 0.0
    flow: Flow = field(default_factory=Flow)
    stop: Stop = field(default_factory=ordered)
    newest: tuple[datetime, float] | None = None
    orders: list[float] = field(default_factory=list)

    def take(self, what: str, value: float | str, offset_s: int) -> None:
        match what, value:
            case "meter", float() as amperes:
                measured = at(self.now + offset_s)
                self.flow = self.flow.said("current_a", amperes, measured)
                if self.newest is None or measured >= self.newest[0]:
                    self.newest = measured, amperes
            case "wait", int() as seconds:
                self.now += seconds
            case "answer", str() as words:
                self.stop = self.stop.answered(words)
            case _:
                self.stop = Stop.of(json.loads(json.dumps(self.stop.plain())))
        known = Connector(self.flow)
        if self.stop.is_needed_again(known, MEANS):
            assert self.newest is not None
            assert self.newest[1] > MEANS.zero_a, "nothing flows"
            self.stop = self.stop.again(at(self.now), known)
        self.stop = looked(self.stop, self.now, self.flow)
        if self.stop.is_due(at(self.now)):
            self.stop = self.stop.asked(at(self.now))
            self.orders.append(self.now)

    def check(self) -> None:
        stop = self.stop
        is_zero = self.newest is not None and self.newest[0] > stop.since and self.newest[1] <= MEANS.zero_a
        if stop.stage is Stage.CONFIRMED:
            assert is_zero
        elif is_zero:
            assert stop.is_restless, "a zero counts at once where charges don't begin again and again"
            assert stop.zero_at is not None
            assert at(self.now) - stop.zero_at < timedelta(seconds=QUIET_S)
        if stop.stage is Stage.UNCONFIRMED:
            assert self.now >= MEANS.confirm_s or stop.is_restless
        if stop.stage is Stage.ORDERED:
            assert at(self.now) - stop.ordered_at < timedelta(seconds=MEANS.confirm_s)
        if stop.stage is not Stage.CONFIRMED and not is_zero:
            assert self.orders or stop.attempts == 1, "an order went out"


@hypothesis_settings(max_examples=300, deadline=None)
@given(STEPS)
def test_in_any_order_of_readings_answers_and_restarts(steps: list[tuple[str, float | str, int]]) -> None:
    watched = Watched()
    for step in steps:
        watched.take(*step)
        watched.check()
