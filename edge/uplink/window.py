"""What has been sent and is not acknowledged by the cloud: a bounded window, and what of it is sent again. Pure.

A message is sent again on a new connection; when one that was sent later has been answered, for then it is lost; and, while no
answer comes at all, one after the other as a probe. Nothing else is repeated: a cloud that is away for an hour finds a few
hundred doubles of each node, whatever waited, and hears of the rest within seconds.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from edge.contract.envelope import Lane
from edge.flow import OutboxRecord

WINDOW = 100
"""Messages in flight at most."""

PROBE_AFTER_S = 5.0
"""Without any answer for so long, one message is sent again; then after twice as long, again and again."""

PROBE_LONGEST_S = 10.0

OVERTAKEN_S = 2.0
"""A message that was sent so much earlier than one that is answered is lost; twice as much the next time."""

OVERTAKEN_LONGEST_S = 300.0
"""For a message that the cloud never answers, whatever it says of others."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """A message on its way. `lane` and `seq` stay over all sendings of this session; times are monotonic seconds."""

    record: OutboxRecord
    lane: Lane
    seq: int
    sent_s: float
    overtaken: int = 0
    due: bool = False


class Sequences:
    """Numbers within (session, lane), from 1."""

    def __init__(self) -> None:
        self._last = dict.fromkeys(Lane, 0)

    def next(self, lane: Lane) -> int:
        """The next number of a lane."""
        self._last[lane] += 1
        return self._last[lane]


class SendWindow:
    """At most `capacity` messages in flight, until an acknowledgement names them."""

    def __init__(
        self, capacity: int = WINDOW, *, probe_after_s: float = PROBE_AFTER_S, overtaken_s: float = OVERTAKEN_S
    ) -> None:
        self._capacity = capacity
        self._overtaken_s = overtaken_s
        self._probe_after_s = probe_after_s
        self._probe_wait_s = probe_after_s
        self._quiet_since_s = float("-inf")
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
        if not self._flying:
            self._quiet_since_s = now_s
        entry = InFlight(record, lane, seq, sent_s=now_s)
        self._flying[record.message_id] = entry
        return entry

    def settle(self, ids: Iterable[UUID], now_s: float) -> None:
        """The cloud has answered: those leave, and what was sent long before any of them is due. Unknown ids are answers
        that came twice.
        """
        left = [entry for message_id in ids if (entry := self._flying.pop(message_id, None)) is not None]
        if not left:
            return
        self._quiet_since_s, self._probe_wait_s = now_s, self._probe_after_s
        newest_s = max(entry.sent_s for entry in left)
        for key, entry in self._flying.items():
            patience_s = min(OVERTAKEN_LONGEST_S, self._overtaken_s * 2.0 ** min(entry.overtaken, 10))
            if not entry.due and newest_s - entry.sent_s > patience_s:
                self._flying[key] = replace(entry, due=True, overtaken=entry.overtaken + 1)

    def due(self, now_s: float) -> list[InFlight]:
        """What has to be sent again now, counted as sent."""
        again = [entry for entry in self._flying.values() if entry.due]
        if not again and self._flying and now_s >= self._quiet_since_s + self._probe_wait_s:
            again = [min(self._flying.values(), key=lambda entry: entry.sent_s)]
            self._probe_wait_s = max(self._probe_after_s, min(PROBE_LONGEST_S, self._probe_wait_s * 2))
        if again:
            self._quiet_since_s = now_s
        return [self._sent_again(entry, now_s) for entry in again]

    def reconnected(self) -> None:
        """A new connection: whatever is in flight is due at once, and all patience starts anew."""
        self._probe_wait_s = self._probe_after_s
        self._flying = {key: replace(entry, overtaken=0, due=True) for key, entry in self._flying.items()}

    def next_due_s(self) -> float | None:
        """When the next resend is due, should no answer come until then."""
        if not self._flying:
            return None
        if any(entry.due for entry in self._flying.values()):
            return float("-inf")
        return self._quiet_since_s + self._probe_wait_s

    def known(self) -> Collection[UUID]:
        """The ids in flight."""
        return self._flying.keys()

    def _sent_again(self, entry: InFlight, now_s: float) -> InFlight:
        again = replace(entry, sent_s=now_s, due=False)
        self._flying[entry.record.message_id] = again
        return again
