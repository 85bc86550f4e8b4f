"""The figures as pictures: AP50 by class and model, by size, and curves of precision over recall. Needs the development environment."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from models.datasets.labels import LABELS, Label
from models.evaluation.accuracy import ALL, FEW, Row
from models.evaluation.report import Report
from models.evaluation.sizes import Size

BY_CLASS, BY_SIZE, CURVES = "ap50_by_class.png", "ap50_by_size.png", "precision_recall.png"

_COLOURS: Final = ("#1f6f8b", "#d98e04", "#7a9a3a", "#b3261e", "#6b4e9b", "#777777")
_DOTS_PER_INCH: Final = 80
_BAR_SPACE: Final = 0.84


def drawn(report: Report, folder: Path) -> list[Path]:
    """Write the pictures; nothing where there is nothing to show. Raises OSError."""
    rows = [row for row in report.rows if row.over == ALL]
    if not rows:
        return []
    models = [weights.id for weights in report.models if any(row.model == weights.id for row in rows)]
    colours = {model: _COLOURS[place % len(_COLOURS)] for place, model in enumerate(models)}
    paths = []
    for name, figure in (
        (BY_CLASS, _by_class(rows, colours)),
        (BY_SIZE, _by_size(rows, colours)),
        (CURVES, _curves(rows, colours)),
    ):
        figure.legend(
            handles=[mpl.patches.Patch(color=colour, label=model) for model, colour in colours.items()],
            loc="outside upper center",
            ncols=3,
            frameon=False,
            fontsize=8,
        )
        figure.savefig(folder / name, dpi=_DOTS_PER_INCH, metadata={"Software": None})
        paths.append(folder / name)
    return paths


def _shown(rows: Sequence[Row]) -> list[Label]:
    return [label for label in LABELS if any(row.label is label for row in rows)]


def _by_class(rows: Sequence[Row], colours: dict[str, str]) -> Figure:
    """Bars with their intervals; pale where there are few boxes."""
    labels = _shown(rows)
    figure = Figure(figsize=(1.6 + 1.1 * len(labels), 3.6), layout="constrained")
    axes = figure.add_subplot()
    for row in rows:
        place = _place(labels.index(row.label), list(colours).index(row.model), len(colours))
        value = row.ap50 or 0.0
        low, high = row.interval or (value, value)
        errors = np.array([[max(value - low, 0)], [max(high - value, 0)]])
        axes.bar(
            place,
            value,
            _BAR_SPACE / len(colours),
            color=colours[row.model],
            alpha=0.45 if row.few else 1,
            yerr=errors if row.interval else None,
            error_kw={"linewidth": 0.8, "ecolor": "#333333"},
        )
    names = [f"{label}\n{max(row.things for row in rows if row.label is label)} boxes" for label in labels]
    axes.set_xticks(range(len(labels)), names, fontsize=8)
    _plain(axes, f"AP50, all sets that label the class; lines: 95 % over clusters; pale: fewer than {FEW} boxes")
    return figure


def _by_size(rows: Sequence[Row], colours: dict[str, str]) -> Figure:
    labels = _shown(rows)
    figure = Figure(figsize=(1.6 + 1.1 * len(labels), 6.4), layout="constrained")
    for number, size in enumerate(Size, start=1):
        axes = figure.add_subplot(len(Size), 1, number)
        for row in rows:
            place = _place(labels.index(row.label), list(colours).index(row.model), len(colours))
            of = row.sizes[size]
            pale = 0.45 if of.things < FEW else 1
            axes.bar(place, of.ap50 or 0.0, _BAR_SPACE / len(colours), color=colours[row.model], alpha=pale)
        names = [
            f"{label}\n{max(row.sizes[size].things for row in rows if row.label is label)} boxes" for label in labels
        ]
        axes.set_xticks(range(len(labels)), names, fontsize=7)
        _plain(axes, f"AP50, {size}; pale: fewer than {FEW} boxes")
    return figure


def _curves(rows: Sequence[Row], colours: dict[str, str]) -> Figure:
    labels = _shown(rows)
    across = min(3, len(labels))
    down = -(-len(labels) // across)
    figure = Figure(figsize=(3.2 * across, 0.6 + 2.5 * down), layout="constrained")
    recalls = np.linspace(0, 1, 101)
    for number, label in enumerate(labels, start=1):
        axes = figure.add_subplot(down, across, number)
        for row in (row for row in rows if row.label is label):
            axes.plot(recalls, row.precisions, color=colours[row.model], linewidth=1.2)
            if row.best is not None:
                axes.plot(row.best.recall, row.best.precision, "o", markersize=4, color=colours[row.model])
                axes.annotate(
                    f"{row.best.score:.2f}", (row.best.recall, row.best.precision), fontsize=6, xytext=(3, 3),
                    textcoords="offset points",
                )  # fmt: skip
        axes.set_xlim(0, 1)
        axes.set_xlabel("recall", fontsize=7)
        _plain(axes, f"{label}: precision; dot: best F1 and its score")
    return figure


def _place(group: int, of_group: int, count: int) -> float:
    return group + (of_group - (count - 1) / 2) * _BAR_SPACE / count


def _plain(axes: Any, title: str) -> None:
    axes.set_title(title, fontsize=8, loc="left")
    axes.set_ylim(0, 1.02)
    axes.tick_params(labelsize=7)
    axes.grid(axis="y", color="#eeeeee")
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
