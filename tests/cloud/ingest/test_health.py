"""What nodes say of what waits in them: the newest word counts, on the cloud's clock, and readings are made of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY

from cloud.db.pool import Pool
from cloud.fleet import metrics, service
from cloud.fleet.model import HealthTold
from cloud.ingest.model import Arrival, Refusal
from cloud.ingest.reading import read
from cloud.ingest.writer import Writer
from edge.contract.birth import PresenceState
from edge.contract.health import Level, NodeHealth
from tests.cloud.samples import GRID
from tests.contract.samples import HEALTH
from tests.fakes.node import AT, FakeNode, birth, itself, sensor


def rows(pool: Pool, statement: str) -> list[Any]:
    with pool.connection() as conn:
        return conn.execute(statement).fetchall()


def events(pool: Pool) -> Sequence[str]:
    return [
        row[0] for row in rows(pool, "select payload ->> 'level' from event where kind = 'node.health' order by id")
    ]


def test_the_newest_report_is_kept_and_readings_of_the_node_are_made(
    pool: Pool, node: FakeNode, writer: Writer
) -> None:
    later = AT + timedelta(seconds=60)
    settled = writer.settle(
        [
            node.item(birth(itself(), sensor())),
            node.health(1, share=0.1, readings=5),
            node.health(2, share=0.55, readings=900, level=Level.WARNING, oldest_at=AT, received_at=later, at=later),
        ]
    )
    assert len(settled) == 1  # a health is not acknowledged
    assert rows(pool, "select seq, level, share, readings_waiting, oldest_at, told_at from node_health") == [
        (2, "warning", 0.55, 900, AT, later)
    ]
    values = rows(
        pool,
        "select point, array_agg(value order by observed_at) from reading join series on series.id = series_id group by 1",
    )
    assert dict(values) == {
        "outbox_percent": [10.0, 55.0],
        "readings_waiting": [5.0, 900.0],
        "oldest_waiting_s": [0.0, 60.0],
        "evidence_percent": [0.0, 0.0],
    }
    assert rows(pool, "select name, presence from device order by name") == [
        ("sensor-01", "unknown"),
        ("station-01", "online"),
    ]
    assert rows(pool, "select * from node_lane") == []  # states and births are numbered for themselves


def test_a_late_report_and_one_of_a_session_that_is_over_change_nothing(
    pool: Pool, node: FakeNode, writer: Writer
) -> None:
    old = FakeNode(session=node.session)
    writer.settle([node.item(birth()), node.health(5, readings=5), node.health(3, readings=3)])
    assert rows(pool, "select readings_waiting from node_health") == [(5,)]
    again = FakeNode()
    writer.settle([again.status(PresenceState.ONLINE), again.item(birth()), again.health(1, readings=1)])
    assert rows(pool, "select readings_waiting from node_health") == [(1,)]
    writer.settle([old.health(99, readings=99)])
    assert rows(pool, "select readings_waiting from node_health") == [(1,)]


def test_a_change_of_level_is_told_to_those_who_watch_once(pool: Pool, node: FakeNode, writer: Writer) -> None:
    levels = [Level.NORMAL, Level.WARNING, Level.WARNING, Level.CRITICAL, Level.NORMAL]
    writer.settle([node.item(birth())])
    for seq, level in enumerate(levels, start=1):
        writer.settle([node.health(seq, level=level)])
    assert events(pool) == ["warning", "critical", "normal"]


def test_a_loss_is_as_new_as_its_word_however_old_the_readings_are(pool: Pool, node: FakeNode, writer: Writer) -> None:
    def told(*totals: int, begin: int) -> list[Any]:
        with pool.connection() as conn:
            [node_id] = conn.execute("select id from node").fetchone() or [0]
            for seq, total in enumerate(totals, start=begin):
                report = msgspec.structs.replace(
                    HEALTH, session=node.session, seq=seq, dropped_total=total, lost_readings=0, lost_incidents=0
                )
                service.keep_health(conn, [HealthTold(node_id, report, AT + timedelta(minutes=seq))])
        return [row[0] for row in rows(pool, "select lost_at from node_health")]

    writer.settle([node.item(birth())])
    assert told(0, 0, begin=1) == [None]
    assert told(7, 7, 7, begin=3) == [AT + timedelta(minutes=3)]
    assert told(9, 9, begin=6) == [AT + timedelta(minutes=6)]
    assert told(0, 0, begin=8) == [AT + timedelta(minutes=6)]  # a store that was made anew
    assert told(2, begin=10) == [AT + timedelta(minutes=10)]


def test_strangers_and_liars_keep_nothing(pool: Pool, node: FakeNode, writer: Writer) -> None:
    writer.settle([node.item(birth()), FakeNode("stranger").health(1)])
    elsewhere = FakeNode(node.name, district="110101")
    writer.settle([elsewhere.health(1)])
    assert rows(pool, "select * from node_health") == []


@pytest.mark.parametrize(
    "change", [{"node": "other-01"}, {"seq": 0}, {"v": 9}, {"backlog": None}, {"at": "yesterday"}, {"dropped": [{}]}]
)
def test_a_report_that_cannot_be_read_is_refused_and_stops_nothing(
    node: FakeNode, writer: Writer, change: dict[str, Any]
) -> None:
    arrival = node.health(1).arrival
    document = msgspec.json.decode(arrival.payload) | change
    item = read(Arrival(arrival.topic, msgspec.json.encode(document), AT))
    assert isinstance(item, Refusal)
    assert len(writer.settle([item, node.item(birth())])) == 1


def test_what_waits_in_all_nodes_is_summed_up_of_those_that_told_lately(
    pool: Pool, node: FakeNode, writer: Writer
) -> None:
    with pool.connection() as conn:
        for name in ("station-02", "station-03"):
            service.add_node(conn, name, district="110105", area_code=GRID, now=AT)
    second = FakeNode("station-02")
    long_ago = AT - timedelta(hours=1)
    writer.settle(
        [
            *(one.item(birth()) for one in (node, second)),
            node.health(1, level=Level.CRITICAL, readings=10, incidents=2, oldest_at=AT - timedelta(seconds=30)),
            second.health(1, level=Level.WARNING, readings=99, received_at=long_ago),
        ]
    )
    with pool.connection() as conn:
        backlog = service.backlog(conn, now=AT)
    assert (backlog.nodes, backlog.silent, backlog.warning, backlog.critical) == (3, 2, 0, 1)
    assert (backlog.readings_waiting, backlog.incidents_waiting) == (10, 2)
    metrics.show(backlog, AT)
    assert REGISTRY.get_sample_value("gridward_fleet_nodes", {"level": "silent"}) == 2
    assert REGISTRY.get_sample_value("gridward_fleet_nodes", {"level": "normal"}) == 0
    assert REGISTRY.get_sample_value("gridward_fleet_oldest_waiting_seconds") == 30


def test_the_golden_report_is_kept_whole(pool: Pool, node: FakeNode, writer: Writer) -> None:
    writer.settle([node.item(birth())])
    with pool.connection() as conn:
        [node_id] = conn.execute("select id from node").fetchone() or [0]
        service.keep_health(conn, [HealthTold(node_id, HEALTH, AT)])
    [[kept]] = rows(pool, "select report from node_health")
    told = msgspec.convert(kept, NodeHealth)
    assert (told.dropped, told.rejected_incidents) == (HEALTH.dropped, HEALTH.rejected_incidents)
