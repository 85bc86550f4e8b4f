"""Ranking, spells, popularity: what they come to, also of very little."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.errors import Invalid
from cloud.figures.counting import Counted, Key, above, applied, carried_up, changes, tallied, topmost
from cloud.figures.definitions import BY_NAME, FIGURES, value_of
from cloud.figures.popularity import Footfall, Unranked, index_of
from cloud.figures.quiet import Spell, spell, without_any
from cloud.figures.ranking import MEASURES, USUAL_WEIGHTS, Ranked, Weights, ranked, same_field
from cloud.figures.tally import Fact, Tally

DAY = date(2026, 3, 17)
tallies = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d", "e"]),
    st.builds(Tally, st.dictionaries(st.sampled_from(Fact), st.integers(1, 40))),
    max_size=5,
)


def test_who_closes_most_and_keeps_his_time_is_first() -> None:
    good = Tally({Fact.CLOSED: 20, Fact.CLOSE_DUE: 20, Fact.CLOSE_ON_TIME: 20})
    late = Tally({Fact.CLOSED: 20, Fact.CLOSE_DUE: 20, Fact.CLOSE_ON_TIME: 5})
    few = Tally({Fact.CLOSED: 9, Fact.CLOSE_DUE: 9, Fact.CLOSE_ON_TIME: 9})
    found = ranked({"late": late, "few": few, "good": good}, USUAL_WEIGHTS)
    assert [(each.code, each.rank) for each in found] == [("good", 1), ("late", 2), ("few", None)]
    assert found[0].score == 100.0
    assert found[2].score is None, "nine cases are chance"


def test_what_is_too_little_for_a_share_counts_nothing() -> None:
    unlucky = Tally(
        {Fact.CLOSED: 20, Fact.CLOSE_DUE: 20, Fact.CLOSE_ON_TIME: 20, Fact.REPORTED_IN_VIEW: 1, Fact.MISSED: 1}
    )
    [found] = ranked({"unlucky": unlucky}, USUAL_WEIGHTS)
    assert found.score == 100.0
    assert {part.measure: (part.value, part.points) for part in found.parts}["missed_rate"] == (1.0, None)


def test_places_change_within_the_same_field() -> None:
    def closing(**cases: int) -> list[Ranked]:
        return ranked({code: Tally({Fact.CLOSED: number}) for code, number in cases.items()}, USUAL_WEIGHTS)

    past, present = closing(gone=60, a=50, b=40, few=1), closing(new=60, few=50, b=40, a=30, gone=2)
    assert same_field(past, present) == ({"a": 1, "b": 2}, {"b": 1, "a": 2})
    assert same_field([], present) == ({}, {})


def test_equal_scores_share_a_rank() -> None:
    same = {Fact.CLOSED: 20}
    found = ranked({"b": Tally(dict(same)), "a": Tally(dict(same)), "c": Tally({Fact.CLOSED: 10})}, USUAL_WEIGHTS)
    assert [(each.code, each.rank) for each in found] == [("a", 1), ("b", 1), ("c", 3)]


@given(tallies=tallies, least=st.integers(1, 30))
def test_a_ranking_holds_together(tallies: dict[str, Tally], least: int) -> None:
    found = ranked(tallies, Weights(USUAL_WEIGHTS.by_measure, least))
    assert {each.code for each in found} == set(tallies)
    scores = [each.score for each in found if each.score is not None]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 100 for score in scores)
    for each in found:
        assert (each.rank is None) == (each.tally.count(Fact.CLOSED) < least)


@pytest.mark.parametrize(
    ("weights", "least"),
    [({}, 10), ({"closed": 0.0}, 10), ({"beauty": 1.0}, 10), ({"closed": -1.0}, 10), ({"closed": 1.0}, 0)],
)
def test_weights_that_are_none(weights: dict[str, float], least: int) -> None:
    with pytest.raises(Invalid):
        Weights.checked(weights, least)


@given(st.dictionaries(st.sampled_from(MEASURES), st.floats(0.001, 1_000), min_size=1))
def test_weights_add_up_to_one(given_weights: dict[str, float]) -> None:
    assert sum(Weights.checked(given_weights, 10).by_measure.values()) == pytest.approx(1.0)


@given(tally=st.builds(Tally, st.dictionaries(st.sampled_from(Fact), st.integers(1, 9))))
def test_every_figure_has_a_value_or_says_that_there_is_none(tally: Tally) -> None:
    for figure in FIGURES:
        value = value_of(figure, tally)
        assert value.value is None or value.value >= 0
        if figure.whole:
            assert (value.value is None) == (value.whole == 0)
            assert 0 <= (value.low or 0) <= (value.value or 0) <= (value.high or 1) <= 1
    assert len(BY_NAME) == len(FIGURES)


def test_spells() -> None:
    assert spell(DAY, on_day=DAY, counted_from=date(2026, 1, 1)) == Spell(0, DAY)
    assert spell(date(2026, 3, 10), on_day=DAY, counted_from=None) == Spell(7, date(2026, 3, 10))
    assert spell(None, on_day=DAY, counted_from=date(2026, 3, 1)) == Spell(17, None)
    assert spell(None, on_day=DAY, counted_from=None) == Spell(0, None)
    assert spell(None, on_day=DAY, counted_from=date(2026, 4, 1)) == Spell(0, None)
    assert without_any(None, date(2026, 3, 1), DAY, None) == DAY
    assert without_any(None, None) is None


@pytest.mark.parametrize(
    ("footfall", "index"),
    [
        (Footfall(0, 0, 0, 0, 0), Unranked.NO_COUNTER),
        (Footfall(1, 0, 0, 500, 28), Unranked.NOT_COUNTED),
        (Footfall(1, 70, 7, 90, 6), Unranked.TOO_LITTLE_BEFORE),
        (Footfall(1, 70, 7, 19, 28), Unranked.TOO_LITTLE_BEFORE),
        (Footfall(2, 70, 7, 140, 28), 200.0),
        (Footfall(2, 0, 7, 140, 28), 0.0),
    ],
)
def test_popularity(footfall: Footfall, index: float | Unranked) -> None:
    assert index_of(footfall) == index


paths = st.sampled_from(["", "1/", "1/2/", "1/2/3/", "1/2/4/", "1/5/", "1/5/6/", "7/"])
facts = st.lists(
    st.builds(
        Counted,
        paths,
        st.sampled_from(["order", "fire"]),
        st.sampled_from(["low", "critical"]),
        st.booleans(),
        st.sampled_from(Fact),
        st.none() | st.integers(0, 9),
        st.integers(1, 5),
    ),
    max_size=12,
)


@given(old=facts, new=facts, touched=st.lists(paths, min_size=1, max_size=4))
def test_what_is_carried_up_is_what_counting_everything_gives(
    old: list[Counted], new: list[Counted], touched: list[str]
) -> None:
    """A day of which only what lies below `touched` has changed."""
    units = topmost(touched)

    def below(each: Counted) -> bool:
        return any(each.area_path.startswith(unit) for unit in units)

    new = [each for each in old if not below(each)] + [each for each in new if below(each)]
    before, after = tallied(old, [""]), tallied(new, [""])
    kept = {key: tally for key, tally in before.items() if any(key.area_path.startswith(unit) for unit in units)}
    changed = changes(kept, tallied([each for each in new if below(each)], units))
    rows = before | applied(kept, changed) | applied(before, carried_up(changed, units))
    assert {key: tally for key, tally in rows.items() if not tally.is_empty} == after


def test_paths() -> None:
    assert list(above("1/2/3/")) == ["", "1/", "1/2/"]
    assert list(above("")) == []
    assert topmost(["1/2/", "1/2/3/", "1/20/", "1/2/"]) == ["1/2/", "1/20/"]
    assert topmost(["1/", ""]) == [""]
    assert Key("1/", "", "", False).at("2/").area_path == "2/"
