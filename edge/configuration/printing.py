"""Signs that nobody sees: they may not stand in a configuration, and a message shows them by their numbers. Pure.

A NUL ends a path half-way, a line break begins a header of its own, and a mark of direction (U+202E) makes a name look like
another one.
"""

import unicodedata
from typing import Final

_UNSEEN: Final = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
_DIRECTIONS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def unprintable(text: str) -> str | None:
    """The first sign that can't be seen or that turns the others round, as `U+202E`; None when there is none."""
    if text.isascii() and text.isprintable():
        return None
    for sign in text:
        if unicodedata.category(sign) in _UNSEEN or sign in _DIRECTIONS:
            return f"U+{ord(sign):04X}"
    return None


def printable(text: str) -> str:
    """The text with every such sign shown by its number."""
    if unprintable(text) is None:
        return text
    return "".join(sign if unprintable(sign) is None else f"<U+{ord(sign):04X}>" for sign in text)
