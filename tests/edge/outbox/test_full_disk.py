"""A disk that takes nothing more: the store's part of it, its log, the files of evidence; in a process of its own, since the
limit on the size of files is a process's.
"""

import json
import os
import resource
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.errors import EvidenceNotKept, OutboxFull
from edge.outbox.outbox import Outbox
from edge.outbox.store import Counter
from edge.settings import OutboxSettings
from tests.edge.records import START, SteppedClock, incident, reading, snapshot

SETTINGS = OutboxSettings(quota_mib=64, incident_reserve_mib=1)


def in_a_child(work: Callable[[], Any]) -> Any:
    """What `work` gives, in a fork whose limits go with it."""
    reading_end, writing_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing_end, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writing_end)
    with os.fdopen(reading_end, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    assert said, "the child failed"
    return json.loads(said)


def limit_files(size_bytes: int) -> None:
    """No file of this process grows beyond this; as on a full disk, a write then fails, and nothing else does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def test_a_full_disk_costs_the_files_and_not_the_incident(tmp_path: Path) -> None:
    def work() -> Any:
        outbox = Outbox(tmp_path, SETTINGS, clock=SteppedClock(), window_s=0.0)
        outbox.incident(incident(1))
        limit_files(600_000)
        refused = False
        large = snapshot(bytes(900_000))
        try:
            outbox.incident(incident(2, evidence=(large.reference,)), [large])
        except EvidenceNotKept:
            refused = True
        outbox.incident(incident(2))
        left = [path.name for path in (tmp_path / "evidence").rglob("*") if path.is_file()]
        figures = outbox.figures()
        outbox.close()
        return refused, left, figures.evidence_bytes, figures.counters[Counter.INCIDENTS_ACCEPTED]

    assert in_a_child(work) == [True, [], 0, 2]


@pytest.mark.parametrize("limit_bytes", [200_000, 700_000, 1_500_000])
def test_whatever_was_said_to_be_kept_on_a_full_disk_is_kept(tmp_path: Path, limit_bytes: int) -> None:
    def work() -> Any:
        outbox = Outbox(tmp_path, SETTINGS, clock=SteppedClock(), window_s=0.0)
        limit_files(limit_bytes)
        readings = incidents = refused = 0
        for number in range(80):
            try:
                outbox.readings([reading(n) for n in range(number * 500, number * 500 + 500)])
                readings += 500
                outbox.incident(incident(number + 1))
                incidents += 1
            except OutboxFull:
                refused += 1
        counters = outbox.figures().counters
        outbox.close()
        return readings, incidents, refused, counters[Counter.READINGS_ACCEPTED], counters[Counter.INCIDENTS_ACCEPTED]

    readings, incidents, refused, *counted = in_a_child(work)
    assert refused > 0
    assert counted == [readings, incidents]
    outbox = Outbox(tmp_path, SETTINGS, clock=SteppedClock(), window_s=0.0)  # there is room again
    assert outbox.set_aside is None
    outbox.incident(incident(1_000))
    since = START - timedelta(days=1)
    kept = outbox.pending(Lane.INCIDENT, fresh_since=since, old=False, skip=(), limit=1_000)
    assert len(kept) == incidents + 1
    while found := outbox.pending(Lane.LIVE, fresh_since=since, old=False, skip=(), limit=50):
        outbox.settle({record.message_id: (Outcome.ACCEPTED, None) for record in found})
    counters = outbox.figures().counters
    assert counters[Counter.READINGS_DELIVERED] == readings
    assert counters[Counter.READINGS_LOST] == counters[Counter.INCIDENTS_LOST] == 0
    outbox.close()


def test_a_disk_that_is_full_at_the_start_is_told_and_the_store_left_as_it_was(tmp_path: Path) -> None:
    before = Outbox(tmp_path, SETTINGS, clock=SteppedClock(), window_s=0.0)
    before.readings([reading(number) for number in range(3_000)])
    before.close()
    (tmp_path / "outbox.checked").unlink()

    def work() -> Any:
        limit_files(0)
        try:
            Outbox(tmp_path, SETTINGS, clock=SteppedClock(), window_s=0.0).close()
        except Exception as error:  # noqa: BLE001 (whatever it is, the test wants to see it)
            return type(error).__name__
        return "opened"

    assert in_a_child(work) == "OutboxDamaged"
    after = Outbox(tmp_path, SETTINGS, clock=SteppedClock(), window_s=0.0)
    assert after.set_aside is None
    assert after.figures().readings_waiting == 3_000
    after.close()
