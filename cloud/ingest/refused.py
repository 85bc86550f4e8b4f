"""The refusals of one transaction: each is counted, and kept as a dead letter while its sender has an allowance."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.ingest.model import Reason, Refusal
from cloud.refusals import store
from cloud.refusals.policy import Allowance

STRANGERS = ""
"""The sender of what no enrolled node sent: any name may stand in a topic, and names are no bound."""

_READABLE = frozenset(
    {Reason.DATA, Reason.INTERNAL, Reason.QUARANTINE_FULL, Reason.ID_REUSED, Reason.DISTRICT_MISMATCH}
)


@dataclass(slots=True)
class Refused:
    """Collects refusals and writes them at the end of the transaction, in one order."""

    allowance: Allowance
    now_s: float
    reasons: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    _taken: Counter[str] = field(default_factory=Counter)
    _counts: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    _letters: list[tuple[str, Refusal]] = field(default_factory=list)

    def add(self, refusal: Refusal, *, enrolled: bool) -> None:
        """Take a refusal of an enrolled node, or of whoever."""
        sender = refusal.topic.node if enrolled and refusal.topic is not None else STRANGERS
        reason = str(refusal.reason)
        self.reasons[reason] += 1
        key = (sender, reason)
        self._counts[key] = (self._counts.get(key, (0, ""))[0] + 1, refusal.detail)
        if refusal.arrival.held_before:
            self._letters.append((sender, refusal))
        elif self.allowance.take(sender, self.now_s):
            self._taken[sender] += 1
            self._letters.append((sender, refusal))
        else:
            self.left_out += 1

    def give_back(self) -> None:
        """The transaction failed: what it kept is kept by another try, and costs nobody twice."""
        for sender, count in self._taken.items():
            self.allowance.give_back(sender, count)

    def write(self, conn: Connection[Any], now: datetime) -> None:
        """Write counts and letters, and trim what is too many."""
        store.count(conn, self._counts, at=now)
        for sender, refusal in self._letters:
            store.add_letter(
                conn,
                at=refusal.arrival.received_at,
                topic=refusal.arrival.topic,
                node=sender or None,
                message_id=refusal.message_id,
                reason=str(refusal.reason),
                detail=refusal.detail,
                payload=refusal.arrival.payload,
                whole=refusal.reason in _READABLE or refusal.arrival.held_before,
                only_copy=refusal.arrival.held_before,
            )
        if self._letters:
            store.trim(conn, {sender for sender, _ in self._letters})
