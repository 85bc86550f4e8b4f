"""Rules on made scenes, whose truth is exact. `tests/benches/scene_rules.py` measures the same over many more."""

from collections import defaultdict
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.incident import IncidentState, Severity
from edge.flow import Finding, Scene
from edge.geometry import contains
from edge.perception.tracker import Tracker
from edge.rules.registry import scene_rule
from edge.simulators.scene.scene import random_scene
from tests.benches.scene_expectations import Wanted, inside_by, spells
from tests.benches.scene_feed import CLEAN, HZ, moment_at, spoilt
from tests.benches.scene_rules import BUSY, RULES, SIZE, Told, all_scores, camera_of, compared, look_of
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


def found_in(seed: int) -> list[Finding]:
    """All that the rules say of a scene of twelve seconds, to its end."""
    scene = random_scene(seed, replace(BUSY, duration_s=12.0), size=SIZE, frame_period_s=1 / HZ)
    camera = camera_of(scene)
    tracker, rules = Tracker(), [scene_rule(settings, camera) for settings in camera.rules]
    told: list[Finding] = []
    last = moment_at(0.0)
    for moment, _, seen in spoilt(scene.moments(), CLEAN, seed):
        last = moment_at(moment.at_s)
        step = tracker.update(last, seen)
        shown = Scene(camera.id, last, step.seen, step.ended, look=look_of(seen))
        told += chain.from_iterable(rule.observe(shown) for rule in rules)
    return told + list(chain.from_iterable(rule.finish(last) for rule in rules))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1 << 20))
def test_in_any_scene_what_opens_opens_once_and_ends_once(seed: int) -> None:
    told = found_in(seed)
    assert told == found_in(seed), "the same scene tells the same"
    by_key: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in told:
        by_key[finding.kind, finding.key].append(finding)
    for key, of_one in by_key.items():
        states = [each.state for each in of_one]
        assert states[0] is IncidentState.OPEN, key
        assert states.count(IncidentState.OPEN) == 1, key
        assert states.count(IncidentState.ENDED) == 1, key
        assert states[-1] is IncidentState.ENDED, key
        assert [each.at for each in of_one] == sorted(each.at for each in of_one), key
        assert all(each.started_at <= each.at for each in of_one), key


def test_a_rule_that_tells_nothing_of_what_happened_is_not_good() -> None:
    assert not Score(wanted=100, told=0, wrong=50).is_good
    assert not Score(wanted=100, told=100, right=90, wrong=10).is_good
    assert Score(wanted=100, told=98, right=98, wrong=1).is_good
    assert Score().is_good


def opened(began_s: float, told_s: float, *tracks: int, over_s: float | None = None) -> list[Finding]:
    finding = Finding(
        key=f"{began_s} {tracks}",
        state=IncidentState.OPEN,
        rule="r",
        kind="two_wheeler",
        category="public_order",
        severity=Severity.MEDIUM,
        device="cam",
        started_at=at(began_s),
        at=at(told_s),
        track_ids=tracks,
    )
    ended = replace(finding, state=IncidentState.ENDED, at=at(over_s or 99.0), ended_at=at(over_s or 99.0))
    return [finding, ended]


def scored(stays: dict[int, tuple[float, float]], *findings: list[Finding]) -> Score:
    """Things 1, 2 … that stay, and findings in the order in which they were told; track 11 is thing 1, 12 is thing 2."""
    wanted = [
        Wanted("two_wheeler", begin_s, end_s, sure=True, ids=frozenset({thing % 10}))
        for thing, (begin_s, end_s) in stays.items()
    ]
    told = Told(list(chain.from_iterable(findings)))
    for thing in stays:
        told.seen_as[10 + thing % 10][thing % 10] = 5
    return compared("two_wheeler", wanted, told, 0)


def test_what_was_told_already_is_right_and_told_again() -> None:
    row = {1: (5.0, 30.0), 2: (5.0, 30.0), 3: (5.0, 30.0)}
    score = scored(row, opened(6, 6, 11, 12), opened(8, 8, 13), opened(9, 9, 11), opened(12, 12, 14))
    assert (score.told, score.right, score.again, score.wrong) == (3, 3, 1, 1)


def test_what_is_told_later_and_began_earlier_is_news() -> None:
    score = scored({1: (5.0, 30.0), 2: (5.0, 30.0)}, opened(6, 9, 11), opened(5, 12, 11, 12))
    assert (score.told, score.right, score.again) == (2, 2, 0)


def test_one_finding_for_each_of_two_stays_that_follow_is_not_told_again() -> None:
    score = scored({1: (5.0, 20.0), 11: (23.0, 40.0)}, opened(5, 5, 11, over_s=20.0), opened(23, 23, 11, over_s=40.0))
    assert (score.told, score.right, score.again) == (2, 2, 0)


def test_who_was_crossed_on_the_way_was_not_told_of() -> None:
    wanted = [Wanted("two_wheeler", 5.0, 30.0, sure=True, ids=frozenset({thing})) for thing in (1, 2)]
    told = Told([*opened(6, 6, 11), *opened(9, 9, 12)])
    told.seen_as[11].update({1: 20, 2: 2})
    told.seen_as[12].update({2: 20})
    told.sights[11] = [(6 + second, 2 if second in {7, 8} else 1) for second in range(22)]
    told.sights[12] = [(9 + second, 2) for second in range(20)]
    assert told.meant(told.findings[0]) == {1}
    assert compared("two_wheeler", wanted, told, 0).again == 0
    told.sights[11] = [(6 + second, 2 if second < 11 else 1) for second in range(22)]
    assert compared("two_wheeler", wanted, told, 0).again == 1, "half of the time it was this one"


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
