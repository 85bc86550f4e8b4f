import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from edge.benches.busy import Trial
from edge.benches.idle import FULL_HD, NOISE, PLAIN, Row
from edge.benches.machine import Machine
from edge.benches.report import Bar, Report, as_plain, as_table

NAMES = [
    "idle_core_share_32",
    "idle_core_share_1080p_each",
    "idle_times_cheaper_1080p",
    "idle_noisy_core_share_32",
    "busy_cameras",
    "busy_p95_ms",
    "busy_recall",
    "baseline_cameras",
    "baseline_p95_ms",
    "baseline_recall",
    "every_frame_cameras",
    "hardware_looks_per_s",
    "times_baseline",
    "recall_of_baseline",
]

MACHINE = Machine(cores=4, cores_used=2, load_before=0.1, processor="a processor")


def row(
    situation: str, gated: float, *, audited: float = 0.01, lost: int = 0, settled: bool = True, kept_up: float = 1.0
) -> Row:
    rest = (0.05, lost, kept_up, 200.0, 300.0)
    return Row(situation, 32, 0.002, gated, audited, 6, 0.08, settled, {"watching: still": 32}, *rest)


def runs(cameras: int, p95_ms: float, found: int = 98, carried: Sequence[bool] = (True, True, True)) -> list[Trial]:
    return [
        Trial(cameras, each, 5.0, p95_ms + number, 40, found, 100, 1.8, 0.1, 120.0, 0, 400.0, 1.0)
        for number, each in enumerate(carried)
    ]


ROWS = [row(PLAIN, 0.0045), row(FULL_HD, 0.012), row(NOISE, 0.02)]
TRIALS = {"node": runs(24, 200.0), "plain": runs(10, 250.0, 99), "every": runs(5, 80.0)}


def report(*, rows: Sequence[Row] | None = None, trials: dict[str, list[Trial]] | None = None) -> Report:
    return Report(MACHINE, "a clip", own_film=False, hardware_looks_per_s=130.0, rows=rows, trials=trials)


def test_the_figures_stand_at_the_top_under_their_names() -> None:
    plain = as_plain(report(rows=ROWS, trials=TRIALS))
    assert list(plain)[: len(NAMES)] == NAMES
    assert [plain[name] for name in NAMES] == [
        0.144, 0.012, 6.67, 0.64, 24, 202.0, 0.98, 10, 252.0, 0.99, 5, 130.0, 2.4, 0.9899,
    ]  # fmt: skip
    assert plain["met"] is True
    assert plain["bound_cameras"] == 26.0
    assert json.loads(json.dumps(plain)) == plain


def test_each_bar_alone_decides() -> None:
    assert report(rows=ROWS, trials=TRIALS).met
    assert not report(rows=[row(PLAIN, 0.0048), *ROWS[1:]]).met
    assert not report(rows=[ROWS[0], row(FULL_HD, 0.0152), ROWS[2]]).met
    assert report(rows=[*ROWS[:2], row(NOISE, 0.05)]).met
    assert not report(trials={**TRIALS, "plain": runs(13, 250.0, 99)}).met
    assert not report(trials={**TRIALS, "node": runs(24, 200.0, 95)}).met
    assert not report(trials={**TRIALS, "node": runs(24, 399.0)}).met


def test_audits_count_as_often_as_they_are_and_not_as_chance_has_it() -> None:
    unaudited, whole = 0.01, 0.08
    for audited in (0.0, 0.01, 0.2):
        measured = unaudited + audited * (whole - unaudited)
        assert row(PLAIN, measured, audited=audited).behind_gate == pytest.approx(
            unaudited + 0.01 * (whole - unaudited)
        )


def test_what_was_not_measured_is_none_and_has_no_bar() -> None:
    plain = as_plain(report(rows=ROWS))
    assert plain["busy_cameras"] is None
    assert plain["times_baseline"] is None
    assert sorted(plain["bars"]) == sorted(NAMES[:3])
    assert plain["met"] is True


def test_a_number_that_was_not_confirmed_is_not_carried() -> None:
    trials = {**TRIALS, "node": [*runs(24, 200.0, carried=(True, False, False)), *runs(21, 200.0)]}
    assert as_plain(report(trials=trials))["busy_cameras"] == 21
    nothing = report(trials={**TRIALS, "plain": runs(1, 900.0, carried=(False,))})
    assert (nothing.figures.baseline_cameras, nothing.figures.times_baseline, nothing.met) == (0, None, False)
    assert nothing.problems == ["plain: no number of cameras was carried"]


def test_lost_cameras_make_a_cheap_figure_worthless() -> None:
    spoilt = report(rows=[row(PLAIN, 0.001, lost=2), *ROWS[1:]])
    assert not spoilt.met
    assert spoilt.problems == ["768x432: 2 cameras were lost meanwhile"]


def test_a_machine_that_does_not_keep_up_has_no_figures() -> None:
    late = report(rows=[ROWS[0], row(FULL_HD, 0.001, kept_up=0.31), ROWS[2]])
    assert not late.met
    assert late.problems == ["1080p: only 31 % of what the cameras sent was taken in: the machine did not keep up"]


def test_what_one_has_to_know_beside_the_figures_is_said() -> None:
    assert report(rows=ROWS).warnings == []
    busy_before = replace(report(rows=ROWS), machine=replace(MACHINE, load_before=2.1, cores_used=4), own_film=True)
    said = busy_before.warnings
    assert len(said) == 3
    assert "busy before the start (load 2.1 on 4 cores)" in said[0]
    assert as_plain(busy_before)["machine"]["loaded"] is True
    assert "had learnt" in report(rows=[row(PLAIN, 0.004, settled=False)]).warnings[0]


def test_the_table_says_each_figure_with_its_bar_and_every_trial() -> None:
    lines = as_table(report(rows=ROWS, trials={**TRIALS, "plain": runs(13, 250.0, 99)})).splitlines()
    assert any(line.split() == ["idle_core_share_32", "0.144", "≤", "0.15", "met"] for line in lines)
    assert any(line.split() == ["times_baseline", "1.85", "≥", "2", "NOT", "MET"] for line in lines)
    assert sum(" cameras: " in line and line.startswith(("node ", "plain ", "every ")) for line in lines) == 9
    assert lines[-1] == "not all bars are met"


def test_a_figure_that_is_not_there_meets_no_bar() -> None:
    assert not Bar(most=1.0).met_by(None)
    assert Bar(most=1.0).met_by(1.0)
    assert Bar(least=2.0).met_by(2.0)
    assert not Bar(least=2.0).met_by(1.99)
