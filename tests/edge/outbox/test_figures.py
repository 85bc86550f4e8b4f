"""What the outbox tells of itself: how full, what was dropped and why, what the cloud rejected, which files wait."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.telemetry import GapReason
from edge.contract.topics import Channel
from edge.outbox.outbox import Outbox
from edge.outbox.statements import QUERIES
from edge.settings import OutboxSettings
from tests.edge.records import START, SteppedClock, incident, reading, replayed, snapshot

SETTINGS = OutboxSettings(quota_mib=4, incident_reserve_mib=1, evidence_quota_mib=1)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def outbox(tmp_path: Path, clock: SteppedClock) -> Iterator[Outbox]:
    opened = Outbox(tmp_path, SETTINGS, clock=clock, window_s=0.0)
    yield opened
    opened.close()


def reject_all(outbox: Outbox, lane: Lane, reason: str) -> None:
    waiting = outbox.pending(lane, fresh_since=START - timedelta(hours=1), old=False, skip=(), limit=50)
    outbox.settle({record.message_id: (Outcome.REJECTED, reason) for record in waiting})


def test_the_share_is_of_the_room_that_readings_have(outbox: Outbox) -> None:
    figures = outbox.figures()
    assert (figures.quota_bytes, figures.room_bytes) == (4 << 20, 3 << 20)
    assert figures.share == figures.used_bytes / (3 << 20)
    for start in range(0, 60_000, 2_000):
        outbox.readings([reading(number) for number in range(start, start + 2_000)])
    full = outbox.figures()
    assert full.dropped
    assert full.share > 0.9
    assert full.used_bytes < 0.9 * full.quota_bytes  # a share of the whole quota would never have passed nine tenths


def test_drops_are_summed_up_by_device_and_reason_after_their_gaps_are_sent(outbox: Outbox) -> None:
    for start in range(0, 60_000, 2_000):
        outbox.readings([reading(number) for number in range(start, start + 2_000)])
    [dropped] = outbox.figures().dropped
    assert (dropped.device, dropped.reason) == (reading(0).device, GapReason.QUOTA)
    assert (dropped.from_at, dropped.to_at) == (
        reading(0).observed_at,
        reading(dropped.count - 1).observed_at,
    )
    messages = outbox.pending(Lane.LIVE, fresh_since=START - timedelta(hours=1), old=False, skip=(), limit=50)
    outbox.settle({record.message_id: (Outcome.ACCEPTED, None) for record in messages})
    assert outbox.figures().dropped == [dropped]


def test_rejected_readings_count_as_dropped_for_that_reason(outbox: Outbox) -> None:
    outbox.readings([reading(1), reading(2)])
    reject_all(outbox, Lane.LIVE, "data: no")
    outbox.readings([reading(5)])
    reject_all(outbox, Lane.LIVE, "data: nor that")
    [dropped] = outbox.figures().dropped
    assert (dropped.reason, dropped.count) == (GapReason.REJECTED, 3)
    assert (dropped.from_at, dropped.to_at) == (reading(1).observed_at, reading(5).observed_at)


def test_dead_letters_are_summed_up_by_channel_and_reason(outbox: Outbox, clock: SteppedClock) -> None:
    for number in range(3):
        outbox.incident(incident())
        reject_all(outbox, Lane.INCIDENT, f"data: story {number}")
        clock.step(60)
    outbox.readings([reading(1)])
    reject_all(outbox, Lane.LIVE, "oversized")
    newest, older = outbox.figures().dead_letters
    assert (newest.channel, newest.reason, newest.count) == ("up/telemetry", "oversized", 1)
    assert (older.channel, older.reason, older.count) == ("up/incident", "data", 3)
    assert older.last_at - older.first_at == timedelta(seconds=120)


def test_what_was_dropped_is_known_after_a_restart(tmp_path: Path, clock: SteppedClock) -> None:
    first = Outbox(tmp_path, SETTINGS, clock=clock, window_s=0.0)
    first.readings([reading(1)])
    reject_all(first, Lane.LIVE, "data")
    told = first.figures().dropped
    first.close()
    second = Outbox(tmp_path, SETTINGS, clock=clock, window_s=0.0)
    assert second.figures().dropped == told
    second.close()


def test_files_that_wait_are_counted_with_the_oldest(outbox: Outbox) -> None:
    assert (outbox.figures().evidence_waiting, outbox.figures().oldest_evidence) == (0, None)
    file = snapshot(b"a picture")
    outbox.incident(incident(), [file])
    figures = outbox.figures()
    assert (figures.evidence_waiting, figures.oldest_evidence) == (1, file.reference.captured_at)
    assert figures.evidence_share == len(b"a picture") / (1 << 20)


@pytest.mark.parametrize("query", ["record_counts", "record_oldest", "record_oldest_of_lanes"])
def test_what_is_asked_every_two_seconds_reads_no_incidents(outbox: Outbox, query: str) -> None:
    plan = outbox._committer.read(
        lambda store: store._connection.execute(f"EXPLAIN QUERY PLAN {QUERIES[query]}").fetchall()
    )
    steps = [detail for *_, detail in plan if " record" in detail]
    assert len(steps) >= 2
    assert all("SEARCH record USING" in step and "INDEX record_in_order" in step for step in steps)
    assert any("COVERING" in step for step in steps) or query == "record_oldest_of_lanes"


def test_all_that_waits_is_counted_by_channel_and_the_oldest_of_all_is_told(
    outbox: Outbox, clock: SteppedClock
) -> None:
    assert (outbox.figures().messages_waiting, outbox.figures().oldest_waiting) == ({}, None)
    outbox.readings([replayed(number) for number in range(3)])
    clock.step(1)
    for number in range(1, 6):
        outbox.incident(incident(number))
    outbox.readings([reading(1)])
    for lane in Lane:
        outbox.pending(lane, fresh_since=START, old=lane is Lane.HISTORY, skip=(), limit=50)
    figures = outbox.figures()
    assert figures.messages_waiting == {Channel.INCIDENT: 5, Channel.TELEMETRY: 2}
    assert figures.oldest_waiting == START
