"""Readings in batches by column, changes of state, and the gaps that were declared."""

from datetime import UTC, datetime, timedelta
from enum import IntFlag, StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from edge.contract.fields import Instant, Microseconds, Name, Ordinal, Text, Value, require_possible

MAXIMUM_READINGS = 5_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ReadingFlag(IntFlag):
    """What a node had to say of a reading's time or standing."""

    NONE = 0
    CLAMPED = 1  # the device's time lay in the future: replaced by the node's own
    CORRECTION = 2  # replaces what was stored for the same time
    REPLAYED = 4  # the device itself sent it late
    SIMULATED = 8  # comes from a simulator


class SeriesColumn(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Readings of one point of one device; the lists have one length. `flag` is empty when all are NONE."""

    device: Name
    point: Name
    observed_at_us: list[Microseconds]
    value: list[Value]
    flag: list[Annotated[int, Meta(ge=0, le=255)]] = []

    def __post_init__(self) -> None:
        """Refuse columns of unequal length."""
        if len(self.value) != len(self.observed_at_us) or (self.flag and len(self.flag) != len(self.value)):
            raise ValueError("the columns observed_at_us, value and flag must have one length")


class StateChange(Struct, frozen=True, kw_only=True):
    """An enumerated or textual state that changed; `presence` of a device is one (online, lost)."""

    device: Name
    point: Name
    observed_at: Instant
    value: Text

    def __post_init__(self) -> None:
        """Refuse a time that can't be."""
        require_possible(self.observed_at)


class TelemetryBatch(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a node read; at most `MAXIMUM_READINGS` over all columns."""

    series: list[SeriesColumn] = []
    changes: list[StateChange] = []
    skew_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse an empty batch and one that is too long."""
        size = sum(len(column.value) for column in self.series) + len(self.changes)
        if not 0 < size <= MAXIMUM_READINGS:
            raise ValueError(f"a batch holds 1 to {MAXIMUM_READINGS} readings and changes, this one {size}")


class GapReason(StrEnum):
    """Why readings are missing."""

    QUOTA = "quota"
    POWER_LOSS = "power_loss"
    CORRUPT = "corrupt"
    REJECTED = "rejected"


class Gap(Struct, frozen=True, kw_only=True):
    """A declared drop: `count` readings of a device between two event times will never come."""

    gap_id: UUID
    device: Name
    from_at: Instant
    to_at: Instant
    count: Ordinal
    reason: GapReason

    def __post_init__(self) -> None:
        """Refuse a range that runs backwards, and times that can't be."""
        require_possible(self.from_at, self.to_at)
        if self.to_at < self.from_at:
            raise ValueError("a gap can't end before it began")


def to_microseconds(instant: datetime) -> int:
    """Microseconds since 1970 of an aware time, exactly (no float on the way)."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(microseconds: int) -> datetime:
    """The aware UTC time that `to_microseconds` came from."""
    return _EPOCH + timedelta(microseconds=microseconds)
