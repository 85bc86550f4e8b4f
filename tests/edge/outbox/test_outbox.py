import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.incident import SEALED_MIME, Incident, IncidentState
from edge.contract.telemetry import Gap, GapReason, TelemetryBatch, to_microseconds
from edge.contract.topics import Channel
from edge.errors import OutboxDamaged, OutboxFull, Permanent
from edge.flow import EvidenceFile, OutboxRecord
from edge.outbox.opening import CHECKED
from edge.outbox.outbox import Outbox
from edge.outbox.retention import Quota
from edge.outbox.store import Counter
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


def live(
    outbox: Outbox, *, lane: Lane = Lane.LIVE, old: bool = False, skip: tuple[int, ...] = ()
) -> list[OutboxRecord]:
    return list(outbox.pending(lane, fresh_since=START - timedelta(seconds=60), old=old, skip=skip, limit=50))


def test_readings_become_one_batch_by_column(outbox: Outbox) -> None:
    outbox.readings([reading(1), reading(2), reading(3, point="smoke"), reading(4, point="door", value="open")])
    [record] = live(outbox)
    batch = msgspec.json.decode(record.body, type=TelemetryBatch)
    assert record.channel == Channel.TELEMETRY
    assert {column.point: len(column.value) for column in batch.series} == {"temperature_c": 2, "smoke": 1}
    assert [(change.point, change.value) for change in batch.changes] == [("door", "open")]


def test_a_message_keeps_its_id_over_resends_and_restarts(tmp_path: Path, clock: SteppedClock) -> None:
    first = Outbox(tmp_path, SETTINGS, clock=clock, window_s=0.0)
    first.readings([reading(1)])
    first.incident(incident())
    sent = [*live(first), *live(first, lane=Lane.INCIDENT)]
    assert [*live(first), *live(first, lane=Lane.INCIDENT)] == sent
    first.close()
    second = Outbox(tmp_path, SETTINGS, clock=clock, window_s=0.0)
    assert [*live(second), *live(second, lane=Lane.INCIDENT)] == sent
    second.close()


def test_rows_in_flight_are_left_out(outbox: Outbox) -> None:
    outbox.incident(incident(1))
    outbox.incident(incident(2))
    first, second = live(outbox, lane=Lane.INCIDENT)
    assert live(outbox, lane=Lane.INCIDENT, skip=(first.row,)) == [second]


def test_old_incidents_come_newest_first_and_fresh_ones_in_order(outbox: Outbox, clock: SteppedClock) -> None:
    outbox.incident(incident(1, 1))
    clock.step(1)
    outbox.incident(incident(1, 2, IncidentState.ENDED))

    def revisions(*, old: bool, fresh_since_s: float) -> list[int]:
        found = outbox.pending(
            Lane.INCIDENT, fresh_since=START + timedelta(seconds=fresh_since_s), old=old, skip=(), limit=9
        )
        return [msgspec.json.decode(record.body, type=Incident).revision for record in found]

    assert revisions(old=False, fresh_since_s=-60) == [1, 2]
    assert revisions(old=True, fresh_since_s=60) == [2, 1]
    assert revisions(old=False, fresh_since_s=60) == []


def test_live_readings_grow_old_and_replayed_ones_are_history_from_the_start(
    outbox: Outbox, clock: SteppedClock
) -> None:
    outbox.readings([reading(1)])
    outbox.readings([replayed(2)])
    clock.step(3600)
    outbox.readings([reading(3)])
    since = clock.now - timedelta(seconds=60)

    def times(lane: Lane, *, old: bool) -> list[int]:
        found = outbox.pending(lane, fresh_since=since, old=old, skip=(), limit=9)
        batches = [msgspec.json.decode(record.body, type=TelemetryBatch) for record in found]
        return [
            us - to_microseconds(START) for batch in batches for column in batch.series for us in column.observed_at_us
        ]

    assert times(Lane.LIVE, old=False) == [3_000]
    assert times(Lane.LIVE, old=True) == [1_000]
    assert times(Lane.HISTORY, old=True) == [2_000]
    assert times(Lane.HISTORY, old=False) == []


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.QUARANTINED])
def test_three_outcomes_count_as_delivered(outbox: Outbox, outcome: Outcome) -> None:
    outbox.readings([reading(1), reading(2)])
    outbox.incident(incident())
    records = [*live(outbox), *live(outbox, lane=Lane.INCIDENT)]
    outbox.settle({record.message_id: (outcome, None) for record in records})
    outbox.settle({record.message_id: (outcome, None) for record in records})
    figures = outbox.figures()
    assert figures.counters[Counter.READINGS_DELIVERED] == 2
    assert figures.counters[Counter.INCIDENTS_DELIVERED] == 1
    assert figures.readings_waiting == 0
    assert figures.messages_waiting == {}
    assert figures.counters[Counter.QUARANTINED] == (3 if outcome is Outcome.QUARANTINED else 0)


def test_a_rejected_batch_leaves_a_gap_and_a_dead_letter(outbox: Outbox) -> None:
    outbox.readings([reading(1), reading(5), reading(3, point="door", value="open"), reading(2, device="pile-2")])
    [record] = live(outbox)
    outbox.settle({record.message_id: (Outcome.REJECTED, "malformed")})
    gaps = [msgspec.json.decode(kept.body, type=Gap) for kept in live(outbox)]
    assert [(gap.device, gap.count, gap.reason) for gap in gaps] == [
        ("pile-1", 3, GapReason.REJECTED),
        ("pile-2", 1, GapReason.REJECTED),
    ]
    assert outbox.dead_letters()[0].reason == "malformed"
    assert outbox.figures().readings_waiting == 0


def test_an_acknowledgement_of_something_unknown_changes_nothing(outbox: Outbox) -> None:
    outbox.readings([reading(1)])
    outbox.settle({UUID(int=1): (Outcome.REJECTED, "?")})
    assert outbox.figures().readings_waiting == 1
    assert outbox.dead_letters() == []


def test_a_full_outbox_drops_the_oldest_readings_and_declares_them(outbox: Outbox) -> None:
    incidents = [incident(number) for number in range(1, 20)]
    for each in incidents:
        outbox.incident(each)
    total = 0
    for start in range(0, 100_000, 5_000):
        outbox.readings([reading(number) for number in range(start, start + 5_000)])
        total += 5_000
    figures = outbox.figures()
    dropped = figures.counters[Counter.READINGS_DROPPED]
    assert 0 < dropped < total
    assert figures.used_bytes <= figures.quota_bytes
    [gap] = [
        msgspec.json.decode(record.body, type=Gap) for record in live(outbox) if record.channel == Channel.GAP.value
    ]
    assert (gap.count, gap.reason) == (dropped, GapReason.QUOTA)
    assert gap.from_at == START
    assert gap.to_at == START + timedelta(milliseconds=dropped - 1)
    assert len(outbox.pending(Lane.INCIDENT, fresh_since=START, old=False, skip=(), limit=50)) == len(incidents)


def test_readings_are_refused_when_nothing_may_be_dropped_and_incidents_still_come_in(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_quota", Quota(total_bytes=0, reserve_bytes=0))
    with pytest.raises(OutboxFull):
        outbox.readings([reading(1)])
    outbox.incident(incident())
    assert outbox.figures().counters[Counter.READINGS_ACCEPTED] == 0
    assert len(live(outbox, lane=Lane.INCIDENT)) == 1


def test_what_a_restart_has_to_know(tmp_path: Path, clock: SteppedClock) -> None:
    first = Outbox(tmp_path, SETTINGS, clock=clock)
    first.incident(incident(1))
    first.incident(incident(2))
    first.incident(incident(1, 2, IncidentState.UPDATE))
    first.incident(incident(2, 2, IncidentState.ENDED))
    head = first.chain_head()
    first.close()
    second = Outbox(tmp_path, SETTINGS, clock=clock)
    assert [(open_.incident_id.int, open_.revision) for open_ in second.ongoing()] == [(1, 2)]
    assert second.chain_head() == head
    second.close()


def test_evidence_waits_for_its_incident(outbox: Outbox, clock: SteppedClock) -> None:
    file = snapshot()
    outbox.incident(incident(evidence=(file.reference,)), [file])
    assert outbox.next_upload() is None
    [record] = live(outbox, lane=Lane.INCIDENT)
    outbox.settle({record.message_id: (Outcome.ACCEPTED, None)})
    upload = outbox.next_upload()
    assert upload is not None
    assert upload.path.read_bytes() == file.content
    outbox.delay_upload(upload.sha256, 5.0)
    assert outbox.next_upload() is None
    clock.step(6)
    again = outbox.next_upload()
    assert again is not None
    assert again.attempts == 1
    outbox.uploaded(upload.sha256)
    assert outbox.next_upload() is None
    assert not upload.path.exists()
    assert outbox.figures().evidence_bytes == 0


def test_what_is_sealed_goes_when_it_is_ordered_and_after_what_people_look_at(outbox: Outbox) -> None:
    picture, sealed = snapshot(b"picture"), snapshot(b"clip", mime=SEALED_MIME)
    early = msgspec.structs.replace(sealed.reference, captured_at=START - timedelta(seconds=5))
    sealed = EvidenceFile(early, sealed.content)
    outbox.incident(incident(evidence=(sealed.reference, picture.reference)), [sealed, picture])
    [record] = live(outbox, lane=Lane.INCIDENT)
    outbox.settle({record.message_id: (Outcome.ACCEPTED, None)})
    outbox.order_originals([sealed.reference.sha256], START + timedelta(hours=1))
    order = []
    while (upload := outbox.next_upload()) is not None:
        order.append(upload.mime)
        outbox.uploaded(upload.sha256)
    assert order == ["image/jpeg", SEALED_MIME]


def test_a_quarter_of_the_quota_is_kept_for_what_is_not_sealed(tmp_path: Path, clock: SteppedClock) -> None:
    quota = SETTINGS.evidence_quota_mib << 20
    half = snapshot(bytes(quota // 2), mime=SEALED_MIME)
    first = Outbox(tmp_path, SETTINGS, clock=clock)
    first.incident(incident(evidence=(half.reference,)), [half])
    first.close()
    outbox = Outbox(tmp_path, SETTINGS, clock=clock)  # what is sealed is known after a restart too
    assert outbox._folder.has_room(quota // 4, sealed=True)
    assert not outbox._folder.has_room(quota // 4 + 1, sealed=True)
    assert outbox._folder.has_room(quota // 2)
    assert not outbox._folder.has_room(quota // 2 + 1)
    [record] = live(outbox, lane=Lane.INCIDENT)
    outbox.settle({record.message_id: (Outcome.REJECTED, "malformed")})
    assert outbox._folder.has_room(3 * quota // 4, sealed=True)
    outbox.close()


def test_evidence_with_another_content_than_its_hash_is_refused(outbox: Outbox) -> None:
    file = snapshot()
    forged = snapshot(b"another")
    object.__setattr__(forged, "reference", file.reference)
    with pytest.raises(ValueError, match="content"):
        outbox.incident(incident(), [forged])
    assert live(outbox, lane=Lane.INCIDENT) == []


def test_files_without_a_row_are_swept_and_rows_without_a_file_are_declared(
    tmp_path: Path, clock: SteppedClock
) -> None:
    first = Outbox(tmp_path, SETTINGS, clock=clock)
    kept, lost = snapshot(b"kept"), snapshot(b"lost")
    first.incident(incident(), [kept, lost])
    first.close()
    folder = tmp_path / "evidence"
    next(folder.rglob(lost.reference.sha256)).unlink()
    (folder / "00").mkdir(exist_ok=True)
    (folder / "00" / ("00" * 32)).write_bytes(b"orphan")
    (folder / "00" / ("00" * 32 + ".part")).write_bytes(b"unfinished")
    second = Outbox(tmp_path, SETTINGS, clock=clock)
    assert [path.name for path in folder.rglob("*") if path.is_file()] == [kept.reference.sha256]
    assert [letter.subject for letter in second.dead_letters()] == [lost.reference.sha256]
    second.close()


def test_a_rejected_incident_takes_its_evidence_along(outbox: Outbox) -> None:
    file = snapshot()
    outbox.incident(incident(evidence=(file.reference,)), [file])
    [record] = live(outbox, lane=Lane.INCIDENT)
    outbox.settle({record.message_id: (Outcome.REJECTED, "malformed")})
    assert outbox.next_upload() is None
    assert outbox.figures().counters[Counter.EVIDENCE_REFUSED] == 1
    assert outbox.figures().evidence_bytes == 0


def test_a_damaged_store_is_set_aside_and_what_can_be_read_is_saved(tmp_path: Path, clock: SteppedClock) -> None:
    first = Outbox(tmp_path, SETTINGS, clock=clock, window_s=0.0)
    first.incident(incident(1))
    for start in range(0, 20_000, 5_000):
        first.readings([reading(number) for number in range(start, start + 5_000)])
    first.close()
    (tmp_path / CHECKED).unlink()
    path = tmp_path / "outbox.db"
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 20_000)
    second = Outbox(tmp_path, SETTINGS, devices=["pile-1"], clock=clock, window_s=0.0)
    assert second.set_aside is not None
    assert second.set_aside.exists()
    assert len(live(second, lane=Lane.INCIDENT)) == 1
    gaps = [msgspec.json.decode(kept.body, type=Gap) for kept in live(second) if kept.channel == Channel.GAP.value]
    assert [(gap.device, gap.reason) for gap in gaps] == [("pile-1", GapReason.CORRUPT)]
    second.readings([reading(1)])
    second.close()


def test_damage_that_shows_while_running_is_looked_for_at_the_next_start(tmp_path: Path, clock: SteppedClock) -> None:
    first = Outbox(tmp_path, SETTINGS, clock=clock, window_s=0.0)
    for start in range(0, 20_000, 5_000):
        first.readings([reading(number) for number in range(start, start + 5_000)])
    first.close()
    path = tmp_path / "outbox.db"
    damage: list[str] = []
    second = Outbox(tmp_path, SETTINGS, clock=clock, on_damage=damage.append, window_s=0.0)
    assert second.set_aside is None
    with path.open("r+b") as file:
        file.seek(20 * 4096)
        file.write(b"\xff" * (path.stat().st_size - 25 * 4096))

    def deliver_everything() -> None:
        for _ in range(20):
            second.settle({record.message_id: (Outcome.ACCEPTED, None) for record in live(second)})

    with pytest.raises((OutboxDamaged, OutboxFull, sqlite3.Error)):
        deliver_everything()
    assert damage
    second.close()
    third = Outbox(tmp_path, SETTINGS, clock=clock)
    assert third.set_aside is not None
    third.close()


def test_a_row_that_makes_no_sense_any_more_stops_nobody(outbox: Outbox) -> None:
    outbox.readings([reading(1)])
    outbox._committer.write(lambda store: store._connection.execute("UPDATE reading SET accepted_at_us = 'x'"))
    outbox.incident(incident())
    assert outbox._committer.read(lambda store: store.counters()[Counter.INCIDENTS_ACCEPTED]) == 1


def test_a_full_disk_refuses_and_loses_nothing(outbox: Outbox) -> None:
    outbox.readings([reading(1)])
    outbox._committer.read(lambda store: store._connection.execute("PRAGMA max_page_count = 1"))

    def keep_many() -> None:
        for number in range(100):
            outbox.incident(incident(number + 1))

    with pytest.raises(OutboxFull, match="full"):
        keep_many()
    kept = len(outbox.pending(Lane.INCIDENT, fresh_since=START, old=False, skip=(), limit=1_000))
    assert outbox.figures().counters[Counter.INCIDENTS_ACCEPTED] == kept < 100
    outbox._committer.read(lambda store: store._connection.execute("PRAGMA max_page_count = 1000000"))
    outbox.incident(incident(1_000))
    outbox.readings([reading(2, device="another")])
    assert outbox.figures().readings_waiting == 2


def test_a_file_that_is_no_store_is_set_aside(tmp_path: Path, clock: SteppedClock) -> None:
    (tmp_path / "outbox.db").write_bytes(b"not a database at all, whatever its name says" * 100)
    opened = Outbox(tmp_path, SETTINGS, clock=clock)
    assert opened.set_aside is not None
    opened.close()


def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path, clock: SteppedClock) -> None:
    connection = sqlite3.connect(tmp_path / "outbox.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(Permanent, match="newer version"):
        Outbox(tmp_path, SETTINGS, clock=clock)


def test_a_store_that_cannot_be_opened_says_what_to_look_at(tmp_path: Path, clock: SteppedClock) -> None:
    (tmp_path / "outbox.db").mkdir()
    with pytest.raises(OutboxDamaged, match="rights"):
        Outbox(tmp_path, SETTINGS, clock=clock)


def test_a_closed_outbox_takes_nothing(outbox: Outbox) -> None:
    outbox.close()
    with pytest.raises(OutboxFull):
        outbox.readings([reading(1)])
