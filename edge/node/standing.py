"""What does not work at present, for births and status: one entry per subject."""

import threading
from collections.abc import Callable, Collection, Mapping
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
        self._behind: Mapping[str, str] = {}

    def know_lines(self, behind: Mapping[str, str]) -> None:
        """By device or camera: the leased line that it stands behind. What stands behind one that is degraded itself is told so."""
        with self._lock:
            self._behind = dict(behind)

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
            degraded, behind = {subject for subject, _ in self._entries}, self._behind
        return tuple(
            Degradation(
                subject=subject,
                reason=reason,
                detail=_explained(entry.detail, _line_of(subject, behind, degraded)),
                since=entry.since,
            )
            for (subject, reason), entry in entries
        )


def _line_of(subject: str, behind: Mapping[str, str], degraded: Collection[str]) -> str | None:
    """The first line on the way to it that is degraded; the configuration sees to it that no way is endless."""
    line = behind.get(subject)
    while line is not None and line not in degraded:
        line = behind.get(line)
    return line


def _explained(detail: str, line: str | None) -> str:
    return (
        detail
        if line is None
        else f"{detail[: LONGEST_DETAIL - 100]}; behind the leased line {line}, which is degraded"
    )
