"""The outbox is ended at each single step of its life; whatever comes after that, everything is told once or declared."""

import hashlib
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.contract.downlink import Outcome
from edge.contract.telemetry import GapReason, to_microseconds
from edge.contract.topics import Channel
from tests.edge.records import START
from tests.system.crash.counterpart import JournalCloud
from tests.system.crash.fuse import Point
from tests.system.crash.life import FIRST, FOURTH, PARCEL, PARCELS, SECOND, THIRD, Defect
from tests.system.crash.nursery import Nursery, said

pytestmark = pytest.mark.system

READINGS = set(range(PARCELS * PARCEL))


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as process:
        yield process


@pytest.fixture
def directories() -> Iterator[Path]:
    """In memory where the machine has such a place: a process that is killed leaves what it wrote with the system."""
    memory = Path("/dev/shm")  # noqa: S108 (a new folder of its own in it)
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as made:
        yield Path(made)


@pytest.fixture(scope="module")
def undisturbed(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a life that nothing ends says of itself."""
    directory = tmp_path_factory.mktemp("undisturbed")
    finish(nursery, directory)
    judge(directory)
    return said(directory)


def finish(nursery: Nursery, directory: Path) -> None:
    status = nursery.live(directory)
    assert status == 0, (directory / "traceback").read_text()


def judge(directory: Path) -> None:
    """Nothing lost, nothing twice, the chain whole, every file told or declared."""
    cloud, told = JournalCloud(directory), said(directory)
    counters = told["counters"]
    assert (told["readings_waiting"], told["messages_waiting"], told["evidence_bytes"]) == (0, 0, 0)
    assert counters["readings_accepted"] == len(READINGS)
    assert (counters["readings_lost"], counters["incidents_lost"]) == (0, 0)

    readings = cloud.readings()
    assert set(readings.values()) <= {1}
    delivered = {(at_us - to_microseconds(START)) // 1_000 for at_us in readings}
    declared = {
        reason: sum(gap.count for gap in cloud.gaps() if gap.reason is reason)
        for reason in (GapReason.QUOTA, GapReason.REJECTED)
    }
    assert delivered <= READINGS
    assert len(delivered) == counters["readings_delivered"]
    assert declared == {
        GapReason.QUOTA: counters["readings_dropped"],
        GapReason.REJECTED: counters["readings_rejected"],
    }
    assert len(READINGS - delivered) == sum(declared.values())

    accepted, refused = cloud.incidents(), cloud.incidents(Outcome.REJECTED)
    assert sorted((each.int, incident.revision) for each, incident, _ in accepted) == [(1, 1), (1, 2), (1, 3), (9, 1)]
    assert [each.int for each, _, _ in refused] == [2]
    follows = {incident.prev_hash: body for _, incident, body in [*accepted, *refused]}
    head, length = None, 0
    while head in follows:
        head, length = hashlib.sha256(follows[head]).hexdigest(), length + 1
    assert length == 5

    letters = {subject: (channel, size) for subject, channel, size in told["letters"]}
    assert cloud.files() == {file.reference.sha256 for file in (FIRST, SECOND, FOURTH)}
    assert letters[THIRD.reference.sha256][0] == "evidence"
    assert (Channel.INCIDENT, len(refused[0][2])) in letters.values()
    assert [path for path in (directory / "evidence").rglob("*") if path.is_file()] == []


def test_the_scenario_passes_every_kind_of_point(undisturbed: dict[str, Any]) -> None:
    assert set(undisturbed["passed"]) == {point.value for point in Point}


def test_ended_at_each_step_it_loses_nothing_and_tells_nothing_twice(
    nursery: Nursery, undisturbed: dict[str, Any], directories: Path
) -> None:
    for end_at in range(1, undisturbed["steps"] + 1):
        directory = directories / f"ended-at-{end_at}"
        directory.mkdir()
        assert nursery.live(directory, end_at) == -signal.SIGKILL
        finish(nursery, directory)
        judge(directory)


def test_ended_again_on_its_way_back_it_loses_nothing_either(
    nursery: Nursery, undisturbed: dict[str, Any], directories: Path
) -> None:
    for end_at in range(1, undisturbed["steps"] + 1, 9):
        directory = directories / f"ended-at-{end_at}"
        directory.mkdir()
        nursery.live(directory, end_at)
        for again_at in (end_at % 7 + 1, end_at % 29 + 1):
            nursery.live(directory, again_at)
        finish(nursery, directory)
        judge(directory)


@pytest.mark.parametrize("defect", list(Defect))
def test_a_deliberate_defect_is_seen(
    nursery: Nursery, undisturbed: dict[str, Any], directories: Path, defect: Defect
) -> None:
    """That the judge can find something: each of these lives goes well as long as nothing ends it."""
    judged = directories / "undisturbed"
    judged.mkdir()
    assert nursery.live(judged, defect=defect) == 0
    if defect is not Defect.DELETE_BEFORE_ACK:  # what is refused counts as delivered then, whatever happens
        judge(judged)
    for end_at in range(1, undisturbed["steps"] + 1):
        directory = directories / f"ended-at-{end_at}"
        directory.mkdir()
        nursery.live(directory, end_at, defect=defect)
        nursery.live(directory, defect=defect)
        try:
            judge(directory)
        except (AssertionError, LookupError):
            return
    pytest.fail(f"{defect} was not seen")
