"""What was left behind (遗留物): something that was not there before, stands still, and is neither light nor a gap.

About once a second the picture is held against a reference of the place, learnt while nothing happens there. Cells that differ from
it and show the same thing look after look are something new that stands still; together they are a region, and a region is judged:

- Its outline has to have brought edges. Where something was taken away, the edges are in the reference.
- Its inside must not be the reference in another light: a patch of sun or a shadow shows what was there before.

What is neither belongs to the place from then on. Where someone is followed, nothing begins and nothing ends: he hides what is
behind him. Where a vehicle stands, the place is the vehicle's. Who is near, and for how long it has to stay, is the rule's matter.

Two backgrounds for abandoned objects: Porikli, "Detection of temporarily static regions by processing video at different frame
rates", AVSS 2007; edges for left against taken away: Spagnolo et al., "An abandoned/removed objects detection algorithm", BMVA 2006.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.flow import Box, StillObject
from edge.geometry import intersection_over_union
from edge.perception.light import AVERAGED_STRUCTURE, Cells, Small, in_the_light_of, shows_the_same, small_picture

LOOK_S: Final = 0.95
_NEVER: Final = np.inf
_SAME: Final = 0.3
_HELD_SHARE: Final = 0.2
_MOST_AVERAGED: Final = 12.0
_WITHIN_A_THING: Final = np.ones((7, 7), dtype=np.uint8)
"""Parts of a thing may be as bright as the ground: what is not farther apart than this is one."""
_DEVIATION_OF_MEDIAN: Final = 1.4826
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LeftBehindSettings:
    """`step`, `noise_factor`: least difference in grey levels, and in deviations of the picture's own noise. `learning_looks`: so
    many looks are the first reference. `memory_s`: in how long the reference follows what changes slowly. `settle_s`: for how long
    a cell has to show the same. `back_s`, `hidden_s`: how long a cell may show the reference, or something else, before what stood
    there counts as gone. `least_cells`, `most_share`: size of a region, the latter of the picture. `least_filled`: its share of
    the box around it. `added_edges`: how much more edges its outline has to have won than lost. `sure_votes`, `most_votes`: looks that
    have to agree. `whole_share`, `whole_looks`: of a picture so much of which differs for so many looks the reference is learnt
    anew. `adopted_s`: what has stood there for so long belongs to the place.
    """

    step: float = 12.0
    noise_factor: float = 6.0
    learning_looks: int = 6
    memory_s: float = 60.0
    settle_s: float = 3.0
    back_s: float = 2.5
    hidden_s: float = 20.0
    least_cells: int = 10
    most_share: float = 0.12
    least_filled: float = 0.3
    added_edges: float = 1.5
    sure_votes: int = 3
    most_votes: int = 8
    whole_share: float = 0.35
    whole_looks: int = 6
    adopted_s: float = 4 * 3600.0


@dataclass(slots=True)
class _Candidate:
    """Something new that stands still. `votes`: looks that took it for a thing, less those that did not."""

    number: int
    box: Box
    since_s: float
    votes: int = 0


class LeftBehindWatch:
    """What was left behind before one camera."""

    def __init__(self, settings: LeftBehindSettings | None = None) -> None:
        self._settings = settings or LeftBehindSettings()
        self._looked_s = -_NEVER
        self._first: list[Small] = []
        self._place: _Place | None = None
        self._candidates: list[_Candidate] = []
        self._numbers = 0
        self._elsewhere = 0

    def look(
        self, luma: NDArray[np.uint8], at: datetime, followed: Sequence[Box] = (), vehicles: Sequence[Box] = ()
    ) -> tuple[StillObject, ...] | None:
        """Take a picture (height, width) and the boxes of all that is followed; None when it is not yet time for another look."""
        now_s = (at - _EPOCH).total_seconds()
        if now_s - self._looked_s < LOOK_S:
            return None
        before_s, self._looked_s = self._looked_s, now_s
        small = small_picture(luma)
        place = self._place
        if place is None or place.reference.shape != small.shape:
            self._learn(small)
            return ()
        fitted = in_the_light_of(place.reference, small)
        hidden = _cells_of((*followed, *vehicles), small.shape)
        place.follow(fitted, hidden, before_s, now_s)
        place.take_over(_cells_of(vehicles, small.shape))
        if self._is_elsewhere(place, fitted, hidden):
            self._begin_anew()
            return ()
        self._judge(place, now_s)
        return tuple(
            StillObject(each.number, each.box, _EPOCH + timedelta(seconds=each.since_s))
            for each in self._candidates
            if each.votes >= self._settings.sure_votes
        )

    def _learn(self, small: Small) -> None:
        """The middle of the first looks, cell by cell, so that who passes meanwhile is no part of the place."""
        if self._place is not None or (self._first and self._first[0].shape != small.shape):
            self._begin_anew()
        self._first.append(small)
        if len(self._first) >= self._settings.learning_looks:
            self._place = _Place(np.median(self._first, axis=0).astype(np.float32), self._settings)
            self._first.clear()

    def _is_elsewhere(self, place: "_Place", fitted: Small, hidden: Cells) -> bool:
        """Whether most of the picture has been another for some looks: turned away, lights off, a van before the lens."""
        away = np.abs(fitted - place.reference) > self._settings.step
        self._elsewhere = self._elsewhere + 1 if (away & ~hidden).mean() > self._settings.whole_share else 0
        return self._elsewhere >= self._settings.whole_looks

    def _judge(self, place: "_Place", now_s: float) -> None:
        """Regions of cells that have settled, each with the candidate that it was at the last look."""
        kept: list[_Candidate] = []
        for region, box in place.regions(now_s):
            candidate = self._candidate(box, place.since_s_of(region))
            is_thing = place.is_thing(region)
            most = self._settings.most_votes
            candidate.votes = min(max(candidate.votes + (1 if is_thing else -1), -most), most)
            old = now_s - candidate.since_s > self._settings.adopted_s
            if old or candidate.votes <= -self._settings.sure_votes:
                place.take_over(region)
            else:
                kept.append(candidate)
        self._candidates = kept

    def _candidate(self, box: Box, since_s: float) -> _Candidate:
        boxes = np.array([candidate.box for candidate in self._candidates], dtype=np.float32).reshape(-1, 4)
        fit = intersection_over_union(boxes, np.array([box], dtype=np.float32))[:, 0]
        if len(fit) and fit.max() >= _SAME:
            candidate = self._candidates.pop(int(fit.argmax()))
            candidate.box, candidate.since_s = box, min(candidate.since_s, since_s)
            return candidate
        self._numbers += 1
        return _Candidate(self._numbers, box, since_s)

    def _begin_anew(self) -> None:
        self._place, self._elsewhere = None, 0
        self._first.clear()
        self._candidates.clear()


class _Place:
    """The reference, and for each cell that shows something else: what (`held`), since when, and when it was seen last.

    `steady` is what each cell has shown since it changed last, averaged: one look at a dark place is mostly grain.
    """

    def __init__(self, reference: Small, settings: LeftBehindSettings) -> None:
        self.reference = reference
        self.steady = reference.copy()
        self._alike = np.ones(reference.shape, dtype=np.float32)
        self._looks = settings.learning_looks
        self._settings = settings
        self._last, self._held = reference.copy(), reference.copy()
        self._since_s = np.full(reference.shape, _NEVER)
        self._seen_s = np.full(reference.shape, -_NEVER)

    def follow(self, fitted: Small, hidden: Cells, before_s: float, now_s: float) -> None:
        """Which cells show something new that stands still, and since when; the rest of the reference follows slowly."""
        settings = self._settings
        away, off = np.abs(fitted - self.reference), np.abs(fitted - self._held)
        step = max(settings.step, settings.noise_factor * _DEVIATION_OF_MEDIAN * float(np.median(away)))
        new, known = away > step, np.isfinite(self._since_s)
        back = known & ~new & (away < off)
        there = known & ~back & (off <= step)
        self._average(fitted, step)
        self._seen_s[there | (known & hidden)] = now_s
        lost = known & (now_s - self._seen_s > np.where(back, settings.back_s, settings.hidden_s))
        begins = ~known & new & ~hidden & (np.abs(fitted - self._last) <= step)
        self._since_s[lost] = _NEVER
        self._since_s[begins], self._seen_s[begins], self._held[begins] = before_s, now_s, fitted[begins]
        self._held[there] += _HELD_SHARE * (fitted - self._held)[there]
        quiet = ~known & ~new & ~hidden
        self._looks += 1
        share = max(1.0 - exp(-(now_s - before_s) / settings.memory_s), 1.0 / self._looks)
        self.reference[quiet] += share * (fitted - self.reference)[quiet]
        self._last = fitted

    def _average(self, fitted: Small, step: float) -> None:
        alike = np.abs(fitted - self.steady) <= step
        self._alike = np.where(alike, np.minimum(self._alike + 1.0, _MOST_AVERAGED), 1.0).astype(np.float32)
        self.steady += (fitted - self.steady) / self._alike

    def take_over(self, cells: Cells) -> None:
        """What is seen there belongs to the place from now on."""
        self.reference[cells] = self.steady[cells]
        self._since_s[cells] = _NEVER

    def since_s_of(self, region: Cells) -> float:
        """Since when a region has shown what it shows: the middle of its cells."""
        since_s = self._since_s[region]
        return float(np.median(since_s[np.isfinite(since_s)]))

    def regions(self, now_s: float) -> Iterator[tuple[Cells, Box]]:
        """The connected cells that have settled, and the box around them."""
        settled = (self._since_s <= now_s - self._settings.settle_s).astype(np.uint8)
        if not settled.any():
            return
        joined = cv2.morphologyEx(settled, cv2.MORPH_CLOSE, _WITHIN_A_THING)
        _, labels, parts, _ = cv2.connectedComponentsWithStats(joined)
        rows, columns = settled.shape
        for number, (left, top, width, height, size) in enumerate(parts.tolist()):
            if number and size >= self._settings.least_cells:
                box = (left / columns, top / rows, (left + width) / columns, (top + height) / rows)
                yield np.asarray(labels == number, dtype=np.bool_), box

    def is_thing(self, region: Cells) -> bool:
        """Whether a region is compact, brought edges along, and is more than light."""
        rows, columns = np.nonzero(region)
        around = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        if region.mean() > self._settings.most_share or len(rows) < self._settings.least_filled * around:
            return False
        cells, square = region.astype(np.uint8), np.ones((3, 3), dtype=np.uint8)
        outline = (cv2.dilate(cells, square) - cv2.erode(cells, square)).astype(np.bool_)
        change = (_edges(self.steady) - _edges(self.reference))[outline]
        added, gone = float(np.maximum(change, 0.0).mean()), float(np.maximum(-change, 0.0).mean())
        return added > self._settings.added_edges * gone and not shows_the_same(
            self.steady, self.reference, region, AVERAGED_STRUCTURE
        )


def _edges(small: Small) -> Small:
    across, down = cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.magnitude(across, down), dtype=np.float32)


def _cells_of(boxes: Sequence[Box], shape: tuple[int, ...]) -> Cells:
    """The cells that lie in one of the boxes, each box a cell larger."""
    rows, columns = shape
    cells = np.zeros((rows, columns), dtype=np.bool_)
    for left, top, right, bottom in boxes:
        first, last = int(max(left, 0.0) * columns) - 1, int(np.ceil(min(right, 1.0) * columns)) + 1
        upper, lower = int(max(top, 0.0) * rows) - 1, int(np.ceil(min(bottom, 1.0) * rows)) + 1
        cells[max(upper, 0) : lower, max(first, 0) : last] = True
    return cells
