"""The size of a JPEG from its header (ITU-T T.81, annex B): known before anything is unpacked."""

from typing import Final

_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_MOST_SEGMENTS: Final = 1000


class NoJpeg(ValueError):
    """The bytes are no JPEG picture."""


def jpeg_size(content: bytes) -> tuple[int, int]:
    """Width and height in pixels. Raises NoJpeg."""
    if content[:2] != b"\xff\xd8":
        raise NoJpeg("it does not begin as a JPEG does")
    at = 2
    for _ in range(_MOST_SEGMENTS):
        while content[at : at + 2] == b"\xff\xff":
            at += 1
        if len(content) < at + 4 or content[at] != 0xFF:
            break
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if marker in _WITHOUT_LENGTH:
            at += 2
        elif marker in _START_OF_FRAME and len(content) >= at + 9:
            height, width = (int.from_bytes(content[at + skip : at + skip + 2], "big") for skip in (5, 7))
            if width and height:
                return width, height
            break
        elif length < 2:
            break
        else:
            at += 2 + length
    raise NoJpeg("it has no size")
