"""The books of the outbox: what it counts, what it declared as dropped, and what was rejected for good."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from edge.contract.telemetry import GapReason, from_microseconds, to_microseconds
from edge.contract.topics import Channel
from edge.outbox.rows import Rows

DEAD_LETTERS = 1_000
"""How many rejected messages are kept to be looked at, beside those of incidents: these stay, nothing found is ever lost."""

LETTER_BYTES = 8 * 1024
"""What is kept of a rejected message that is no incident: its readings are declared as lost, and dead letters must not use
up the room of those that wait.
"""

_DROPPED = "dropped "
"""The facts that sum up declared drops: `dropped <reason> <device>`."""
_BEYOND_DROPPED = "dropped!"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message (by id) or an evidence file (by hash) that the cloud will never take."""

    subject: str
    channel: str
    reason: str
    at: datetime
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeadLetterTally:
    """How many dead letters of one channel have one reason, and when the first and the last of them came."""

    channel: str
    reason: str
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class DropTally:
    """Readings of a device, declared as dropped since the store was made, and the event times between which they lie."""

    device: str
    reason: GapReason
    count: int
    from_at: datetime
    to_at: datetime


class Counter(StrEnum):
    """What the store counts, in the same transaction as the thing itself.

    Readings: accepted = delivered + dropped + rejected + lost + waiting. Messages of incidents: accepted = delivered +
    rejected + lost + waiting. Lost is what a damaged disk has taken; it is declared as a gap.
    """

    READINGS_ACCEPTED = "readings_accepted"
    READINGS_DELIVERED = "readings_delivered"
    READINGS_DROPPED = "readings_dropped"
    READINGS_REJECTED = "readings_rejected"
    READINGS_LOST = "readings_lost"
    INCIDENTS_ACCEPTED = "incidents_accepted"
    INCIDENTS_DELIVERED = "incidents_delivered"
    INCIDENTS_REJECTED = "incidents_rejected"
    INCIDENTS_LOST = "incidents_lost"
    GAPS_DELIVERED = "gaps_delivered"
    QUARANTINED = "quarantined"
    EVIDENCE_DELIVERED = "evidence_delivered"
    EVIDENCE_REFUSED = "evidence_refused"
    EVIDENCE_DROPPED = "evidence_dropped"


class Books(Rows):
    """Counters, declared drops and dead letters; each entry is made in the transaction of the thing itself."""

    def counters(self) -> dict[Counter, int]:
        """All counters."""
        kept = dict(self._all("counter_all"))
        return {counter: kept.get(counter.value, 0) for counter in Counter}

    def count(self, counter: Counter, value: int) -> None:
        """Add to a counter."""
        if value:
            self._do("counter_add", name=counter.value, value=value)

    def declare(self, ranges: Mapping[str, tuple[int, int, int]], reason: GapReason) -> None:
        """Declare by device that so many readings between two event times (µs) will never come; what was aged may have been
        accepted before 1970, and nothing can have happened then.
        """
        for device, (first_us, last_us, count) in ranges.items():
            from_us, to_us = max(0, first_us), max(0, last_us)
            self._do("gap_add", device=device, reason=reason.value, from_us=from_us, to_us=to_us, count=count)
            self._tally_drop(device, reason, from_us, to_us, count)

    def _tally_drop(self, device: str, reason: GapReason, from_us: int, to_us: int, count: int) -> None:
        """Keep the sum of all declarations: the declared gap itself leaves with its message."""
        name = f"{_DROPPED}{reason.value} {device}"
        kept = self.fact(name)
        if kept is not None:
            known_from_us, known_to_us, known_count = json.loads(kept)
            from_us, to_us, count = min(from_us, known_from_us), max(to_us, known_to_us), count + known_count
        self.set_fact(name, json.dumps([from_us, to_us, count]))

    def dropped(self) -> list[DropTally]:
        """What was declared as dropped since the store was made, by device and reason, the newest loss first."""
        tallies = []
        for name, value in self._all("fact_between", first=_DROPPED, beyond=_BEYOND_DROPPED):
            reason, device = name.removeprefix(_DROPPED).split(" ", 1)
            from_us, to_us, count = json.loads(value)
            tallies.append(
                DropTally(device, GapReason(reason), count, from_microseconds(from_us), from_microseconds(to_us))
            )
        return sorted(tallies, key=lambda tally: tally.to_at, reverse=True)

    def bury(
        self, subject: str, channel: str, reason: str, body: bytes, *, now: datetime, timebase: int | None = None
    ) -> None:
        """Keep what was rejected for good: an incident whole, the beginning of anything else, the newest `DEAD_LETTERS` of it."""
        found = channel == Channel.INCIDENT.value
        self._do(
            "dead_letter_add",
            subject=subject,
            channel=channel,
            reason=reason,
            at_us=to_microseconds(now),
            body=body if found else body[:LETTER_BYTES],
            timebase=timebase,
        )
        if not found:
            self._do("dead_letter_trim", keep=DEAD_LETTERS)

    def dead_letters(self, limit: int = DEAD_LETTERS) -> list[DeadLetter]:
        """The newest of what was rejected, oldest first."""
        return [
            DeadLetter(subject, channel, reason, from_microseconds(at_us), body)
            for subject, channel, reason, at_us, body in reversed(self._all("dead_letter_newest", limit=limit))
        ]

    def dead_letter_tallies(self) -> list[DeadLetterTally]:
        """How many dead letters are kept for which reason, the newest first."""
        return [
            DeadLetterTally(channel, reason, count, from_microseconds(first_us), from_microseconds(last_us))
            for channel, reason, count, first_us, last_us in self._all("dead_letter_reasons")
        ]
