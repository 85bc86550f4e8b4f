"""Values that devices tell, and how a source hands them over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from edge.contract.telemetry import ReadingFlag


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of a declared point. `observed_at` is event time by the node's clock after clamping; `device_at` is what the
    device said, and `own_time` that it was believed: such a time is not corrected when the node's clock turns out to be wrong.
    `raw_code` is what the value was made of in the device's own words (a vendor's error code), for rules to keep. Of what `is_event`
    each one is an occurrence, also where the value is the same again.
    """

    device: str
    point: str
    observed_at: datetime
    value: float | str
    received_at: datetime
    device_at: datetime | None = None
    flag: ReadingFlag = ReadingFlag.NONE
    own_time: bool = False
    raw_code: str | None = None
    is_event: bool = False

    @property
    def told_at(self) -> datetime:
        """The event time as it is told to others: what the device said where that counts."""
        return self.device_at if self.own_time and self.device_at is not None else self.observed_at


@dataclass(frozen=True, slots=True)
class Receipts:
    """Marks of the messages that a source hands over, newest last, to be added to those that it has left before. They are
    kept in one transaction with the readings: after a crash the source knows which redelivered messages were kept already,
    and when they came first. The newest `RECEIPTS_KEPT` of a source are kept.
    """

    source: str
    marks: tuple[bytes, ...]


RECEIPTS_KEPT = 10_000
"""Messages that a broker may have delivered and not heard of, at most: its own window, and what was under way to it."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a source hands over at once. `again` was kept before a crash, and only rules have to see it once more."""

    readings: Sequence[Reading]
    again: Sequence[Reading] = ()
    receipts: Receipts | None = None
