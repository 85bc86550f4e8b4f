"""Who sees an original, when and for which case, written into the picture (水印), so that a copy tells where it came from.

Films: `cloud.proof.film`.
"""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from cloud.evidence import formats

Image = npt.NDArray[np.uint8]

JPEG: Final = "image/jpeg"
_QUALITY: Final = 92
_ROWS: Final = 5
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


def is_picture(content: bytes) -> bool:
    """Whether these bytes can be marked: a whole JPEG of a possible size."""
    try:
        formats.check(JPEG, content)
    except formats.NotOfItsKind:
        return False
    return True


def marked(content: bytes, text: str) -> bytes:
    """The picture with the text all over it: it can't be cut off at an edge. Raises ValueError for what is no picture."""
    if not is_picture(content):
        raise ValueError("these bytes are no picture")
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("these bytes are no picture")
    whole = drawn(np.asarray(picture, np.uint8), text)
    fine, encoded = cv2.imencode(".jpg", whole, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not fine:
        raise ValueError("the picture can't be written")
    return encoded.tobytes()


def drawn(picture: Image, text: str) -> Image:
    """A copy of a picture (height, width, 3) with the text all over it."""
    height, width = picture.shape[:2]
    written = "".join(each if " " <= each <= "~" else "?" for each in text)
    scale = 0.8 * width / cv2.getTextSize(written, _FONT, 1.0, 1)[0][0]
    thickness = max(1, round(scale * 2))
    layer = picture.copy()
    for row in range(_ROWS):
        at = (round(width * (0.02 if row % 2 else 0.18)), round(height * (row + 0.6) / _ROWS))
        cv2.putText(layer, written, at, _FONT, scale, (0, 0, 0), thickness + 2, cv2.LINE_AA)
        cv2.putText(layer, written, at, _FONT, scale, (255, 255, 255), thickness, cv2.LINE_AA)
    return np.asarray(cv2.addWeighted(layer, 0.55, picture, 0.45, 0), np.uint8)
