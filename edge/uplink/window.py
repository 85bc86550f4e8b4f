"""What has been sent and is not acknowledged by the cloud: a bounded window, with resends that back off. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from edge.contract.envelope import Lane
from edge.flow import OutboxRecord

WINDOW = 100
"""Messages in flight at most."""

RESEND_AFTER_S = 30.0
LONGEST_WAIT_S = 300.0


@dataclass(frozen=True, slots=True)
class InFlight:
    """A message on its way. `lane` and `seq` stay over all sendings of this session; times are monotonic seconds."""

    record: OutboxRecord
    lane: Lane
    seq: int
    sendings: int
    due_s: float


class Sequences:
    """Numbers within (session, lane), from 1."""

    def __init__(self) -> None:
        self._last = dict.fromkeys(Lane, 0)

    def next(self, lane: Lane) -> int:
        """The next number of a lane."""
        self._last[lane] += 1
        return self._last[lane]


class SendWindow:
    """At most `capacity` messages in flight; the oldest sendings are repeated until an acknowledgement names them."""

    def __init__(self, capacity: int = WINDOW, *, resend_after_s: float = RESEND_AFTER_S) -> None:
        self._capacity = capacity
        self._resend_after_s = resend_after_s
        self._flying: dict[UUID, InFlight] = {}

    def __len__(self) -> int:
        """How many are in flight."""
        return len(self._flying)

    @property
    def free(self) -> int:
        """How many more may go."""
        return self._capacity - len(self._flying)

    @property
    def rows(self) -> list[int]:
        """Rows of the outbox that are in flight."""
        return [entry.record.row for entry in self._flying.values()]

    def add(self, record: OutboxRecord, lane: Lane, seq: int, now_s: float) -> InFlight:
        """A first sending. Raises ValueError when the window is full or holds the message already."""
        if self.free <= 0 or record.message_id in self._flying:
            raise ValueError("no room in the window, or sent already")
        entry = InFlight(record, lane, seq, sendings=1, due_s=now_s + self._resend_after_s)
        self._flying[record.message_id] = entry
        return entry

    def settle(self, ids: Iterable[UUID]) -> None:
        """The cloud has answered: those leave. Unknown ones are answers that came twice."""
        for message_id in ids:
            self._flying.pop(message_id, None)

    def due(self, now_s: float) -> list[InFlight]:
        """What has to be sent again now, counted as sent."""
        again = [entry for entry in self._flying.values() if entry.due_s <= now_s]
        return [self._sent_again(entry, now_s) for entry in again]

    def reconnected(self) -> None:
        """A new connection: whatever is in flight is due at once, and its back-off starts anew."""
        self._flying = {key: replace(entry, sendings=0, due_s=float("-inf")) for key, entry in self._flying.items()}

    def next_due_s(self) -> float | None:
        """When the next resend is due."""
        return min((entry.due_s for entry in self._flying.values()), default=None)

    def known(self) -> Collection[UUID]:
        """The ids in flight."""
        return self._flying.keys()

    def _sent_again(self, entry: InFlight, now_s: float) -> InFlight:
        wait_s = min(LONGEST_WAIT_S, self._resend_after_s * 2**entry.sendings)
        again = replace(entry, sendings=entry.sendings + 1, due_s=now_s + wait_s)
        self._flying[entry.record.message_id] = again
        return again
