"""Orders from above. This version knows none: each is read, checked for session and deadline, and refused with a reason."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog

from edge.contract.downlink import Command, DesiredProfile
from edge.contract.envelope import decode
from edge.contract.topics import Channel

_log = structlog.get_logger(__name__)


class CommandDesk:
    """Takes commands and desired profiles; `refusals` counts them by reason."""

    def __init__(self, node: str, session: UUID, *, clock: Callable[[], datetime]) -> None:
        self._node = node
        self._session = session
        self._clock = clock
        self.refusals: Counter[str] = Counter()

    def receive(self, channel: Channel, payload: bytes) -> None:
        """Read one order. Raises WireError for what can't be read."""
        if channel is Channel.COMMAND:
            command = decode(payload, Command)
            reason = self._refusal(command)
            self.refusals[reason] += 1
            _log.warning("command refused", name=command.name, command_id=str(command.command_id), reason=reason)
        elif channel is Channel.DESIRED:
            desired = decode(payload, DesiredProfile)
            self.refusals["unsupported"] += 1
            _log.warning("desired profile ignored", profile=desired.profile, version=desired.version)

    def _refusal(self, command: Command) -> str:
        if command.node != self._node:
            return "other_node"
        if command.session != self._session:
            return "other_session"
        if self._clock() > command.deadline:
            return "too_late"
        return "unsupported"
