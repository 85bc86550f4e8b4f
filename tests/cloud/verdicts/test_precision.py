"""Shares with their intervals, and cells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.verdicts.model import Verdict
from cloud.verdicts.precision import FEW, Place, Share, Tally, cells, dominant


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    # Wilson's interval as in L. D. Brown and others, Interval Estimation for a Binomial Proportion (2001)
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_wilson(part: int, whole: int, low: float, high: float) -> None:
    share = Share.of(part, whole)
    assert share.low == pytest.approx(low, abs=5e-4)
    assert share.high == pytest.approx(high, abs=5e-4)


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_holds_its_share_and_stays_within_0_and_1(one: int, other: int) -> None:
    share = Share.of(min(one, other), max(one, other))
    value = share.value
    assert 0.0 <= share.low <= (0.5 if value is None else value) <= share.high <= 1.0
    assert share.is_few is (share.whole < FEW)


@given(st.integers(0, 50), st.integers(1, 50))
def test_more_of_the_same_says_more(part: int, more: int) -> None:
    few, many = Share.of(part, part + more), Share.of(part * 4, (part + more) * 4)
    assert many.high - many.low < few.high - few.low


def test_of_nothing_nothing_is_known() -> None:
    assert Share.of(0, 0) == Share(0, 0, 0.0, 1.0)
    assert Share.of(0, 0).value is None


def tally(verdict: Verdict, judgements: int, *, device: str = "gate", reason: str | None = None) -> Tally:
    return Tally(Place(node="n", device=device), verdict, reason, judgements, judgements * 3)


def test_cells() -> None:
    found = cells(
        [
            tally(Verdict.TRUE, 3),
            tally(Verdict.DUPLICATE, 2),
            tally(Verdict.FALSE_ALARM, 4, reason="weather"),
            tally(Verdict.FALSE_ALARM, 1, reason="animal"),
            tally(Verdict.UNSURE, 7),
            tally(Verdict.TEST, 1, reason="test"),
            tally(Verdict.TRUE, 40, device="yard"),
        ]
    )
    assert [each.place.device for each in found] == ["yard", "gate"]
    gate = found[1]
    assert (gate.precision.part, gate.precision.whole) == (5, 10)
    assert gate.reasons == {"weather": 4, "animal": 1, "test": 1}
    assert gate.incidents == 54
    assert dominant({"weather": 4, "animal": 1}) == ("weather", Share.of(4, 5))
    assert dominant({}) is None
