"""What goes first when the disk's share is used up: the oldest readings, declared; never an incident."""

from dataclasses import dataclass

from edge.errors import OutboxFull
from edge.outbox.store import Store
from edge.settings import OutboxSettings

READING_BYTES = 64
"""What one reading takes in the table and its index, rounded up."""

DROP_AT_ONCE = 2_000
"""Readings that go together, so that a full store does not drop one by one."""

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Quota:
    """The share of the disk: `total_bytes`, of which readings leave `reserve_bytes` to incidents."""

    total_bytes: int
    reserve_bytes: int

    @classmethod
    def of(cls, settings: OutboxSettings) -> "Quota":
        """From the configuration."""
        return cls(settings.quota_mib * _MIB, settings.incident_reserve_mib * _MIB)

    def room_for_readings(self, store: Store, count: int) -> int:
        """Drop old readings until `count` new ones fit; how many were dropped comes back. Raises OutboxFull when what is
        left are messages that may not be dropped.
        """
        limit = self.total_bytes - self.reserve_bytes
        dropped = _drop_until(store, limit - count * READING_BYTES)
        if store.used_bytes() + count * READING_BYTES > limit:
            raise OutboxFull("the outbox holds nothing that may be dropped for new readings")
        return dropped

    def room_for_incident(self, store: Store) -> int:
        """Drop old readings where even the reserve is used up. An incident is kept in any case."""
        return _drop_until(store, self.total_bytes)


def _drop_until(store: Store, limit_bytes: int) -> int:
    dropped = 0
    while store.used_bytes() > limit_bytes:
        gone = store.drop_oldest(DROP_AT_ONCE)
        if gone == 0:
            break
        dropped += gone
    return dropped
