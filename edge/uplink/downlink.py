"""Orders from above: each is read, held against node, session and deadline, carried out once, and answered.

Nothing is carried out here: `start` hands a command to whoever does, on another thread, and must come back at once; what the node
shall run is read and handed to `desire` in the same way, which judges it by itself.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec
import structlog

from edge.contract.answer import Answer, AnswerOutcome, Refusal
from edge.contract.downlink import Command, DesiredProfile, command_statement
from edge.contract.envelope import MAXIMUM_BYTES, decode
from edge.contract.signing import is_signed
from edge.contract.topics import Channel

LONGEST: Final = timedelta(minutes=10)
"""A deadline further ahead is refused: so long ids are remembered, and none is carried out twice."""

REMEMBERED: Final = 256
KEPT_BYTES: Final = 1 << 20
"""Of answers that may have to be said again."""

_log = structlog.get_logger(__name__)


class Finish(Protocol):
    """Says what became of one command; may be called from any thread."""

    def __call__(self, outcome: AnswerOutcome, reason: str | None = None, result: dict[str, Any] | None = None) -> None:
        """The last word; a second one is not heard."""


Start = Callable[[Command, Finish], bool]
"""Takes a command over, or answers False where as much waits as may."""


@dataclass(slots=True)
class _Known:
    """A command that was taken or turned away, and what was last said of it."""

    deadline: datetime
    answer: Answer
    size_bytes: int = 0


class CommandDesk:
    """Takes commands and desired profiles. `refusals` counts by reason what it did not take.

    `names` are the commands that `start` knows; `tell` sends an answer, and nothing depends on whether it arrives: what comes
    again is answered again. `cloud_keys` are the public keys that sign commands: a node that has none (it was never enrolled
    with a key) takes what comes over its broker, one that has any takes nothing without a signature of theirs.
    """

    def __init__(
        self,
        node: str,
        session: UUID,
        *,
        clock: Callable[[], datetime],
        names: Collection[str] = (),
        start: Start | None = None,
        tell: Callable[[Answer], bool] | None = None,
        desire: Callable[[DesiredProfile], None] | None = None,
        cloud_keys: Collection[bytes] = (),
    ) -> None:
        self.cloud_keys = tuple(cloud_keys)
        self._node = node
        self._session = session
        self._clock = clock
        self._names = frozenset(names)
        self._start: Start = start or (lambda _command, _finish: False)
        self._tell = tell or (lambda _answer: False)
        self._desire = desire or self._take_no_wish
        self._lock = threading.Lock()
        self._known: OrderedDict[UUID, _Known] = OrderedDict()
        self._kept_bytes = 0
        self.refusals: Counter[str] = Counter()

    def receive(self, channel: Channel, payload: bytes) -> None:
        """Read one order. Raises WireError for what can't be read."""
        if channel is Channel.COMMAND:
            self._take(decode(payload, Command))
        elif channel is Channel.DESIRED:
            self._desire(decode(payload, DesiredProfile))

    def _take_no_wish(self, desired: DesiredProfile) -> None:
        self.refusals["unsupported"] += 1
        _log.warning("desired profile ignored", profile=desired.profile, version=desired.version)

    def _take(self, command: Command) -> None:
        if command.node != self._node:
            self.refusals["other_node"] += 1  # not for us to answer
            _log.warning("command for another node", command_id=str(command.command_id))
            return
        refusal = self._distrust(command)
        if refusal is not None:
            self._refuse(command, refusal)
            return
        with self._lock:
            known = self._known.get(command.command_id)
        if known is not None:
            self._tell(known.answer)
            return
        refusal = self._refusal(command)
        if refusal is not None:
            self._refuse(command, refusal)
            return
        taken = self._answer(command, AnswerOutcome.TAKEN)
        with self._lock:
            self._known[command.command_id] = _Known(command.deadline, taken)
        self._tell(taken)
        if not self._start(command, self._finish_of(command)):
            self._end(command, self._refuse(command, Refusal.BUSY))

    def _distrust(self, command: Command) -> Refusal | None:
        """Why nobody can say that the cloud has sent it; before anything else, for an answer tells what the node knows."""
        if not self.cloud_keys:
            return None
        if command.sig is None:
            return Refusal.UNSIGNED
        try:
            signed = command_statement(command)
        except (ValueError, TypeError, RecursionError):
            return Refusal.BAD_SIGNATURE
        return None if is_signed(signed, command.sig, self.cloud_keys) else Refusal.BAD_SIGNATURE

    def _refusal(self, command: Command) -> Refusal | None:
        now = self._clock()
        if command.session != self._session:
            return Refusal.OTHER_SESSION
        if now > command.deadline:
            return Refusal.TOO_LATE
        if command.deadline - now > LONGEST:
            return Refusal.TOO_FAR
        if command.name not in self._names:
            return Refusal.UNSUPPORTED
        return None if self._has_room(now) else Refusal.BUSY

    def _has_room(self, now: datetime) -> bool:
        """Whether one more id can be remembered; those go whose deadline is over, for it refuses them from now on."""
        with self._lock:
            for command_id in [each for each, known in self._known.items() if known.deadline < now]:
                self._kept_bytes -= self._known.pop(command_id).size_bytes
            return len(self._known) < REMEMBERED

    def _refuse(self, command: Command, reason: Refusal) -> Answer:
        self.refusals[reason.value] += 1
        _log.warning("command refused", name=command.name, command_id=str(command.command_id), reason=reason.value)
        answer = self._answer(command, AnswerOutcome.REFUSED, reason.value)
        self._tell(answer)
        return answer

    def _answer(
        self,
        command: Command,
        outcome: AnswerOutcome,
        reason: str | None = None,
        result: dict[str, Any] | None = None,
    ) -> Answer:
        return Answer(
            command_id=command.command_id,
            node=self._node,
            session=self._session,
            at=self._clock(),
            outcome=outcome,
            reason=None if reason is None else reason[:500],
            result=result,
        )

    def _finish_of(self, command: Command) -> Finish:
        def finish(outcome: AnswerOutcome, reason: str | None = None, result: dict[str, Any] | None = None) -> None:
            answer = self._bounded(command, self._answer(command, outcome, reason, result))
            if self._end(command, answer):
                _log.info("command answered", name=command.name, command_id=str(command.command_id), outcome=outcome)
                self._tell(answer)

        return finish

    def _bounded(self, command: Command, answer: Answer) -> Answer:
        size_bytes = len(msgspec.json.encode(answer))
        if size_bytes <= MAXIMUM_BYTES:
            return answer
        return self._answer(command, AnswerOutcome.FAILED, f"the answer is too long: {size_bytes} bytes")

    def _end(self, command: Command, answer: Answer) -> bool:
        """Remember the last word, and of the oldest ones only that there was one; False for what is not waited for."""
        size_bytes = len(msgspec.json.encode(answer))
        with self._lock:
            known = self._known.get(command.command_id)
            if known is None or known.answer.outcome is not AnswerOutcome.TAKEN:
                return False
            known.answer, known.size_bytes = answer, size_bytes
            self._kept_bytes += size_bytes
            for other in self._known.values():
                if self._kept_bytes <= KEPT_BYTES:
                    break
                self._shorten(other)
        return True

    def _shorten(self, known: _Known) -> None:
        if known.answer.result is None:
            return
        reason = Refusal.ANSWERED_BEFORE.value
        known.answer = msgspec.structs.replace(known.answer, outcome=AnswerOutcome.REFUSED, reason=reason, result=None)
        self._kept_bytes -= known.size_bytes
        known.size_bytes = 0
