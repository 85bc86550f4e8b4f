"""`SIMULATED 模拟`, burnt into a picture: nobody shall take a made scene for a real one."""

from typing import Final

import cv2

from edge.flow import Image

_CHARACTERS: Final = (
    # 模
    (((0, 4), (6, 4)), ((3, 0), (3, 16)), ((3, 5), (0, 11)), ((3, 6), (6, 9)),
     ((7, 2), (16, 2)), ((9, 0), (9, 4)), ((13, 0), (13, 4)),
     ((8, 5), (15, 5)), ((8, 8), (15, 8)), ((8, 11), (15, 11)), ((8, 5), (8, 11)), ((15, 5), (15, 11)),
     ((7, 13), (16, 13)), ((11, 11), (7, 16)), ((12, 13), (16, 16))),
    # 拟
    (((0, 4), (6, 4)), ((0, 10), (6, 8)), ((3, 0), (3, 15)), ((3, 15), (1, 14)),
     ((8, 2), (8, 13)), ((8, 13), (11, 10)), ((10, 3), (11, 6)),
     ((14, 1), (14, 8)), ((14, 8), (9, 16)), ((13, 10), (16, 16))),
)  # fmt: skip
"""Strokes on a grid of sixteen."""
_GROUND: Final = (30, 30, 30)
_INK: Final = (235, 235, 235)


def stamp(image: Image) -> None:
    """Write it into the lower left corner, one thirtieth of the picture high."""
    height = image.shape[0]
    size = max(12, height // 30)
    gap, unit = size // 3, size / 16
    text = "SIMULATED"
    scale = size / 22
    (wide, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    top, left = height - size - 2 * gap, gap
    right = left + wide + 2 * (size + gap) + 2 * gap
    cv2.rectangle(image, (0, top - gap), (right, height), _GROUND, -1)
    cv2.putText(image, text, (left, top + size), cv2.FONT_HERSHEY_SIMPLEX, scale, _INK, 1, cv2.LINE_AA)
    at = left + wide + gap
    for strokes in _CHARACTERS:
        for (x1, y1), (x2, y2) in strokes:
            begin, end = (
                (round(at + x1 * unit), round(top + y1 * unit)),
                (round(at + x2 * unit), round(top + y2 * unit)),
            )
            cv2.line(image, begin, end, _INK, 1, cv2.LINE_AA)
        at += size + gap
