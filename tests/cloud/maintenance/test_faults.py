"""Faults of devices become work orders, and what time does to those."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import permutations
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from cloud.access.model import Principal, Role
from cloud.cases import service as cases
from cloud.cases.service import CaseFilter
from cloud.correlate import service as correlate
from cloud.correlate.model import IncidentReport
from cloud.evidence import store as evidence
from cloud.maintenance import faults, orders, policy
from cloud.maintenance.model import OrderAction, OrderHistory, OrderStatus
from cloud.maintenance.orders import OrderFilter, OrderRequest
from cloud.maintenance.view import OrderDetail, OrderSummary
from edge.contract.incident import EvidenceKind, EvidenceReference, Incident, IncidentState, Severity
from tests.cloud.samples import GRID, NOW, incident, principal, report, take_in_areas

ENDED = IncidentState.ENDED
HOUR = timedelta(hours=1)


@pytest.fixture
def conn(migrated_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(migrated_url, options="-c timezone=UTC") as connection:
        take_in_areas(connection)
        yield connection


def fault(number: int = 1, **fields: Any) -> Incident:
    return incident(number, **({"kind": "camera_trouble", "category": "maintenance", "point": "covered"} | fields))


def everything(conn: Connection[Any]) -> list[OrderSummary]:
    return orders.page(conn, OrderFilter(area_path=""), before=None, count=100)


def only_order(conn: Connection[Any]) -> OrderSummary:
    (order,) = everything(conn)
    return order


def seen(conn: Connection[Any], reader: Principal, order_id: int | None = None) -> OrderDetail:
    return orders.detail(conn, reader, only_order(conn).id if order_id is None else order_id)


def do(conn: Connection[Any], who: Principal, action: OrderAction, **wanted: Any) -> OrderDetail:
    order = only_order(conn)
    request = OrderRequest(action=action, version=order.version, **wanted)
    return orders.act(conn, who, order.id, request, now=NOW + HOUR, address="test")


def add_node(conn: Connection[Any], *devices: tuple[str, str | None]) -> dict[str, int]:
    """A node that is there, with devices and what each stands behind; their ids."""
    row = conn.execute(
        "insert into node (name, district, area_code, created_at, presence, presence_since)"
        " values ('node-1', '110105', %s, %s, 'online', %s) returning id",
        [GRID, NOW, NOW],
    ).fetchone()
    assert row is not None
    ids = {}
    for name, behind in devices:
        made = conn.execute(
            "insert into device (node_id, name, kind, behind, created_at) values (%s, %s, 'camera', %s, %s) returning id",
            [row[0], name, behind, NOW],
        ).fetchone()
        assert made is not None
        ids[name] = made[0]
    return ids


def from_device(ids: dict[str, int], found: Incident) -> IncidentReport:
    told = report(found)
    return IncidentReport(
        **{name: getattr(told, name) for name in IncidentReport.__slots__ if name != "device_id"},
        device_id=ids[found.device],
    )


def test_a_fault_opens_an_order_and_no_case(conn: Connection[Any]) -> None:
    correlate.receive(conn, report(fault(spot="gate")))
    assert cases.page(conn, CaseFilter(area_path=""), before=None, count=10) == []
    order = only_order(conn)
    assert order.number == "W-110105-20260317-0001"
    assert (order.status, order.cause, order.severity) == (OrderStatus.OPENED, "camera_trouble", Severity.MEDIUM)
    assert order.grid is not None
    assert order.grid.code == GRID
    assert (order.fault_count, order.well_since) == (1, None)
    ((kind, payload),) = conn.execute("select kind, payload from event").fetchall()
    assert (kind, payload["number"]) == ("order.opened", order.number)


def test_what_is_no_fault_stays_a_case(conn: Connection[Any]) -> None:
    correlate.receive(conn, report(incident()))
    assert everything(conn) == []
    assert len(cases.page(conn, CaseFilter(area_path=""), before=None, count=10)) == 1


def test_a_double_changes_nothing_and_tells_nothing(conn: Connection[Any]) -> None:
    correlate.receive(conn, report(fault()))
    before = only_order(conn)
    correlate.receive(conn, report(fault()))
    assert only_order(conn) == before
    assert conn.execute("select count(*) from event").fetchone() == (1,)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_revisions_in_any_order_lead_to_the_same_order(conn: Connection[Any], order: tuple[int, ...]) -> None:
    told = [
        fault(),
        fault(revision=2, update_s=60, severity=Severity.HIGH),
        fault(revision=3, state=ENDED, update_s=90, severity=Severity.HIGH),
    ]
    for place in order:
        correlate.receive(conn, report(told[place]))
    found = only_order(conn)
    assert (found.severity, found.fault_count, found.status) == (Severity.HIGH, 1, OrderStatus.OPENED)
    assert found.well_since is not None
    assert found.last_fault_at == NOW + timedelta(seconds=90)


def test_all_faults_of_a_device_are_one_order_however_far_apart(conn: Connection[Any]) -> None:
    correlate.receive(conn, report(fault(1, state=ENDED)))
    correlate.receive(conn, report(fault(2, start_s=7_200, point="dark")))
    found = only_order(conn)
    assert (found.fault_count, found.well_since) == (2, None)
    correlate.receive(conn, report(fault(3, device="cam-2")))
    assert len(everything(conn)) == 2


def test_an_order_goes_its_way_and_says_who_did_what(conn: Connection[Any]) -> None:
    mender = principal(conn, "mender", Role.MAINTAINER)
    correlate.receive(conn, report(fault()))
    do(conn, mender, OrderAction.ASSIGN)
    do(conn, mender, OrderAction.ARRIVE)
    do(conn, mender, OrderAction.FIX, note="lens cleaned")
    correlate.receive(conn, report(fault(revision=2, state=ENDED, update_s=4_000)))
    done = do(conn, mender, OrderAction.VERIFY)
    assert (done.status, done.assigned_name, done.actions) == (OrderStatus.VERIFIED, "Mender", [])
    assert done.ended_at == NOW + HOUR
    assert [step.action for step in done.history] == ["opened", "assign", "arrive", "fix", "well", "verify"]
    assert [step.actor for step in done.history] == [None, "Mender", "Mender", "Mender", None, "Mender"]
    correlate.receive(conn, report(fault(2, start_s=8_000)))
    assert [order.status for order in everything(conn)] == [OrderStatus.OPENED, OrderStatus.VERIFIED]


def test_what_was_fixed_and_fails_again_goes_back_to_whoever_had_it(conn: Connection[Any]) -> None:
    mender = principal(conn, "mender", Role.MAINTAINER)
    correlate.receive(conn, report(fault(1, state=ENDED)))
    do(conn, mender, OrderAction.ASSIGN)
    do(conn, mender, OrderAction.FIX)
    correlate.receive(conn, report(fault(2, start_s=7_200)))
    found = seen(conn, mender)
    assert (found.status, found.assigned_name, found.fixed_at) == (OrderStatus.ASSIGNED, "Mender", None)
    assert OrderHistory.CAME_BACK in [step.action for step in found.history]


def test_late_news_of_an_old_fault_do_not_take_a_repair_back(conn: Connection[Any]) -> None:
    mender = principal(conn, "mender", Role.MAINTAINER)
    correlate.receive(conn, report(fault(1, start_s=600, state=ENDED)))
    do(conn, mender, OrderAction.ASSIGN)
    do(conn, mender, OrderAction.FIX)
    correlate.receive(conn, report(fault(2), historical=True))
    assert only_order(conn).status is OrderStatus.FIXED


LINE_FIRST = ["line", *(f"cam-{number:02}" for number in range(40))]


@pytest.mark.parametrize("arrival", [LINE_FIRST, LINE_FIRST[::-1], [*LINE_FIRST[20:], *LINE_FIRST[:20]]])
def test_forty_cameras_behind_one_dead_line_are_one_order(conn: Connection[Any], arrival: list[str]) -> None:
    ids = add_node(conn, ("line", None), *((name, "line") for name in LINE_FIRST[1:]))
    numbers = {name: number for number, name in enumerate(LINE_FIRST, start=1)}
    for name in arrival:
        kind = "line_lost" if name == "line" else "camera_trouble"
        correlate.receive(conn, from_device(ids, fault(numbers[name], device=name, kind=kind)))
    running = [order for order in everything(conn) if order.ended_at is None]
    assert [(order.device.device, order.fault_count) for order in running] == [("line", 41)]
    merged = [order for order in everything(conn) if order.status is OrderStatus.MERGED]
    assert {order.merged_into for order in merged} <= {running[0].number}
    assert len(merged) == arrival.index("line")


def test_a_camera_that_fails_by_itself_while_its_line_is_well_has_its_own_order(conn: Connection[Any]) -> None:
    ids = add_node(conn, ("line", None), ("cam-1", "line"))
    correlate.receive(conn, from_device(ids, fault(1, device="line", kind="line_lost", state=ENDED, update_s=60)))
    correlate.receive(conn, from_device(ids, fault(2, device="cam-1", start_s=120)))
    assert sorted(order.device.device for order in everything(conn)) == ["cam-1", "line"]


def test_an_order_that_somebody_has_is_not_taken_in(conn: Connection[Any]) -> None:
    ids = add_node(conn, ("line", None), ("cam-1", "line"))
    mender = principal(conn, "mender", Role.MAINTAINER)
    correlate.receive(conn, from_device(ids, fault(1, device="cam-1")))
    do(conn, mender, OrderAction.ASSIGN)
    correlate.receive(conn, from_device(ids, fault(2, device="line", kind="line_lost")))
    assert {order.status for order in everything(conn)} == {OrderStatus.ASSIGNED, OrderStatus.OPENED}


def test_what_works_again_by_itself_needs_nobody_after_four_hours(conn: Connection[Any]) -> None:
    correlate.receive(conn, report(fault(state=ENDED, update_s=60)))
    well_at = NOW + timedelta(seconds=60)
    assert faults.sweep(conn, now=well_at + policy.RECOVERED_AFTER - timedelta(seconds=1)) == 0
    assert faults.sweep(conn, now=well_at + policy.RECOVERED_AFTER) == 1
    assert faults.sweep(conn, now=well_at + policy.RECOVERED_AFTER) == 0
    assert only_order(conn).status is OrderStatus.RECOVERED


def test_what_somebody_was_sent_to_waits_for_him(conn: Connection[Any]) -> None:
    mender = principal(conn, "mender", Role.MAINTAINER)
    correlate.receive(conn, report(fault(state=ENDED, update_s=60)))
    do(conn, mender, OrderAction.ASSIGN)
    assert faults.sweep(conn, now=NOW + timedelta(days=9)) == 0
    assert only_order(conn).status is OrderStatus.ASSIGNED


def set_presence(conn: Connection[Any], device_id: int, presence: str, at: Any) -> None:
    conn.execute("update device set presence = %s, presence_since = %s where id = %s", [presence, at, device_id])


def test_a_device_that_is_lost_for_long_gets_an_order_once(conn: Connection[Any]) -> None:
    ids = add_node(conn, ("pile-1", None))
    set_presence(conn, ids["pile-1"], "lost", NOW)
    assert faults.sweep(conn, now=NOW + policy.LOST_AFTER) == 0
    later = NOW + policy.LOST_AFTER + timedelta(seconds=1)
    assert faults.sweep(conn, now=later) == 1
    assert faults.sweep(conn, now=later) == 0
    order = only_order(conn)
    assert (order.cause, order.device.device, order.started_at, order.well_since) == (
        "device_lost",
        "pile-1",
        NOW,
        None,
    )
    set_presence(conn, ids["pile-1"], "online", later + HOUR)
    assert faults.sweep(conn, now=later + 2 * HOUR) == 1
    assert only_order(conn).well_since == later + HOUR


def test_devices_behind_a_node_or_a_line_that_is_away_get_none(conn: Connection[Any]) -> None:
    ids = add_node(conn, ("line", None), ("cam-1", "line"))
    correlate.receive(conn, from_device(ids, fault(1, device="line", kind="line_lost")))
    set_presence(conn, ids["cam-1"], "lost", NOW)
    conn.execute("update node set presence = 'lost', presence_since = %s", [NOW])
    assert faults.sweep(conn, now=NOW + HOUR) == 0
    conn.execute("update node set presence = 'online', presence_since = %s", [NOW])
    assert faults.sweep(conn, now=NOW + HOUR) == 0
    correlate.receive(conn, from_device(ids, fault(1, device="line", kind="line_lost", revision=2, state=ENDED)))
    assert faults.sweep(conn, now=NOW + HOUR) == 1
    assert {order.device.device for order in everything(conn)} == {"line", "cam-1"}


def test_what_a_fault_showed_is_seen_with_its_order_and_kept_while_that_runs(conn: Connection[Any]) -> None:
    mender = principal(conn, "mender", Role.MAINTAINER)
    stranger = principal(conn, "stranger", Role.MAINTAINER, "110105003")
    picture = EvidenceReference(
        sha256="a" * 64, kind=EvidenceKind.SNAPSHOT, mime="image/jpeg", bytes=10, captured_at=NOW
    )
    correlate.receive(conn, report(fault(evidence=(picture,))))
    evidence.mark_stored(conn, "node-1", picture.sha256, now=NOW)
    (told,) = seen(conn, mender).faults
    assert [(each.sha256, each.stored) for each in told.pictures] == [(picture.sha256, True)]
    assert evidence.visible(conn, picture.sha256, mender) is not None
    assert evidence.visible(conn, picture.sha256, stranger) is None
    assert evidence.is_needed(conn, "node-1", picture.sha256)
    do(conn, mender, OrderAction.CANCEL, note="a drill")
    assert not evidence.is_needed(conn, "node-1", picture.sha256)


def test_a_lost_device_that_is_back_is_not_well_while_something_else_is_wrong_with_it(conn: Connection[Any]) -> None:
    ids = add_node(conn, ("cam-1", None))
    set_presence(conn, ids["cam-1"], "lost", NOW)
    faults.sweep(conn, now=NOW + HOUR)
    set_presence(conn, ids["cam-1"], "online", NOW + HOUR)
    correlate.receive(conn, from_device(ids, fault(1, start_s=3_600)))
    for hours in range(2, 9):
        faults.sweep(conn, now=NOW + hours * HOUR)
    assert (only_order(conn).status, only_order(conn).well_since) == (OrderStatus.OPENED, None)
    correlate.receive(conn, from_device(ids, fault(1, start_s=3_600, revision=2, state=ENDED, update_s=30_000)))
    assert only_order(conn).well_since is not None


def test_a_merge_hides_nothing_worse(conn: Connection[Any]) -> None:
    ids = add_node(conn, ("line", None), ("cam-1", "line"))
    correlate.receive(conn, from_device(ids, fault(1, device="cam-1", severity=Severity.CRITICAL)))
    correlate.receive(conn, from_device(ids, fault(2, device="line", kind="line_lost", start_s=60)))
    (line,) = [order for order in everything(conn) if order.ended_at is None]
    assert (line.device.device, line.severity, line.started_at) == ("line", Severity.CRITICAL, NOW)


def test_a_fault_that_gets_worse_after_its_order_was_ended_has_one_again(conn: Connection[Any]) -> None:
    mender = principal(conn, "mender", Role.MAINTAINER)
    correlate.receive(conn, report(fault(1)))
    do(conn, mender, OrderAction.CANCEL, note="is known")
    correlate.receive(conn, report(fault(1, revision=2, update_s=60)))
    assert len(everything(conn)) == 1
    correlate.receive(conn, report(fault(1, revision=3, update_s=90, severity=Severity.CRITICAL)))
    running, ended = everything(conn)
    assert (running.status, running.severity, running.fault_count) == (OrderStatus.OPENED, Severity.CRITICAL, 1)
    assert (ended.status, ended.fault_count) == (OrderStatus.CANCELLED, 0)
    assert [step.action for step in seen(conn, mender, ended.id).history][-1] == "continued"
