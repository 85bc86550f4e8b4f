"""Tracks of whatever moves: what a detector does not know from above still crosses a line.

Detectors that were trained on streets miss most vehicles that are seen straight from above. Regions of motion are followed by the same
tracker under one label, `motion`, for rules that ask for it. They name nothing: two things that move side by side are one region.
A region that shows the ground as it was before, brighter or darker, is a beam of headlights or a shadow, and is not followed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from math import ceil, exp
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.flow import Box, Detections, Track
from edge.perception.light import Cells, Small, in_the_light_of, is_only_light, is_smooth_light, small_picture
from edge.perception.motion import Motion
from edge.perception.tracker import Step, Tracker
from edge.settings import MOTION

_LEAST_SHARE: Final = 0.005
"""Of the picture: smaller regions are leaves, reflections and noise."""

_SCORE: Final = 0.9

_MEMORY_S: Final = 10.0
"""In so long the ground is learnt where nothing moves."""

_GRAINY: Final = 0.0105
_WITHIN: Final = 5
_WITHIN_IN_GRAIN: Final = 13
"""Cells between parts of one thing. In the grain of the night a car falls into parts, since much of it differs too little."""


class MotionTracker:
    """The motion tracks of one camera. Their ids are negative, so that none is that of a detected thing."""

    def __init__(self) -> None:
        self._tracker = Tracker()
        self._ground: Small | None = None
        self._last_at: datetime | None = None

    @property
    def alive(self) -> bool:
        """Whether anything is followed or waited for."""
        return self._tracker.alive

    def update(self, at: datetime, motion: Motion, luma: NDArray[np.uint8] | None = None) -> Step:
        """Take one moment; times must grow. Without its picture (height, width) light can't be told from things."""
        boxes = _large(motion.regions()) if motion.moving and luma is None else []
        if luma is not None:
            boxes = self._without_light(at, motion, small_picture(luma))
        found = Detections(
            boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
            scores=np.full(len(boxes), _SCORE, dtype=np.float32),
            labels=(MOTION,) * len(boxes),
        )
        step = self._tracker.update(at, found, motion)
        return Step(_renamed(step.seen), _renamed(step.ended))

    def _without_light(self, at: datetime, motion: Motion, small: Small) -> list[Box]:
        """The boxes of what is more than light; the ground is learnt where nothing moves."""
        if self._ground is None or self._ground.shape != motion.cells.shape or self._last_at is None:
            self._ground, self._last_at = small, at
            return _large(motion.regions()) if motion.moving else []
        elapsed_s, self._last_at = max((at - self._last_at).total_seconds(), 0.0), at
        ground = self._ground
        fitted = in_the_light_of(ground, small)
        within = _WITHIN_IN_GRAIN if _grain(fitted, ground) > _GRAINY else _WITHIN
        boxes = _large(motion.regions(within=within)) if motion.moving else []
        every = np.ones_like(motion.cells)
        things = [
            box
            for box in boxes
            if not is_only_light(fitted, ground, _cells_in(motion.cells, box))
            and not is_smooth_light(fitted, ground, _cells_in(every, box))
        ]
        still = ~motion.cells
        for box in things:
            still &= ~_cells_in(every, box)  # the inside of a car's roof does not move
        ground[still] += (1.0 - exp(-elapsed_s / _MEMORY_S)) * (fitted - ground)[still]
        return things

    def finish(self) -> tuple[Track, ...]:
        """End every track with its last sight."""
        return _renamed(self._tracker.finish())


def _large(boxes: Sequence[Box]) -> list[Box]:
    return [box for box in boxes if (box[2] - box[0]) * (box[3] - box[1]) >= _LEAST_SHARE]


def _grain(fitted: Small, ground: Small) -> float:
    """The noise of a picture, as a share of its brightness."""
    away = np.abs(fitted[::2, ::2] - ground[::2, ::2])
    return float(np.median(away)) / max(float(ground[::2, ::2].mean()), 1.0)


def _renamed(tracks: Iterable[Track]) -> tuple[Track, ...]:
    return tuple(replace(track, track_id=-track.track_id) for track in tracks)


def _cells_in(cells: Cells, box: Box) -> Cells:
    """The moving cells that lie in a box."""
    rows, columns = cells.shape
    left, top, right, bottom = box
    inside = np.zeros_like(cells)
    inside[int(top * rows) : ceil(bottom * rows), int(left * columns) : ceil(right * columns)] = True
    return np.asarray(cells & inside, dtype=np.bool_)
