"""What a detector would say of made scenes: their truth, as it is or spoilt as detectors spoil it, or a detector's own words."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from edge.flow import Box, Detections, Detector
from edge.simulators.scene.scene import Scene
from edge.simulators.scene.truth import Moment, Thing
from tests.fakes.scenes import EPOCH

HZ: Final = 5.0
SEEN_FROM: Final = 0.3
"""A detector is asked for what is visible by this share; what is hidden more may be missed and may be found."""
LEAST_SIDE: Final = 0.012
"""As a share of the picture's height and width: what is smaller may be missed and may be found."""
_STRAY: Final = ("person", "person", "car", "two_wheeler", "litter")


@dataclass(frozen=True, slots=True)
class Spoiling:
    """How a detector errs. `missed`: chance for each box; `in_a_row`: chance that it is missed again; `jitter`: of each edge, in shares of
    the side; `stray`: false boxes for each look; `unsure`: chance that a score is low.
    """

    name: str
    missed: float = 0.0
    in_a_row: float = 0.0
    jitter: float = 0.0
    stray: float = 0.0
    unsure: float = 0.0


CLEAN: Final = Spoiling("clean")
FAIR: Final = Spoiling("fair", missed=0.05, in_a_row=0.3, jitter=0.02, stray=0.02, unsure=0.1)
POOR: Final = Spoiling("poor", missed=0.15, in_a_row=0.5, jitter=0.04, stray=0.1, unsure=0.25)
SPOILINGS: Final = (CLEAN, FAIR, POOR)


def is_asked_for(thing: Thing) -> bool:
    """Whether a detector has to see it."""
    left, top, right, bottom = thing.visible
    return thing.share >= SEEN_FROM and min(right - left, bottom - top) >= LEAST_SIDE


def moment_at(at_s: float) -> datetime:
    """Event time of a scene's second."""
    return EPOCH + timedelta(seconds=at_s)


def spoilt(
    moments: Iterator[tuple[Moment, frozenset[int]]], spoiling: Spoiling, seed: int
) -> Iterator[tuple[Moment, frozenset[int], Detections]]:
    """The moments of a scene with what a detector would say; the same every time."""
    chance = np.random.default_rng([seed, 17])
    missed_before: set[int] = set()
    for moment, still in moments:
        boxes: list[Box] = []
        scores: list[float] = []
        labels: list[str] = []
        missed = set()
        for thing in moment.objects:
            if not is_asked_for(thing):
                continue
            again = spoiling.in_a_row if thing.id in missed_before else spoiling.missed
            if chance.random() < again:
                missed.add(thing.id)
                continue
            boxes.append(_jittered(thing.visible, spoiling.jitter, chance))
            low = chance.random() < spoiling.unsure
            scores.append(float(chance.uniform(0.25, 0.5) if low else chance.uniform(0.6, 0.95)))
            labels.append(thing.label)
        for _ in range(int(chance.poisson(spoiling.stray)) if moment.cover is None else 0):
            x, y = (float(value) for value in chance.uniform(0.05, 0.95, 2))
            side = float(chance.uniform(0.02, 0.08))
            boxes.append((x - side / 2, y - side, x + side / 2, y + side))
            scores.append(float(chance.uniform(0.25, 0.65)))
            labels.append(_STRAY[int(chance.integers(len(_STRAY)))])
        missed_before = missed
        yield moment, still, _detections(boxes, scores, labels)


def detected(scene: Scene, detector: Detector) -> Iterator[tuple[Moment, frozenset[int], Detections]]:
    """The moments of a scene with what a detector says of their pictures."""
    for moment, still, image in scene.frames():
        yield moment, still, detector.detect(image)


def _jittered(box: Box, jitter: float, chance: np.random.Generator) -> Box:
    if not jitter:
        return box
    left, top, right, bottom = box
    sides = np.array([right - left, bottom - top, right - left, bottom - top])
    moved = np.array(box) + chance.normal(0, jitter, 4) * sides
    return float(moved[0]), float(moved[1]), float(moved[2]), float(moved[3])


def _detections(boxes: list[Box], scores: list[float], labels: list[str]) -> Detections:
    return Detections(
        boxes=np.array(boxes, np.float32).reshape(-1, 4), scores=np.array(scores, np.float32), labels=tuple(labels)
    )
