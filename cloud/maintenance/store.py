"""Work orders, presence over time and public labels in the database. Takes a connection, never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import Connection

from cloud.db.queries import load
from cloud.maintenance.model import OrderStatus
from cloud.maintenance.policy import OrderFacts
from edge.contract.incident import Severity

_queries = load("cloud.maintenance")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """What an order is opened with."""

    number: str
    node: str
    device: str
    device_id: int | None
    device_kind: str
    spot: str | None
    cause: str
    severity: str
    area_code: str | None
    area_path: str
    opened_at: datetime
    started_at: datetime
    last_fault_at: datetime
    simulated: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an order's history."""

    action: str
    at: datetime
    from_status: OrderStatus | None = None
    to_status: OrderStatus | None = None
    severity: Severity | None = None
    note: str | None = None
    incident_row_id: int | None = None
    actor_id: int | None = None
    actor_name: str | None = None


def stands_behind(conn: Connection[Any], device_id: int) -> OrderFacts | None:
    """The running order of what a device can not be reached without, while that itself is down; locked."""
    row = _queries.what_it_stands_behind(conn, device_id=device_id)
    return None if row is None else facts(conn, row.id)


def running(conn: Connection[Any], node: str, device: str) -> OrderFacts | None:
    """The order of a device that runs, locked."""
    row = _queries.running_order(conn, node=node, device=device)
    return None if row is None else _facts(row)


def facts(conn: Connection[Any], order_id: int) -> OrderFacts:
    """What an order has to know of itself, locked."""
    return _facts(_queries.order_facts(conn, order_id=order_id))


def behind(conn: Connection[Any], node: str, device: str, opened_after: datetime) -> list[OrderFacts]:
    """Young orders, to which nobody was sent, of devices that can not be reached without this one; locked."""
    return [_facts(row) for row in _queries.orders_behind(conn, node=node, device=device, opened_after=opened_after)]


def next_number(conn: Connection[Any], district: str, opened_at: datetime, zone: ZoneInfo) -> str:
    """The next number of a district and local day, as people say it: `W-110105-20260317-0042`."""
    day = opened_at.astimezone(zone).date()
    last: int = _queries.next_number(conn, district=district, day=day)
    return f"W-{district}-{day:%Y%m%d}-{last:04d}"


def open_order(conn: Connection[Any], order: NewOrder) -> int:
    """Insert an order; its id comes back."""
    order_id: int = _queries.insert_order(
        conn, **{name: getattr(order, name) for name in NewOrder.__dataclass_fields__}
    )
    return order_id


def mark_drill(conn: Connection[Any], order_id: int, row_id: int, drill_id: int | None, *, is_new: bool) -> None:
    """Note of which drill a fault is, and so its order: one that takes a real fault is real from then on."""
    if drill_id is not None:
        _queries.mark_fault(conn, id=row_id, drill_id=drill_id)
    if is_new or drill_id is None:
        _queries.mark_order(conn, order_id=order_id, drill_id=drill_id)


def update_facts(conn: Connection[Any], order: OrderFacts, *, is_news: bool) -> None:
    """Write what a fault changed; news raise the version, so that nobody acts on what he has not seen."""
    _queries.update_facts(
        conn,
        order_id=order.order_id,
        status=order.status.value,
        severity=order.severity.value,
        started_at=order.started_at,
        last_fault_at=order.last_fault_at,
        simulated=order.simulated,
        growth=1 if is_news else 0,
    )


def move(
    conn: Connection[Any],
    order_id: int,
    status: OrderStatus,
    *,
    version: int,
    at: datetime,
    assigned: tuple[int, str] | None = None,
) -> bool:
    """Move an order that still has this version; False when somebody was quicker."""
    person_id, name = assigned or (None, None)
    moved: int = _queries.move_order(
        conn,
        order_id=order_id,
        status=status.value,
        version=version,
        assigned_to=person_id,
        assigned_name=name,
        at=at,
    )
    return moved > 0


def merge(conn: Connection[Any], order_id: int, into_id: int, *, at: datetime) -> None:
    """End an order in another one, which takes its faults over."""
    _queries.move_incidents(conn, order_id=order_id, into_id=into_id)
    _queries.merge_order(conn, order_id=order_id, into_id=into_id, at=at)
    _queries.stay_real(conn, into_id=into_id)


def holds(conn: Connection[Any], order_id: int, *, lost: str) -> bool:
    """Whether any of an order's faults holds."""
    answer: bool = _queries.fault_holds(conn, order_id=order_id, lost=lost)
    return answer


def set_well(conn: Connection[Any], order_id: int, well_since: datetime | None) -> None:
    """Since when none of its faults holds."""
    _queries.set_well(conn, order_id=order_id, well_since=well_since)


def lost_devices(conn: Connection[Any], lost_before: datetime) -> list[Any]:
    """Devices that their node has not reached for long and that no order speaks of."""
    return list(_queries.lost_devices(conn, lost_before=lost_before))


def changed_lost(conn: Connection[Any], *, lost: str) -> list[Any]:
    """Orders of lost devices of which `well_since` is not what their presence says."""
    return list(_queries.orders_of_lost(conn, lost=lost))


def well_before(conn: Connection[Any], before: datetime) -> list[int]:
    """Orders to which nobody was sent, of devices that have been well since."""
    return [row.id for row in _queries.well_since(conn, before=before)]


def add_step(conn: Connection[Any], order_id: int, step: Step) -> None:
    """Add a line to an order's history."""
    _queries.insert_event(
        conn,
        order_id=order_id,
        at=step.at,
        actor_id=step.actor_id,
        actor_name=step.actor_name,
        action=step.action,
        from_status=None if step.from_status is None else step.from_status.value,
        to_status=None if step.to_status is None else step.to_status.value,
        severity=None if step.severity is None else step.severity.value,
        note=step.note,
        incident_id=step.incident_row_id,
    )


def for_action(conn: Connection[Any], order_id: int, *, scope: str) -> Any:
    """Status, version and place of an order in scope, locked; None where there is none."""
    return _queries.order_for_action(conn, order_id=order_id, scope=scope)


def row(conn: Connection[Any], order_id: int, *, scope: str) -> Any:
    """An order as it is shown; None outside of the scope."""
    return _queries.order_row(conn, order_id=order_id, scope=scope)


def rows(conn: Connection[Any], **wanted: Any) -> list[Any]:
    """Orders as they are shown, the newest first."""
    return list(_queries.order_rows(conn, **wanted))


def faults(conn: Connection[Any], order_id: int, *, count: int) -> list[Any]:
    """The newest faults of an order."""
    return list(_queries.faults_of(conn, order_id=order_id, count=count))


def pictures(conn: Connection[Any], order_id: int) -> list[Any]:
    """The newest pictures of an order's faults."""
    return list(_queries.pictures_of(conn, order_id=order_id))


def history(conn: Connection[Any], order_id: int, *, count: int) -> list[Any]:
    """The newest steps of an order, in the order in which they happened."""
    return list(_queries.history_of(conn, order_id=order_id, count=count))


def assignable(conn: Connection[Any], roles: Sequence[str], area_path: str) -> list[Any]:
    """Whom an order of a place can be given to."""
    return list(_queries.assignable(conn, role_names=list(roles), area_path=area_path))


def place_incident(conn: Connection[Any], row_id: int, order_id: int) -> None:
    """Make an order the one that takes an incident's further revisions."""
    _queries.place_incident(conn, id=row_id, order_id=order_id)


def prune_presence(conn: Connection[Any], before: datetime) -> int:
    """Forget words on presence from before a time, but for the last one of each."""
    _queries.presence_known_from(conn, before=before)
    deleted: int = _queries.prune_presence(conn, before=before)
    return deleted


def counts(conn: Connection[Any], scope: str) -> dict[OrderStatus, int]:
    """How many orders run, by status."""
    return {OrderStatus(each.status): each.orders for each in _queries.order_counts(conn, scope=scope)}


def repair_times(conn: Connection[Any], scope: str, from_at: datetime, to_at: datetime) -> Any:
    """How many were repaired in the window, and how long that took in seconds (p50, p90)."""
    return _queries.repair_times(conn, scope=scope, from_at=from_at, to_at=to_at)


def worst_devices(conn: Connection[Any], scope: str, from_at: datetime, to_at: datetime, *, count: int) -> list[Any]:
    """Those with the most orders in the window."""
    return list(_queries.worst_devices(conn, scope=scope, from_at=from_at, to_at=to_at, count=count))


def presence_spans(conn: Connection[Any], scope: str, from_at: datetime, to_at: datetime) -> list[Any]:
    """By kind of device the seconds in the window in which it was there and was not."""
    return list(_queries.presence_spans(conn, scope=scope, from_at=from_at, to_at=to_at))


def label_of_device(conn: Connection[Any], device_id: int, *, scope: str) -> Any:
    """A device in scope with the token of its label, if it has one; None where there is no such device."""
    return _queries.label_of_device(conn, device_id=device_id, scope=scope)


def label_of_area(conn: Connection[Any], code: str, *, scope: str) -> Any:
    """An area in scope with the token of its label, if it has one; None where there is no such area."""
    return _queries.label_of_area(conn, code=code, scope=scope)


def labels_below(conn: Connection[Any], area_path: str, *, count: int) -> list[Any]:
    """Devices of an area with the tokens of their labels."""
    return list(_queries.labels_below(conn, area_path=area_path, count=count))


def renew_label(
    conn: Connection[Any], token: str, *, device_id: int | None, area_code: str | None, made_by: str, at: datetime
) -> None:
    """Put a new label in the place of the one that stands, which opens nothing any more. Whoever does the same at once waits for it."""
    list(_queries.lock_labelled(conn, device_id=device_id, area_code=area_code))
    revoke_label(conn, device_id=device_id, area_code=area_code, at=at)
    _queries.insert_label(conn, token=token, device_id=device_id, area_code=area_code, made_by_name=made_by, made_at=at)


def revoke_label(conn: Connection[Any], *, device_id: int | None, area_code: str | None, at: datetime) -> bool:
    """Have a label open nothing any more; False when none stands."""
    revoked: int = _queries.revoke_labels(conn, device_id=device_id, area_code=area_code, at=at)
    return revoked > 0


def label_target(conn: Connection[Any], token: str) -> Any:
    """What a label opens: `device_id` or `area_code`; None for one that is unknown or revoked."""
    return _queries.label_target(conn, token=token)


def public_device(conn: Connection[Any], device_id: int) -> Any:
    """What everybody may know of a device."""
    return _queries.public_device(conn, device_id=device_id)


def public_area(conn: Connection[Any], code: str) -> Any:
    """What everybody may know of an area."""
    return _queries.public_area(conn, code=code)


def _facts(found: Any) -> OrderFacts:
    return OrderFacts(
        order_id=found.id,
        status=OrderStatus(found.status),
        severity=Severity(found.severity),
        started_at=found.started_at,
        last_fault_at=found.last_fault_at,
        well_since=found.well_since,
        simulated=found.simulated,
    )
