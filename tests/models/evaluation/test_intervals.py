import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.average_precision import Looked, Matches, matches
from models.evaluation.intervals import interval_of, numbered, rate_interval

BOX = np.array([[0.1, 0.1, 0.3, 0.3]], np.float32)


def looked(hits: list[bool]) -> Matches:
    """A picture each, with one thing that is found or not."""
    found = BOX + 0.5
    return matches([Looked(BOX, BOX if hit else found, np.array([0.5], np.float32)) for hit in hits], 0.5)


def test_where_all_is_right_the_interval_has_no_width() -> None:
    assert interval_of(looked([True] * 5), np.arange(5), 50) == (1, 1)


def test_pictures_of_one_place_say_less_than_those_of_many() -> None:
    of = looked([True, False] * 20)
    apart = interval_of(of, np.arange(40), 300)
    together = interval_of(of, np.arange(40) % 4, 300)
    assert apart is not None
    assert together is not None
    assert together[1] - together[0] > 1.3 * (apart[1] - apart[0])


def test_one_place_has_no_interval() -> None:
    assert interval_of(looked([True, False]), np.zeros(2, np.intp), 50) is None
    assert interval_of(looked([True, False]), np.array([0, -1]), 50) is None
    assert interval_of(looked([True, False]), np.arange(2), 0) is None


def test_pictures_that_do_not_count_change_nothing() -> None:
    hits = [True, False, True, True]
    alone = interval_of(looked(hits), np.arange(4), 100)
    beside = interval_of(looked([*hits, False, False]), np.array([0, 1, 2, 3, -1, -1]), 100)
    assert alone == beside


@given(st.lists(st.booleans(), min_size=2, max_size=12))
def test_an_interval_is_of_shares_in_order_and_the_same_each_time(hits: list[bool]) -> None:
    low_high = interval_of(looked(hits), np.arange(len(hits)), 30)
    assert low_high is not None
    assert 0 <= low_high[0] <= low_high[1] <= 1
    assert low_high == interval_of(looked(hits), np.arange(len(hits)), 30)


@pytest.mark.parametrize(
    ("events", "low", "high"), [(0, 0, 3.689), (1, 0.0253, 5.572), (5, 1.623, 11.668), (20, 12.217, 30.888)]
)
def test_the_interval_of_a_rate_is_garwoods(events: int, low: float, high: float) -> None:
    assert rate_interval(events) == pytest.approx((low, high), abs=2e-3)


def test_clusters_are_numbered_in_the_order_of_keys() -> None:
    assert numbered([["b", "c"], ["a"]], ["a", "b", "c"]).tolist() == [1, 0, 0]
