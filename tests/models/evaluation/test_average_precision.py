import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.evaluation.average_precision import (
    OVERLAPS,
    Looked,
    curve,
    matches,
    mean_over_overlaps,
    overlap_of,
)


def boxes(*corners: tuple[float, float, float, float]) -> NDArray[np.float32]:
    return np.array(corners, np.float32).reshape(-1, 4)


def scores(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


HERE, THERE, ELSEWHERE = (0.0, 0.0, 0.2, 0.2), (0.5, 0.5, 0.7, 0.7), (0.0, 0.7, 0.2, 0.9)


def test_all_found_and_nothing_else_is_one() -> None:
    one = Looked(boxes(HERE, THERE), boxes(THERE, HERE), scores(0.9, 0.3))
    assert curve([one], 0.5).average_precision == 1
    assert mean_over_overlaps([one]) == 1


def test_half_found_is_the_share_of_recalls_that_are_reached() -> None:
    one = Looked(boxes(HERE, THERE), boxes(HERE), scores(0.9))
    assert curve([one], 0.5).average_precision == pytest.approx(51 / 101)  # recalls 0, 0.01 … 0.50


def test_a_wrong_box_that_is_surer_halves_the_precision_of_what_comes_after() -> None:
    one = Looked(boxes(HERE), boxes(ELSEWHERE, HERE), scores(0.9, 0.8))
    found = curve([one], 0.5)
    assert found.precision.tolist() == [0, 0.5]
    assert found.recall.tolist() == [0, 1]
    assert found.average_precision == pytest.approx(0.5)


def test_precision_counts_as_good_as_it_gets_later() -> None:
    """Right, wrong, right: two of three; the second recall is reached at 2/3, the first at 1."""
    one = Looked(boxes(HERE, THERE), boxes(HERE, ELSEWHERE, THERE), scores(0.9, 0.8, 0.7))
    assert curve([one], 0.5).average_precision == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)


def test_the_second_box_on_a_thing_is_wrong() -> None:
    one = Looked(boxes(HERE), boxes(HERE, HERE), scores(0.9, 0.8))
    assert matches([one], 0.5).right.tolist() == [True, False]


def test_each_overlap_asks_for_more() -> None:
    """Nine tenths of a box: right from 0.5 to 0.9, wrong at 0.95."""
    one = Looked(boxes((0, 0, 1, 1)), boxes((0, 0, 1, 0.92)), scores(0.9))
    assert [curve([one], overlap).average_precision for overlap in OVERLAPS] == [1.0] * 9 + [0.0]
    assert mean_over_overlaps([one]) == pytest.approx(0.9)


def test_scores_are_ranked_over_all_pictures() -> None:
    right = Looked(boxes(HERE), boxes(HERE), scores(0.4))
    wrong = Looked(boxes(), boxes(HERE), scores(0.6))
    assert curve([right, wrong], 0.5).average_precision == pytest.approx(0.5)


def test_nothing_to_find_has_no_figure_and_nothing_found_is_nought() -> None:
    assert np.isnan(curve([Looked(boxes(), boxes(HERE), scores(0.9))], 0.5).average_precision)
    assert np.isnan(curve([], 0.5).average_precision)
    assert curve([Looked(boxes(HERE), boxes(), scores())], 0.5).average_precision == 0
    assert curve([Looked(boxes(HERE), boxes(), scores())], 0.5).best is None


def test_what_is_ignored_is_neither_right_nor_wrong() -> None:
    ignored = np.array([False, True])
    one = Looked(boxes(HERE, THERE), boxes(THERE, HERE), scores(0.9, 0.8), ignored)
    found = curve([one], 0.5)
    assert (found.things, found.average_precision, len(found.scores)) == (1, 1, 1)


def test_what_is_outside_is_wrong_nowhere_but_right_where_it_fits() -> None:
    outside = np.array([True, True])
    one = Looked(boxes(HERE), boxes(ELSEWHERE, HERE), scores(0.9, 0.8), None, outside)
    assert matches([one], 0.5).right.tolist() == [True]


def test_the_best_point_counts_all_boxes_of_its_score() -> None:
    one = Looked(boxes(HERE, THERE), boxes(HERE, ELSEWHERE, THERE), scores(0.9, 0.5, 0.5))
    best = curve([one], 0.5).best
    assert best is not None
    assert (best.score, best.precision, best.recall) == pytest.approx((0.5, 2 / 3, 1))
    assert best.f1 == pytest.approx(0.8)


def test_copies_of_a_picture_are_what_weights_say() -> None:
    first = Looked(boxes(HERE), boxes(ELSEWHERE, HERE), scores(0.9, 0.8))
    second = Looked(boxes(HERE, THERE), boxes(HERE), scores(0.7))
    weighted = matches([first, second], 0.5).curve(np.array([2, 1], np.intp))
    copied = curve([first, first, second], 0.5)
    assert weighted.average_precision == pytest.approx(copied.average_precision, abs=0.02)
    assert weighted.things == copied.things
    assert matches([first, second], 0.5).curve(np.array([0, 1], np.intp)).things == 2


CORNER = st.tuples(st.floats(0, 0.8), st.floats(0, 0.8), st.floats(0.05, 0.2), st.floats(0.05, 0.2)).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)
SCORE = st.floats(0, 1, width=32)


@st.composite
def looks(draw: st.DrawFn) -> Looked:
    truth = boxes(*draw(st.lists(CORNER, max_size=5)))
    near = [tuple(box) for box in truth.tolist()]
    place = st.one_of(CORNER, st.sampled_from(near)) if near else CORNER
    found = draw(st.lists(st.tuples(place, SCORE), max_size=8))
    ignored = np.array(draw(st.lists(st.booleans(), min_size=len(truth), max_size=len(truth))), np.bool_)
    return Looked(truth, boxes(*[box for box, _ in found]), scores(*[score for _, score in found]), ignored)


@given(st.lists(looks(), min_size=1, max_size=4))
def test_it_is_a_share_and_each_overlap_asks_for_no_less(several: list[Looked]) -> None:
    values = [curve(several, overlap).average_precision for overlap in (0.5, 0.75, 0.95)]
    assert all(np.isnan(values)) or (all(0 <= value <= 1 for value in values))


@given(st.lists(looks(), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_pictures_and_of_boxes_means_nothing(several: list[Looked], random: object) -> None:
    """Of boxes of one score the order decides, as in COCO: hence scores of one kind each."""
    apart = [
        Looked(one.truth, one.found, scores(*[0.01 * n + 0.1 * i for i in range(len(one.found))]), one.ignored)
        for n, one in enumerate(several)
    ]
    order = list(range(len(apart)))
    random.shuffle(order)  # type: ignore[attr-defined]
    turned = [Looked(apart[n].truth, apart[n].found[::-1], apart[n].scores[::-1], apart[n].ignored) for n in order]
    assert curve(turned, 0.5).average_precision == pytest.approx(curve(apart, 0.5).average_precision, nan_ok=True)


@given(st.lists(looks(), min_size=1, max_size=4), CORNER, SCORE)
def test_one_more_right_box_is_never_worse(several: list[Looked], missed: tuple[float, ...], score: float) -> None:
    before = [*several, Looked(boxes(missed), boxes(), scores())]  # type: ignore[arg-type]
    after = [*several, Looked(boxes(missed), boxes(missed), scores(score))]  # type: ignore[arg-type]
    assert curve(after, 0.5).average_precision >= curve(before, 0.5).average_precision - 1e-12


@given(st.lists(looks(), min_size=1, max_size=4))
def test_ignoring_all_leaves_nothing_to_find(several: list[Looked]) -> None:
    none = [Looked(one.truth, one.found, one.scores, np.ones(len(one.truth), np.bool_)) for one in several]
    assert np.isnan(curve(none, 0.5).average_precision)


@given(st.lists(CORNER, max_size=4), st.lists(CORNER, max_size=4))
def test_overlaps_are_shares_and_the_same_both_ways(
    first: list[tuple[float, float, float, float]], second: list[tuple[float, float, float, float]]
) -> None:
    one_way = overlap_of(boxes(*first), boxes(*second))
    assert ((one_way >= 0) & (one_way <= 1 + 1e-9)).all()
    np.testing.assert_allclose(one_way, overlap_of(boxes(*second), boxes(*first)).T)
