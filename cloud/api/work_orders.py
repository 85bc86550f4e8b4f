"""Work orders: the list, one order, what people do with it, the table of what may be done, and how well devices are kept."""

from datetime import datetime, timedelta
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud.access import areas
from cloud.access.model import Principal, Role
from cloud.api.cases import Note
from cloud.api.dependencies import Conn, Insider, Parts, User, client_address, require
from cloud.api.paging import LARGEST_ID, After, Limit, decode_id, encode_cursor
from cloud.api.parameters import Code, Name
from cloud.api.problems import RESPONSES
from cloud.errors import Invalid
from cloud.maintenance import figures as maintenance_figures
from cloud.maintenance import orders
from cloud.maintenance.figures import MaintenanceFigures
from cloud.maintenance.model import RUNNING, TRANSITIONS, OrderAction, OrderStatus, OrderTransition
from cloud.maintenance.orders import OrderFilter, OrderRequest
from cloud.maintenance.view import OrderDetail, OrderSummary

router = APIRouter(prefix="/api/v1", tags=["maintenance"], responses=RESPONSES)

OrderId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Steward = Annotated[Principal, Depends(require(Role.MAINTAINER, Role.ADMINISTRATOR))]
USUAL_WINDOW = timedelta(days=30)


class OrderPage(BaseModel):
    """A page of work orders, the newest first; `next` is the cursor of the page after it."""

    items: list[OrderSummary]
    next: str | None


class OrderActionRequest(BaseModel):
    """What to do with an order. `version` is the one that was read: an order that has changed since is refused with 409.

    `assignee` is for `assign`; without one the order goes to whoever asks.
    """

    model_config = ConfigDict(extra="forbid")

    action: OrderAction
    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    assignee: Annotated[int, Field(ge=1, le=LARGEST_ID)] | None = None
    note: Note | None = None


class OrderTransitionRow(BaseModel):
    """One row of the state machine."""

    model_config = ConfigDict(populate_by_name=True)

    action: OrderAction
    from_status: Annotated[OrderStatus, Field(alias="from")]
    to_status: Annotated[OrderStatus, Field(alias="to")]
    roles: list[Role]
    note_required: bool

    @classmethod
    def of(cls, row: OrderTransition) -> Self:
        """The row as it is told."""
        return cls(
            action=row.action,
            from_status=row.from_status,
            to_status=row.to_status,
            roles=sorted(row.roles),
            note_required=row.note_required,
        )


class OrderModel(BaseModel):
    """The state machine of work orders and the words that it is made of."""

    statuses: list[OrderStatus]
    running: list[OrderStatus]
    actions: list[OrderAction]
    transitions: list[OrderTransitionRow]


@router.get("/work-orders", summary="Work orders in my scope")
def list_work_orders(
    *,
    user: Insider,
    conn: Conn,
    status: Annotated[list[OrderStatus] | None, Query(max_length=20)] = None,
    kind: Annotated[list[Name] | None, Query(max_length=50, description="Kind of device")] = None,
    area: Annotated[Code | None, Query(description="Code of an area of any level")] = None,
    device: Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="Id of a device")] = None,
    running: Annotated[bool, Query(description="Only those that nobody has ended")] = False,
    mine: Annotated[bool, Query(description="Only those that are given to me")] = False,
    limit: Limit = 50,
    after: After = None,
) -> OrderPage:
    """The newest first. Filters of one name add up, those of different names narrow."""
    statuses = list(status or ())
    if running:
        statuses = [each for each in OrderStatus if each in RUNNING and (not status or each in status)]
        if not statuses:
            return OrderPage(items=[], next=None)
    wanted = OrderFilter(
        area_path=areas.scope_path(conn, user, area),
        statuses=statuses,
        kinds=kind or (),
        device_id=device,
        assigned_to=user.user_id if mine else None,
    )
    found = orders.page(conn, wanted, before=decode_id(after), count=limit + 1)
    items = found[:limit]
    return OrderPage(items=items, next=encode_cursor(items[-1].id) if len(found) > limit else None)


@router.get("/work-orders/{order_id}", summary="One work order")
def read_work_order(order_id: OrderId, user: Insider, conn: Conn) -> OrderDetail:
    """With its faults (the newest hundred), its history, what I may do now, and to whom it can be given."""
    return orders.detail(conn, user, order_id)


@router.post("/work-orders/{order_id}/actions", summary="Do something with a work order")
def act_on_work_order(
    *, order_id: OrderId, wanted: OrderActionRequest, user: Steward, conn: Conn, request: Request, parts: Parts
) -> OrderDetail:
    """The order as it stands afterwards. 409 when it has changed since it was read, or its status forbids the action."""
    return orders.act(
        conn,
        user,
        order_id,
        OrderRequest(action=wanted.action, version=wanted.version, assignee=wanted.assignee, note=wanted.note or None),
        now=parts.clock(),
        address=client_address(request),
    )


@router.get("/work-order-model", summary="The state machine of work orders")
def read_work_order_model(_user: User) -> OrderModel:
    """What a page needs to know to offer the right buttons."""
    return OrderModel(
        statuses=list(OrderStatus),
        running=[status for status in OrderStatus if status in RUNNING],
        actions=list(OrderAction),
        transitions=[OrderTransitionRow.of(row) for row in TRANSITIONS],
    )


@router.get("/maintenance/figures", summary="How well devices are kept")
def read_maintenance_figures(
    *,
    user: Insider,
    conn: Conn,
    parts: Parts,
    area: Annotated[Code | None, Query(description="Code of an area of any level")] = None,
    from_at: Annotated[datetime | None, Query(alias="from", description="Thirty days before `to` by default")] = None,
    to_at: Annotated[datetime | None, Query(alias="to", description="Now by default")] = None,
) -> MaintenanceFigures:
    """Online rate by kind, time from a fault to its repair, the devices with the most orders. Times need a zone."""
    for moment in (from_at, to_at):
        if moment is not None and (moment.tzinfo is None or not 1970 < moment.year < 9999):
            raise Invalid("`from` and `to` need a zone and a year that can be, such as 2026-03-17T00:00:00+08:00")
    now = parts.clock()
    until = to_at or now
    since = from_at or until - USUAL_WINDOW
    return maintenance_figures.figures(conn, areas.scope_path(conn, user, area), from_at=since, to_at=until, now=now)
