"""What waits while the node's clock is wrong leaves with the right times."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from edge.clock import NodeClock
from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.incident import SEALED_MIME, Incident, TrackPoint, moved
from edge.contract.originals import OriginalState
from edge.contract.telemetry import Gap, TelemetryBatch, from_microseconds, to_microseconds
from edge.contract.topics import Channel
from edge.flow import OutboxRecord
from edge.outbox.letters import Letters
from edge.outbox.opening import CHECKED
from edge.outbox.outbox import Outbox
from edge.outbox.statements import SCHEMA
from edge.outbox.store import Counter
from edge.settings import OutboxSettings
from tests.edge.records import START, incident, reading, snapshot
from tests.edge.test_clock import DAY_S, NEVER_SET, Box

SLOW = NEVER_SET - START
Open = Callable[[], Outbox]


class Start:
    """Starts of one machine with one outbox."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.box = Box(wrong_s=SLOW.total_seconds())
        self.clock = NodeClock(self.box, path=directory / "clock.json")
        self.outbox = self._open()

    def _open(self) -> Outbox:
        return Outbox(self.directory, OutboxSettings(), devices=["pile-1"], clock=self.clock, window_s=0.0)

    def again(self) -> None:
        """The process begins anew."""
        self.outbox.close()
        self.clock = NodeClock(self.box, path=self.directory / "clock.json")
        self.outbox = self._open()

    def boot(self, *, wrong_s: float = 0.0) -> None:
        """The machine begins anew."""
        self.box.boot += "+"
        self.box.up_s, self.box.wrong_s, self.box.synchronised = 20.0, wrong_s, False
        self.again()

    def network_time(self) -> None:
        self.box.wrong_s, self.box.synchronised = 0.0, True
        self.clock.check()

    def waiting(self, lane: Lane = Lane.LIVE) -> list[OutboxRecord]:
        fresh_since = self.clock() - timedelta(seconds=60)
        return [
            record
            for old in (False, True)
            for record in self.outbox.pending(lane, fresh_since=fresh_since, old=old, skip=(), limit=100)
        ]

    def old(self, lane: Lane) -> list[OutboxRecord]:
        fresh_since = self.clock() - timedelta(seconds=60)
        return list(self.outbox.pending(lane, fresh_since=fresh_since, old=True, skip=(), limit=100))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made = Start(tmp_path)
    yield made
    made.outbox.close()


def told_times(records: list[OutboxRecord]) -> list[datetime]:
    return [
        from_microseconds(us)
        for record in records
        if record.channel == Channel.TELEMETRY.value
        for column in msgspec.json.decode(record.body, type=TelemetryBatch).series
        for us in column.observed_at_us
    ]


def as_told(record: OutboxRecord) -> Incident:
    """What the reader makes of it."""
    return moved(msgspec.json.decode(record.body, type=Incident), record.correction)


def test_readings_of_a_node_that_woke_up_in_1970_leave_with_their_true_times(start: Start) -> None:
    start.outbox.readings([replace(reading(0), observed_at=start.clock(), received_at=start.clock())])
    start.box.run(300)
    start.network_time()
    assert told_times(start.waiting()) == [START]


def test_a_time_of_the_devices_own_is_left_alone(start: Start) -> None:
    own = START - timedelta(seconds=3)
    node_time = own + SLOW
    start.outbox.readings([replace(reading(0), observed_at=node_time, device_at=own, own_time=True)])
    start.network_time()
    assert told_times(start.waiting()) == [own]


def test_an_incident_keeps_its_bytes_and_carries_its_correction(start: Start) -> None:
    at = start.clock()
    point = TrackPoint(to_microseconds(at), 0.1, 0.1, 0.2, 0.2)
    picture = replace(snapshot(), reference=msgspec.structs.replace(snapshot().reference, captured_at=at))
    found = msgspec.structs.replace(
        incident(), started_at=at, updated_at=at, track=(point,), evidence=(picture.reference,)
    )
    start.outbox.incident(found, [picture])
    start.box.run(300)
    start.network_time()
    [record] = start.old(Lane.INCIDENT)
    assert msgspec.json.decode(record.body, type=Incident) == found
    told = as_told(record)
    assert (told.started_at, told.updated_at, told.evidence[0].captured_at) == (START, START, START)
    assert told.track[0].at_us == to_microseconds(START)


def test_the_step_of_a_clock_makes_nothing_old_or_young(start: Start) -> None:
    start.outbox.incident(incident(1))
    start.network_time()
    assert len(start.waiting(Lane.INCIDENT)) == 1
    assert start.old(Lane.INCIDENT) == []
    start.box.run(61)
    assert len(start.old(Lane.INCIDENT)) == 1


def test_over_restarts_of_the_process_and_the_machine_the_correction_that_was_known_stays_with_the_record(
    start: Start,
) -> None:
    at = start.clock()
    start.outbox.readings([replace(reading(0), observed_at=at)])
    start.outbox.incident(msgspec.structs.replace(incident(), started_at=at, updated_at=at))
    start.again()
    start.network_time()
    start.boot(wrong_s=-DAY_S)
    assert told_times(start.waiting()) == [START]
    [record] = start.waiting(Lane.INCIDENT)
    assert as_told(record).started_at == START


def test_an_open_incident_goes_on_in_the_time_of_the_new_start(start: Start) -> None:
    at = start.clock()
    start.outbox.incident(msgspec.structs.replace(incident(), started_at=at, updated_at=at))
    start.network_time()
    start.boot(wrong_s=-DAY_S)
    [ongoing] = start.outbox.ongoing()
    assert ongoing.started_at == START
    start.network_time()
    [ongoing] = start.outbox.ongoing()
    assert start.clock.corrected(ongoing.started_at) == START


def test_what_waits_from_before_a_clock_that_went_back_counts_as_old_and_in_its_order(start: Start) -> None:
    start.network_time()
    start.boot()
    for number in range(3):
        start.outbox.incident(incident(number + 1))
        start.outbox.readings([reading(number)])
        start.box.run(1)
    start.boot(wrong_s=SLOW.total_seconds())
    assert [as_told(record).incident_id.int for record in start.old(Lane.INCIDENT)] == [3, 2, 1]
    assert len(told_times(start.waiting())) == 3
    start.outbox.incident(incident(4))
    assert next(as_told(record).incident_id.int for record in start.waiting(Lane.INCIDENT)) == 4


def test_a_file_that_was_delayed_under_another_clock_does_not_wait_for_it(start: Start) -> None:
    start.network_time()
    start.boot()
    picture = snapshot()
    start.outbox.incident(incident(1, evidence=(picture.reference,)), [picture])
    connection = sqlite3.connect(start.directory / "outbox.db")
    with closing(connection), connection:
        connection.execute("UPDATE evidence SET ready = 1")
    start.outbox.delay_upload(picture.reference.sha256, 300.0)
    assert start.outbox.next_upload() is None
    start.boot(wrong_s=SLOW.total_seconds())
    assert start.outbox.next_upload() is not None


def test_a_rejected_incident_that_is_sent_again_carries_its_correction(start: Start) -> None:
    at = start.clock()
    start.outbox.incident(msgspec.structs.replace(incident(), started_at=at, updated_at=at))
    [rejected] = start.waiting(Lane.INCIDENT)
    start.outbox.settle({rejected.message_id: (Outcome.REJECTED, "data: no")})
    start.box.run(300)
    start.network_time()
    letters = Letters(start.directory)
    letters.send_again([letter.number for letter in letters.newest()], clock=start.clock)
    [record] = start.waiting(Lane.INCIDENT)
    assert as_told(record).started_at == START


def test_a_store_of_the_first_version_opens_with_all_that_waits(tmp_path: Path) -> None:
    first = re.sub(r",\n    timebase +INTEGER", "", third())
    first = re.sub(r"CREATE TABLE receipt .*?\);", "", first, flags=re.DOTALL)
    assert "timebase " not in first.split("CREATE TABLE series")[1]
    with closing(sqlite3.connect(tmp_path / "outbox.db")) as connection:
        connection.executescript(f"{first} PRAGMA user_version = 1;")
        connection.execute("INSERT INTO series (id, device, point) VALUES (1, 'pile-1', 't')")
        at_us = to_microseconds(START)
        connection.execute("INSERT INTO reading VALUES (1, 1, ?, 20.5, 0, 0, ?)", (at_us, at_us))
        body = msgspec.json.encode(incident())
        connection.execute(
            "INSERT INTO record VALUES (1, ?, 'up/incident', 'incident', ?, 0, 0, ?)", (bytes(16), at_us, body)
        )
        connection.execute("INSERT INTO ongoing VALUES (?, ?)", (incident().incident_id.bytes, body))
        connection.commit()
    start = Start(tmp_path)
    assert start.outbox.set_aside is None
    start.network_time()
    assert told_times(start.waiting()) == [START]
    assert [record.body for record in start.waiting(Lane.INCIDENT)] == [body]
    [ongoing] = start.outbox.ongoing()
    assert start.clock.corrected(ongoing.started_at) == incident().started_at
    start.outbox.close()


def test_since_when_something_waits_is_told_in_true_time(start: Start) -> None:
    assert start.outbox.figures().oldest_waiting is None
    start.outbox.readings([replace(reading(0), observed_at=start.clock(), received_at=start.clock())])
    start.box.run(300)
    start.network_time()
    assert start.outbox.figures().oldest_waiting == START
    start.waiting()
    assert start.outbox.figures().oldest_waiting == START  # as a message too
    start.again()
    start.outbox.incident(incident())
    assert start.outbox.figures().oldest_waiting == START


def test_what_was_aged_to_before_1970_outlives_the_next_starts_of_the_machine(start: Start) -> None:
    start.box.run(3600)
    at = start.clock()
    start.outbox.readings([replace(reading(0), observed_at=at, received_at=at)])
    start.outbox.incident(incident())
    for _ in range(3):
        start.boot(wrong_s=(NEVER_SET - start.box.truth).total_seconds())
        suspected_power_cut(start)
    counters = start.outbox.figures().counters
    assert (counters[Counter.READINGS_LOST], counters[Counter.INCIDENTS_LOST]) == (0, 0)
    assert told_times(start.old(Lane.LIVE)) == [at]
    assert len(start.old(Lane.INCIDENT)) == 1


def test_a_loss_is_declared_though_what_waited_was_aged_to_before_1970(start: Start) -> None:
    start.box.run(3600)
    start.outbox.readings(
        [replace(reading(number), observed_at=start.clock(), received_at=start.clock()) for number in (0, 1)]
    )
    start.boot(wrong_s=(NEVER_SET - start.box.truth).total_seconds())
    start.outbox._committer.write(lambda store: store._connection.execute("DELETE FROM reading WHERE row = 2"))
    suspected_power_cut(start)
    assert start.outbox.figures().counters[Counter.READINGS_LOST] == 1
    [gap] = [record for record in start.waiting() if record.channel == Channel.GAP.value]
    assert msgspec.json.decode(gap.body, type=Gap).from_at == from_microseconds(0)


def suspected_power_cut(start: Start) -> None:
    """The next opening reads the store through, as the first one after a start of the machine does."""
    start.outbox.close()
    (start.directory / CHECKED).unlink()
    start.again()


def fourth() -> str:
    """The schema as it was when originals went unasked."""
    return re.sub(
        r",\n    original +INTEGER[^\n]*\n    wanted_until_us [^\n]*\n    held_until_us [^\n]*\n", "\n", SCHEMA
    )


def third() -> str:
    """The schema as it was before evidence knew how severe it is."""
    columns = re.sub(r",\n    severity +INTEGER[^\n]*\n    kind [^\n]*\n", "\n", fourth())
    return re.sub(
        r"CREATE TABLE nam(?:ing|ed) .*?\);|CREATE INDEX naming_by_incident[^;]*;", "", columns, flags=re.DOTALL
    )


def test_a_store_of_the_second_version_opens_too(tmp_path: Path) -> None:
    second = re.sub(r"CREATE TABLE receipt .*?\);", "", third(), flags=re.DOTALL)
    with closing(sqlite3.connect(tmp_path / "outbox.db")) as connection:
        connection.executescript(f"{second} PRAGMA user_version = 2;")
        connection.execute(
            "INSERT INTO record VALUES (1, ?, 'up/incident', 'incident', 0, 0, 0, x'7b7d', NULL)", (bytes(16),)
        )
        connection.commit()
    start = Start(tmp_path)
    assert start.outbox.set_aside is None
    assert len(start.waiting(Lane.INCIDENT)) == 1
    start.outbox.close()


def test_originals_that_wait_in_a_store_of_the_fourth_version_stay_until_they_are_ordered(tmp_path: Path) -> None:
    original = snapshot(b"original", mime=SEALED_MIME)
    assert "wanted_until_us " not in fourth().split("CREATE TABLE evidence")[1]
    with closing(sqlite3.connect(tmp_path / "outbox.db")) as connection:
        connection.executescript(f"{fourth()} PRAGMA user_version = 4;")
        connection.execute(
            "INSERT INTO evidence (sha256, message_id, mime, bytes, captured_at_us, ready) VALUES (?, ?, ?, 8, 0, 1)",
            (original.reference.sha256, bytes(16), SEALED_MIME),
        )
        connection.commit()
    place = tmp_path / "evidence" / original.reference.sha256[:2] / original.reference.sha256
    place.parent.mkdir(parents=True)
    place.write_bytes(original.content)
    start = Start(tmp_path)
    assert start.outbox.next_upload() is None
    until = start.clock() + timedelta(hours=1)
    assert start.outbox.order_originals([original.reference.sha256], until) == {
        original.reference.sha256: OriginalState.ORDERED
    }
    upload = start.outbox.next_upload()
    assert upload is not None
    start.outbox.uploaded(upload.sha256)
    assert start.outbox.next_upload() is None
    assert place.exists()
    start.outbox.close()
