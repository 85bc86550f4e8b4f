"""Use cases of people with work orders. Each takes the connection of one transaction and never commits it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from cloud.access import audit
from cloud.access.model import Principal, Role
from cloud.db import live
from cloud.errors import Invalid, NotFound, StaleVersion
from cloud.maintenance import store
from cloud.maintenance.model import OrderAction, OrderStatus, possible, transition
from cloud.maintenance.store import Step
from cloud.maintenance.view import (
    Assignee,
    FaultPicture,
    FaultView,
    OrderDetail,
    OrderStep,
    OrderSummary,
    summary_fields,
    to_payload,
)
from edge.contract.incident import IncidentState, Severity

ASSIGNABLE: Sequence[Role] = (Role.MAINTAINER, Role.ADMINISTRATOR)
FAULTS_SHOWN = 100
HISTORY_SHOWN = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """Which orders are wanted; an empty sequence is any."""

    area_path: str
    statuses: Sequence[OrderStatus] = ()
    kinds: Sequence[str] = ()
    device_id: int | None = None
    assigned_to: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What somebody wants of an order. `version` is what he has read; `assignee` is for `assign`, without one himself."""

    action: OrderAction
    version: int
    assignee: int | None = None
    note: str | None = None


def page(conn: Connection[Any], wanted: OrderFilter, *, before: int | None, count: int) -> list[OrderSummary]:
    """At most `count` orders, the newest first, those with an id below `before`."""
    rows = store.rows(
        conn,
        scope=wanted.area_path,
        statuses=[status.value for status in wanted.statuses] or None,
        kinds=list(wanted.kinds) or None,
        device_id=wanted.device_id,
        mine=wanted.assigned_to,
        before=before,
        count=count,
    )
    return [OrderSummary(**summary_fields(row)) for row in rows]


def detail(conn: Connection[Any], user: Principal, order_id: int) -> OrderDetail:
    """One order with its faults and history. Raises NotFound, also outside of the person's scope."""
    row = store.row(conn, order_id, scope=user.area_path)
    if row is None:
        raise NotFound("there is no such work order in your scope")
    actions = possible(OrderStatus(row.status), user.role)
    people = store.assignable(conn, ASSIGNABLE, row.area_path) if OrderAction.ASSIGN in actions else []
    pictures: dict[UUID, list[FaultPicture]] = {}
    for each in store.pictures(conn, order_id):
        url = f"/api/v1/evidence/{each.sha256}"
        picture = FaultPicture(sha256=each.sha256, captured_at=each.captured_at, stored=each.stored, url=url)
        pictures.setdefault(each.incident_id, []).append(picture)
    return OrderDetail(
        **summary_fields(row),
        faults=[
            _fault(fault, pictures.get(fault.incident_id, ()))
            for fault in store.faults(conn, order_id, count=FAULTS_SHOWN)
        ],
        history=[_entry(step) for step in store.history(conn, order_id, count=HISTORY_SHOWN)],
        actions=actions,
        assignees=[Assignee(id=each.id, name=each.name, display_name=each.display_name) for each in people],
    )


def act(
    conn: Connection[Any], user: Principal, order_id: int, wanted: OrderRequest, *, now: datetime, address: str
) -> OrderDetail:
    """Move an order; as it stands afterwards comes back. History, audit and live event are part of the transaction.

    Raises NotFound, StaleVersion, TransitionRefused, Forbidden, Invalid.
    """
    order = store.for_action(conn, order_id, scope=user.area_path)
    if order is None:
        raise NotFound("there is no such work order in your scope")
    status = OrderStatus(order.status)
    row = transition(wanted.action, status, user.role, note=wanted.note)
    if order.version != wanted.version:
        raise StaleVersion(f"the order has changed (version {order.version}); read it again")
    assigned = _assignee(conn, user, wanted, order.area_path)
    store.move(conn, order_id, row.to_status, version=wanted.version, at=now, assigned=assigned)
    moved = row.to_status is not status or wanted.action is OrderAction.ASSIGN
    store.add_step(
        conn,
        order_id,
        Step(
            wanted.action,
            now,
            from_status=status if moved else None,
            to_status=row.to_status if moved else None,
            note=_told(wanted, assigned),
            actor_id=user.user_id,
            actor_name=user.display_name,
        ),
    )
    audit.write(
        conn,
        f"order.{wanted.action}",
        f"order:{order_id}",
        actor=user,
        area_path=order.area_path,
        address=address,
        detail={"from": status, "to": row.to_status, "assignee": assigned[1] if assigned else None},
    )
    announce(conn, order_id, "order.updated")
    return detail(conn, user, order_id)


def _assignee(conn: Connection[Any], user: Principal, wanted: OrderRequest, area_path: str) -> tuple[int, str] | None:
    if wanted.action is not OrderAction.ASSIGN:
        if wanted.assignee is not None:
            raise Invalid(f"{wanted.action} gives an order to nobody; leave `assignee` out")
        return None
    chosen = user.user_id if wanted.assignee is None else wanted.assignee
    for person in store.assignable(conn, ASSIGNABLE, area_path):
        if person.id == chosen:
            return person.id, person.display_name
    raise Invalid("this person can't be given orders of this place")


def _told(wanted: OrderRequest, assigned: tuple[int, str] | None) -> str | None:
    if assigned is None:
        return wanted.note
    return f"{assigned[1]}: {wanted.note}" if wanted.note else assigned[1]


def announce(conn: Connection[Any], order_id: int, kind: str) -> None:
    """Tell the live stream of an order as it stands in this transaction."""
    row = store.row(conn, order_id, scope="")
    live.emit_at(conn, kind, row.area_path, to_payload(OrderSummary(**summary_fields(row))))


def _fault(row: Any, pictures: Sequence[FaultPicture]) -> FaultView:
    same = ("incident_id", "kind", "device", "started_at", "updated_at", "ended_at", "point", "value", "unit", "note")
    return FaultView(
        **{name: getattr(row, name) for name in same},
        simulated=row.simulated,
        severity=Severity(row.severity),
        state=IncidentState(row.state),
        pictures=list(pictures),
    )


def _entry(row: Any) -> OrderStep:
    return OrderStep(
        at=row.at,
        actor=row.actor_name,
        action=row.action,
        from_status=None if row.from_status is None else OrderStatus(row.from_status),
        to_status=None if row.to_status is None else OrderStatus(row.to_status),
        severity=None if row.severity is None else Severity(row.severity),
        note=row.note,
    )
