"""A station's call as those see it who answer it, and what it comes to. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from edge.contract.fields import shifted
from edge.flow import Reading
from edge.sources.ocpp import faults
from edge.sources.ocpp.frames import ErrorCode, MessageId
from edge.sources.ocpp.station_clock import Moment, instant
from edge.sources.ocpp.transactions import LARGEST_NUMBER

MOST_TIMES: Final = 1_000
"""Meter values of one message, by their times."""


@dataclass(frozen=True, slots=True)
class Boot:
    """What a station says of itself when it starts (`BootNotification`)."""

    vendor: str
    model: str
    version: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What a call comes to. `again` was kept before a crash, `refused` names what of it was not taken; either `answer` is its
    result, or `error` says why it is refused. `booted`, and the connector whose `status_of` was told, are for
    those who would ask for it else; `boot` and `firmware_status` for those who give it a firmware, told at `told_at` (node time).
    `is_start`: it told of itself because it started, and not because it was asked to.
    """

    readings: Sequence[Reading] = ()
    again: Sequence[Reading] = ()
    marks: tuple[bytes, ...] = ()
    answer: Mapping[str, Any] = field(default_factory=dict)
    error: tuple[ErrorCode, str] | None = None
    refused: tuple[str, ...] = ()
    booted: bool = False
    status_of: int | None = None
    boot: Boot | None = None
    is_start: bool = False
    firmware_status: str | None = None
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A call as its handler sees it."""

    message_id: MessageId
    payload: Mapping[str, Any]
    received_at: datetime
    correction: timedelta

    @property
    def now(self) -> str:
        """The true time, as the standard writes it."""
        return shifted(self.received_at, self.correction).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def times_of(payload: Mapping[str, Any]) -> list[datetime | None]:
    """All times in a message that tell when it was made."""
    values = payload.get("meterValue")
    own = [instant(payload.get("timestamp"))]
    if not isinstance(values, list):
        return own
    return own + [instant(value.get("timestamp")) for value in values[-MOST_TIMES:] if isinstance(value, dict)]


def content_of(kind: str, message: Message, moment: Moment, *keys: str) -> tuple[Any, ...]:
    """By what a message is known when it comes again: what it says, and where it says no time that can be meant, its id."""
    said = tuple(faults.word(message.payload.get(key)) for key in keys)
    return (kind, *said) if moment.device_at is not None else (kind, *said, message.message_id)


def connector_of(value: Any) -> int | None:
    """A connector's number; None where it is none."""
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 6 else value
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= 65_535:
        return None
    return number


def number_of(value: Any) -> int:
    """A charge's number; 0 where it is none."""
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12 else value
    if isinstance(number, bool) or not isinstance(number, int) or abs(number) > LARGEST_NUMBER:
        return 0
    return number
