"""Average precision as COCO defines it (Lin et al., "Microsoft COCO", 2014): the mean precision at 101 points of recall. Pure.

Boxes are (n, 4) left, top, right, bottom in any unit, the same for both sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

OVERLAPS: Final = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""The overlaps at which AP50–95 is the mean of."""
_RECALLS: Final = np.linspace(0, 1, 101)
_MOST_FOUND: Final = 100
"""Of one picture and class the surest so many count, as in COCO."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One picture and one class: what is there and what was found. `ignored` marks things of `truth` that are neither to be found nor
    wrong to be found (n,), a size other than the one asked for, say.
    """

    truth: NDArray[np.float32]
    found: NDArray[np.float32]
    scores: NDArray[np.float32]
    ignored: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """Precision and recall as the least score falls: (n,) each, surest first. `things` is how many there were to find."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    scores: NDArray[np.float64]
    things: int

    @property
    def average_precision(self) -> float:
        """The mean of the best precision from each of 101 recalls on; NaN when there was nothing to find."""
        if not self.things:
            return float("nan")
        if not len(self.precision):
            return 0.0
        best = np.maximum.accumulate(self.precision[::-1])[::-1]
        places = np.searchsorted(self.recall, _RECALLS, side="left")
        return float(np.where(places < len(best), best[np.minimum(places, len(best) - 1)], 0.0).mean())


def curve(looked: Sequence[Looked], overlap: float) -> Curve:
    """The curve of one class over pictures, at one overlap."""
    scores, right, counted = [], [], []
    things = 0
    for one in looked:
        ignored = np.zeros(len(one.truth), np.bool_) if one.ignored is None else one.ignored
        things += int((~ignored).sum())
        order = np.argsort(-one.scores, kind="stable")[:_MOST_FOUND]
        hit, neither = _matched(one.truth, ignored, one.found[order], overlap)
        scores.append(one.scores[order])
        right.append(hit)
        counted.append(~neither)
    if not scores:
        return Curve(np.empty(0), np.empty(0), np.empty(0), things)
    kept = np.concatenate(counted)
    every = np.concatenate(scores).astype(np.float64)[kept]
    hits = np.concatenate(right)[kept]
    order = np.argsort(-every, kind="stable")
    true = np.cumsum(hits[order])
    found = np.arange(1, len(order) + 1)
    return Curve(true / found, true / max(things, 1), every[order], things)


def _matched(
    truth: NDArray[np.float32], ignored: NDArray[np.bool_], found: NDArray[np.float32], overlap: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of the found boxes (surest first) are right, and which are neither right nor wrong."""
    hit, neither = np.zeros(len(found), np.bool_), np.zeros(len(found), np.bool_)
    if not len(truth) or not len(found):
        return hit, neither
    overlaps = overlap_of(found, truth)
    free = np.ones(len(truth), np.bool_)
    for index, row in enumerate(overlaps):
        open_row = np.where(free & ~ignored, row, -1.0)
        best = int(open_row.argmax())
        if open_row[best] >= overlap:
            hit[index], free[best] = True, False
        elif ignored.any() and np.where(ignored, row, -1.0).max() >= overlap:
            neither[index] = True
    return hit, neither


def overlap_of(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """Intersection over union of each of the first (n, 4) with each of the second (m, 4): (n, m)."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    common = np.clip(sides, 0, None).prod(-1)
    areas = (a[:, 2:] - a[:, :2]).prod(-1)[:, None] + (b[:, 2:] - b[:, :2]).prod(-1)[None]
    return np.asarray(common / np.maximum(areas - common, 1e-12))


def mean_over_overlaps(looked: Sequence[Looked]) -> float:
    """AP50–95."""
    return float(np.mean([curve(looked, overlap).average_precision for overlap in OVERLAPS]))
