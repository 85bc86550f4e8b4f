"""Online rates against a slow computation that looks at every second."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from cloud.access.model import Role
from cloud.correlate import service as correlate
from cloud.errors import Invalid
from cloud.maintenance import figures, orders
from cloud.maintenance.model import OrderAction, OrderStatus
from cloud.maintenance.orders import OrderRequest
from edge.contract.incident import IncidentState
from tests.cloud.samples import GRID, NOW, incident, principal, report, take_in_areas

BEGIN, END = NOW + timedelta(seconds=20), NOW + timedelta(seconds=80)

Change = tuple[int, str]


@pytest.fixture(scope="module")
def url(postgres_server: Any, migrated_template: str) -> Iterator[str]:
    yield postgres_server.create_database("figures", template=migrated_template)
    postgres_server.drop_database("figures")


@pytest.fixture(scope="module")
def conn(url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        take_in_areas(connection)
        yield connection
        connection.rollback()


def at(changes: list[Change], second: int) -> str | None:
    """The presence at a second: the last change up to it."""
    told = [presence for when, presence in changes if when <= second]
    return told[-1] if told else None


def naive(node: list[Change], devices: list[list[Change]]) -> tuple[int, int]:
    online = lost = 0
    for second in range(20, 80):
        there = at(node, second) == "online"
        for changes in devices:
            online += there and at(changes, second) in {"online", "degraded"}
            lost += there and at(changes, second) == "lost"
    return online, lost


def changes_to(presences: list[str]) -> st.SearchStrategy[list[Change]]:
    told = st.tuples(st.integers(0, 100), st.sampled_from(presences))
    return st.lists(told, max_size=6, unique_by=lambda each: each[0]).map(sorted)


OF_DEVICES = changes_to(["online", "degraded", "lost", "unknown"])
OF_NODES = changes_to(["online", "lost", "unknown"])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(node=OF_NODES, devices=st.lists(st.tuples(st.booleans(), OF_DEVICES), min_size=1, max_size=3))
def test_the_online_rate_is_what_each_second_says(
    conn: Connection[Any], node: list[Change], devices: list[tuple[bool, list[Change]]]
) -> None:
    conn.execute("savepoint figures")
    try:
        node_id = _insert(
            conn, "insert into node (name, district, area_code, created_at) values ('n', '110105', %s, %s)", GRID
        )
        for second, presence in node:
            _tell(conn, node_id, None, second, presence)
        for number, (simulated, changes) in enumerate(devices):
            device_id = _insert_device(conn, node_id, f"d{number}", simulated=simulated)
            for second, presence in changes:
                _tell(conn, node_id, device_id, second, presence)
        found = figures.figures(conn, "110105/", from_at=BEGIN, to_at=END, now=END)
        assert [rate.simulated for rate in found.online] == sorted({simulated for simulated, _ in devices})
        for rate in found.online:
            own = [changes for simulated, changes in devices if simulated == rate.simulated]
            online, lost = naive(node, own)
            assert (rate.devices, rate.online_s, rate.lost_s) == (len(own), online, lost), (node, devices)
            assert rate.unknown_s == len(own) * 60 - online - lost
            assert rate.online_rate == (online / (online + lost) if online + lost else None)
    finally:
        conn.execute("rollback to savepoint figures")


def _insert(conn: Connection[Any], statement: str, grid: str) -> int:
    row = conn.execute(f"{statement} returning id", [grid, NOW]).fetchone()
    assert row is not None
    found: int = row[0]
    return found


def _insert_device(conn: Connection[Any], node_id: int, name: str, *, simulated: bool = False) -> int:
    row = conn.execute(
        "insert into device (node_id, name, kind, grid_code, simulated, created_at)"
        " values (%s, %s, 'camera', %s, %s, %s) returning id",
        [node_id, name, GRID, simulated, NOW],
    ).fetchone()
    assert row is not None
    found: int = row[0]
    return found


def _tell(conn: Connection[Any], node_id: int, device_id: int | None, second: int, presence: str) -> None:
    conn.execute(
        "insert into presence_change (node_id, device_id, at, presence) values (%s, %s, %s, %s)",
        [node_id, device_id, NOW + timedelta(seconds=second), presence],
    )


def test_coming_and_going_is_noted_by_itself(conn: Connection[Any]) -> None:
    conn.execute("savepoint figures")
    node_id = _insert(
        conn, "insert into node (name, district, area_code, created_at) values ('n', '110105', %s, %s)", GRID
    )
    conn.execute("update node set presence = 'online', presence_since = %s where id = %s", [NOW, node_id])
    conn.execute("update node set presence = 'online', last_seen_at = %s where id = %s", [NOW, node_id])
    conn.execute("update node set presence = 'lost', presence_since = %s where id = %s", [NOW + timedelta(1), node_id])
    told = conn.execute("select at, presence from presence_change order by id").fetchall()
    assert told == [(NOW, "online"), (NOW + timedelta(1), "lost")]
    conn.execute("rollback to savepoint figures")


def test_time_to_repair_and_worst_devices(conn: Connection[Any]) -> None:
    conn.execute("savepoint figures")
    mender = principal(conn, "mender", Role.MAINTAINER)
    hours = {"cam-1": 1, "cam-2": 3, "cam-3": 5}
    for number, (device, hour) in enumerate(hours.items(), start=1):
        _repaired(conn, mender, number, device, NOW + timedelta(hours=hour))
    correlate.receive(conn, report(incident(9, device="cam-3", category="maintenance", start_s=6 * 3_600)))
    found = figures.figures(
        conn, "", from_at=NOW - timedelta(days=1), to_at=NOW + timedelta(days=1), now=NOW + timedelta(days=1)
    )
    assert (found.repaired, found.repair_p50_s) == (3, 3 * 3_600)
    assert found.repair_p90_s == pytest.approx(4.6 * 3_600)
    assert [(each.device, each.orders, each.running) for each in found.worst] == [
        ("cam-3", 2, 1),
        ("cam-1", 1, 0),
        ("cam-2", 1, 0),
    ]
    assert found.running == {OrderStatus.OPENED: 1}
    conn.execute("rollback to savepoint figures")


def _repaired(conn: Connection[Any], mender: Any, number: int, device: str, fixed_at: datetime) -> None:
    correlate.receive(conn, report(incident(number, device=device, category="maintenance", state=IncidentState.ENDED)))
    for action in (OrderAction.ASSIGN, OrderAction.FIX, OrderAction.VERIFY):
        (order,) = orders.page(
            conn,
            orders.OrderFilter(
                area_path="", statuses=sorted({OrderStatus.OPENED, OrderStatus.ASSIGNED, OrderStatus.FIXED})
            ),
            before=None,
            count=5,
        )
        wanted = OrderRequest(action=action, version=order.version)
        orders.act(conn, mender, order.id, wanted, now=fixed_at, address="test")


def test_a_window_has_an_end_after_its_beginning(conn: Connection[Any]) -> None:
    with pytest.raises(Invalid):
        figures.figures(conn, "", from_at=END, to_at=BEGIN, now=END)


def test_of_what_has_not_come_yet_nothing_is_known(conn: Connection[Any]) -> None:
    conn.execute("savepoint figures")
    node_id = _insert(
        conn, "insert into node (name, district, area_code, created_at) values ('n', '110105', %s, %s)", GRID
    )
    device_id = _insert_device(conn, node_id, "d")
    _tell(conn, node_id, None, 0, "online")
    _tell(conn, node_id, device_id, 0, "online")
    (rate,) = figures.figures(conn, "", from_at=BEGIN, to_at=END, now=BEGIN + timedelta(seconds=10)).online
    assert (rate.online_s, rate.unknown_s) == (10, 0)
    (rate,) = figures.figures(conn, "", from_at=BEGIN, to_at=END, now=NOW).online
    assert (rate.online_s, rate.online_rate) == (0, None)
    conn.execute("rollback to savepoint figures")


def test_what_is_forgotten_changes_no_figure(conn: Connection[Any]) -> None:
    conn.execute("savepoint figures")
    node_id = _insert(
        conn, "insert into node (name, district, area_code, created_at) values ('n', '110105', %s, %s)", GRID
    )
    device_id = _insert_device(conn, node_id, "d")
    for second, presence in ((0, "online"), (1, "lost"), (2, "online"), (30, "lost")):
        _tell(conn, node_id, None, second, "online")
        _tell(conn, node_id, device_id, second, presence)
    (before,) = figures.figures(conn, "", from_at=BEGIN, to_at=END, now=END).online
    assert figures.prune(conn, now=BEGIN + figures.LONGEST_WINDOW + timedelta(days=1)) == 4
    assert figures.prune(conn, now=BEGIN + figures.LONGEST_WINDOW + timedelta(days=1)) == 0
    (after,) = figures.figures(conn, "", from_at=BEGIN, to_at=END, now=END).online
    assert after == before
    assert before.online_s == 10
    conn.execute("rollback to savepoint figures")
