"""The tracker on made scenes, whose truth is exact. `tests/benches/tracking.py` measures the same over many more."""

import numpy as np
import pytest

from edge.simulators.scene.scene import random_scene
from edge.simulators.scene.story import Parameters
from tests.benches.scene_feed import CLEAN, FAIR, HZ, POOR, Spoiling, spoilt
from tests.benches.track_scores import Labelled, TrackScores, assigned
from tests.benches.tracking import followed


@pytest.mark.parametrize(
    ("spoiling", "least_mota", "least_idf1"), [(CLEAN, 0.97, 0.97), (FAIR, 0.9, 0.93), (POOR, 0.71, 0.82)], ids=str
)
def test_the_tracker_follows_made_scenes(spoiling: Spoiling, least_mota: float, least_idf1: float) -> None:
    scores = TrackScores()
    for seed in range(4):
        scene = random_scene(seed, Parameters(duration_s=40.0), frame_period_s=1 / HZ)
        followed(spoilt(scene.moments(), spoiling, seed), scores)
    assert scores.true > 2_500
    assert scores.mota >= least_mota, scores
    assert scores.idf1 >= least_idf1, scores


HERE = (0.1, 0.1, 0.2, 0.4)
THERE = (0.6, 0.1, 0.7, 0.4)


def one(number: int, box: tuple[float, float, float, float] = HERE, kind: str = "person") -> Labelled:
    return number, kind, box


def test_what_agrees_has_the_best_scores() -> None:
    scores = TrackScores()
    for _ in range(10):
        scores.take([one(1), one(2, THERE)], [], [one(7), one(8, THERE)])
    scores.end_of_film()
    assert (scores.mota, scores.idf1) == (1.0, 1.0)


def test_what_is_missed_false_and_switched_counts() -> None:
    scores = TrackScores()
    scores.take([one(1)], [], [one(7)])
    scores.take([one(1)], [], [])
    scores.take([one(1)], [], [one(8)])
    scores.take([one(1)], [], [one(8), one(9, THERE)])
    scores.end_of_film()
    assert (scores.missed, scores.false, scores.switches) == (1, 1, 1)
    assert scores.mota == 1 - 3 / 4
    assert scores.idf1 == 2 * 2 / (4 + 4)


def test_another_kind_is_another_thing() -> None:
    scores = TrackScores()
    scores.take([one(1)], [], [one(7, kind="vehicle")])
    scores.end_of_film()
    assert (scores.missed, scores.false) == (1, 1)


def test_what_nobody_asks_for_may_be_followed() -> None:
    scores = TrackScores()
    scores.take([one(1)], [one(2, THERE)], [one(7), one(8, THERE)])
    scores.end_of_film()
    assert scores.mota == 1.0


def test_the_sum_of_an_assignment_is_the_greatest() -> None:
    assert sorted(assigned(np.array([[0.9, 0.8], [0.85, 0.0]]), 0.5)) == [(0, 1), (1, 0)]
    assert assigned(np.zeros((0, 3)), 0.5) == []
