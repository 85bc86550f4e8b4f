"""Tracks of whatever moves: what a detector does not know from above still crosses a line.

Detectors that were trained on streets miss most vehicles that are seen straight from above. Regions of motion are followed by the same
tracker under one label, `motion`, for rules that ask for it. They name nothing: two things that move side by side are one region,
and a long shadow is one too.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

import numpy as np

from edge.flow import Detections, Track
from edge.perception.motion import Motion
from edge.perception.tracker import Step, Tracker
from edge.settings import MOTION

_LEAST_SHARE: Final = 0.005
"""Of the picture: smaller regions are leaves, reflections and noise."""

_SCORE: Final = 0.9


class MotionTracker:
    """The motion tracks of one camera. Their ids are negative, so that none is that of a detected thing."""

    def __init__(self) -> None:
        self._tracker = Tracker()

    def update(self, at: datetime, motion: Motion) -> Step:
        """Take one moment; times must grow."""
        regions = motion.regions() if motion.moving else ()
        boxes = [box for box in regions if (box[2] - box[0]) * (box[3] - box[1]) >= _LEAST_SHARE]
        found = Detections(
            boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
            scores=np.full(len(boxes), _SCORE, dtype=np.float32),
            labels=(MOTION,) * len(boxes),
        )
        step = self._tracker.update(at, found, motion)
        return Step(_renamed(step.seen), _renamed(step.ended))

    def finish(self) -> tuple[Track, ...]:
        """End every track with its last sight."""
        return _renamed(self._tracker.finish())


def _renamed(tracks: Iterable[Track]) -> tuple[Track, ...]:
    return tuple(replace(track, track_id=-track.track_id) for track in tracks)
