"""Which months readings came from, so that each gets a partition of its own; what comes first waits in the default one."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection

from cloud.telemetry import store

_DAY_MINUTES = 1_440
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PAST = timedelta(days=730)
_AHEAD = timedelta(days=45)

Month = tuple[int, int]
"""Year and month, UTC."""


@dataclass(slots=True)
class Partitions:
    """Collects months that were seen and not opened yet. A clock gone wild opens none: only the past two years count."""

    wanted: set[Month] = field(default_factory=set)
    _opened: set[Month] = field(default_factory=set)
    _days: set[int] = field(default_factory=set)

    def need(self, minutes: Iterable[tuple[int, int]]) -> None:
        """Take the (series id, minute since 1970) pairs of committed readings."""
        days = {minute // _DAY_MINUTES for _, minute in minutes} - self._days
        if len(self._days) > 10_000:
            self._days.clear()
        self._days |= days
        for day in days:
            at = _EPOCH + timedelta(days=day)
            self.wanted.add((at.year, at.month))
        self.wanted -= self._opened

    def open(self, conn: Connection[Any], now: datetime) -> int:
        """Open what is wanted and lies near enough to `now`; how many were made."""
        made = 0
        for month in sorted(self.wanted):
            first = datetime(*month, 1, tzinfo=UTC)
            if now - _PAST <= first <= now + _AHEAD:
                made += store.open_partition(conn, first)
        self._opened |= self.wanted
        self.wanted.clear()
        return made
