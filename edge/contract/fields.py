"""Field types that several bodies share, with the limits that every reader enforces."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from msgspec import Meta

# `$` alone would let a newline follow: what is read here goes into topics, paths and logs
Name = Annotated[str, Meta(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$(?!\n)")]
"""Identifier of a node, device, spot, point, rule or kind: lower case, 1 to 64 characters, safe in a topic and a path."""

District = Annotated[str, Meta(pattern=r"^[0-9]{6}$(?!\n)")]
"""Six-digit district code (GB/T 2260), fixed at enrolment."""

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
"""SHA-256 in lower-case hexadecimal."""

Text = Annotated[str, Meta(max_length=500)]
"""Words for people; never an identifier."""

Instant = Annotated[datetime, Meta(tz=True)]
"""Aware time; writers use UTC. Bodies check by `require_possible` that it lies in the years that every calendar here holds."""

Microseconds = Annotated[int, Meta(ge=0, le=253_402_300_799_999_999)]
"""Microseconds since 1970-01-01T00:00Z, up to the end of the year 9999."""

Ordinal = Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]
"""A number that counts from 1, as wide as every table and language here holds it."""

LARGEST_VALUE = 1e100

Value = Annotated[float, Meta(ge=-LARGEST_VALUE, le=LARGEST_VALUE)]
"""What was measured. Nothing that is measured is larger, and sums and squares of larger ones overflow."""

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
"""A share, a confidence or a normalised image coordinate."""


_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_FINAL = datetime(9999, 12, 31, tzinfo=UTC)


def require_possible(*instants: datetime | None) -> None:
    """Refuse, with ValueError, a time before 1970 or in the last hours of the year 9999: in another zone it has no date."""
    for instant in instants:
        if instant is not None and not _EARLIEST <= instant < _FINAL:
            raise ValueError("a time must lie in the years from 1970 to 9999")


def shifted(instant: datetime, by: timedelta) -> datetime:
    """`instant + by`, held within the possible times."""
    try:
        return min(max(instant + by, _EARLIEST), _FINAL - timedelta(microseconds=1))
    except OverflowError:
        return _EARLIEST if by < timedelta(0) else _FINAL - timedelta(microseconds=1)


def uuid7(unix_ms: int, *, random_bytes: Callable[[int], bytes] = os.urandom) -> UUID:
    """Make a version 7 UUID (RFC 9562 §5.7): 48 bits of `unix_ms`, 74 random bits, so that ids sort by time."""
    noise = int.from_bytes(random_bytes(10), "big")
    value = (unix_ms & 0xFFFF_FFFF_FFFF) << 80 | noise
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
