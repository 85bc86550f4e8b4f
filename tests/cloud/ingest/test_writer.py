from datetime import timedelta
from typing import Any

import pytest

from cloud.access import areas
from cloud.db.pool import Pool
from cloud.errors import Conflict
from cloud.fleet import service as fleet
from cloud.ingest import quarantine, registry, store
from cloud.ingest.model import Arrival, Item, Reason, Refusal, Verdict
from cloud.ingest.reading import read
from cloud.ingest.writer import Writer
from cloud.refusals import store as refusals
from edge.contract.birth import Degradation, Device, PresenceState
from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.telemetry import ReadingFlag, StateChange
from tests.cloud.samples import GRID
from tests.fakes.node import AT, DISTRICT, FakeNode, batch, birth, column, gap, incident, new_id, sensor

ACCEPTED, DUPLICATE = Outcome.ACCEPTED, Outcome.DUPLICATE
QUARANTINED, REJECTED = Outcome.QUARANTINED, Outcome.REJECTED


def outcomes(verdicts: list[Verdict]) -> list[Outcome]:
    return [verdict.outcome for verdict in verdicts]


def rows(pool: Pool, statement: str, *parameters: Any) -> list[Any]:
    with pool.connection() as conn:
        return conn.execute(statement, parameters).fetchall()


def count(pool: Pool, table: str) -> int:
    return int(rows(pool, f"select count(*) from {table}")[0][0])  # noqa: S608  # the test's own words


def again(item: Item) -> Item:
    return read(item.arrival)


def test_readings_of_a_declared_point_become_rows_with_latest_and_touched_minutes(
    pool: Pool, node: FakeNode, writer: Writer
) -> None:
    items = [node.item(birth()), node.item(batch(column([20.0, 21.0, 22.5]), skew_s=0.25))]
    assert outcomes(writer.settle(items)) == [ACCEPTED, ACCEPTED]
    assert rows(pool, "select value from reading order by observed_at") == [(20.0,), (21.0,), (22.5,)]
    assert rows(pool, "select observed_at, value from latest") == [(AT + timedelta(seconds=2), 22.5)]
    assert rows(pool, "select bucket_at from touched_minute") == [(AT,)]
    assert rows(pool, "select presence, skew_s, last_seen_at, software from node") == [("online", 0.25, AT, "0.1.0")]
    assert rows(pool, "select presence, kind, title, spot from device") == [
        ("online", "sensor", "Sensor sensor-01", "pump-room")
    ]


def test_a_message_counts_once_however_often_it_comes(pool: Pool, node: FakeNode, writer: Writer) -> None:
    items = [node.item(birth()), node.item(batch(column([1.0]))), node.item(incident()), node.item(gap())]
    assert outcomes(writer.settle(items)) == [ACCEPTED] * 4
    assert outcomes(writer.settle([again(item) for item in items])) == [DUPLICATE] * 4
    twice = node.item(batch(column([2.0], begin=AT - timedelta(hours=1))))
    assert sorted(outcomes(writer.settle([twice, again(twice)]))) == [ACCEPTED, DUPLICATE]
    assert (count(pool, "reading"), count(pool, "gap"), count(pool, "incident")) == (2, 1, 1)


def test_a_database_that_may_forget_is_told_of(pool: Pool, writer: Writer) -> None:
    with pool.connection() as conn:
        off = [
            name for (name,) in conn.execute("select name from pg_settings where name = 'fsync' and setting = 'off'")
        ]
        assert set(store.forgetful_settings(conn)) >= set(off)
        conn.execute("set local synchronous_commit to off")
        assert "synchronous_commit" in store.forgetful_settings(conn)
    writer.check_durability()


def test_the_lanes_tell_what_is_missing(pool: Pool, node: FakeNode, writer: Writer) -> None:
    writer.settle([node.item(birth())])
    sent = [node.item(batch(column([float(n)], begin=AT + timedelta(seconds=n))), lane=Lane.HISTORY) for n in range(5)]
    writer.settle([sent[4], sent[1]])
    with pool.connection() as conn:
        assert store.missing_messages(conn) == {("station-01", "history"): 3}
    writer.settle([sent[0], sent[2], sent[3], again(sent[1])])
    with pool.connection() as conn:
        assert store.missing_messages(conn) == {}


def test_a_birth_that_was_lost_is_no_missing_message(pool: Pool, node: FakeNode, writer: Writer) -> None:
    node.item(birth())  # lost
    reading = node.item(batch(column([1.0])))
    writer.settle([node.item(birth()), reading])
    with pool.connection() as conn:
        assert store.missing_messages(conn) == {}
        lanes = conn.execute("select lane, highest_seq, received from node_lane").fetchall()
    assert lanes == [("live", 1, 1)]


def test_the_first_write_wins_unless_a_correction_says_so(pool: Pool, node: FakeNode, writer: Writer) -> None:
    writer.settle([node.item(birth()), node.item(batch(column([1.0])))])
    writer.settle([node.item(batch(column([2.0])))])
    assert rows(pool, "select value from reading") == [(1.0,)]
    corrected = column([3.0], flag=[ReadingFlag.CORRECTION])
    writer.settle([node.item(batch(corrected))])
    assert rows(pool, "select value from reading") == [(3.0,)]
    assert rows(pool, "select value from latest") == [(3.0,)]


@pytest.mark.usefixtures("native_partitions")
def test_old_months_get_a_partition_of_their_own(pool: Pool, node: FakeNode, writer: Writer) -> None:
    long_ago = AT - timedelta(days=200)
    writer.settle([node.item(birth()), node.item(batch(column([1.0]), column([2.0], begin=long_ago)))])
    assert len(rows(pool, "select from reading_default")) == 2
    writer.open_partitions()
    assert rows(pool, "select from reading_default") == []
    assert rows(pool, "select value from reading_2025_08") == [(2.0,)]
    assert rows(pool, "select value from reading_2026_03") == [(1.0,)]
    writer.settle([node.item(batch(column([3.0], begin=long_ago + timedelta(seconds=1))))])
    assert len(rows(pool, "select from reading_2025_08")) == 2


def test_states_are_changes_and_presence_is_one_of_them(pool: Pool, node: FakeNode, writer: Writer) -> None:
    def change(value: str, *, after_s: int, point: str = "presence") -> StateChange:
        return StateChange(device="sensor-01", point=point, observed_at=AT + timedelta(seconds=after_s), value=value)

    writer.settle([node.item(birth()), node.item(batch(changes=[change("online", after_s=0)]))])
    writer.settle([node.item(batch(changes=[change("lost", after_s=10), change("open", after_s=3, point="door")]))])
    assert rows(pool, "select presence, presence_since from device") == [("lost", AT + timedelta(seconds=10))]
    writer.settle([node.item(batch(changes=[change("online", after_s=5)]))])
    assert rows(pool, "select presence from device") == [("lost",)]
    assert count(pool, "state_change") == 4


def test_an_unknown_node_waits_in_quarantine_until_somebody_accepts_it(pool: Pool, writer: Writer) -> None:
    stranger = FakeNode("stranger")
    items = [stranger.item(batch(column([1.0, 2.0]))), stranger.item(birth()), stranger.item(incident())]
    assert outcomes(writer.settle(items)) == [QUARANTINED] * 3
    assert outcomes(writer.settle([again(items[0])])) == [QUARANTINED]
    assert (count(pool, "node"), count(pool, "device"), count(pool, "incident")) == (0, 0, 0)
    assert rows(pool, "select name, district, birth ->> 'software' from quarantined_node") == [
        ("stranger", DISTRICT, "0.1.0")
    ]
    with pool.connection() as conn:
        fleet.accept_node(conn, "stranger", area_code=GRID, now=AT)
        with pytest.raises(Conflict), conn.transaction():
            fleet.add_node(conn, "stranger", district=DISTRICT, area_code=GRID, now=AT)
    assert writer.replay_released() == 3
    assert (count(pool, "reading"), count(pool, "incident")) == (2, 1)
    assert (count(pool, "quarantine"), count(pool, "quarantined_node")) == (0, 0)
    assert outcomes(writer.settle([again(item) for item in items])) == [DUPLICATE] * 3


def test_an_undeclared_device_waits_for_the_birth_that_declares_it(pool: Pool, node: FakeNode, writer: Writer) -> None:
    writer.settle([node.item(birth())])
    mixed = node.item(batch(column([1.0]), column([7.0], device="sensor-02")))
    alone = node.item(batch(column([8.0], device="sensor-02", begin=AT + timedelta(seconds=1))))
    verdicts = writer.settle([mixed, alone, node.item(gap("sensor-02"))])
    assert outcomes(verdicts) == [ACCEPTED, QUARANTINED, QUARANTINED]
    assert verdicts[0].reason == "in part; not declared: sensor-02"
    assert count(pool, "reading") == 1
    assert outcomes(writer.settle([again(alone)])) == [DUPLICATE]
    writer.settle([node.item(birth(sensor(), sensor("sensor-02")))])
    assert writer.replay_released() == 3
    assert rows(pool, "select value from reading order by value") == [(1.0,), (7.0,), (8.0,)]
    assert (count(pool, "gap"), count(pool, "quarantine")) == (1, 0)
    with pool.connection() as conn:
        assert store.missing_messages(conn) == {}


def test_a_degraded_device_is_online_in_part(pool: Pool, node: FakeNode, writer: Writer) -> None:
    def say(*degraded: str) -> None:
        told = tuple(Degradation(subject=name, reason="model", detail="no weights", since=AT) for name in degraded)
        writer.settle([node.item(birth(degraded=told))])

    say("sensor-01", "yolox")
    assert rows(pool, "select presence_shown from device") == [("unknown",)]
    writer.settle([node.item(batch(column([1.0])))])
    assert rows(pool, "select presence_shown from device") == [("degraded",)]
    say()
    assert rows(pool, "select presence_shown from device") == [("online",)]
    told = rows(pool, "select payload ->> 'presence' from event where kind = 'device.presence' order by id")
    assert told == [("degraded",), ("online",)]


def test_a_node_can_not_declare_without_end(
    pool: Pool, node: FakeNode, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MAXIMUM_DEVICES", 2)
    assert outcomes(writer.settle([node.item(birth(sensor("a"), sensor("b")))])) == [ACCEPTED]
    assert outcomes(writer.settle([node.item(birth(sensor("c")))])) == [REJECTED]
    assert rows(pool, "select name, declared from device order by name") == [("a", True), ("b", True)]


def test_what_was_declared_unseen_is_found_later(pool: Pool, node: FakeNode, writer: Writer) -> None:
    writer.settle([node.item(birth())])
    held = [
        node.item(batch(column([1.0], device="sensor-02"))),
        node.item(batch(column([2.0], point="humidity"))),
        FakeNode("stranger").item(birth()),
    ]
    writer.settle(held)
    assert writer.release_declared() == 0
    with pool.connection() as conn:
        conn.execute("update quarantine set released = true")
    assert writer.replay_released() == 3
    assert (writer.replay_released(), writer.release_declared(), count(pool, "quarantine")) == (0, 0, 3)
    with pool.connection() as conn:
        fleet.add_node(conn, "stranger", district=DISTRICT, area_code=GRID, now=AT)
    writer.settle([node.item(birth(sensor("sensor-01", "temperature", "humidity"), sensor("sensor-02")))])
    with pool.connection() as conn:
        conn.execute("update quarantine set released = false")  # as if each had missed the other
    assert writer.release_declared() == 3
    assert writer.replay_released() == 3
    assert rows(pool, "select value from reading order by value") == [(1.0,), (2.0,)]


def test_an_alarm_of_an_undeclared_device_is_never_held_back(pool: Pool, node: FakeNode, writer: Writer) -> None:
    assert outcomes(writer.settle([node.item(incident(device="camera-09"))])) == [ACCEPTED]
    assert rows(pool, "select device, area_code from grid_case") == [("camera-09", GRID)]


def test_an_alarm_that_overtakes_its_birth_waits_nowhere(pool: Pool, node: FakeNode, writer: Writer) -> None:
    """Incidents come by a connection of their own: that of a new session may be here before anything else of it."""
    writer.settle([node.item(birth(sensor("sensor-01")))])
    again = FakeNode()
    known, new = (incident(new_id(), device=device) for device in ("sensor-01", "sensor-02"))
    assert outcomes(writer.settle([again.item(each, lane=Lane.INCIDENT) for each in (known, new)])) == [ACCEPTED] * 2
    placed = "select device, device_id is not null from incident order by device"
    assert rows(pool, placed) == [("sensor-01", True), ("sensor-02", False)]
    assert outcomes(writer.settle([again.item(birth(sensor("sensor-01"), sensor("sensor-02")))])) == [ACCEPTED]
    second = incident(new.incident_id, device="sensor-02", revision=2)
    assert outcomes(writer.settle([again.item(second, lane=Lane.INCIDENT)])) == [ACCEPTED]
    assert rows(pool, placed) == [("sensor-01", True), ("sensor-02", True)]
    assert (count(pool, "quarantine"), count(pool, "dead_letter"), count(pool, "incident")) == (0, 0, 2)
    with pool.connection() as conn:
        assert store.missing_messages(conn) == {}


def test_quarantine_is_bounded_and_the_newest_birth_stays(
    pool: Pool, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MESSAGES_PER_NODE", 2)
    monkeypatch.setattr(quarantine, "MAXIMUM_NODES", 1)
    stranger = FakeNode("stranger")
    verdicts = writer.settle([stranger.item(batch(column([float(n)]))) for n in range(4)])
    assert outcomes(verdicts) == [QUARANTINED, QUARANTINED, REJECTED, REJECTED]
    assert verdicts[3].reason is not None
    assert verdicts[3].reason.startswith(Reason.QUARANTINE_FULL)
    assert outcomes(writer.settle([stranger.item(birth()), stranger.item(birth(name="second"))])) == [QUARANTINED] * 2
    assert rows(pool, "select birth ->> 'name', messages, refused from quarantined_node") == [("second", 4, 2)]
    assert rows(pool, "select count(*) from quarantine where channel = 'up/birth'") == [(1,)]
    assert outcomes(writer.settle([FakeNode("another").item(birth())])) == [REJECTED]


def test_a_node_speaks_only_in_its_own_district(pool: Pool, node: FakeNode, writer: Writer) -> None:
    elsewhere = FakeNode(node.name, district="110101")
    (verdict,) = writer.settle([elsewhere.item(birth())])
    assert verdict.outcome is REJECTED
    assert rows(pool, "select reason, node from dead_letter") == [("district_mismatch", "station-01")]


def test_a_poisonous_message_harms_only_itself(
    pool: Pool, node: FakeNode, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.settle([node.item(birth())])
    monkeypatch.setattr(registry, "MAXIMUM_POINTS", 1)
    poison = node.item(birth(sensor("sensor-01", "temperature", "one-too-many")))
    good = [node.item(batch(column([float(n)], begin=AT + timedelta(seconds=n)))) for n in range(3)]
    verdicts = {verdict.message_id: verdict for verdict in writer.settle([good[0], poison, *good[1:]])}
    assert sorted(outcomes(list(verdicts.values()))) == [ACCEPTED] * 3 + [REJECTED]
    (refused,) = rows(pool, "select reason, message_id, bytes from dead_letter")
    assert refused[0] == "data"
    assert verdicts[refused[1]].outcome is REJECTED
    assert count(pool, "reading") == 3


def test_what_cannot_be_read_goes_to_the_dead_letters_and_the_node_hears_of_it(
    pool: Pool, node: FakeNode, writer: Writer
) -> None:
    message_id = new_id()
    broken = read(Arrival(node.topic_of("up/telemetry"), b'{"id":"%s","v":1' % str(message_id).encode(), AT))
    nameless = read(Arrival(node.topic_of("up/telemetry"), b"\x00\xff" * 9_000, AT))
    homeless = read(Arrival("gw/1/\x00", b"{}", AT))
    (verdict,) = writer.settle([broken, nameless, homeless])
    assert (verdict.message_id, verdict.outcome) == (message_id, REJECTED)
    found = rows(pool, "select reason, bytes, length(payload) from dead_letter order by id")
    assert [row[0] for row in found] == ["malformed", "malformed", "unknown_topic"]
    assert found[1][1:] == (18_000, refusals.HEAD_BYTES)


def test_dead_letters_are_bounded(pool: Pool, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "MAXIMUM_LETTERS", 3)
    refusal = Refusal(Arrival("gw/1/x", b"{}", AT), None, None, Reason.UNKNOWN_TOPIC, "")
    for _ in range(3):
        writer.settle([refusal, refusal])
    assert count(pool, "dead_letter") == 3


def test_revisions_may_come_in_any_order(pool: Pool, node: FakeNode, writer: Writer) -> None:
    incident_id = new_id()
    first, second, third = (
        node.item(incident(incident_id, revision=revision, confidence=revision / 10)) for revision in (1, 2, 3)
    )
    writer.settle([node.item(birth())])
    writer.settle([third, first])
    writer.settle([second])
    assert rows(pool, "select revision from incident") == [(3,)]
    assert count(pool, "grid_case") == 1


def test_a_late_will_of_an_old_session_changes_nothing(pool: Pool, node: FakeNode, writer: Writer) -> None:
    old, new = node.session, new_id()
    writer.settle([node.status(PresenceState.ONLINE)])
    assert rows(pool, "select presence from node") == [("online",)]
    node.session = new
    writer.settle([node.status(PresenceState.ONLINE)])
    writer.settle([node.status(PresenceState.OFFLINE, session=old)])
    assert rows(pool, "select presence, presence_session from node") == [("online", new)]
    writer.settle([node.status(PresenceState.OFFLINE)])
    assert rows(pool, "select presence from node") == [("lost",)]
    assert rows(pool, "select payload ->> 'presence' from event where kind = 'node.presence' order by id") == [
        ("online",),
        ("lost",),
    ]


def test_the_newest_birth_of_a_session_stands(pool: Pool, node: FakeNode, writer: Writer) -> None:
    first, second = node.item(birth(sensor(), name="first")), node.item(birth(sensor("sensor-02"), name="second"))
    writer.settle([second])
    assert outcomes(writer.settle([first])) == [ACCEPTED]
    assert rows(pool, "select title from node") == [("second",)]
    assert rows(pool, "select name, declared from device") == [("sensor-02", True)]
    writer.settle([node.item(birth(Device(id="camera-01", kind="camera")))])
    assert rows(pool, "select name, declared from device order by name") == [("camera-01", True), ("sensor-02", False)]


def test_readings_are_told_live_at_most_once_a_second(pool: Pool, node: FakeNode) -> None:
    now_s = [100.0]
    writer = Writer(pool, lambda _: False, clock=lambda: AT, monotonic_s=lambda: now_s[0])
    writer.settle([node.item(birth()), node.item(batch(column([1.0])))])
    for second in range(1, 4):
        writer.tell_live()
        writer.settle([node.item(batch(column([1.0 + second], begin=AT + timedelta(seconds=second))))])
    now_s[0] += 1.0
    writer.tell_live()
    told = rows(pool, "select payload -> 'readings' -> 0 ->> 'value' from event where kind = 'device.readings'")
    assert told == [("1.0",), ("4.0",)]
    with pool.connection() as conn:
        area = areas.find(conn, GRID)
    assert area is not None
    assert rows(pool, "select distinct area_path from event where kind = 'device.readings'") == [(area.path,)]
