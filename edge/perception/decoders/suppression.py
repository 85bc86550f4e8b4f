"""Non-maximum suppression: of boxes that show the same thing, the surest stays."""

import numpy as np
from numpy.typing import NDArray

from edge.flow import Boxes
from edge.geometry import intersection_over_union
from edge.perception.decoders.selection import Answer


def suppressed(
    boxes: Boxes, scores: NDArray[np.float32], classes: NDArray[np.intp], *, overlap: float
) -> NDArray[np.intp]:
    """Indices of the boxes (n, 4) that stay, surest first; boxes of different classes never push each other out."""
    order = np.argsort(-scores, kind="stable")
    same = intersection_over_union(boxes, boxes) > overlap
    same &= classes[:, None] == classes[None, :]
    stays: list[int] = []
    dropped = np.zeros(len(scores), dtype=np.bool_)
    for index in order:
        if not dropped[index]:
            stays.append(int(index))
            dropped |= same[index]
    return np.array(stays, dtype=np.intp)


def without_doubles(answer: Answer, *, overlap: float = 0.5) -> Answer:
    """What stays of boxes, scores and classes, surest first."""
    boxes, scores, classes = answer
    stays = suppressed(boxes, scores, classes, overlap=overlap)
    return boxes[stays], scores[stays], classes[stays]
