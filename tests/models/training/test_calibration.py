import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.datasets.labels import LABELS, Label
from models.evaluation.average_precision import Matches
from models.training.calibration import FEW, Scale, fitted, fold, scales
from models.training.network import BOX_NUMBERS, Detector, Shape


def drawn(slope: float, offset: float, count: int = 20_000, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and whether they were right, of a detector that needs that slope and that offset."""
    chance = np.random.default_rng(seed)
    logits = chance.normal(-2.0, 1.5, count)
    right = chance.random(count) < 1 / (1 + np.exp(-(slope * logits + offset)))
    return 1 / (1 + np.exp(-logits)), right


def matches_of(scores: np.ndarray, right: np.ndarray) -> Matches:
    order = np.argsort(-scores)
    return Matches(scores[order], right[order], np.zeros(len(scores), np.intp), np.array([int(right.sum())]))


@given(st.floats(0.4, 2.5), st.floats(-2.0, 2.0))
def test_what_scores_lack_is_found(slope: float, offset: float) -> None:
    scale = fitted(*drawn(slope, offset))
    assert scale.slope == pytest.approx(slope, rel=0.15, abs=0.05)
    assert scale.offset == pytest.approx(offset, abs=0.25)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40))
def test_any_scores_give_a_scale_that_keeps_their_order(told: list[tuple[float, bool]]) -> None:
    scale = fitted(np.array([score for score, _ in told]), np.array([right for _, right in told], np.bool_))
    assert np.isfinite([scale.slope, scale.offset]).all()
    assert scale.slope > 0


def test_after_it_six_in_ten_are_right_of_what_has_a_score_of_six_tenths() -> None:
    scores, right = drawn(1.6, 1.2)
    scale = fitted(scores, right)
    told = 1 / (1 + np.exp(-(scale.slope * np.log(scores / (1 - scores)) + scale.offset)))
    around = (told > 0.55) & (told < 0.65)
    assert right[around].mean() == pytest.approx(0.6, abs=0.05)


def test_a_class_that_was_hardly_found_takes_what_fits_all() -> None:
    many, few = drawn(1.5, 1.0), drawn(0.5, -3.0, count=FEW)
    found = {Label.PERSON: matches_of(*many), Label.LITTER: matches_of(*few)}
    by_class = scales(found)
    assert set(by_class) == set(LABELS)
    assert by_class[Label.LITTER] == by_class[Label.BUS] != by_class[Label.PERSON]
    assert by_class[Label.PERSON].slope == pytest.approx(1.5, rel=0.15)
    assert set(scales({}).values()) == {Scale()}


def test_folded_scales_change_the_logits_of_their_class_alone() -> None:
    torch.manual_seed(3)
    network = Detector(len(LABELS), Shape(widths=(8, 8, 16, 16, 16), neck=16)).eval()
    picture = torch.rand(1, 3, 64, 64) * 255
    with torch.no_grad():
        before = network(picture)
        fold(network, {Label.CAR: Scale(2.0, 0.5)})
        after = network(picture)
    car = BOX_NUMBERS + LABELS.index(Label.CAR)
    torch.testing.assert_close(after[..., car], before[..., car] * 2 + 0.5)
    others = [number for number in range(before.shape[-1]) if number != car]
    torch.testing.assert_close(after[..., others], before[..., others])
