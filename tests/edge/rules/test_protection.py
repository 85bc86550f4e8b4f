"""A stop is asked for until the meter confirms it, and never again after that."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.rules.connector import Connector, Flow, Means
from edge.rules.protection import FIRST_AGAIN_S, Stage, Stop
from tests.fakes.scenes import at

MEANS = Means(confirm_s=30, zero_a=0.2, zero_w=20)


def ordered() -> Stop:
    return Stop(1, at(0)).asked(at(0), "77")


def looked(stop: Stop, time_s: float, flow: Flow) -> Stop:
    return stop.looked(Connector(flow), MEANS, at(time_s), hot=True)


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
    orders_when_confirmed: int | None = None

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
        self.stop = looked(self.stop, self.now, self.flow)
        if self.stop.is_due(at(self.now)):
            self.stop = self.stop.asked(at(self.now))

    def check(self) -> None:
        stop = self.stop
        is_zero = self.newest is not None and self.newest[0] > stop.ordered_at and self.newest[1] <= MEANS.zero_a
        assert (stop.stage is Stage.CONFIRMED) == is_zero
        if stop.stage is Stage.UNCONFIRMED:
            assert self.now >= MEANS.confirm_s or stop.confirmed_at is not None
        if stop.stage is Stage.ORDERED:
            assert at(self.now) - stop.ordered_at < timedelta(seconds=MEANS.confirm_s)
        if stop.confirmed_at is not None:
            self.orders_when_confirmed = self.orders_when_confirmed or stop.attempts
            assert stop.attempts == self.orders_when_confirmed


@hypothesis_settings(max_examples=300, deadline=None)
@given(STEPS)
def test_in_any_order_of_readings_answers_and_restarts(steps: list[tuple[str, float | str, int]]) -> None:
    watched = Watched()
    for step in steps:
        watched.take(*step)
        watched.check()
