"""Firmware of devices (设备固件): for which make and model a file is signed, and how the versions are ordered that devices announce.

The name of such an artifact is that of make and model (`family_of`), its version what a device announces once it runs it. Makers number as
they like, so the order is that of the numbers within one way of writing; versions that are written in different ways have none.
"""

import hashlib
import re
from typing import Final

LONGEST_VERSION: Final = 50
"""As `BootNotification.firmwareVersion` has it (OCPP 1.6 §6.3, CiString50)."""

VERSION: Final = re.compile(r"[\x21-\x7e]{1,50}")
_PART: Final = re.compile(r"[0-9]+|[^0-9]+")
_PLAIN: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?")
_LONGEST_SLUG: Final = 24
_MARK: Final = 6


def family_of(vendor: str, model: str) -> str | None:
    """The name under which firmware for a make and model is signed, as `teld.dc-120`; None where a device says too little of itself.

    Upper and lower case are one. What a name can't hold (Chinese, blanks, dots) is told apart by a part of its hash.
    """
    if not vendor.strip() or not model.strip():
        return None
    return f"{_slug(vendor)}.{_slug(model)}"


def _slug(text: str) -> str:
    plain = " ".join(text.split()).lower()
    if len(plain) <= _LONGEST_SLUG and _PLAIN.fullmatch(plain):
        return plain
    slug = re.sub(r"[^a-z0-9_-]+", "-", plain)[: _LONGEST_SLUG - _MARK - 1].strip("-_")
    return f"{slug}-{hashlib.sha256(plain.encode()).hexdigest()[:_MARK]}".lstrip("-")


def announced_version(told: str) -> str | None:
    """A version as it is signed, from what a device says: blanks stand as `_`, what no version can hold makes it none."""
    version = "_".join(told.split())[:LONGEST_VERSION]
    return version if VERSION.fullmatch(version) else None


def is_lower(version: str, than: str) -> bool:
    """Whether a version stands below another; of two that are written in different ways none does."""
    parts, others = _PART.findall(version.lower()), _PART.findall(than.lower())
    for one, other in zip(parts, others, strict=False):
        if one.isdigit() and other.isdigit():
            if int(one) != int(other):
                return int(one) < int(other)
        elif one != other:
            return False
    return len(parts) < len(others)
