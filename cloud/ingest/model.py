"""A message on its way through ingest. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from edge.contract.answer import Answer
from edge.contract.birth import NodeStatus
from edge.contract.downlink import Outcome
from edge.contract.envelope import Envelope
from edge.contract.health import NodeHealth
from edge.contract.topics import Topic


class Reason(StrEnum):
    """Why a message is not taken as it is; short and stable, for acknowledgements and counters."""

    MALFORMED = "malformed"
    OVERSIZED = "oversized"
    WRONG_VERSION = "wrong_version"
    UNKNOWN_TOPIC = "unknown_topic"
    NODE_MISMATCH = "node_mismatch"
    DISTRICT_MISMATCH = "district_mismatch"
    ID_REUSED = "id_reused"
    DATA = "data"
    INTERNAL = "internal"
    QUARANTINE_FULL = "quarantine_full"
    UNKNOWN_NODE = "unknown_node"
    UNKNOWN_DEVICE = "unknown_device"
    UNSIGNED = "unsigned"
    """An incident of a node that has a key, without a signature."""
    BAD_SIGNATURE = "bad_signature"
    """The signature of an incident is not that of its node's key, or something was changed after it was made."""
    DISCARDED = "discarded"
    """Had waited in quarantine; an operator let it go."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """The bytes as they came. `held_before`: from quarantine, its node was told that it is kept. `settled_before`: its receipt
    was written then, too. `vouched`: a person takes it in although its signature does not fit.
    """

    topic: str
    payload: bytes
    received_at: datetime
    held_before: bool = False
    settled_before: bool = False
    vouched: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A message that can be read, from the node that its topic names. `mended`: it held NULs, which no text here may hold."""

    arrival: Arrival
    topic: Topic
    envelope: Envelope[Any]
    mended: bool = False


@dataclass(frozen=True, slots=True)
class StatusMessage:
    """A node's presence, told by itself or by its last will."""

    arrival: Arrival
    topic: Topic
    status: NodeStatus


@dataclass(frozen=True, slots=True)
class HealthMessage:
    """What a node says of what waits in it; a state, so the newest one counts and none is acknowledged."""

    arrival: Arrival
    topic: Topic
    health: NodeHealth


@dataclass(frozen=True, slots=True)
class AnswerMessage:
    """What a node says to a command; not acknowledged either, whoever asked asks again."""

    arrival: Arrival
    topic: Topic
    answer: Answer


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that can't be taken. `message_id` where it could still be found, so that the node hears of it."""

    arrival: Arrival
    topic: Topic | None
    message_id: UUID | None
    reason: str
    detail: str


Item = Message | StatusMessage | HealthMessage | AnswerMessage | Refusal


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a message; what the node is told."""

    topic: Topic
    message_id: UUID
    outcome: Outcome
    reason: str | None = None
    session: UUID | None = None
