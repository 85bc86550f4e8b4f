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
    wrong to be found (n,), a size other than the one asked for, say; `outside` marks found boxes that are not wrong where they fit nothing.
    """

    truth: NDArray[np.float32]
    found: NDArray[np.float32]
    scores: NDArray[np.float32]
    ignored: NDArray[np.bool_] | None = None
    outside: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """What there is when everything from `score` on counts."""

    score: float
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


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
        return float(self.best_precisions.mean())

    @property
    def best_precisions(self) -> NDArray[np.float64]:
        """The best precision from each of 101 recalls (0, 0.01 … 1) on."""
        if not len(self.precision):
            return np.zeros(len(_RECALLS))
        best = np.maximum.accumulate(self.precision[::-1])[::-1]
        places = np.searchsorted(self.recall, _RECALLS, side="left")
        return np.where(places < len(best), best[np.minimum(places, len(best) - 1)], 0.0)

    @property
    def best(self) -> Point | None:
        """Where F1 is highest; None when nothing was found or nothing was there. Boxes of one score count together."""
        if not len(self.scores) or not self.things:
            return None
        last = np.flatnonzero(np.append(self.scores[1:] < self.scores[:-1], True))
        both = np.maximum(self.precision[last] + self.recall[last], 1e-12)
        index = int(last[(self.precision[last] * self.recall[last] / both).argmax()])
        return Point(float(self.scores[index]), float(self.precision[index]), float(self.recall[index]))


@dataclass(frozen=True, slots=True)
class Matches:
    """The boxes found of one class, surest first, without those that are neither right nor wrong: `scores` and `right` (n,), `pictures` (n,)
    the numbers of their pictures; `things` (pictures,) how many there were to find in each.
    """

    scores: NDArray[np.float64]
    right: NDArray[np.bool_]
    pictures: NDArray[np.intp]
    things: NDArray[np.intp]

    def curve(self, weights: NDArray[np.intp] | None = None) -> Curve:
        """The curve; with `weights` (pictures,) that of as many copies of each picture."""
        if weights is None:
            weights = np.ones(len(self.things), np.intp)
        copies = weights[self.pictures]
        there = copies > 0
        copies, right = copies[there], self.right[there]
        things = int((weights * self.things).sum())
        true = np.cumsum(copies * right)
        return Curve(true / np.cumsum(copies), true / max(things, 1), self.scores[there], things)

    def from_score(self, least: float) -> "Matches":
        """Those that are at least so sure."""
        kept = self.scores >= least
        return Matches(self.scores[kept], self.right[kept], self.pictures[kept], self.things)


def matches(looked: Sequence[Looked], overlap: float) -> Matches:
    """Which boxes are right at one overlap: surest first, each takes the thing that it fits best of those that are left."""
    scores, right, pictures = [], [], []
    things = np.zeros(len(looked), np.intp)
    for number, one in enumerate(looked):
        ignored = np.zeros(len(one.truth), np.bool_) if one.ignored is None else one.ignored
        outside = np.zeros(len(one.found), np.bool_) if one.outside is None else one.outside
        things[number] = int((~ignored).sum())
        order = np.argsort(-one.scores, kind="stable")[:_MOST_FOUND]
        hit, neither = matched(one.truth, ignored, one.found[order], overlap)
        counted = hit | ~(neither | outside[order])
        scores.append(one.scores[order][counted].astype(np.float64))
        right.append(hit[counted])
        pictures.append(np.full(int(counted.sum()), number, np.intp))
    if not scores:
        return Matches(np.empty(0), np.empty(0, np.bool_), np.empty(0, np.intp), things)
    every = np.concatenate(scores)
    surest = np.argsort(-every, kind="stable")
    return Matches(every[surest], np.concatenate(right)[surest], np.concatenate(pictures)[surest], things)


def curve(looked: Sequence[Looked], overlap: float) -> Curve:
    """The curve of one class over pictures, at one overlap."""
    return matches(looked, overlap).curve()


def matched(
    truth: NDArray[np.float32], ignored: NDArray[np.bool_], found: NDArray[np.float32], overlap: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of the found boxes (surest first) are right, and which are neither right nor wrong."""
    hit, neither = np.zeros(len(found), np.bool_), np.zeros(len(found), np.bool_)
    if not len(truth) or not len(found):
        return hit, neither
    overlaps = overlap_of(found, truth)
    free = np.ones(len(truth), np.bool_)
    for index in np.flatnonzero(overlaps.max(axis=1) >= overlap):
        row = overlaps[index]
        open_row = np.where(free & ~ignored, row, -1.0)
        best = int(open_row.argmax())
        if open_row[best] >= overlap:
            hit[index], free[best] = True, False
        elif np.where(ignored, row, -1.0).max() >= overlap:
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
