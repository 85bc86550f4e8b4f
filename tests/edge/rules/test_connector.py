"""What is known of a connector: the newest word counts, the meter before the pile's own."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.rules.connector import LONGEST_LAG_S, Connector, Lag, Means
from tests.fakes.scenes import at

MEANS = Means(confirm_s=30, zero_a=0.2, zero_w=20)

WORDS = st.one_of(
    st.tuples(st.just("charging"), st.sampled_from(["none", "77", "78"])),
    st.tuples(st.just("status"), st.sampled_from(["available", "charging", "finishing"])),
    st.tuples(st.just("current_a"), st.sampled_from([0.0, 16.0])),
)


def said(*words: tuple[str, float | str, float]) -> Connector:
    connector = Connector()
    for quantity, value, time_s in words:
        connector = connector.said(quantity, value, at(time_s))
    return connector


@given(st.lists(WORDS, max_size=12), st.randoms(use_true_random=False))
def test_in_whatever_order_words_come_the_newest_of_each_counts(
    words: list[tuple[str, float | str]], random: object
) -> None:
    dated = [(quantity, value, float(time_s)) for time_s, (quantity, value) in enumerate(words)]
    mixed = list(dated)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert said(*mixed) == said(*dated)


@given(st.lists(WORDS, max_size=12))
def test_it_is_idle_only_where_that_was_said_and_no_meter_says_otherwise_since(
    words: list[tuple[str, float | str]],
) -> None:
    connector = said(*((quantity, value, float(time_s)) for time_s, (quantity, value) in enumerate(words)))
    if connector.is_idle(MEANS):
        assert connector.charging == "none" or connector.status in {"available", "preparing"}
        assert connector.charge is None
        current = connector.flow.current_a
        since = connector.charging_at or connector.status_at
        assert current is None or since is None or current.value == 0.0 or current.at < since


@pytest.mark.parametrize(
    ("words", "idle"),
    [
        ([], False),
        ([("status", "available", 0)], True),
        ([("status", "finishing", 0)], False),
        ([("status", "preparing", 0)], True),
        ([("charging", "none", 0), ("status", "charging", 0)], False),
        ([("charging", "none", 0), ("status", "finishing", 1)], True),
        ([("charging", "none", 0), ("status", "charging", 1)], False),
        ([("status", "charging", 0), ("charging", "none", 1)], True),
        ([("current_a", 16.0, 0), ("charging", "none", 1)], True),
        ([("charging", "none", 0), ("current_a", 16.0, 1)], False),
        ([("charging", "none", 0), ("power_w", 500.0, 1)], False),
        ([("charging", "none", 0), ("power_w", 5.0, 1)], True),
        ([("charging", "77", 0), ("status", "available", 1)], False),
    ],
)
def test_when_there_is_nothing_to_stop(words: list[tuple[str, float | str, float]], *, idle: bool) -> None:
    assert said(*words).is_idle(MEANS) is idle


def test_a_clock_is_slow_by_what_everything_is_late_by() -> None:
    lag = Lag()
    assert lag.of(own_time=True) == timedelta(0)
    for second in range(3):
        lag.hear(at(second - 40), at(second))
        lag.hear(at(second - 50), at(second))
    assert lag.of(own_time=True) == timedelta(seconds=40)
    assert lag.of(own_time=False) == timedelta(0)
    lag.hear(at(4), at(4))
    assert lag.of(own_time=True) == timedelta(0), "what comes at once shows that the clock is right"
    for second in range(5, 10):
        lag.hear(at(second - 300), at(second))
    assert lag.of(own_time=True) == timedelta(seconds=LONGEST_LAG_S)
