"""What every head has in common: which of its rows count, and boxes that later steps can reckon with."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.flow import Boxes
from models.manifest import Input

Scores = NDArray[np.float32]
Classes = NDArray[np.intp]
Answer = tuple[Boxes, Scores, Classes]
"""Boxes (n, 4) in pixels of the input, scores (n,), class indices (n,); surest first."""

MOST: Final = 300
"""No scene needs more; a network that says more is confused."""


def best_wanted(class_scores: NDArray[np.floating], wanted: Classes) -> tuple[NDArray[np.floating], Classes]:
    """Of the scores (n, classes) the best among the columns `wanted`, and its class, per row."""
    competing = class_scores[:, wanted]
    best = competing.argmax(axis=1)
    return competing[np.arange(len(competing)), best], wanted[best]


def surest(scores: NDArray[np.floating], *, least_score: float) -> NDArray[np.intp]:
    """Indices of those that are sure enough, surest first, at most 300. What is no number is not sure."""
    sure = np.flatnonzero(np.isfinite(scores) & (scores >= least_score))
    return sure[np.argsort(-scores[sure], kind="stable")][:MOST]


def corners_of(middles: NDArray[np.floating]) -> Boxes:
    """Boxes (n, 4) as corners, from their middles and sizes."""
    half_sizes = middles[:, 2:4] / 2
    return np.concatenate([middles[:, :2] - half_sizes, middles[:, :2] + half_sizes], axis=1).astype(np.float32)


def placed(answer: Answer, given: Input) -> Answer:
    """Without the boxes that have no area or lie nowhere, and none reaching farther than one input beyond its edges."""
    boxes, scores, classes = answer
    size = np.array([given.width, given.height] * 2, dtype=np.float32)
    numbers = np.isfinite(boxes).all(axis=1)
    bounded = np.clip(boxes, -size, 2 * size)
    stays = numbers & (bounded[:, 2] > bounded[:, 0]) & (bounded[:, 3] > bounded[:, 1])
    return np.asarray(bounded[stays], dtype=np.float32), scores[stays], classes[stays]
