"""Whether a change in the picture is a thing or only light: pure measures on small grey pictures.

Light multiplies what is there. A shadow, a patch of sun or the beam of headlights shows the ground that it falls on, brighter or
darker; a thing shows itself.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.bool_]
Small = NDArray[np.float32]
"""A small grey picture, shape (height, width), grey levels."""

WIDTH: Final = 160
_SAME_LIGHT: Final = 10.0
_LEAST_STRUCTURE: Final = 1.5
AVERAGED_STRUCTURE: Final = 0.8
"""Of pictures that are the average of several there is less grain to take for structure."""
_LEAST_TONES: Final = 3.0
_LEAST_SPREAD: Final = 1e-3
_ALIKE: Final = 0.6
_SURELY_ALIKE: Final = 0.7
_LEAST_CELLS: Final = 6
_SMOOTH: Final = 0.0135
_THROUGH: Final = 0.12
_MANY_CELLS: Final = 100
_DARK: Final = 4.0


def small_picture(luma: NDArray[np.uint8]) -> Small:
    """The brightness (height, width), `WIDTH` cells wide and a little smoothed."""
    height, width = luma.shape
    size = (WIDTH, max(round(WIDTH * height / width), 2))
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(small, (3, 3), 0), dtype=np.float32)


def in_the_light_of(reference: Small, small: Small) -> Small:
    """The picture as it would be in the light of the reference: gain and offset of the cells in which both show the same."""
    seen, known = small[::2, ::2].ravel(), reference[::2, ::2].ravel()
    offset = float(np.median(known - seen))
    same = np.abs(known - seen - offset) < _SAME_LIGHT
    gain = 1.0
    for _ in range(2):
        if int(same.sum()) < seen.size // 4 or float(seen[same].std()) < _LEAST_TONES:
            break
        gain, offset = (float(part) for part in np.polyfit(seen[same], known[same], 1))
        same = np.abs(known - gain * seen - offset) < _SAME_LIGHT
    return np.asarray(np.clip(gain, 0.5, 2.0) * small + offset, dtype=np.float32)


def shows_the_same(now: Small, before: Small, cells: Cells, least_structure: float = _LEAST_STRUCTURE) -> bool:
    """Whether some cells show what they showed before, brighter or darker: their fine structure is alike.

    Where there was less structure than `least_structure` (grey levels) before nobody can tell, and the answer is no.
    """
    return _are_alike(_fine(now), _fine(before), _inner(cells), least_structure=least_structure)


def is_only_light(now: Small, before: Small, cells: Cells) -> bool:
    """Whether a change in some cells is a shadow, a beam or the tremor of the camera: they show what they, or those beside them, showed
    before.

    On plain ground that can't be known, and the answer is no: a beam that is followed is better than a car that is not.
    """
    steps = (-1, 0, 1)
    beside = (np.roll(before, (down, across), axis=(0, 1)) for down in steps for across in steps)
    return shows_the_same(now, before, cells) or any(_are_alike(now, each, cells, _SURELY_ALIKE) for each in beside)


def is_smooth_light(now: Small, before: Small, cells: Cells) -> bool:
    """Whether the change in some cells is light on ground that is nearly plain: the ratio of now to before is smooth, and what little
    structure the ground has shows through.

    Measured on asphalt: beams and shadows bend that ratio by 0.006 to 0.014 and leave a likeness of 0.14 and more; cars bend it by 0.014 to
    0.11, and a plain roof has no likeness to the ground. Where grain bends it more than a beam, the answer is no.
    """
    change = np.abs(now - before)
    lit = (cells & (change > max(6.0, 0.08 * float(before.mean())))).astype(np.uint8)
    inner = cv2.erode(lit, np.ones((5, 5), dtype=np.uint8)).astype(np.bool_)
    core = _inner(inner)
    if int(core.sum()) < _MANY_CELLS:
        return False
    seen, known = np.log(np.maximum(now, _DARK)), np.log(np.maximum(before, _DARK))
    bend = np.abs(cv2.Laplacian(seen - known, cv2.CV_32F))[inner]
    if float(np.median(bend)) > _SMOOTH:
        return False
    return float(np.corrcoef(_fine(seen)[core], _fine(known)[core])[0, 1]) > _THROUGH


def _are_alike(
    now: Small, before: Small, cells: Cells, least: float = _ALIKE, *, least_structure: float = _LEAST_STRUCTURE
) -> bool:
    if int(cells.sum()) < _LEAST_CELLS:
        return False
    seen, known = now[cells], before[cells]
    if float(known.std()) < least_structure or float(seen.std()) < _LEAST_SPREAD:
        return False
    return float(np.corrcoef(seen, known)[0, 1]) > least


def _inner(cells: Cells) -> Cells:
    """The cells that have none of the others beside them: a border belongs to what was there before, too."""
    return cv2.erode(cells.astype(np.uint8), np.ones((3, 3), dtype=np.uint8)).astype(np.bool_)


def _fine(small: Small) -> Small:
    """What is left without the coarse: a wall above a floor is not what makes two pictures alike."""
    return np.asarray(small - cv2.blur(small, (5, 5)), dtype=np.float32)
