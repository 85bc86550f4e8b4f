"""A picture as a grid worker's phone might send it, drawn: the demo ships no photograph of a real place."""

import cv2
import numpy as np

_WIDTH, _HEIGHT = 1280, 960


def rubbish() -> bytes:
    """A JPEG of bags beside a path; the same bytes in each run."""
    picture = np.full((_HEIGHT, _WIDTH, 3), (214, 196, 170), np.uint8)
    picture[400:700] = (92, 128, 96)
    picture[700:] = (150, 152, 156)
    for at in range(0, _WIDTH, 160):
        cv2.line(picture, (at, 700), (at - 120, _HEIGHT), (128, 130, 134), 3)
    places = ((420, 700, 130), (600, 720, 150), (520, 640, 110), (760, 715, 120), (690, 650, 95))
    for number, (x, y, size) in enumerate(places):
        shade = 38 + 12 * (number % 3)
        cv2.ellipse(picture, (x, y), (size, int(size * 0.78)), 0, 0, 360, (shade, shade + 4, shade + 2), -1)
        cv2.ellipse(picture, (x - size // 4, y - size // 3), (size // 3, size // 6), -20, 0, 360, (96, 98, 98), -1)
        cv2.line(picture, (x, y - int(size * 0.78)), (x + 10, y - int(size * 0.95)), (70, 70, 70), 10)
    cv2.rectangle(picture, (900, 560), (1080, 740), (60, 110, 160), -1)
    cv2.rectangle(picture, (900, 560), (1080, 740), (40, 80, 120), 6)
    cv2.putText(picture, "DEMO", (40, 90), cv2.FONT_HERSHEY_SIMPLEX, 2.2, (255, 255, 255), 8, cv2.LINE_AA)
    fine, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not fine:
        raise ValueError("the picture can't be written")
    return encoded.tobytes()
