"""Whatever happens in whatever order: accepted = delivered + declared drops + waiting, reading by reading."""

import hashlib
import tempfile
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.incident import Incident
from edge.contract.telemetry import Gap, TelemetryBatch, to_microseconds
from edge.contract.topics import Channel
from edge.errors import OutboxFull
from edge.flow import OutboxRecord
from edge.outbox.losses import is_balanced
from edge.outbox.outbox import Outbox
from edge.outbox.retention import Quota
from edge.outbox.store import Counter
from edge.settings import OutboxSettings
from tests.edge.records import START, SteppedClock, incident, reading, snapshot
from tests.edge.records import replayed as late

SETTINGS = OutboxSettings(quota_mib=4, incident_reserve_mib=1)
SMALL = Quota(total_bytes=600_000, reserve_bytes=150_000)


class OutboxStates(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = SteppedClock()
        self.next_reading = 0
        self.next_incident = 1
        self.accepted: set[int] = set()
        self.delivered: set[int] = set()
        self.rejected: set[int] = set()
        self.declared: list[Gap] = []
        self.incidents_accepted: set[int] = set()
        self.incidents_settled: set[int] = set()
        self.in_flight: dict[UUID, OutboxRecord] = {}
        self.settled: list[UUID] = []

    @initialize()
    def open_outbox(self) -> None:
        self.outbox = Outbox(Path(self.folder.name), SETTINGS, clock=self.clock, window_s=0.0)
        self.outbox._quota = SMALL

    @rule(count=st.sampled_from([1, 7, 2_500]), replayed=st.booleans())
    def accept_readings(self, count: int, *, replayed: bool) -> None:
        numbers = range(self.next_reading, self.next_reading + count)
        self.next_reading += count
        try:
            self.outbox.readings([(late if replayed else reading)(n, device=f"pile-{n % 3}") for n in numbers])
        except OutboxFull:
            return
        self.accepted.update(numbers)

    @rule(content=st.none() | st.integers(0, 3))
    def accept_an_incident(self, content: int | None) -> None:
        """With a file or without; some files are the same bytes."""
        files = [] if content is None else [snapshot(b"%d" % content)]
        self.outbox.incident(incident(self.next_incident, evidence=tuple(file.reference for file in files)), files)
        self.incidents_accepted.add(self.next_incident)
        self.next_incident += 1

    @rule(stored=st.booleans())
    def upload(self, *, stored: bool) -> None:
        due = self.outbox.next_upload()
        if due is not None:
            assert hashlib.sha256(due.path.read_bytes()).hexdigest() == due.sha256
            self.outbox.uploaded(due.sha256) if stored else self.outbox.refuse_upload(due.sha256, "reason")

    @rule(seconds=st.sampled_from([1.0, 59.0, 4000.0, -30.0]))
    def time_goes_on_or_is_set_back(self, seconds: float) -> None:
        self.clock.step(seconds)

    @rule(lane=st.sampled_from(list(Lane)), old=st.booleans(), limit=st.integers(1, 5))
    def publish(self, lane: Lane, limit: int, *, old: bool) -> None:
        since = self.clock.now - timedelta(seconds=60)
        flying = [record.row for record in self.in_flight.values()]
        for record in self.outbox.pending(lane, fresh_since=since, old=old, skip=flying, limit=limit):
            assert record.message_id not in self.in_flight
            assert record.message_id not in self.settled
            self.in_flight[record.message_id] = record

    @rule(data=st.data(), outcome=st.sampled_from(list(Outcome)), twice=st.booleans())
    def acknowledge(self, data: st.DataObject, outcome: Outcome, *, twice: bool) -> None:
        if not self.in_flight:
            return
        message_id = data.draw(st.sampled_from(sorted(self.in_flight)))
        record = self.in_flight.pop(message_id)
        for _ in range(1 + twice):
            self.outbox.settle({message_id: (outcome, "reason")})
        self.settled.append(message_id)
        self.note(record, outcome)

    def note(self, record: OutboxRecord, outcome: Outcome) -> None:
        if record.channel == Channel.TELEMETRY.value:
            batch = msgspec.json.decode(record.body, type=TelemetryBatch)
            start_us = to_microseconds(START)
            numbers = {(us - start_us) // 1000 for column in batch.series for us in column.observed_at_us}
            assert not numbers & self.delivered
            assert not numbers & self.rejected
            (self.rejected if outcome is Outcome.REJECTED else self.delivered).update(numbers)
        elif record.channel == Channel.INCIDENT.value:
            body = msgspec.json.decode(record.body, type=Incident)
            assert body.incident_id.int not in self.incidents_settled
            self.incidents_settled.add(body.incident_id.int)
        elif outcome is not Outcome.REJECTED:
            self.declared.append(msgspec.json.decode(record.body, type=Gap))

    @rule(data=st.data())
    def acknowledge_something_settled_long_ago(self, data: st.DataObject) -> None:
        if self.settled:
            self.outbox.settle({data.draw(st.sampled_from(self.settled)): (Outcome.REJECTED, "late")})

    @rule()
    def restart(self) -> None:
        self.outbox.close()
        self.in_flight.clear()
        self.open_outbox()

    @invariant()
    def the_books_balance(self) -> None:
        figures = self.outbox.figures()
        count = figures.counters
        assert count[Counter.READINGS_ACCEPTED] == len(self.accepted)
        assert count[Counter.READINGS_DELIVERED] == len(self.delivered)
        assert count[Counter.READINGS_REJECTED] == len(self.rejected)
        assert count[Counter.INCIDENTS_ACCEPTED] == len(self.incidents_accepted)
        waiting = figures.messages_waiting.get(Channel.INCIDENT, 0)
        assert len(self.incidents_accepted) - len(self.incidents_settled) == waiting
        assert figures.readings_waiting >= 0
        assert self.outbox._committer.read(is_balanced)

    @invariant()
    def every_file_has_its_row(self) -> None:
        kept = self.outbox._committer.read(lambda store: store.evidence_files())
        files = {path.name: path.stat().st_size for path in Path(self.folder.name, "evidence").glob("??/*")}
        assert files == kept
        assert sum(files.values()) == self.outbox.figures().evidence_bytes

    def teardown(self) -> None:
        """Deliver all that is left: every accepted reading is then delivered, rejected, or counted in a gap."""
        if not hasattr(self, "outbox"):
            return
        self.in_flight.clear()
        for _ in range(500):
            found = [
                record
                for lane in Lane
                for old in (False, True)
                for record in self.outbox.pending(lane, fresh_since=self.clock.now, old=old, skip=(), limit=50)
            ]
            for record in {record.message_id: record for record in found}.values():
                self.outbox.settle({record.message_id: (Outcome.ACCEPTED, None)})
                self.note(record, Outcome.ACCEPTED)
            if not found:
                break
        dropped = self.outbox.figures().counters[Counter.READINGS_DROPPED]
        missing = self.accepted - self.delivered - self.rejected
        assert dropped == len(missing)
        assert self.incidents_settled == self.incidents_accepted
        self.outbox.close()
        self.folder.cleanup()


OutboxStates.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestOutboxStates = OutboxStates.TestCase
