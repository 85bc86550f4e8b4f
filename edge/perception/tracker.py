"""Follows things over time (multi-object tracking, ByteTrack family), counting in seconds of event time, never in frames.

Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", https://arxiv.org/abs/2110.06864: sure
detections are matched first, unsure ones only keep alive what is known already. Four things differ from the paper, because
an incident's start, end and identity hang on them:

- A track may begin with an unsure detection if something moves there; it counts only once sure ones confirm it.
- Each edge of a box has a speed of its own, so that someone who comes into the picture part by part is one track.
- Who goes out of sight on his way is known again by where he may have got to, not only by overlap.
- How long a lost track is waited for depends on how it was lost: at the picture's edge on its way out, or in the middle.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from math import inf
from typing import Final

import lap
import numpy as np
from numpy.typing import NDArray

from edge.flow import Box, Boxes, Detections, Track
from edge.geometry import clamped_box, grown, intersection_over_smaller, intersection_over_union, overlap
from edge.perception.lineage import Lineage, TrackerSettings
from edge.perception.motion import Motion
from edge.settings.vocabulary import FALLEN, PLACED

_SURE: Final = 0
_UNSURE: Final = 1
_PARTIAL_FIT: Final = 0.15
_NEAR: Final = 0.4
"""So much boxes are grown on each side for quick movers: who goes 1.2 of his own widths from one look to the next is followed."""
_BESIDE: Final = 0.3
"""As a share of the smaller box: what lies so far in another one may be a part of it."""

KINDS: Final = {
    "car": "vehicle",
    "truck": "vehicle",
    "bus": "vehicle",
    "bicycle": "two_wheeler",
    "motorcycle": "two_wheeler",
    FALLEN: "person",
}
"""Labels that a detector confuses from one picture to the next are one kind; a track's label is the one with most votes."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one moment brought: confirmed tracks seen in it, and tracks that ended."""

    seen: tuple[Track, ...]
    ended: tuple[Track, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    box: Box
    score: float
    label: str
    kind: str
    moving: bool


class Tracker:
    """The tracks of one camera."""

    def __init__(self, settings: TrackerSettings | None = None) -> None:
        self._settings = settings or TrackerSettings()
        self._lineages: list[Lineage] = []
        self._next_id = 1
        self._last_at: datetime | None = None

    @property
    def alive(self) -> bool:
        """Whether anything is followed or waited for, confirmed or not."""
        return bool(self._lineages)

    @property
    def confirming(self) -> bool:
        """Whether something is followed that does not count yet."""
        return any(not lineage.confirmed for lineage in self._lineages)

    @property
    def steady(self) -> bool:
        """Whether the course of everything that is followed is known, so that the next look may wait a little."""
        lineages, last_at = self._lineages, self._last_at
        return all(lineage.steady and lineage.last_seen_at == last_at for lineage in lineages) and not any(
            overlap(one.box, other.box) > self._settings.crossing_fit for one, other in combinations(lineages, 2)
        )

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Where everything that is followed or waited for was last, confirmed or not."""
        return tuple(lineage.box for lineage in self._lineages)

    def present(self, at: datetime) -> tuple[Box, ...]:
        """Where everything was last that counts, or has moved lately: what is behind it can't be seen. Still hints hide nothing."""
        lately_s = self._settings.tentative_s
        return tuple(each.box for each in self._lineages if each.confirmed or each.stirred(at, lately_s))

    def recent(self, kind: str, sights: int, within_s: float = inf) -> tuple[Box, ...]:
        """The last boxes of everything of a kind that is followed or waited for, confirmed or not; none that are older."""
        return tuple(
            box for lineage in self._lineages if lineage.kind == kind for box in lineage.recent(sights, within_s)
        )

    def update(self, at: datetime, detections: Detections, motion: Motion | None = None) -> Step:
        """Take one moment. Times must grow: a moment that is not later than the last one changes nothing.

        Without `motion` everything counts as moving. Boxes that are not finite or have no area are left out.
        """
        if self._last_at is not None and at <= self._last_at:
            return Step((), ())
        blind = self._last_at is not None and (at - self._last_at).total_seconds() > self._settings.blind_s
        ended = self.finish() if blind else ()
        self._last_at = at
        candidates = self._candidates(detections, motion)
        counted = {lineage.track_id for lineage in self._lineages if lineage.confirmed}
        sure = [candidate for candidate in candidates if candidate.score >= self._settings.sure]
        unsure = [candidate for candidate in candidates if candidate.score < self._settings.sure]
        free_lineages, free_sure = self._match(at, self._lineages, sure, _SURE)
        free_lineages, free_unsure = self._match(at, free_lineages, unsure, _UNSURE)
        self._reunite(at, counted)
        ended += self._bury(at)
        self._begin(at, free_sure, free_unsure)
        seen = (lineage for lineage in self._lineages if lineage.confirmed and lineage.is_solid(at))
        return Step(tuple(lineage.track() for lineage in seen), ended)

    def carried(self, at: datetime) -> Step:
        """A moment in which nobody has looked: everything that was seen in the last look goes on as it went.

        What is still and has not stirred has not left, and what moves does so where it was expected. The next look corrects it.
        """
        return Step(
            tuple(each.carried(at) for each in self._lineages if each.confirmed and each.is_solid(self._last_at)), ()
        )

    def finish(self) -> tuple[Track, ...]:
        """End every confirmed track with its last sight, and forget all."""
        ended = tuple(lineage.track() for lineage in self._lineages if lineage.confirmed)
        self._lineages = []
        return ended

    def _candidates(self, detections: Detections, motion: Motion | None) -> list[_Candidate]:
        if not len(detections):
            return []
        boxes = np.asarray(detections.boxes, dtype=np.float64).reshape(-1, 4)
        usable = np.isfinite(boxes).all(axis=1) & np.isfinite(detections.scores)
        candidates = []
        for index in np.flatnonzero(usable):
            left, top, right, bottom = (float(edge) for edge in boxes[index])
            box = clamped_box((left, top, right, bottom))
            if min(box[2] - box[0], box[3] - box[1]) < self._settings.least_side:
                continue
            label = detections.labels[index]
            if label in PLACED:
                continue
            moving = motion is None or motion.share_in(box) >= self._settings.moving_share
            score = float(detections.scores[index])
            candidates.append(_Candidate(box, score, label, KINDS.get(label, label), moving))
        return candidates

    def _match(
        self, at: datetime, lineages: Sequence[Lineage], candidates: Sequence[_Candidate], tier: int
    ) -> tuple[list[Lineage], list[_Candidate]]:
        """Give each candidate to the lineage it fits best; returns the lineages and candidates that are left over."""
        if not lineages or not candidates:
            return list(lineages), list(candidates)
        cost = self._cost(at, lineages, candidates, tier)
        _, columns, _ = lap.lapjv(cost, extend_cost=True, cost_limit=1.0)
        taken: set[int] = set()
        left_over = []
        for lineage, column in zip(lineages, columns, strict=True):
            if 0 <= column < len(candidates) and cost[lineages.index(lineage), column] < 1.0:
                candidate = candidates[column]
                lineage.see(at, candidate.box, candidate.score, candidate.label, moving=candidate.moving)
                taken.add(int(column))
            else:
                left_over.append(lineage)
        return left_over, [candidate for index, candidate in enumerate(candidates) if index not in taken]

    def _cost(
        self, at: datetime, lineages: Sequence[Lineage], candidates: Sequence[_Candidate], tier: int
    ) -> NDArray[np.float64]:
        """1 − fit, shape (lineages, candidates); 1 and more is no match."""
        predicted = _boxes(lineage.predicted(at) for lineage in lineages)
        last = _boxes(lineage.box for lineage in lineages)
        found = _boxes(candidate.box for candidate in candidates)
        fit = np.maximum(_fit(predicted, found), _fit(last, found))
        if tier == _SURE:
            # someone coming into the picture: the part seen before lies inside of what is seen now
            partial = 0.5 * intersection_over_smaller(np.clip(grown(last, 0.25), 0, 1), found)
            young = np.array([lineage.growing(at) for lineage in lineages])
            fit = np.where(young[:, None] & (partial > _PARTIAL_FIT), np.maximum(fit, partial), fit)
        kinds = np.array([[lineage.kind == candidate.kind for candidate in candidates] for lineage in lineages])
        return np.where(kinds & (fit > self._settings.least_fit), 1.0 - fit, 2.0).astype(np.float64)

    def _reunite(self, at: datetime, counted: set[int]) -> None:
        """What counts from now on, and may be someone who went out of sight on his way and came out again, is that one."""
        for young in [each for each in self._lineages if each.confirmed and each.track_id not in counted]:
            others = _boxes(each.box for each in self._lineages if each is not young and each.last_seen_at == at)
            if len(others) and (intersection_over_smaller(_boxes([young.box]), others) > _BESIDE).any():
                continue
            ways = [(each.came_out_as(young), each) for each in self._lineages if each.track_id in counted]
            known = [(way, each.track_id, each) for way, each in ways if way is not None]
            if known:
                _, _, lost = min(known, key=lambda one: one[:2])
                lost.go_on_as(young)
                self._lineages.remove(young)

    def _bury(self, at: datetime) -> tuple[Track, ...]:
        gone = [lineage for lineage in self._lineages if lineage.gone(at)]
        self._lineages = [lineage for lineage in self._lineages if lineage not in gone]
        return tuple(lineage.track() for lineage in gone if lineage.confirmed)

    def _begin(self, at: datetime, sure: Sequence[_Candidate], unsure: Sequence[_Candidate]) -> None:
        known = [lineage.box for lineage in self._lineages if lineage.last_seen_at == at]
        for candidate in (*sure, *(candidate for candidate in unsure if candidate.moving)):
            if known and self._doubles(candidate, known):
                continue
            lineage = Lineage(self._next_id, candidate.kind, self._settings)
            self._next_id += 1
            lineage.see(at, candidate.box, candidate.score, candidate.label, moving=candidate.moving)
            self._lineages.append(lineage)
            known.append(candidate.box)
        del self._lineages[self._settings.most_tracks :]

    def _doubles(self, candidate: _Candidate, known: Sequence[Box]) -> bool:
        """Whether a detection is a second box, or a part, of something that was seen in the same moment."""
        box, others = _boxes([candidate.box]), _boxes(known)
        if candidate.score >= self._settings.sure:
            return bool((intersection_over_union(box, others) > 0.6).any())
        return bool((intersection_over_smaller(box, others) > 0.5).any())


def _boxes(boxes: Iterable[Box]) -> Boxes:
    return np.array(list(boxes), dtype=np.float32).reshape(-1, 4)


def _fit(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """How well boxes fit each other, 0–1: their overlap, and in part that of boxes somewhat grown, for quick movers."""
    near = 0.5 * intersection_over_union(grown(boxes, _NEAR), grown(others, _NEAR))
    return np.asarray(np.maximum(intersection_over_union(boxes, others), near), dtype=np.float32)
