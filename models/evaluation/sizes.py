"""Small, medium and large: COCO's 32 and 96 pixels squared, in a picture that is taken to have 640 × 480. Pure.

COCO counts pixels of pictures of about that size. Those of the sets have any size, and a network sees all of them in its own: so a box counts
by its share of the picture, times 640 · 480. Small is then what fills less than a third of a percent, large what fills 3 % and more.
"""

from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

PICTURE_PIXELS: Final = 640 * 480
_MEDIUM_FROM: Final = 32**2 / PICTURE_PIXELS
_LARGE_FROM: Final = 96**2 / PICTURE_PIXELS


class Size(StrEnum):
    """How large a thing is in the picture."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


def of_size(boxes: NDArray[np.float32], size: Size) -> NDArray[np.bool_]:
    """Which of the boxes (n, 4), in parts of the picture, are of a size: (n,)."""
    least, less_than = {
        Size.SMALL: (-np.inf, _MEDIUM_FROM),
        Size.MEDIUM: (_MEDIUM_FROM, _LARGE_FROM),
        Size.LARGE: (_LARGE_FROM, np.inf),
    }[size]
    shares = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64).prod(axis=1)
    return np.asarray((shares >= least) & (shares < less_than))
