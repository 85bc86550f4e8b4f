"""Motion: which cells of a small grey picture differ from what was there a moment ago.

It decides when the detector has to look, so it is made cheap and forgetful. A cell moves when it differs from two running
averages: a quick one that follows within seconds, so that whatever stands is soon still, and a slow one that does not learn
where someone is followed, so that the place that he leaves is what it was before and no ghost of him is seen there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.flow import Box
from edge.perception.reduction import reduced

Cells = NDArray[np.bool_]

UNWATCHED_S: Final = 10.0
"""What may have moved in a longer time without a picture, nobody knows."""

_WIDTH: Final = 160
_LEAST_REGION: Final = 4
_WITHIN: Final = 5
_NEVER: Final = -np.inf
_DEVIATION_OF_MEDIAN: Final = 1.4826


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """`memory_s`, `slow_memory_s`: times in which the two backgrounds follow; `step`: least difference in grey levels; `share`: least moving
    part of the picture; `noise_factor`: how far above the picture's own noise a difference must lie.
    """

    memory_s: float = 1.5
    slow_memory_s: float = 30.0
    step: float = 8.0
    share: float = 0.0015
    noise_factor: float = 5.0


@dataclass(frozen=True, slots=True)
class Motion:
    """What moved in one picture: `cells` (height, width) of the small picture, and whether that is more than a flicker."""

    cells: Cells
    moving: bool

    def regions(self, explained: Sequence[Box] = (), *, within: int = _WITHIN) -> tuple[Box, ...]:
        """Boxes around what moved, leaving out what lies in the boxes `explained`; normalised, each a cell larger. What lies less than
        `within` cells apart is one.
        """
        return regions(self.cells, explained, within=within)

    def share_in(self, box: Box) -> float:
        """The moving share of the cells that a box touches, 0–1."""
        height, width = self.cells.shape
        left, top, right, bottom = box
        first, last = int(max(left, 0) * width), int(np.ceil(min(right, 1) * width))
        upper, lower = int(max(top, 0) * height), int(np.ceil(min(bottom, 1) * height))
        region = self.cells[upper:lower, first:last]
        return float(region.mean()) if region.size else 0.0


class MotionDetector:
    """Compares each picture with the running averages of those before it."""

    def __init__(self, settings: MotionSettings | None = None) -> None:
        self._settings = settings or MotionSettings()
        self._quick: NDArray[np.float32] | None = None
        self._slow = np.zeros((1, 1), dtype=np.float32)
        self._moved_s: NDArray[np.float64] = np.zeros((1, 1))
        self._last_s = 0.0
        self._since_s = 0.0

    def observe(self, luma: NDArray[np.uint8], at_s: float, occupied: Sequence[Box] = ()) -> Motion:
        """Take one picture (height, width) and the boxes in which something is followed.

        The first one, and the first of another shape, moves nowhere.
        """
        height, width = luma.shape
        small = reduced(luma, _WIDTH, max(round(_WIDTH * height / width), 1)).astype(np.float32)
        if self._quick is None or self._quick.shape != small.shape:
            self._quick, self._slow = small, small.copy()
            self._last_s = self._since_s = at_s
            self._moved_s = np.full(small.shape, _NEVER)
            return Motion(np.zeros(small.shape, dtype=np.bool_), moving=False)
        cells = self._differs(small, self._quick)
        moving = int(cells.sum()) >= self._least_cells(cells)
        if moving:
            cells &= self._differs(small, self._slow)
            moving = int(cells.sum()) >= self._least_cells(cells)
        if not 0.0 <= at_s - self._last_s <= UNWATCHED_S:
            self._since_s = at_s
            np.minimum(self._moved_s, at_s, out=self._moved_s)
        elapsed_s = max(at_s - self._last_s, 0.0)
        self._last_s = at_s
        cv2.accumulateWeighted(small, self._quick, 1.0 - exp(-elapsed_s / self._settings.memory_s))
        slow_share = 1.0 - exp(-elapsed_s / self._settings.slow_memory_s)
        cv2.accumulateWeighted(small, self._slow, slow_share, _outside(occupied, small.shape))
        if moving:
            self._moved_s[cells] = at_s
        return Motion(cells, moving)

    def _differs(self, small: NDArray[np.float32], background: NDArray[np.float32]) -> Cells:
        difference = small - background
        difference -= _median(difference)  # the whole picture became lighter or darker: a cloud, the camera's gain
        np.abs(difference, out=difference)
        noise = _median(difference) * _DEVIATION_OF_MEDIAN
        return np.asarray(difference > max(self._settings.step, self._settings.noise_factor * noise), dtype=np.bool_)

    def _least_cells(self, cells: Cells) -> float:
        return max(self._settings.share * cells.size, _LEAST_REGION)

    @property
    def reach_s(self) -> float:
        """How far back it is known what moved: for so long there have been pictures without a gap."""
        return self._last_s - self._since_s

    def moved_since(self, since_s: float) -> Cells:
        """The cells that moved at or after a time: what has to be masked where no detector says what it was."""
        return np.asarray(self._moved_s >= since_s, dtype=np.bool_)


def regions(cells: Cells, explained: Sequence[Box] = (), *, within: int = _WITHIN) -> tuple[Box, ...]:
    """Boxes around the connected parts of `cells` that lie outside of the boxes `explained`."""
    rest = cells.astype(np.uint8)
    rows, columns = rest.shape
    for box in explained:
        _clear(rest, box)
    if not rest.any():
        return ()
    joined = cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((within, within), dtype=np.uint8))
    _, _, parts, _ = cv2.connectedComponentsWithStats(joined)
    return tuple(
        (
            max((left - 1) / columns, 0.0),
            max((top - 1) / rows, 0.0),
            min((left + width + 1) / columns, 1.0),
            min((top + height + 1) / rows, 1.0),
        )
        for left, top, width, height, size in parts[1:].tolist()
        if size >= _LEAST_REGION
    )


def _median(cells: NDArray[np.float32]) -> float:
    """The median of every second cell of every second row: two thirds of the cost of a quiet frame was that of all cells."""
    some = cells[::2, ::2].ravel()
    return float(np.partition(some, some.size // 2)[some.size // 2])


def _outside(boxes: Sequence[Box], shape: tuple[int, int]) -> NDArray[np.uint8] | None:
    """A mask of the cells that lie in none of the boxes; None when there is no box."""
    if not boxes:
        return None
    mask = np.ones(shape, dtype=np.uint8)
    for box in boxes:
        _clear(mask, box)
    return mask


def _clear(mask: NDArray[np.uint8], box: Box) -> None:
    rows, columns = mask.shape
    left, top, right, bottom = box
    first, last = int(max(left, 0) * columns), int(np.ceil(min(right, 1) * columns))
    mask[int(max(top, 0) * rows) : int(np.ceil(min(bottom, 1) * rows)), first:last] = 0
