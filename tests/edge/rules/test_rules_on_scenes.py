"""Rules on made scenes, whose truth is exact. `tests/benches/scene_rules.py` measures the same over many more."""

from pathlib import Path

import numpy as np
import pytest

from edge.contract.incident import IncidentState, Severity
from edge.flow import Finding
from edge.geometry import contains
from tests.benches.scene_expectations import Wanted, inside_by, spells
from tests.benches.scene_feed import CLEAN
from tests.benches.scene_rules import RULES, Told, all_scores, compared
from tests.benches.scene_score import KeptScores, Score
from tests.fakes.scenes import at

LEAST = 0.9
"""Of few scenes: one mistake among ten findings is no news, two are."""


def test_rules_tell_what_happens_and_nothing_else() -> None:
    scores = all_scores(30, 25.0, CLEAN)
    assert set(scores) == {rule["kind"] for rule in RULES}
    for kind, score in scores.items():
        assert score.recall is None or score.recall >= LEAST, (kind, score)
        assert score.precision is None or score.precision >= LEAST, (kind, score)
    assert sum(score.wanted > 0 for score in scores.values()) >= 7
    assert sum(score.wanted for score in scores.values()) > 120


def test_a_rule_that_tells_nothing_of_what_happened_is_not_good() -> None:
    assert not Score(wanted=100, told=0, wrong=50).is_good
    assert not Score(wanted=100, told=100, right=90, wrong=10).is_good
    assert Score(wanted=100, told=98, right=98, wrong=1).is_good
    assert Score().is_good


def test_what_was_told_already_is_right_and_told_again() -> None:
    def finding(begin_s: float, *tracks: int) -> Finding:
        return Finding(
            key=str(begin_s),
            state=IncidentState.OPEN,
            rule="r",
            kind="two_wheeler",
            category="public_order",
            severity=Severity.MEDIUM,
            device="cam",
            started_at=at(begin_s),
            at=at(begin_s),
            track_ids=tracks,
        )

    row = [Wanted("two_wheeler", 5.0, 30.0, sure=True, ids=frozenset({number})) for number in (1, 2, 3)]
    told = Told([finding(9.0, 11), finding(6.0, 11, 12), finding(8.0, 13), finding(12.0, 14)])
    for track, thing in ((11, 1), (12, 2), (13, 3)):
        told.seen_as[track][thing] = 5
    score = compared("two_wheeler", row, told, 0)
    assert (score.told, score.right, score.again, score.wrong) == (3, 3, 1, 1)


def test_a_bench_that_broke_off_goes_on_where_it_was(tmp_path: Path) -> None:
    path, made = tmp_path / "kept.jsonl", {"seconds": 5.0, "fed": "clean"}
    first = KeptScores(path, made)
    first.add(0, {"litter": Score(wanted=2, told=1, examples=["scene 0"])})
    first.add(1, {"litter": Score(wanted=1, told=1)})
    path.write_text(path.read_text() + '{"seed": 2, "rules": {"lit')
    again = KeptScores(path, made)
    assert set(again.by_seed) == {0, 1}
    again.add(2, {"crowd": Score(right=1)})
    total = KeptScores(path, made).total(range(3))
    assert total == {"crowd": Score(right=1), "litter": Score(wanted=3, told=2, examples=["scene 0"])}
    with pytest.raises(ValueError, match="made in another way"):
        KeptScores(path, {**made, "fed": "poor"})


def test_spells_are_parted_by_gaps() -> None:
    assert list(spells([0.0, 0.2, 0.4, 2.0, 2.2], 0.5)) == [(0.0, 0.4), (2.0, 2.2)]
    assert list(spells([], 0.5)) == []


@pytest.mark.parametrize("seed", range(3))
def test_inside_agrees_with_the_polygon(seed: int) -> None:
    polygon = ((0.1, 0.2), (0.8, 0.1), (0.9, 0.7), (0.3, 0.9))
    points = np.random.default_rng(seed).uniform(0.01, 0.99, (200, 2))
    inside = inside_by(polygon, points) > 0
    assert inside.tolist() == [contains(polygon, (float(x), float(y))) for x, y in points]


def test_the_edge_of_the_picture_is_no_edge_of_a_zone() -> None:
    floor = ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0))
    assert inside_by(floor, np.array([[0.5, 1.0]]))[0] == pytest.approx(0.5, abs=1e-3)
