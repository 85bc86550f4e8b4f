"""What becomes of a message's files and of its letter when the cloud answers, and of others when something goes wrong."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.incident import IncidentState
from edge.contract.topics import Channel
from edge.flow import OutboxRecord
from edge.outbox import books
from edge.outbox.outbox import Outbox
from edge.outbox.store import Counter, Store
from edge.settings import OutboxSettings
from tests.edge.records import START, SteppedClock, incident, reading, snapshot

SETTINGS = OutboxSettings(quota_mib=4, incident_reserve_mib=1, evidence_quota_mib=1)
ACCEPTED, REJECTED = Outcome.ACCEPTED, Outcome.REJECTED
FIRST, SECOND = snapshot(b"first"), snapshot(b"second")


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    opened = Outbox(tmp_path, SETTINGS, clock=SteppedClock(), window_s=0.0)
    yield opened
    opened.close()


def waiting(outbox: Outbox, lane: Lane = Lane.INCIDENT) -> list[OutboxRecord]:
    since = START - timedelta(days=1)
    return list(outbox.pending(lane, fresh_since=since, old=False, skip=(), limit=50))


def two_revisions(outbox: Outbox) -> tuple[UUID, UUID]:
    """The second one names the file of the first one too."""
    outbox.incident(incident(1, evidence=(FIRST.reference,)), [FIRST])
    both = (FIRST.reference, SECOND.reference)
    outbox.incident(incident(1, 2, IncidentState.UPDATE, evidence=both), [SECOND])
    first, second = waiting(outbox)
    return first.message_id, second.message_id


def uploads(outbox: Outbox) -> set[str]:
    found = set()
    while (upload := outbox.next_upload()) is not None:
        assert upload.path.exists()
        found.add(upload.sha256)
        outbox.uploaded(upload.sha256)
    return found


@pytest.mark.parametrize("rejected_first", [True, False])
def test_files_of_a_rejected_revision_go_with_another_that_names_them(outbox: Outbox, *, rejected_first: bool) -> None:
    first, second = two_revisions(outbox)
    answers = [(first, REJECTED), (second, ACCEPTED)]
    for message_id, outcome in answers if rejected_first else reversed(answers):
        outbox.settle({message_id: (outcome, "reason")})
    assert uploads(outbox) == {FIRST.reference.sha256, SECOND.reference.sha256}
    assert outbox.figures().counters[Counter.EVIDENCE_REFUSED] == 0


def test_a_revision_that_is_accepted_releases_the_files_of_one_that_waits(outbox: Outbox) -> None:
    _, second = two_revisions(outbox)
    outbox.settle({second: (ACCEPTED, None)})  # the newest goes first when they are old
    assert uploads(outbox) == {FIRST.reference.sha256, SECOND.reference.sha256}


def test_two_incidents_may_name_the_same_bytes(outbox: Outbox) -> None:
    for number in (1, 2):
        outbox.incident(incident(number, evidence=(FIRST.reference,)), [FIRST])
    one, other = waiting(outbox)
    outbox.settle({one.message_id: (REJECTED, "no")})
    outbox.settle({other.message_id: (ACCEPTED, None)})
    assert uploads(outbox) == {FIRST.reference.sha256}


def test_a_file_that_is_done_with_is_not_taken_from_under_an_incident_that_comes(outbox: Outbox) -> None:
    outbox.incident(incident(1, evidence=(FIRST.reference,)), [FIRST])
    outbox.settle({waiting(outbox)[0].message_id: (ACCEPTED, None)})
    others = [
        threading.Thread(target=outbox.uploaded, args=(FIRST.reference.sha256,)),
        threading.Thread(target=outbox.incident, args=(incident(2, evidence=(FIRST.reference,)), [FIRST])),
    ]
    for thread in others:
        thread.start()
    for thread in others:
        thread.join()
    outbox.settle({waiting(outbox)[0].message_id: (ACCEPTED, None)})
    uploads(outbox)
    assert outbox.figures().counters[Counter.EVIDENCE_REFUSED] == 0
    assert outbox.figures().evidence_bytes == 0


def test_rejected_incidents_stay_however_much_else_is_rejected(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "DEAD_LETTERS", 3)
    for number in range(1, 6):
        outbox.incident(incident(number))
    for number in range(6):
        outbox.readings([reading(number)])
        waiting(outbox, Lane.LIVE)
    bodies = {record.body for record in waiting(outbox)}
    for lane in (Lane.INCIDENT, Lane.LIVE):
        outbox.settle({record.message_id: (REJECTED, "no") for record in waiting(outbox, lane)})
    letters = outbox.dead_letters()
    assert {letter.body for letter in letters if letter.channel == Channel.INCIDENT} == bodies
    assert sum(letter.channel == Channel.TELEMETRY for letter in letters) == 3


def test_letters_of_readings_do_not_use_up_the_room_of_what_waits(outbox: Outbox) -> None:
    outbox.readings([reading(number) for number in range(2_000)])
    (record,) = waiting(outbox, Lane.LIVE)
    assert len(record.body) > books.LETTER_BYTES
    outbox.settle({record.message_id: (REJECTED, "no")})
    (letter,) = outbox.dead_letters()
    assert letter.body == record.body[: books.LETTER_BYTES]


def _corrupt(change: str) -> Callable[[Store], object]:
    return lambda store: store._connection.execute(change)


def test_a_batch_that_nobody_can_read_any_more_holds_up_nothing(outbox: Outbox) -> None:
    outbox.readings([reading(1)])
    (record,) = waiting(outbox, Lane.LIVE)
    outbox._committer.write(_corrupt("UPDATE record SET body = x'7b' WHERE channel = 'up/telemetry'"))
    outbox.incident(incident(1))
    (other,) = waiting(outbox)
    outbox.settle({record.message_id: (REJECTED, "malformed"), other.message_id: (ACCEPTED, None)})
    figures = outbox.figures()
    assert (figures.readings_waiting, figures.messages_waiting) == (0, {})


def test_work_that_fails_takes_no_other_with_it(outbox: Outbox) -> None:
    """Several tickets share a commit; a mistake in one is told to the one who made it."""

    def mistaken(_store: Store) -> None:
        raise KeyError("a mistake")

    held, go_on = threading.Event(), threading.Event()

    def hold(_store: Store) -> None:
        held.set()
        go_on.wait(10)

    first = outbox._committer.submit(hold)
    held.wait(10)
    wrong = outbox._committer.submit(mistaken)
    right = outbox._committer.submit(lambda store: store.add_incident(incident(1), (), now=START))
    go_on.set()
    first.result(10)
    right.result(10)
    with pytest.raises(KeyError):
        wrong.result(10)
    assert len(waiting(outbox)) == 1


def test_who_listens_and_fails_does_not_end_the_outbox(tmp_path: Path) -> None:
    def fail() -> None:
        raise RuntimeError("a listener's mistake")

    outbox = Outbox(tmp_path, SETTINGS, clock=SteppedClock(), on_commit=fail, window_s=0.0)
    outbox.incident(incident(1))
    outbox.incident(incident(2))
    assert len(waiting(outbox)) == 2
    outbox.close()
