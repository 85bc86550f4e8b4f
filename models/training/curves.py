"""The curves of a run as a picture: losses, and AP50 of each class on the validation part, over the epochs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from models.datasets.labels import LABELS
from models.training.run import LOG

CURVES: Final = "curves.png"
_COLOURS: Final = ("#1f6f8b", "#d98e04", "#7a9a3a", "#b3261e", "#6b4e9b", "#777777", "#c46ba0", "#3b3b3b", "#00a087")
_DOTS_PER_INCH: Final = 90


def epochs_of(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log that tell of an epoch, each epoch once, as it was told last. A line that was cut off tells of none."""
    told: dict[int, dict[str, Any]] = {}
    log = folder / LOG
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
        try:
            content = json.loads(line)
        except ValueError:
            continue
        if isinstance(content, dict) and isinstance(content.get("epoch"), int):
            told[content["epoch"]] = content
    return [told[epoch] for epoch in sorted(told)]


def draw(folder: Path) -> Path | None:
    """Write the picture into the run's folder; None where the log tells of no epoch yet."""
    epochs = epochs_of(folder)
    if not epochs:
        return None
    figure = Figure(figsize=(11, 4), layout="constrained")
    losses, precisions = figure.subplots(1, 2)
    places = [epoch["epoch"] for epoch in epochs]
    for name, colour in (("class_loss", _COLOURS[0]), ("box_loss", _COLOURS[1])):
        values = [epoch[name] for epoch in epochs]
        losses.plot(
            places,
            [value / (values[0] or 1.0) for value in values],
            color=colour,
            label=f"{name}, {values[0]:.2f} at first",
        )
    for epoch, before in zip(epochs[1:], epochs, strict=False):
        if epoch["size"] != before["size"]:
            losses.axvline(epoch["epoch"] - 0.5, color="#cccccc", linewidth=0.8)
            losses.annotate(f"{epoch['size']} px", (epoch["epoch"], 1.0), fontsize=7)
    looked = [epoch for epoch in epochs if "ap50" in epoch]
    for label, colour in zip(LABELS, _COLOURS, strict=True):
        of_label = [(epoch["epoch"], epoch["ap50"][label]) for epoch in looked if label in epoch["ap50"]]
        if of_label:
            precisions.plot(*zip(*of_label, strict=True), color=colour, marker=".", linewidth=1, label=str(label))
    _plain(losses, "losses, as shares of those of the first epoch")
    _plain(precisions, "AP50 on the validation part")
    path = folder / CURVES
    figure.savefig(path, dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return path


def last_precisions(epochs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """AP50 by class, as it was looked at last."""
    return next((epoch["ap50"] for epoch in reversed(epochs) if "ap50" in epoch), {})


def _plain(axes: Any, title: str) -> None:
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlabel("epoch", fontsize=8)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=7)
    axes.grid(axis="y", color="#eeeeee")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
