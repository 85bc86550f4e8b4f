"""How long a command waits, which word of a node counts, what is kept of it. Pure."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from cloud.commands.model import RUNNING, Addressee, CommandState
from edge.contract.answer import Answer, AnswerOutcome, Refusal
from edge.contract.downlink import CommandName

PATIENCE: Final = MappingProxyType(
    {
        CommandName.DEVICE_ACTION: timedelta(seconds=45),
        CommandName.LOG_TAIL: timedelta(seconds=20),
        CommandName.RULES_TRY: timedelta(seconds=120),
        CommandName.SNAPSHOT: timedelta(seconds=15),
        CommandName.UPLOAD_SEALED: timedelta(seconds=20),
        CommandName.KEEP_SEALED: timedelta(seconds=20),
    }
)
"""From the question to the deadline, after which no node carries it out; well below what a node remembers (10 minutes)."""

GRACE: Final = timedelta(seconds=5)
"""An answer may be on its way when the deadline comes."""

AGAIN_AFTER: Final = timedelta(seconds=5)
"""What is not answered by then is sent again: the command or its answer was lost, and the node carries out an id once."""

RESULTS_KEPT: Final = timedelta(days=1)
ROWS_KEPT: Final = timedelta(days=90)
FLEETING: Final = (CommandName.SNAPSHOT,)
"""Renewed every minute while somebody looks on: their rows go with the results."""

DEEPEST_RESULT: Final = 20
"""Objects and lists within each other; an answer of this project has eight. Beyond some hundreds JSON can't be written any more."""

TOO_DEEP: Final = f"the answer is nested more than {DEEPEST_RESULT} levels deep"

_PICTURE: Final = "jpeg_base64"

_STATES: Final = MappingProxyType(
    {
        AnswerOutcome.TAKEN: CommandState.DELIVERED,
        AnswerOutcome.DONE: CommandState.DONE,
        AnswerOutcome.REFUSED: CommandState.REFUSED,
        AnswerOutcome.FAILED: CommandState.FAILED,
    }
)


def state_after(state: CommandState, session: UUID, answer: Answer) -> CommandState | None:
    """Where an answer leads a command that was meant for `session`; None where it changes nothing.

    A last word stays the last one. Of another session only that it is another one counts: its node has started anew, and
    whoever asked need not wait for the deadline.
    """
    if state not in RUNNING:
        return None
    if answer.session != session and answer.reason != Refusal.OTHER_SESSION:
        return None
    if answer.session != session and answer.outcome is not AnswerOutcome.REFUSED:
        return None
    reached = _STATES[answer.outcome]
    return None if reached is state else reached


def is_too_deep(result: Mapping[str, Any] | None) -> bool:
    """Whether an answer is nested more deeply than is kept."""
    level: list[Any] = [result]
    for _ in range(DEEPEST_RESULT):
        level = [part for each in level for part in _parts(each)]
    return any(isinstance(each, dict | list) for each in level)


def shows_picture(result: Mapping[str, Any] | None) -> bool:
    """Whether an answer brings a picture of a camera along, wherever the node has put it."""
    level: list[Any] = [result]
    while level:
        if any(isinstance(each, dict) and each.get(_PICTURE) for each in level):
            return True
        level = [part for each in level for part in _parts(each)]
    return False


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def absence(addressee: Addressee) -> str | None:
    """Why a node can't be asked now, for people; None where it can."""
    if addressee.presence == "online" and addressee.session is not None:
        return None
    since = addressee.presence_since
    if since is None:
        return f"the node {addressee.name} has not been present yet"
    return f"the node {addressee.name} has not been present since {since.isoformat(timespec='seconds')}; ask when it is back"
