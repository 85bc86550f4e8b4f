"""How well tracks follow what is true: MOTA and IDF1.

Bernardin & Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics" (2008): a pair of the moment before stays
one while it overlaps, the rest is assigned anew; what is missed, false or changed its identity counts against. Ristani et al.,
"Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking" (2016): each true thing has one track for the whole film, so
that most of its moments agree. What is too small or too hidden to be asked for may be followed and need not be.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import lap
import numpy as np

from edge.flow import Box
from edge.geometry import intersection_over_union

OVERLAP: Final = 0.5

Labelled = tuple[int, str, Box]
"""Identity, kind and box."""


@dataclass(slots=True)
class TrackScores:
    """Counts over any number of films; identities of each film have to be its own."""

    true: int = 0
    told: int = 0
    missed: int = 0
    false: int = 0
    switches: int = 0
    _pairs: Counter[tuple[int, int]] = field(default_factory=Counter)
    _before: dict[int, int] = field(default_factory=dict)
    _identity_hits: int = 0

    def take(self, true: Sequence[Labelled], unasked: Sequence[Labelled], told: Sequence[Labelled]) -> None:
        """One moment: what there is, what there is and nobody asks for, and what is followed."""
        fits = _fits(true, told)
        pairs: dict[int, int] = {}
        for row, (number, _, _) in enumerate(true):
            before = self._before.get(number)
            for column, (track, _, _) in enumerate(told):
                if track == before and fits[row, column] >= OVERLAP:
                    pairs[row] = column
        taken = set(pairs.values())
        rows = [row for row in range(len(true)) if row not in pairs]
        columns = [column for column in range(len(told)) if column not in taken]
        pairs |= {rows[row]: columns[column] for row, column in assigned(fits[np.ix_(rows, columns)], OVERLAP)}
        for row, column in pairs.items():
            number, track = true[row][0], told[column][0]
            if self._before.get(number, track) != track:
                self.switches += 1
            self._before[number] = track
            self._pairs[number, track] += 1
        free = [told[column] for column in range(len(told)) if column not in set(pairs.values())]
        spared = _fits(unasked, free)
        excused = int((spared >= OVERLAP / 2).any(axis=0).sum()) if len(unasked) and free else 0
        self.true += len(true)
        self.told += len(told) - excused
        self.missed += len(true) - len(pairs)
        self.false += len(free) - excused

    def end_of_film(self) -> None:
        """What comes now is another film."""
        numbers = sorted({number for number, _ in self._pairs})
        tracks = sorted({track for _, track in self._pairs})
        together = np.zeros((len(numbers), len(tracks)))
        for (number, track), count in self._pairs.items():
            together[numbers.index(number), tracks.index(track)] = count
        most = max(together.max(initial=0.0), 1.0)
        self._identity_hits += sum(int(together[row, column]) for row, column in assigned(together / most, 1e-9))
        self._pairs.clear()
        self._before.clear()

    @property
    def mota(self) -> float:
        """1 where nothing is missed, false or another than before; may be negative."""
        return 1 - (self.missed + self.false + self.switches) / max(self.true, 1)

    @property
    def idf1(self) -> float:
        """Which share of the moments has the identity that suits the whole film best."""
        return 2 * self._identity_hits / max(self.true + self.told, 1)


def _fits(first: Sequence[Labelled], second: Sequence[Labelled]) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    boxes, others = (np.array([box for _, _, box in each], np.float32).reshape(-1, 4) for each in (first, second))
    same = np.array([[one == other for _, other, _ in second] for _, one, _ in first], bool).reshape(
        len(first), len(second)
    )
    if not len(first) or not len(second):
        return np.zeros((len(first), len(second)))
    return np.where(same, intersection_over_union(boxes, others), 0.0).astype(np.float64)


def assigned(fits: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", least: float) -> list[tuple[int, int]]:
    """The pairs (row, column) whose fits, 0–1, have the greatest sum, each at least `least`."""
    if not fits.size:
        return []
    cost = np.where(fits >= least, 1.0 - fits, 2.0)
    _, columns, _ = lap.lapjv(cost, extend_cost=True, cost_limit=2.0)
    return [(row, int(column)) for row, column in enumerate(columns) if column >= 0 and fits[row, column] >= least]
