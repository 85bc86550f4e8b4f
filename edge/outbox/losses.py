"""What a disk has lost: found by the books and the mark, counted, and made good as far as the rows allow."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from edge.contract.telemetry import to_microseconds
from edge.outbox.mark import Mark
from edge.outbox.store import Counter, Store

READINGS_GONE = (
    Counter.READINGS_DELIVERED,
    Counter.READINGS_DROPPED,
    Counter.READINGS_REJECTED,
    Counter.READINGS_LOST,
)
_INCIDENTS_GONE = (Counter.INCIDENTS_DELIVERED, Counter.INCIDENTS_REJECTED, Counter.INCIDENTS_LOST)


@dataclass(frozen=True, slots=True)
class _Book:
    """What was accepted, what became of it (lost comes last), and the query for what is still here."""

    accepted: Counter
    gone: tuple[Counter, ...]
    kept_query: str


_READINGS = _Book(Counter.READINGS_ACCEPTED, READINGS_GONE, "readings_kept")
_INCIDENTS = _Book(Counter.INCIDENTS_ACCEPTED, _INCIDENTS_GONE, "incidents_kept")


@dataclass(frozen=True, slots=True)
class Missing:
    """Readings and revisions of incidents that were accepted and are neither settled nor here."""

    readings: int
    incidents: int


def mark_of(store: Store, now: datetime) -> Mark:
    """How much was accepted until now."""
    oldest = [at_us for at_us in (store.number("reading_oldest"), store.number("record_oldest")) if at_us]
    counters = store.counters()
    return Mark(
        readings=counters[Counter.READINGS_ACCEPTED],
        incidents=counters[Counter.INCIDENTS_ACCEPTED],
        oldest_us=min(oldest, default=None),
        at_us=to_microseconds(now),
        readings_gone=tuple(counters[each] for each in READINGS_GONE),
        incidents_gone=tuple(counters[each] for each in _INCIDENTS_GONE),
    )


def is_behind(store: Store, mark: Mark | None) -> bool:
    """Whether the store knows of less than its mark."""
    if mark is None:
        return False
    counters = store.counters()
    return mark.readings > counters[Counter.READINGS_ACCEPTED] or mark.incidents > counters[Counter.INCIDENTS_ACCEPTED]


def is_balanced(store: Store) -> bool:
    """Whether the books agree with the rows. Reads all of them: for a start of the machine, not for every one of the node."""
    counters = store.counters()
    readings = counters[Counter.READINGS_ACCEPTED] - sum(counters[each] for each in READINGS_GONE)
    incidents = counters[Counter.INCIDENTS_ACCEPTED] - sum(counters[each] for each in _INCIDENTS_GONE)
    return (readings, incidents) == (store.number("readings_kept"), store.number("incidents_kept"))


def balance(store: Store, mark: Mark | None) -> Missing:
    """Count as lost what was accepted, by the books or the mark, and is neither here nor settled; what is missing now.

    What the mark knows as settled and the store does not (it is older, or new) is no loss, and counted as the mark says.
    """
    mark = mark or Mark(0, 0, None, 0)
    return Missing(
        _balance(store, _READINGS, mark.readings, mark.readings_gone),
        _balance(store, _INCIDENTS, mark.incidents, mark.incidents_gone),
    )


def _balance(store: Store, book: _Book, marked: int, marked_gone: tuple[int, ...]) -> int:
    """How many are missing: no more than had waited when the mark was made and what was accepted since."""
    counters = store.counters()
    known = counters[book.accepted]
    here = sum(counters[each] for each in book.gone) + store.number(book.kept_query)
    total = max(known, marked, here)
    store.count(book.accepted, total - known)
    missing, settled = total - here, 0
    if marked_gone:
        possible = max(0, marked - sum(marked_gone)) + max(0, known - marked)
        missing, settled = min(missing, possible), max(0, missing - possible)
    for counter, told in zip(book.gone, marked_gone, strict=False):
        share = min(settled, max(0, told - counters[counter]))
        store.count(counter, share)
        settled -= share
    store.count(book.gone[-1], missing + settled)
    return missing


def repair(store: Store, present: Callable[[str], bool], *, now: datetime) -> None:
    """After rows were saved from a damaged store: what they say of each other is made true again. `present` tells whether
    the file of an evidence hash is on the disk.
    """
    store.remove_senseless()
    waiting: set[tuple[UUID, int]] = set()
    for message_id, incident in store.incidents_waiting():
        waiting.add((incident.incident_id, incident.revision))
        store.add_evidence([each for each in incident.evidence if present(each.sha256)], message_id)
    for incident, timebase in store.ongoing():
        if (incident.incident_id, incident.revision) not in waiting:  # lost, or delivered: the cloud tells them apart
            files = [each for each in incident.evidence if present(each.sha256)]
            store.send_again(incident, files, now=now, timebase=timebase)
