"""The envelope around every message that a node sends, and the one way to read and write it."""

from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from edge.contract.errors import Malformed, Oversized, WrongVersion
from edge.contract.fields import Instant, Name, Ordinal, require_possible

VERSION = 1
MAXIMUM_BYTES = 256 * 1024

Body = TypeVar("Body")

Seconds = Annotated[float, Meta(ge=-3.2e11, le=3.2e11)]
"""A difference of times: up to ten thousand years."""


class Lane(StrEnum):
    """The three queues of a node. `seq` runs per (session, lane): overtaking between lanes makes no false gap."""

    INCIDENT = "incident"
    LIVE = "live"
    HISTORY = "history"


class Envelope(Struct, Generic[Body], frozen=True, kw_only=True):
    """One message from a node.

    `id` is a UUIDv7 made when the record was accepted; it stays the same over every resend, so the cloud counts it once.
    `session` names one start of the node; `seq` grows by one within (session, lane), from 1.
    `historical` is decided when sending: queued for long, or replayed by the device itself. `clock_correction_s` is set
    where the clock that told the times of an incident has turned out to be wrong since: the reader adds it to all of them
    (the bytes of the body stay as they were chained). Readings are corrected by the node itself.
    """

    v: int = VERSION
    id: UUID
    node: Name
    session: UUID
    lane: Lane
    seq: Ordinal
    sent_at: Instant
    historical: bool = False
    clock_correction_s: Seconds | UnsetType = UNSET
    body: Body

    def __post_init__(self) -> None:
        """Refuse a time that can't be."""
        require_possible(self.sent_at)


class _Version(Struct, frozen=True):
    v: int


def encode(message: Struct) -> bytes:
    """Write a message as compact JSON.

    Raises Oversized when it would be longer than any reader takes: split the batch.
    """
    payload = msgspec.json.encode(message)
    if len(payload) > MAXIMUM_BYTES:
        raise Oversized(f"{len(payload)} bytes, the limit is {MAXIMUM_BYTES}")
    return payload


@cache
def _decoder(shape: Any) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(shape)


def decode(payload: bytes | bytearray | memoryview, shape: type[Body]) -> Body:
    """Read one message as `shape`, for example `Envelope[Incident]` or `Ack`.

    Raises Oversized, WrongVersion or Malformed, with the reason in words. Fields that `shape` does not have are ignored.
    """
    if len(payload) > MAXIMUM_BYTES:
        raise Oversized(f"{len(payload)} bytes, the limit is {MAXIMUM_BYTES}")
    try:
        message = _decoder(shape).decode(payload)  # type: ignore[arg-type]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        _raise_if_other_version(payload)
        raise Malformed(str(error)) from error
    if getattr(message, "v", VERSION) != VERSION:
        raise WrongVersion(f"version {message.v} of the contract is not known here, only {VERSION}")
    return message  # type: ignore[no-any-return]


def _raise_if_other_version(payload: bytes | bytearray | memoryview) -> None:
    try:
        version = msgspec.json.decode(payload, type=_Version).v
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return
    if version != VERSION:
        raise WrongVersion(f"version {version} of the contract is not known here, only {VERSION}")
