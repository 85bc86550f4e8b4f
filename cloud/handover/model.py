"""What a record of a change of shift is made of, and when it has to be confirmed. Pure."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from cloud.organisation.model import DutyKind

DESKS: Final = frozenset({DutyKind.DUTY_CHIEF, DutyKind.DUTY_OFFICER, DutyKind.DISPATCHER})
"""Who works where others rely on somebody being there at all hours, and so hands over in writing."""

DRAWN_BEFORE: Final = timedelta(minutes=30)
"""So long before the end of a shift its record is there to be given."""

GRACE: Final = timedelta(minutes=30)
"""So far into the next shift a record is confirmed by both; then the level above is told."""

LONGEST_AGO: Final = timedelta(hours=24)
"""Shifts that ended longer ago are given no record any more: nobody would remember."""

AHEAD: Final = timedelta(hours=24)
"""What was promised for the time after the change is listed so far ahead."""

LISTED: Final = 200
"""At most so many of each kind are listed by name; beside the list stands how many there are."""


def canonical(contents: Mapping[str, Any]) -> str:
    """The text that is hashed: JSON with sorted keys, without spaces, times in UTC."""
    return json.dumps(contents, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_plain)


def digest(text: str) -> bytes:
    """SHA-256 over the canonical text in UTF-8."""
    return hashlib.sha256(text.encode()).digest()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a record holds no {type(value).__name__}")
