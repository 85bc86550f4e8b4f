"""What counts as lost where the store is new, or older than its mark: what had waited, and nothing that was delivered."""

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.telemetry import GapReason
from edge.outbox.losses import is_balanced
from edge.outbox.mark import MARK, Mark, MarkFile
from edge.outbox.outbox import Outbox
from edge.outbox.store import Counter
from edge.settings import OutboxSettings
from tests.edge.records import START, SteppedClock, incident, reading

SETTINGS = OutboxSettings(quota_mib=16, incident_reserve_mib=1)


def opened(directory: Path) -> Outbox:
    return Outbox(directory, SETTINGS, devices=["pile-1"], clock=SteppedClock(), window_s=0.0)


def deliver(outbox: Outbox, lane: Lane, outcome: Outcome = Outcome.ACCEPTED) -> None:
    since = START - timedelta(days=1)
    for record in outbox.pending(lane, fresh_since=since, old=False, skip=(), limit=50):
        outbox.settle({record.message_id: (outcome, "no")})


def remove_store(directory: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        (directory / f"outbox.db{suffix}").unlink(missing_ok=True)


def lost_gaps(outbox: Outbox) -> list[str]:
    return [tally.device for tally in outbox.figures().dropped if tally.reason is GapReason.CORRUPT]


def fill(directory: Path, *, waiting: int) -> None:
    outbox = opened(directory)
    outbox.readings([reading(number) for number in range(90)])
    deliver(outbox, Lane.LIVE)
    outbox.readings([reading(number) for number in range(90, 95)])
    deliver(outbox, Lane.LIVE, Outcome.REJECTED)
    outbox.incident(incident(1))
    deliver(outbox, Lane.INCIDENT)
    deliver(outbox, Lane.LIVE)
    if waiting:
        outbox.readings([reading(number) for number in range(100, 100 + waiting)])
        outbox.incident(incident(2))
    outbox.close()


@pytest.mark.parametrize("waiting", [0, 7])
def test_where_only_the_mark_is_left_what_had_waited_is_lost(tmp_path: Path, waiting: int) -> None:
    fill(tmp_path, waiting=waiting)
    remove_store(tmp_path)
    outbox = opened(tmp_path)
    counters = outbox.figures().counters
    assert counters[Counter.READINGS_ACCEPTED] == 95 + waiting
    assert counters[Counter.READINGS_DELIVERED] == 90
    assert counters[Counter.READINGS_REJECTED] == 5
    assert counters[Counter.READINGS_LOST] == waiting
    assert counters[Counter.INCIDENTS_ACCEPTED] == 1 + bool(waiting)
    assert counters[Counter.INCIDENTS_DELIVERED] == 1
    assert counters[Counter.INCIDENTS_LOST] == bool(waiting)
    assert lost_gaps(outbox) == (["pile-1"] if waiting else [])
    outbox.close()
    again = opened(tmp_path)
    assert again.figures().counters == counters
    again.close()


def test_a_mark_of_an_earlier_version_does_not_say_what_was_delivered(tmp_path: Path) -> None:
    fill(tmp_path, waiting=7)
    file = MarkFile(tmp_path / MARK)
    mark = file.read()
    assert mark is not None
    file.write(Mark(mark.readings, mark.incidents, mark.oldest_us, mark.at_us))
    assert file.read() == Mark(102, 2, mark.oldest_us, mark.at_us)
    file.close()
    remove_store(tmp_path)
    outbox = opened(tmp_path)
    assert outbox.figures().counters[Counter.READINGS_LOST] == 102
    outbox.close()


@settings(max_examples=15)
@given(
    steps=st.lists(st.sampled_from(["accept", "deliver", "reject", "drop", "copy"]), min_size=1, max_size=12),
    left=st.sampled_from(["nothing", "copy"]),
)
def test_whatever_store_is_found_the_books_balance_and_nothing_delivered_is_lost(steps: list[str], left: str) -> None:
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as elsewhere:
        directory, copies = Path(place), Path(elsewhere)
        outbox, next_reading = opened(directory), 0
        in_copy = 0
        for step in steps:
            if step == "accept":
                outbox.readings([reading(next_reading + number) for number in range(5)])
                next_reading += 5
            elif step == "drop":
                outbox._committer.write(lambda store: store.drop_oldest(2))
            elif step == "copy":
                outbox.close()
                shutil.copy(directory / "outbox.db", copies)
                outbox = opened(directory)
                in_copy = outbox.figures().readings_waiting
            else:
                deliver(outbox, Lane.LIVE, Outcome.ACCEPTED if step == "deliver" else Outcome.REJECTED)
        before = outbox.figures()
        outbox.close()
        remove_store(directory)
        if left == "copy" and (copies / "outbox.db").exists():
            shutil.copy(copies / "outbox.db", directory)
        else:
            in_copy = 0
        outbox = opened(directory)
        after = outbox.figures()
        assert outbox._committer.read(is_balanced)
        lost = after.counters[Counter.READINGS_LOST]
        assert max(0, before.readings_waiting - in_copy) <= lost <= before.readings_waiting
        assert after.counters[Counter.READINGS_ACCEPTED] >= next_reading
        outbox.close()
