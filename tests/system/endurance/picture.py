"""The series as a picture: one small chart each, the first ten minutes shaded, the allowed height as a line."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.system.endurance.measurement import Outcome
from tests.system.endurance.series import TOLERANCE, WINDOW_S, Judgement, Series, Verdict

COLUMNS: Final = 4
_GOOD, _BAD, _TOLD = "#1f6f8b", "#b3261e", "#777777"


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write a picture; its format follows from the name (`.svg`, `.png`)."""
    mpl.rcParams["svg.hashsalt"] = "gridward"
    names = sorted({name for outcome in outcomes for name in outcome.series})
    charts = [(outcome, name) for outcome in outcomes for name in names if name in outcome.series]
    rows = math.ceil(len(charts) / COLUMNS)
    figure = Figure(figsize=(4.2 * COLUMNS, 2.3 * rows), layout="constrained")
    for number, (outcome, name) in enumerate(charts):
        _chart(figure.add_subplot(rows, COLUMNS, number + 1), outcome, name)
    figure.savefig(path, dpi=90)


def _chart(axes: Any, outcome: Outcome, name: str) -> None:
    series, verdict = outcome.series[name], outcome.verdicts[name]
    divisor, unit = (float(1 << 20), "MiB") if series.kind.unit == "bytes" else (1.0, series.kind.unit)
    minutes = [at_s / 60 for at_s in series.at_s]
    axes.axvspan(0, WINDOW_S / 60, color="#eeeeee", zorder=0)
    axes.plot(minutes, [value / divisor for value in series.values], linewidth=1.2, color=_colour(series, verdict))
    if verdict.reference is not None:
        flat = series.kind.judgement is Judgement.FLAT
        axes.axhline(verdict.reference * (1 + TOLERANCE * flat) / divisor, color="#bbbbbb", linestyle="--", linewidth=1)
    axes.set_title(f"{outcome.situation}: {name} ({unit})", fontsize=8, loc="left")
    axes.set_xlabel(f"minutes of load · {verdict.reason}", fontsize=7, loc="left")
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _colour(series: Series, verdict: Verdict) -> str:
    if series.kind.judgement is Judgement.GROWS:
        return _TOLD
    return _GOOD if verdict.passed else _BAD
