"""The files of a store as a power cut leaves them: copied at any moment, cut, torn, or not of one moment at all.

An honest disk keeps what was written through: then nothing is missing. One that lies loses something: then the store opens
all the same, says what is missing, and goes on.
"""

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.incident import Incident
from edge.contract.telemetry import Gap, GapReason, TelemetryBatch, to_microseconds
from edge.contract.topics import Channel
from edge.errors import OutboxDamaged
from edge.flow import OutboxRecord
from edge.outbox.mark import MARK
from edge.outbox.opening import CHECKED
from edge.outbox.outbox import Outbox
from edge.outbox.store import Counter
from edge.settings import OutboxSettings
from tests.edge.records import START, SteppedClock, incident, reading, snapshot

SETTINGS = OutboxSettings(quota_mib=8, incident_reserve_mib=1, evidence_quota_mib=1)
COMMITS = 40
FEW = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class Moments:
    """A store that was written to, and the copies of its files after each of its commits."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.readings: list[int] = []
        self.incidents: list[int] = []
        outbox = Outbox(directory / "live", SETTINGS, clock=SteppedClock(), window_s=0.0)
        for commit in range(COMMITS):
            if commit % 4 == 3:
                outbox.incident(incident(commit), [snapshot(b"%d" % commit)])
            else:
                outbox.readings([reading(number) for number in range(commit * 200, commit * 200 + 200)])
            self.readings.append(outbox.figures().counters[Counter.READINGS_ACCEPTED])
            self.incidents.append(outbox.figures().counters[Counter.INCIDENTS_ACCEPTED])
            self._copy(commit)
        outbox.close()

    def _copy(self, commit: int) -> None:
        shutil.copytree(self.directory / "live", self.at(commit))

    def at(self, commit: int) -> Path:
        """The copy that was made after this commit."""
        return self.directory / f"after-{commit}"

    def cut(self, commit: int) -> Path:
        """That copy again, to be done something to, on a machine that has just been started."""
        made = Path(tempfile.mkdtemp(dir=self.directory)) / "data"
        shutil.copytree(self.at(commit), made)
        (made / CHECKED).unlink(missing_ok=True)
        return made


@pytest.fixture(scope="module")
def moments() -> Iterator[Moments]:
    memory = Path("/dev/shm")  # noqa: S108 (a new folder of its own in it)
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as made:
        yield Moments(Path(made))


class Reopened:
    """The store of a copy, opened again and drained."""

    def __init__(self, directory: Path) -> None:
        self.records: list[OutboxRecord] = []
        self.set_aside: Path | None = None
        self.restarted = False
        outbox = self._open(directory)
        try:
            self._use(outbox)
        except OutboxDamaged:  # seen at the first use only: the node ends, and its next start looks closely
            self.restarted = True
            outbox.close()
            outbox = self._open(directory)
            self._use(outbox)
        self.figures = outbox.figures()
        self.letters = outbox.dead_letters()
        files = {sha256 for incident in self.incidents for sha256 in [each.sha256 for each in incident.evidence]}
        assert all((directory / "evidence" / each[:2] / each).exists() for each in files - self._declared)
        outbox.close()
        Outbox(directory, SETTINGS, devices=["pile-1"], clock=SteppedClock()).close()

    def _open(self, directory: Path) -> Outbox:
        outbox = Outbox(directory, SETTINGS, devices=["pile-1"], clock=SteppedClock(), window_s=0.0)
        self.set_aside = self.set_aside or outbox.set_aside
        return outbox

    def _use(self, outbox: Outbox) -> None:
        outbox.readings([reading(1_000_000)])
        outbox.incident(incident(1_000))
        self.records.extend(_drained(outbox))

    @property
    def _declared(self) -> set[str]:
        return {letter.subject for letter in self.letters}

    def bodies(self, channel: Channel) -> list[bytes]:
        return [record.body for record in self.records if record.channel == channel]

    @property
    def readings(self) -> list[int]:
        batches = [msgspec.json.decode(body, type=TelemetryBatch) for body in self.bodies(Channel.TELEMETRY)]
        start_us = to_microseconds(START)
        return [(us - start_us) // 1_000 for each in batches for column in each.series for us in column.observed_at_us]

    @property
    def incidents(self) -> list[Incident]:
        return [msgspec.json.decode(body, type=Incident) for body in self.bodies(Channel.INCIDENT)]

    @property
    def gaps(self) -> list[Gap]:
        return [msgspec.json.decode(body, type=Gap) for body in self.bodies(Channel.GAP)]

    def check(self, readings: int, incidents: int, *, once: bool = True) -> None:
        """`readings` and `incidents` had been accepted: they are here once, or counted as lost and declared."""
        count = self.figures.counters
        found = {number for number in self.readings if number < 1_000_000}
        revisions = {each.incident_id for each in self.incidents}
        told = len(found) if once else len(self.readings)
        if once and not self.restarted:
            assert len(self.readings) == len(set(self.readings))
            assert len(self.incidents) == len(revisions)
        assert (self.figures.readings_waiting, self.figures.messages_waiting) == (0, {})
        assert count[Counter.READINGS_ACCEPTED] >= readings + 1
        assert count[Counter.READINGS_LOST] + count[Counter.READINGS_REJECTED] >= readings - told
        assert count[Counter.INCIDENTS_LOST] + count[Counter.INCIDENTS_REJECTED] >= incidents + 1 - len(self.incidents)
        if told < readings and count[Counter.READINGS_LOST]:
            assert ("pile-1", GapReason.CORRUPT) in {(gap.device, gap.reason) for gap in self.gaps}


def _drained(outbox: Outbox) -> Iterator[OutboxRecord]:
    for _ in range(20):
        for lane in Lane:
            for old in (False, True):
                for record in outbox.pending(lane, fresh_since=START - timedelta(days=1), old=old, skip=(), limit=100):
                    readable = _is_readable(record)
                    outcome = Outcome.ACCEPTED if readable else Outcome.REJECTED
                    outbox.settle({record.message_id: (outcome, None)})
                    if readable:
                        yield record


def _is_readable(record: OutboxRecord) -> bool:
    """Whether the cloud would take it: a changed byte can make a row of something that it would not."""
    shape = {Channel.TELEMETRY: TelemetryBatch, Channel.INCIDENT: Incident, Channel.GAP: Gap}[Channel(record.channel)]
    try:
        msgspec.json.decode(record.body, type=shape)
    except msgspec.DecodeError:
        return False
    return True


@FEW
@given(commit=st.integers(0, COMMITS - 1))
def test_after_a_power_cut_on_an_honest_disk_nothing_is_missing(moments: Moments, commit: int) -> None:
    reopened = Reopened(moments.cut(commit))
    assert reopened.set_aside is None
    assert len(reopened.readings) == moments.readings[commit] + 1
    assert len(reopened.incidents) == moments.incidents[commit] + 1
    assert reopened.gaps == []


@FEW
@given(commit=st.integers(2, COMMITS - 1), share=st.floats(0, 1))
def test_a_log_that_is_cut_short_is_noticed_by_the_mark(moments: Moments, commit: int, share: float) -> None:
    directory = moments.cut(commit)
    log = directory / "outbox.db-wal"
    os.truncate(log, int(log.stat().st_size * share))
    Reopened(directory).check(moments.readings[commit], moments.incidents[commit])


@FEW
@given(commit=st.integers(0, COMMITS - 1), torn=st.binary(min_size=1, max_size=9_000))
def test_a_half_written_end_of_the_log_is_no_harm(moments: Moments, commit: int, torn: bytes) -> None:
    directory = moments.cut(commit)
    with (directory / "outbox.db-wal").open("ab") as log:
        log.write(torn)
    reopened = Reopened(directory)
    assert (len(reopened.readings), reopened.gaps) == (moments.readings[commit] + 1, [])


@FEW
@given(commit=st.integers(0, COMMITS - 1))
def test_a_log_that_is_gone_is_noticed_by_the_mark(moments: Moments, commit: int) -> None:
    directory = moments.cut(commit)
    (directory / "outbox.db-wal").unlink()
    Reopened(directory).check(moments.readings[commit], moments.incidents[commit])


@FEW
@given(commit=st.integers(0, COMMITS - 1), empty=st.booleans(), logged=st.booleans())
def test_a_store_that_is_empty_or_gone_is_noticed(moments: Moments, commit: int, *, empty: bool, logged: bool) -> None:
    directory = moments.cut(commit)
    if empty:
        os.truncate(directory / "outbox.db", 0)
    else:
        (directory / "outbox.db").unlink()
    if not logged:
        (directory / "outbox.db-wal").unlink()
    Reopened(directory).check(moments.readings[commit], moments.incidents[commit])


@FEW
@given(earlier=st.integers(0, COMMITS - 2), apart=st.integers(1, COMMITS - 1))
def test_a_log_of_a_later_moment_than_its_store(moments: Moments, earlier: int, apart: int) -> None:
    later = min(earlier + apart, COMMITS - 1)
    directory = moments.cut(later)
    shutil.copy(moments.at(earlier) / "outbox.db", directory / "outbox.db")
    Reopened(directory).check(moments.readings[later], moments.incidents[later])


@FEW
@given(earlier=st.integers(0, COMMITS - 2), apart=st.integers(1, COMMITS - 1))
def test_an_older_copy_of_the_whole_store_is_noticed(moments: Moments, earlier: int, apart: int) -> None:
    later = min(earlier + apart, COMMITS - 1)
    directory = moments.cut(earlier)
    shutil.copy(moments.at(later) / MARK, directory / MARK)
    Reopened(directory).check(moments.readings[later], moments.incidents[later])


@FEW
@given(place=st.floats(0, 0.999), size=st.sampled_from([1, 512, 4_096, 20_000]), seed=st.integers(), data=st.data())
def test_torn_pages_cost_what_stood_there_and_no_more(
    moments: Moments, place: float, size: int, seed: int, data: st.DataObject
) -> None:
    directory = moments.cut(COMMITS - 1)
    name = data.draw(st.sampled_from(["outbox.db", "outbox.db-wal"]))
    if name == "outbox.db":  # everything in it, nothing in its log
        shutil.copy(moments.directory / "live" / name, directory / name)
        (directory / "outbox.db-wal").unlink()
    path = directory / name
    with path.open("r+b") as file:
        file.seek(int(path.stat().st_size * place))
        file.write(random.Random(seed).randbytes(size))  # noqa: S311 (damage, no secret)
    # a changed byte may turn one reading into another: what stands in a row is under no checksum
    Reopened(directory).check(moments.readings[-1], moments.incidents[-1], once=False)


@FEW
@given(junk=st.binary(max_size=200))
def test_a_mark_that_is_torn_says_nothing(moments: Moments, junk: bytes) -> None:
    directory = moments.cut(5)
    (directory / MARK).write_bytes(junk)
    reopened = Reopened(directory)
    assert (len(reopened.readings), reopened.gaps) == (moments.readings[5] + 1, [])
