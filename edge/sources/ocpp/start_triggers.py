"""Whether a station tells of itself because it was asked to (`TriggerMessage`), and not because it has started. OCPP 1.6 does not say it. Pure."""

from typing import Any, Final

from ocpp.v16 import call
from ocpp.v16.enums import MessageTrigger

PATIENCE_S: Final = 60.0
"""So long a station may take to tell what it was asked to; what comes later is its own word."""


def asks_for_start(order: Any) -> bool:
    """Whether an order is to tell of itself."""
    return isinstance(order, call.TriggerMessage) and order.requested_message == MessageTrigger.boot_notification


class StartTriggers:
    """Of one connection: each that was sent accounts for one answer. Times are seconds of one clock."""

    def __init__(self) -> None:
        self._sent_s: dict[str, float] = {}

    def sent(self, number: str, at_s: float) -> None:
        """It is on its way."""
        self._sent_s[number] = at_s

    def refused(self, number: str) -> None:
        """The station will not."""
        self._sent_s.pop(number, None)

    def is_awaited(self, at_s: float) -> bool:
        """Whether one is not answered yet."""
        self._sent_s = {number: sent_s for number, sent_s in self._sent_s.items() if at_s < sent_s + PATIENCE_S}
        return bool(self._sent_s)

    def answered(self) -> None:
        """The station has told of itself, and that was kept."""
        if self._sent_s:
            del self._sent_s[next(iter(self._sent_s))]
