"""What a node says to a command (命令应答): that it has it, and what became of it.

Bound to the session, like the health: neither outbox nor acknowledgement. Whoever asked asks again while nothing comes, and
the node, which carries out an id once, says the same again.
"""

from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import Struct

from edge.contract.envelope import VERSION
from edge.contract.fields import Instant, Name, Text, require_possible


class AnswerOutcome(StrEnum):
    """`taken` is the first word, where the command will be carried out; each of the others is the last."""

    TAKEN = "taken"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class Refusal(StrEnum):
    """Why a node refuses a command before it has looked at what is asked; a handler refuses in words of its own."""

    OTHER_SESSION = "other_session"
    """It was meant for an earlier start of the node."""
    TOO_LATE = "too_late"
    TOO_FAR = "too_far"
    """Its deadline lies further ahead than a node remembers what it was asked."""
    UNSIGNED = "unsigned"
    """Nobody has signed it, and the node knows who would have."""
    BAD_SIGNATURE = "bad_signature"
    """It is signed, and not by a cloud that the node knows, or it was changed on its way."""
    UNSUPPORTED = "unsupported"
    """The node knows no command of this name."""
    BUSY = "busy"
    """As much waits to be carried out as the node takes."""
    ANSWERED_BEFORE = "answered_before"
    """It was carried out and answered; the answer is no longer at hand."""


class Answer(Struct, frozen=True, kw_only=True):
    """One word on a command. `session` is that of the node that speaks; `result` comes with `done`, as the command has it."""

    v: int = VERSION
    command_id: UUID
    node: Name
    session: UUID
    at: Instant
    outcome: AnswerOutcome
    reason: Text | None = None
    result: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """Refuse a time that can't be."""
        require_possible(self.at)
