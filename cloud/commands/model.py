"""A command on its way to a node and back. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from edge.contract.answer import Answer


class CommandState(StrEnum):
    """The life of a command: queued → sent → delivered, then one of the last four, which is never left again."""

    QUEUED = "queued"
    SENT = "sent"
    """Given to the broker; perhaps more than once."""
    DELIVERED = "delivered"
    """The node says that it has it."""
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"


RUNNING = frozenset({CommandState.QUEUED, CommandState.SENT, CommandState.DELIVERED})


@dataclass(frozen=True, slots=True)
class Command:
    """What was asked of a node, and what came of it. `area_code` is that of the device, without one that of the node; `session`
    is the start of the node that it is meant for; `sent_at` is when it was last given to the broker. `arguments` and `result` are
    forgotten after a day.
    """

    id: UUID
    node: str
    district: str
    area_code: str
    session: UUID
    name: str
    device: str | None
    arguments: dict[str, Any] = field(repr=False)
    asked_by: str
    asked_at: datetime
    deadline: datetime
    state: CommandState
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    result: dict[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Told:
    """What a node said of a command, and when that came."""

    node_id: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class Addressee:
    """A node as a command needs it: whether anybody is there, and where that which is asked about stands."""

    node_id: int
    name: str
    district: str
    area_code: str
    area_path: str
    owner: str | None
    presence: str
    presence_since: datetime | None
    session: UUID | None
    last_seen_at: datetime | None
