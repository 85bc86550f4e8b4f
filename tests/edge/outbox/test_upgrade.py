"""Stores of every released version, with data in every table, under the present program.

`released/<version>.sql` is such a store as SQL text. Each release that changes the schema adds its own with
`python -m tests.edge.outbox.release DIRECTORY`, and its number to `RELEASED`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.errors import Permanent
from edge.outbox.opening import SCHEMA_VERSION
from edge.outbox.outbox import Outbox
from edge.outbox.store import Counter
from tests.edge.outbox.release import PICTURE, SETTINGS
from tests.edge.records import START, SteppedClock, incident, reading

FOLDER = Path(__file__).with_name("released")
RELEASED = (1,)

released = pytest.mark.parametrize("version", RELEASED)


def lay_down(directory: Path, version: int) -> Path:
    path = directory / "outbox.db"
    connection = sqlite3.connect(path)
    connection.executescript((FOLDER / f"{version}.sql").read_text(encoding="utf-8"))
    connection.close()
    picture = directory / "evidence" / PICTURE.reference.sha256[:2] / PICTURE.reference.sha256
    picture.parent.mkdir(parents=True)
    picture.write_bytes(PICTURE.content)
    return path


@contextmanager
def opened(directory: Path) -> Iterator[Outbox]:
    outbox = Outbox(directory, SETTINGS, clock=SteppedClock(START + timedelta(seconds=2)), window_s=0.0)
    try:
        yield outbox
    finally:
        outbox.close()


def dump(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return [*connection.iterdump(), str(connection.execute("PRAGMA user_version").fetchone())]
    finally:
        connection.close()


def accounted(outbox: Outbox) -> tuple[int, int]:
    """Readings that were accepted, and those whose whereabouts are known."""
    figures = outbox.figures()
    known = (Counter.READINGS_DELIVERED, Counter.READINGS_DROPPED, Counter.READINGS_REJECTED)
    return figures.counters[Counter.READINGS_ACCEPTED], figures.readings_waiting + sum(
        figures.counters[counter] for counter in known
    )


@released
def test_nothing_that_waits_is_lost_with_an_update(version: int, tmp_path: Path) -> None:
    path = lay_down(tmp_path, version)
    with opened(tmp_path) as outbox:
        assert outbox.set_aside is None
        accepted, known = accounted(outbox)
        assert accepted == known == 18_027
        assert [letter.reason for letter in outbox.dead_letters()] == ["data: it can't be"]
        assert outbox.receipts("sensors") == [b"a1", b"b2"]
        assert outbox.chain_head() is not None
        assert sorted(found.incident_id.int for found in outbox.ongoing()) == [1, 2]
        assert outbox.next_upload() is None  # its incident is told first
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()


@released
def test_an_updated_store_empties_and_goes_on(version: int, tmp_path: Path) -> None:
    lay_down(tmp_path, version)
    with opened(tmp_path) as outbox:
        outbox.readings([reading(1_000_000)])
        outbox.incident(incident(9))
        sent = 0
        for lane in Lane:
            for old in (False, True):
                while records := outbox.pending(lane, fresh_since=START, old=old, skip=(), limit=50):
                    sent += len(records)
                    outbox.settle({record.message_id: (Outcome.ACCEPTED, None) for record in records})
        assert sent > 0
        accepted, known = accounted(outbox)
        assert (accepted, known) == (18_028, 18_028)
        figures = outbox.figures()
        assert figures.readings_waiting == 0
        assert figures.counters[Counter.INCIDENTS_DELIVERED] == 3
        assert figures.counters[Counter.GAPS_DELIVERED] == 1
        upload = outbox.next_upload()
        assert upload is not None
        assert upload.sha256 == PICTURE.reference.sha256


@released
def test_a_second_start_changes_nothing_more(version: int, tmp_path: Path) -> None:
    path = lay_down(tmp_path, version)
    with opened(tmp_path):
        pass
    once = dump(path)
    with opened(tmp_path):
        pass
    assert dump(path) == once


def test_a_store_of_a_newer_version_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    with opened(tmp_path) as outbox:
        outbox.readings([reading(1)])
    path = tmp_path / "outbox.db"
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE later (what TEXT); INSERT INTO later VALUES ('x');")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    before = dump(path)
    with pytest.raises(Permanent, match="newer version of this software: update it"):
        Outbox(tmp_path, SETTINGS, clock=SteppedClock(), window_s=0.0)
    assert dump(path) == before
    assert [found.name for found in tmp_path.glob("*damaged*")] == []
