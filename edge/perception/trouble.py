"""Camera trouble (摄像机异常): whether a picture is still what the camera used to show.

Once a second a few measures are taken of the brightness and held against what was learnt of this camera: how much structure the
small picture has and where its edges are, how much fine detail its rows hold, and whether it is the same picture as a second ago. It names what is wrong at the moment; for how long that has to be so is the rule's matter.

- dark: hardly anything is brighter than black.
- covered: the structure is gone, coarse and fine.
- defocused: the coarse structure is there, the fine detail is gone.
- moved: there is detail, but the edges are elsewhere.
- frozen: the same picture again, from a camera whose pictures used to differ. An encoder that gets one picture over and over still
  refines it, so that grain counts, not equality: far less of it than this camera's pictures have. Grain is what differs in every part of
  the picture; what differs in some parts only has moved, and a street in which nothing moves any longer is not frozen.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.contract.incident import CameraTrouble

LOOK_S: Final = 0.95
"""Between two looks: about a second, also where pictures come a little before it is over."""

_WIDTH: Final = 160
_BANDS: Final = 24
_BAND_ROWS: Final = 4
_LAG: Final = 2
_LINES: Final = 12.0
_STAYING: Final = 0.3
_KEPT: Final = 0.6
_CHANGES: Final = 60
"""Of so many looks it is known how much changes from one to the next."""


@dataclass(frozen=True, slots=True)
class TroubleSettings:
    """`dark_mean`, `dark_bright`: mean and 95th percentile of the brightness below which a picture is dark (black is 16).
    `blank_contrast`: grey levels below which there is nothing to be seen at all. `covered_edges`, `covered_contrast`,
    `defocused_share`: shares of what was learnt below which something is gone. `covered_likeness`, `moved_likeness`: likeness of
    the edges below which the view is another. `shifted_likeness`, `shifted_gain`: how like the learnt edges have to be elsewhere,
    and how much more than in their place, for the view to have been shifted.
    `learning_looks`: so many looks come before anything is held against what was learnt; of the first `first_looks` the middle
    one counts, cell by cell, so that who passes meanwhile is no part of it. `memory_looks`: how slowly a good view is followed. `adopted_looks`: a view that has been another for so long is the camera's view from now on.
    Two pictures are the same where at most `still_share` of the pixels differ by more than `grain` grey levels, at most
    `still_part` of what usually does, and where of those that differ at all there are at most `still_fine` of what there are in the `quiet`
    share of this camera's looks; until `first_looks` pictures have differed, only what is the same to the last pixel. After the light has
    changed by `relit` at once, that is learnt anew.
    `same_looks`: so often the same picture in a row is frozen; unless the camera is known to do that for a while, less than
    `frozen_looks`, because nothing moves and its encoder leaves the picture as it is.
    """

    dark_mean: float = 30.0
    dark_bright: float = 46.0
    blank_contrast: float = 4.0
    covered_edges: float = 0.4
    covered_contrast: float = 0.3
    covered_likeness: float = 0.5
    defocused_share: float = 0.45
    moved_likeness: float = 0.35
    shifted_likeness: float = 0.5
    shifted_gain: float = 0.15
    learning_looks: int = 5
    first_looks: int = 15
    memory_looks: float = 120.0
    adopted_looks: int = 600
    still_share: float = 0.025
    still_part: float = 0.3
    still_fine: float = 0.85
    quiet: float = 0.1
    grain: int = 2
    relit: float = 3.0
    same_looks: int = 2
    frozen_looks: int = 8


@dataclass(frozen=True, slots=True)
class View:
    """What was measured of one picture: `contrast` and `edges` of the small one, `detail` of the rows of the full one."""

    mean: float
    bright: float
    contrast: float
    detail: float
    edges: NDArray[np.float32]
    sample: NDArray[np.uint8]


def view_of(luma: NDArray[np.uint8]) -> View:
    """Measure a picture (height, width)."""
    height, width = luma.shape
    size = (_WIDTH, max(round(_WIDTH * height / width), 2))
    sample = _bands(luma)
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA if width <= 4 * _WIDTH else cv2.INTER_LINEAR)
    small = cv2.GaussianBlur(small, (3, 3), 0).astype(np.float32)
    across, down = cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1)
    edges = cv2.magnitude(across, down)
    edges = cv2.blur(np.minimum(edges, 100.0), (3, 3))
    rows = sample.astype(np.float32).mean(axis=1)
    bends = np.abs(rows[:, : -2 * _LAG] - 2 * rows[:, _LAG:-_LAG] + rows[:, 2 * _LAG :])
    return View(
        mean=float(small.mean()),
        bright=float(np.percentile(small[::2, ::2], 95)),
        contrast=float(small.std()),
        detail=float(bends.mean()),
        edges=np.asarray(edges, dtype=np.float32),
        sample=sample,
    )


class TroubleWatch:
    """Holds the looks at one camera against what was learnt of it."""

    def __init__(self, settings: TroubleSettings | None = None) -> None:
        self._settings = settings or TroubleSettings()
        self._looked_s: float | None = None
        self._looks = 0
        self._detail = self._contrast = 0.0
        self._edges: NDArray[np.float32] | None = None
        self._first: list[View] = []
        self._last: View | None = None
        self._changes: deque[tuple[float, float]] = deque(maxlen=_CHANGES)
        self._same = self._usual_same = 0
        self._elsewhere = 0

    def look(self, luma: NDArray[np.uint8], at_s: float) -> frozenset[CameraTrouble] | None:
        """What is wrong with a picture; None when it is not yet time for another look."""
        if self._looked_s is not None and at_s - self._looked_s < LOOK_S:
            return None
        self._looked_s = at_s
        view = view_of(luma)
        if self._edges is not None and self._edges.shape != view.edges.shape:
            self._begin_anew()
        before = self._last
        frozen, wrong = self._frozen(view), self._wrong(view, before)
        if wrong in {CameraTrouble.DARK, CameraTrouble.COVERED}:
            frozen = None  # where nothing is to be seen, nothing changes
        troubles = frozenset(trouble for trouble in (frozen, wrong) if trouble is not None)
        self._learn(view, troubled=bool(troubles))
        return troubles

    def _frozen(self, view: View) -> CameraTrouble | None:
        if not self._is_still(view):
            if self._same < self._settings.frozen_looks:
                self._usual_same = max(self._usual_same, self._same)
            self._same = 0
            return None
        self._same += 1
        if self._same < self._settings.same_looks or self._usual_same >= self._settings.same_looks:
            return None
        return CameraTrouble.FROZEN

    def _is_still(self, view: View) -> bool:
        """Whether nothing has changed since the last look that this camera's pictures do not show when they stand still."""
        settings, before = self._settings, self._last
        self._last = view
        if before is None or before.sample.shape != view.sample.shape:
            return False
        if abs(view.mean - before.mean) > settings.relit:
            self._changes.clear()
        apart = cv2.absdiff(view.sample, before.sample)
        coarse, fine = _typical_share(apart > settings.grain), _typical_share(apart > 0)
        if len(self._changes) < settings.first_looks:
            still = not bool(apart.any())
        else:
            usual_coarse, _ = np.median(self._changes, axis=0)
            _, usual_fine = np.quantile(self._changes, settings.quiet, axis=0)
            less_coarse = coarse <= min(settings.still_share, settings.still_part * usual_coarse)
            less_fine = fine <= settings.still_fine * usual_fine if usual_fine > 0 else not bool(apart.any())
            still = bool(less_coarse and less_fine)
        if not still:
            self._changes.append((coarse, fine))
        return still

    def _wrong(self, view: View, before: View | None) -> CameraTrouble | None:
        settings = self._settings
        if view.mean < settings.dark_mean and view.bright < settings.dark_bright:
            return CameraTrouble.DARK
        blank = view.contrast < settings.blank_contrast and not _keeps_its_lines(view, before)
        if blank and (self._edges is None or self._contrast > 2 * settings.blank_contrast):
            return CameraTrouble.COVERED
        if self._edges is None or self._looks < settings.learning_looks:
            return None
        likeness = _likeness(view.edges, self._edges)
        gone = view.edges.mean() < settings.covered_edges * self._edges.mean()
        gone = gone or view.contrast < settings.covered_contrast * self._contrast
        if gone and likeness < settings.covered_likeness:
            return CameraTrouble.COVERED
        gain = min(
            view.contrast / max(self._contrast, 1e-6), 1.0
        )  # a white van adds contrast, and no detail has to come with it
        if view.detail < settings.defocused_share * gain * self._detail:
            return CameraTrouble.DEFOCUSED
        return CameraTrouble.MOVED if self._is_elsewhere(view.edges, self._edges, likeness) else None

    def _is_elsewhere(self, edges: NDArray[np.float32], learnt: NDArray[np.float32], likeness: float) -> bool:
        if likeness < self._settings.moved_likeness:
            return _kept_lines(edges, learnt) < _KEPT
        if likeness > 1.0 - self._settings.shifted_gain:
            return False
        return _is_shifted(edges, learnt, self._settings)

    def _learn(self, view: View, *, troubled: bool) -> None:
        if troubled:
            self._elsewhere += 1
            if self._elsewhere >= self._settings.adopted_looks and view.contrast >= self._settings.covered_contrast:
                self._begin_anew()
            return
        self._elsewhere = 0
        self._looks += 1
        if self._edges is None or self._looks <= self._settings.first_looks:
            self._first.append(view)
            self._edges = np.median([each.edges for each in self._first], axis=0).astype(np.float32)
            self._detail = float(np.median([each.detail for each in self._first]))
            self._contrast = float(np.median([each.contrast for each in self._first]))
            return
        self._first.clear()
        share = 1.0 / self._settings.memory_looks
        cv2.accumulateWeighted(view.edges, self._edges, share)
        self._detail += share * (view.detail - self._detail)
        self._contrast += share * (view.contrast - self._contrast)

    def _begin_anew(self) -> None:
        self._edges, self._looks, self._elsewhere = None, 0, 0
        self._first.clear()


def _keeps_its_lines(view: View, before: View | None) -> bool:
    """Whether a picture of little contrast (plain asphalt at night) has lines that stay where they are, as nothing before a lens has."""
    if before is None or before.edges.shape != view.edges.shape or float(np.percentile(view.edges, 99)) < _LINES:
        return False
    return _likeness(view.edges, before.edges) >= _STAYING


def _kept_lines(edges: NDArray[np.float32], learnt: NDArray[np.float32]) -> float:
    """Which share of the sharpest lines that were learnt are where they were: a car on plain ground adds its own and takes few away."""
    lines = learnt >= np.percentile(learnt, 97)
    return float((edges[lines] >= 0.5 * learnt[lines]).mean())


def _is_shifted(edges: NDArray[np.float32], learnt: NDArray[np.float32], settings: TroubleSettings) -> bool:
    """Whether the middle of the picture lies better on the learnt edges when it is moved by more than a cell."""
    down, across = learnt.shape[0] // 8, learnt.shape[1] // 8
    fit = cv2.matchTemplate(learnt, edges[down:-down, across:-across], cv2.TM_CCOEFF_NORMED)
    _, best, _, (right, lower) = cv2.minMaxLoc(fit)
    away = max(abs(right - across), abs(lower - down))
    return away > 1 and best >= settings.shifted_likeness and best >= float(fit[down, across]) + settings.shifted_gain


def _likeness(edges: NDArray[np.float32], others: NDArray[np.float32]) -> float:
    """How well the edges of two pictures lie on each other: their correlation, at most 1."""
    return float(cv2.matchTemplate(edges, others, cv2.TM_CCOEFF_NORMED)[0, 0])


def _typical_share(differs: NDArray[np.bool_]) -> float:
    """Of the pixels of the middle one of the bands (bands, rows, width): grain is in all of them, movement in some."""
    return float(np.median(differs.mean(axis=(1, 2))))


def _bands(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bands of rows spread over the picture, shape (bands, rows, width)."""
    height = luma.shape[0]
    bands = max(min(_BANDS, height // _BAND_ROWS), 1)
    rows = min(_BAND_ROWS, height)
    starts = np.linspace(0, height - rows, bands).astype(int)
    return np.stack([luma[start : start + rows] for start in starts])
