"""Personal numbers in what people write (GB/T 35273): they are taken out before anything is kept. Pure."""

import re
from typing import Final

MASK: Final = "***"

_NUMBERS = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"[1-9][0-9]{5}(?:19|20)[0-9]{2}[0-9]{7}[0-9Xx]"  # identity card (居民身份证), 18 characters
    r"|(?:\+?86[- ]?)?1[3-9][0-9][- ]?[0-9]{4}[- ]?[0-9]{4}"  # mobile telephone
    r"|0[0-9]{2,3}[- ]?[2-9][0-9]{6,7}"  # telephone with its area code
    r"|[3-6][0-9]{3}(?:[ -]?[0-9]{4}){3}(?:[ -]?[0-9]{1,3})?"  # bank card
    r"|[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z]{2,24}"  # mail
    r")(?![0-9A-Za-z])"
)
_WIDE = {ord("０") + digit: str(digit) for digit in range(10)} | {ord("＋"): "+", ord("－"): "-", ord("＠"): "@"}


def without_numbers(text: str | None) -> str | None:
    """The text with telephone, identity and card numbers and mail addresses masked; digits of full width count as digits."""
    return _NUMBERS.sub(MASK, text.translate(_WIDE)) if text is not None else None
