"""Incident → work order: the use case of ingest, and what time does to orders. In the caller's transaction.

One order runs per device. A fault of something that stands behind a line or a node whose own order runs, and which is down, joins
that one; orders that were opened shortly before it are merged into it: forty devices behind one dead link are one order.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import Connection

from cloud.access import areas
from cloud.cases import store as incidents
from cloud.drills import store as drills
from cloud.evidence import store as evidence
from cloud.maintenance import orders, policy, store
from cloud.maintenance.model import OrderHistory, OrderStatus
from cloud.maintenance.policy import LOST, OrderFacts
from cloud.maintenance.store import NewOrder, Step
from edge.contract.incident import Incident, IncidentState, Severity

_UNPLACED = "000000"
SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One revision of an incident that is a fault of a device, from an accepted node. `raw` are its bytes as they came.

    `drill_id`: the drill that it was found for. An order is part of a drill while all of its faults are. `outlasts`: it was found for one
    that is over, and is still there: it is real.
    """

    node: str
    device_id: int | None
    device_kind: str
    area_code: str | None
    district: str | None
    incident: Incident
    raw: bytes
    historical: bool
    received_at: datetime
    zone: ZoneInfo = SHANGHAI
    drill_id: int | None = None
    outlasts: bool = False


def lock_key(node: str) -> str:
    """What takes turns: all orders of a node, since one may take in others."""
    return f"order/{node}"


def receive(conn: Connection[Any], fault: Fault) -> int | None:
    """Take in one revision; the order that it changed, None when it was here already.

    The caller holds `lock_key`. Doubles and any order of revisions lead to the same order.
    """
    known = incidents.known(conn, fault.node, fault.incident.incident_id)
    if known is not None and known.order_id is not None:
        if not _add_revision(conn, fault, known.row_id):
            return None
        incidents.update_incident(
            conn,
            known.row_id,
            fault.incident,
            device_id=fault.device_id,
            historical=fault.historical,
            received_at=fault.received_at,
        )
        order = store.facts(conn, known.order_id)
        if fault.outlasts:
            order = _take_seriously(conn, fault, order, known.row_id)
        _join(conn, fault, order, known.row_id, is_new=False)
        return order.order_id
    order, opened = _place(conn, fault)
    row_id = incidents.insert_incident(
        conn,
        fault.incident,
        node=fault.node,
        order_id=order.order_id,
        device_id=fault.device_id,
        historical=fault.historical,
        received_at=fault.received_at,
    )
    _add_revision(conn, fault, row_id)
    store.mark_drill(conn, order.order_id, row_id, fault.drill_id, is_new=opened)
    if opened:
        _step(conn, order, OrderHistory.OPENED, fault.received_at, row_id, to_status=OrderStatus.OPENED)
        _settle_well(conn, order, fault)
        _take_in(conn, fault, order)
        orders.announce(conn, order.order_id, "order.opened")
    else:
        _join(conn, fault, order, row_id, is_new=True)
    return order.order_id


def _add_revision(conn: Connection[Any], fault: Fault, row_id: int) -> bool:
    added = incidents.add_revision(
        conn,
        row_id,
        fault.incident.revision,
        fault.raw,
        historical=fault.historical,
        received_at=fault.received_at,
    )
    if added:
        evidence.name_files(conn, fault.node, row_id, fault.incident.evidence)
    return added


def _place(conn: Connection[Any], fault: Fault) -> tuple[OrderFacts, bool]:
    """The order for a fault, and whether it had to be opened."""
    if fault.device_id is not None and (found := store.stands_behind(conn, fault.device_id)) is not None:
        return found, False
    found = store.running(conn, fault.node, fault.incident.device)
    return (found, False) if found is not None else (_open(conn, fault), True)


def _open(conn: Connection[Any], fault: Fault) -> OrderFacts:
    incident = fault.incident
    end = policy.fault_end(incident)
    area = areas.find(conn, fault.area_code) if fault.area_code is not None else None
    if area is None and fault.district is not None:
        area = areas.find(conn, fault.district)
    district = area.ancestry[0] if area is not None else fault.district or _UNPLACED
    order_id = store.open_order(
        conn,
        NewOrder(
            number=store.next_number(conn, district, fault.received_at, fault.zone),
            node=fault.node,
            device=incident.device,
            device_id=fault.device_id,
            device_kind=fault.device_kind,
            spot=incident.spot,
            cause=incident.kind,
            severity=incident.severity.value,
            area_code=area.code if area is not None else None,
            area_path=area.path if area is not None else "",
            opened_at=fault.received_at,
            started_at=incident.started_at,
            last_fault_at=end,
            simulated=incident.simulated,
        ),
    )
    return store.facts(conn, order_id)


def _take_in(conn: Connection[Any], fault: Fault, order: OrderFacts) -> None:
    """What failed shortly before, because this one did."""
    if fault.incident.state is IncidentState.ENDED:
        return
    for other in store.behind(conn, fault.node, fault.incident.device, fault.received_at - policy.MERGE_WITHIN):
        if other.order_id == order.order_id:
            continue
        store.merge(conn, other.order_id, order.order_id, at=fault.received_at)
        order = _with_what_it_took(conn, order, other, fault.received_at)
        _step(conn, other, OrderHistory.MERGED, fault.received_at, None, to_status=OrderStatus.MERGED)
        number = store.row(conn, other.order_id, scope="").number
        store.add_step(conn, order.order_id, Step(OrderHistory.TOOK_IN, fault.received_at, note=number))
        orders.announce(conn, other.order_id, "order.updated")


def _with_what_it_took(conn: Connection[Any], order: OrderFacts, other: OrderFacts, at: datetime) -> OrderFacts:
    """Nothing worse is hidden by a merge: what was known of the one is known of the other."""
    facts = policy.merged(order, other)
    store.update_facts(conn, facts, is_news=True)
    if facts.severity is not order.severity:
        _step(conn, facts, OrderHistory.SEVERITY_RAISED, at, None, severity=facts.severity)
    return facts


def _join(conn: Connection[Any], fault: Fault, order: OrderFacts, row_id: int, *, is_new: bool) -> None:
    if not order.is_running:
        if policy.outgrows(order, fault.incident):
            _continue_elsewhere(conn, fault, order, row_id)
        return
    joined = policy.join(order, fault.incident, is_new=is_new)
    is_news = is_new or joined.raised or joined.came_back
    if joined.changed:
        store.update_facts(conn, joined.facts, is_news=is_news)
    if is_new:
        _step(conn, order, OrderHistory.FAULT_ADDED, fault.received_at, row_id)
    if joined.raised:
        _step(
            conn, joined.facts, OrderHistory.SEVERITY_RAISED, fault.received_at, row_id, severity=joined.facts.severity
        )
    if joined.came_back:
        _step(conn, order, OrderHistory.CAME_BACK, fault.received_at, row_id, to_status=OrderStatus.ASSIGNED)
    if _settle_well(conn, joined.facts, fault) or is_news:
        orders.announce(conn, order.order_id, "order.updated")


def _take_seriously(conn: Connection[Any], fault: Fault, order: OrderFacts, row_id: int) -> OrderFacts:
    """What was found for a drill is there after it: its order is real from now on, or, where that is ended, another one is opened."""
    drills.release(conn, row_id)
    if order.is_running:
        store.mark_drill(conn, order.order_id, row_id, None, is_new=False)
        store.update_facts(conn, order, is_news=True)
        orders.announce(conn, order.order_id, "order.updated")
        return order
    _continue_elsewhere(conn, fault, order, row_id)
    known = incidents.known(conn, fault.node, fault.incident.incident_id)
    return store.facts(conn, known.order_id) if known is not None and known.order_id is not None else order


def _continue_elsewhere(conn: Connection[Any], fault: Fault, ended: OrderFacts, row_id: int) -> None:
    """A fault got worse than all that people knew when its order was ended: it goes on in one that runs."""
    order, opened = _place(conn, fault)
    store.place_incident(conn, row_id, order.order_id)
    store.mark_drill(conn, order.order_id, row_id, fault.drill_id, is_new=opened)
    _step(conn, ended, OrderHistory.CONTINUED, fault.received_at, row_id, severity=fault.incident.severity)
    orders.announce(conn, ended.order_id, "order.updated")
    if not opened:
        _join(conn, fault, order, row_id, is_new=True)
        return
    _step(conn, order, OrderHistory.OPENED, fault.received_at, row_id, to_status=OrderStatus.OPENED)
    _settle_well(conn, order, fault)
    _take_in(conn, fault, order)
    orders.announce(conn, order.order_id, "order.opened")


def _settle_well(conn: Connection[Any], order: OrderFacts, fault: Fault) -> bool:
    """Note whether any of its faults holds now; whether that has changed."""
    holds = store.holds(conn, order.order_id, lost=LOST)
    if holds == (order.well_since is None):
        return False
    store.set_well(conn, order.order_id, None if holds else fault.received_at)
    if not holds:
        _step(conn, order, OrderHistory.WELL, fault.received_at, None)
    return True


def _step(
    conn: Connection[Any],
    order: OrderFacts,
    action: OrderHistory,
    at: datetime,
    row_id: int | None,
    *,
    to_status: OrderStatus | None = None,
    severity: Severity | None = None,
) -> None:
    from_status = order.status if to_status is not None and action is not OrderHistory.OPENED else None
    store.add_step(
        conn,
        order.order_id,
        Step(action, at, from_status=from_status, to_status=to_status, severity=severity, incident_row_id=row_id),
    )


def sweep(conn: Connection[Any], *, now: datetime, zone: ZoneInfo = SHANGHAI) -> int:
    """What time does: devices that are lost for long get an order, those that are back are well, and what is well for long, and
    nobody was sent to, ends. How many orders that touched. May be run at any time, by anyone, twice.
    """
    touched = _open_lost(conn, now, zone)
    for row in store.changed_lost(conn, lost=LOST):
        store.set_well(conn, row.id, None if row.holds else max(row.presence_since or now, _last_fault(conn, row.id)))
        if not row.holds:
            store.add_step(conn, row.id, Step(OrderHistory.WELL, now))
        orders.announce(conn, row.id, "order.updated")
        touched += 1
    for order_id in store.well_before(conn, now - policy.RECOVERED_AFTER):
        order = store.facts(conn, order_id)
        if not policy.is_recovered(order, now):
            continue
        version = store.row(conn, order_id, scope="").version
        if store.move(conn, order_id, OrderStatus.RECOVERED, version=version, at=now):
            _step(conn, order, OrderHistory.RECOVERED, now, None, to_status=OrderStatus.RECOVERED)
            orders.announce(conn, order_id, "order.updated")
            touched += 1
    return touched


def _last_fault(conn: Connection[Any], order_id: int) -> datetime:
    return store.facts(conn, order_id).last_fault_at


def _open_lost(conn: Connection[Any], now: datetime, zone: ZoneInfo) -> int:
    nodes = {device.node for device in store.lost_devices(conn, now - policy.LOST_AFTER)}
    if not nodes:
        return 0
    incidents.lock_keys(conn, sorted(lock_key(node) for node in nodes))
    opened = 0
    for device in store.lost_devices(conn, now - policy.LOST_AFTER):  # as it stands now that nobody else changes it
        if device.node not in nodes:
            continue
        area = areas.find(conn, device.area_code)
        order_id = store.open_order(
            conn,
            NewOrder(
                number=store.next_number(conn, device.district, now, zone),
                node=device.node,
                device=device.device,
                device_id=device.id,
                device_kind=device.kind,
                spot=device.spot,
                cause=LOST,
                severity=Severity.MEDIUM.value,
                area_code=device.area_code if area is not None else None,
                area_path=area.path if area is not None else "",
                opened_at=now,
                started_at=device.presence_since.astimezone(UTC),
                last_fault_at=now,
                simulated=device.simulated,
            ),
        )
        store.add_step(conn, order_id, Step(OrderHistory.OPENED, now, to_status=OrderStatus.OPENED))
        orders.announce(conn, order_id, "order.opened")
        opened += 1
    return opened
