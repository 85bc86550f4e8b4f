"""What does not work at present, for births and status: one entry per subject."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from edge.contract.birth import Degradation
from edge.masking import without_secrets

LONGEST_DETAIL = 500

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Entry:
    reason: str
    detail: str
    since: datetime


class Standing:
    """Degradations by (subject, reason); `on_change` is called after each change, from the thread that made it."""

    def __init__(self, *, clock: Callable[[], datetime], on_change: Callable[[], None]) -> None:
        self._clock = clock
        self._on_change = on_change
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, str], _Entry] = {}

    def degrade(self, subject: str, reason: str, detail: str) -> None:
        """Something does not work; the time of its beginning stays while only the detail changes."""
        detail = without_secrets(detail)[
            :LONGEST_DETAIL
        ]  # it goes to the cloud; masked first, for a cut address looks like none
        with self._lock:
            known = self._entries.get((subject, reason))
            if known is not None and known.detail == detail:
                return
            since = self._clock() if known is None else known.since
            self._entries[subject, reason] = _Entry(reason, detail, since)
        _log.warning("degraded", subject=subject, reason=reason, detail=detail)
        self._on_change()

    def recover(self, subject: str, reason: str) -> None:
        """It works again."""
        with self._lock:
            if self._entries.pop((subject, reason), None) is None:
                return
        _log.info("recovered", subject=subject, reason=reason)
        self._on_change()

    def forget(self, subject: str) -> None:
        """Whatever it was, it is no part of the node any more."""
        with self._lock:
            reasons = [reason for each, reason in self._entries if each == subject]
        for reason in reasons:
            self.recover(subject, reason)

    def degradations(self) -> tuple[Degradation, ...]:
        """All of them, oldest first."""
        with self._lock:
            entries = sorted(self._entries.items(), key=lambda item: item[1].since)
        return tuple(
            Degradation(subject=subject, reason=reason, detail=entry.detail, since=entry.since)
            for (subject, reason), entry in entries
        )
