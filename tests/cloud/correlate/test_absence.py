"""A node that is away is one incident whatever the order of things, and forty devices behind it are part of it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.correlate import absence
from cloud.db.pool import Pool, open_pool
from cloud.fleet import service as fleet
from cloud.fleet import store as nodes
from cloud.ingest.writer import Writer
from edge.contract.birth import NodeStatus, PresenceState
from tests.cloud.samples import GRID, take_in_areas
from tests.fakes.node import AT, DISTRICT, FakeNode, birth, itself, new_id, sensor

GRACE = timedelta(minutes=3)


@pytest.fixture
def pool(migrated_url: str) -> Iterator[Pool]:
    pool = open_pool(migrated_url, size=4)
    with pool.connection() as conn:
        take_in_areas(conn)
    yield pool
    pool.close()


def present(pool: Pool, name: str, devices: int = 0) -> FakeNode:
    with pool.connection() as conn:
        fleet.add_node(conn, name, district=DISTRICT, area_code=GRID, now=AT)
    node = FakeNode(name)
    declared = [sensor(f"sensor-{number:02}") for number in range(devices)]
    writer = Writer(pool, lambda _: False, clock=lambda: AT)
    writer.settle([node.item(birth(itself(name), *declared)), node.status(PresenceState.ONLINE)])
    return node


def tell(pool: Pool, node: FakeNode, state: PresenceState, now: datetime) -> None:
    with pool.connection() as conn:
        [row] = nodes.nodes_by_name(conn, [node.name])
        status = NodeStatus(node=node.name, session=node.session, state=state, at=now)
        fleet.apply_status(conn, row.id, status, now=now)


def sweep(pool: Pool, now: datetime) -> int:
    with pool.connection() as conn:
        return absence.sweep(conn, now=now, grace=GRACE)


def told(pool: Pool, kind: str = "node_lost") -> list[Any]:
    with pool.connection() as conn:
        return conn.execute("select node, state, revision from incident where kind = %s order by id", [kind]).fetchall()


def orders(pool: Pool) -> list[Any]:
    with pool.connection() as conn:
        return conn.execute("select device, status from work_order order by id").fetchall()


def test_forty_devices_behind_a_lost_node_are_one_incident_that_ends_with_its_return(pool: Pool) -> None:
    node = present(pool, "station-01", devices=40)
    tell(pool, node, PresenceState.OFFLINE, AT)
    assert sweep(pool, AT + GRACE) == 0
    later = AT + GRACE + timedelta(seconds=1)
    assert [sweep(pool, later), sweep(pool, later), sweep(pool, later + timedelta(hours=5))] == [1, 0, 0]
    assert [tuple(row) for row in told(pool)] == [("station-01", "open", 1)]
    assert [row[0] for row in orders(pool)] == ["station-01"]
    with pool.connection() as conn:
        shown = {row.presence for row in nodes.list_devices(conn, scope="", kind="sensor", count=100)}
    assert shown == {"unknown"}
    tell(pool, node, PresenceState.ONLINE, later + timedelta(hours=6))
    assert [sweep(pool, later + timedelta(hours=6)) for _ in range(2)] == [1, 0]
    assert [tuple(row) for row in told(pool)] == [("station-01", "ended", 2)]


def test_a_link_that_breaks_shortly_is_nobodys_business(pool: Pool) -> None:
    node = present(pool, "station-01")
    for minute in range(0, 60, 4):
        tell(pool, node, PresenceState.OFFLINE, AT + timedelta(minutes=minute))
        tell(pool, node, PresenceState.ONLINE, AT + timedelta(minutes=minute + 2))
        sweep(pool, AT + timedelta(minutes=minute + 3))
    assert told(pool) == []


def test_silence_counts_only_while_others_are_heard(pool: Pool) -> None:
    present(pool, "station-01")
    other = present(pool, "station-02")
    silent = AT + timedelta(minutes=20)
    with pool.connection() as conn:
        assert fleet.sweep_presence(conn, now=silent) == 2
    later = silent + GRACE + timedelta(seconds=1)
    assert sweep(pool, later) == 0  # nobody is heard: perhaps it is the broker
    Writer(pool, lambda _: False, clock=lambda: later).settle([other.health(2, at=later, received_at=later)])
    assert sweep(pool, later) == 1
    assert [row[0] for row in told(pool)] == ["station-01"]


def test_a_node_that_was_never_there_is_not_missed(pool: Pool) -> None:
    with pool.connection() as conn:
        fleet.add_node(conn, "station-09", district=DISTRICT, area_code=GRID, now=AT)
    assert sweep(pool, AT + timedelta(days=9)) == 0


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["away", "back", "sweep"]), st.integers(0, 400)), max_size=15))
def test_whatever_comes_when_there_is_never_a_second_open_one(pool: Pool, steps: list[tuple[str, int]]) -> None:
    name = f"station-{new_id().hex[-10:]}"
    node, now, is_away = present(pool, name), AT, False
    for step, seconds in steps:
        now += timedelta(seconds=seconds)
        if step == "sweep":
            sweep(pool, now)
        elif (step == "away") != is_away:
            is_away = step == "away"
            tell(pool, node, PresenceState.OFFLINE if is_away else PresenceState.ONLINE, now)
        found = [row for row in told(pool) if row[0] == name]
        assert sum(row[1] != "ended" for row in found) <= 1
    now += timedelta(hours=1)
    sweep(pool, now)
    assert any(row[1] != "ended" for row in told(pool) if row[0] == name) == is_away
    if is_away:
        tell(pool, node, PresenceState.ONLINE, now)
        sweep(pool, now)
