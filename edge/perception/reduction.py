"""Small grey pictures of large ones: halved as long as that goes even, then brought to size; each cell is the average of what it covers.

An average over a fraction of pixels costs several times one over whole pixels; with halves first only the last step, of a small picture, is a fraction.
"""

import cv2
import numpy as np
from numpy.typing import NDArray


def reduced(luma: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """A grey picture (rows, columns) as one of `width` × `height` pixels that is not larger."""
    small = luma
    while True:
        rows, columns = small.shape
        if columns % 2 or rows % 2 or columns < 4 * width or rows < 4 * height:
            break
        small = np.asarray(cv2.resize(small, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
