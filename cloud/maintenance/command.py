"""`gridward-cloud maintenance`."""

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import typer
from psycopg import Connection

from cloud.access import areas
from cloud.errors import NotFound
from cloud.logs import escaped
from cloud.maintenance import figures, orders
from cloud.maintenance.figures import MaintenanceFigures
from cloud.maintenance.model import RUNNING
from cloud.maintenance.orders import OrderFilter
from cloud.maintenance.view import OrderSummary, to_payload
from cloud.terminal import AsJson, now, tell, transaction

MOST_LISTED = 1_000

maintenance_app = typer.Typer(no_args_is_help=True, help="Work orders, and how well devices are kept.")

AreaOption = Annotated[str | None, typer.Option("--area", help="Code of an area of any level; everything by default.")]


@maintenance_app.command("orders")
def maintenance_orders(*, area: AreaOption = None, as_json: AsJson = False) -> None:
    """Work orders that nobody has ended, the oldest first."""
    with transaction() as conn:
        wanted = OrderFilter(area_path=_path(conn, area), statuses=sorted(RUNNING))
        found = orders.page(conn, wanted, before=None, count=MOST_LISTED)[::-1]
    tell(
        {"items": [to_payload(each) for each in found]},
        as_json=as_json,
        text="\n".join(_order(each) for each in found) or "no work order is running",
    )


@maintenance_app.command("figures")
def maintenance_figures(
    *,
    area: AreaOption = None,
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="So many days up to now.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Online rate by kind, time from a fault to its repair, the devices with the most orders."""
    until = now()
    with transaction() as conn:
        found = figures.figures(conn, _path(conn, area), from_at=until - timedelta(days=days), to_at=until, now=until)
    tell(_plain(found), as_json=as_json, text="\n".join(_lines(found)))


def _path(conn: Connection[Any], code: str | None) -> str:
    if code is None:
        return ""
    area = areas.find(conn, code)
    if area is None:
        raise NotFound(f"there is no area {code}")
    return area.path


def _plain(found: MaintenanceFigures) -> dict[str, object]:
    return asdict(found) | {"from_at": found.from_at.isoformat(), "to_at": found.to_at.isoformat()}


def _order(order: OrderSummary) -> str:
    state = "works again" if order.well_since else "fails"
    who = order.assigned_name or "nobody sent yet"
    opened = order.opened_at.strftime("%Y-%m-%d %H:%M UTC")
    device = f"{order.device.node}/{order.device.device}"
    made = ", simulated" if order.simulated else ""
    return escaped(f"{order.number}  {order.status:<9} {device}: {order.cause}, {state}, {who}, opened {opened}{made}")


def _lines(found: MaintenanceFigures) -> list[str]:
    lines = []
    for rate in found.online:
        share = "nothing known" if rate.online_rate is None else f"{100 * rate.online_rate:.2f} % online"
        lines.append(f"{rate.kind}: {rate.devices} {'simulated ' if rate.simulated else ''}devices, {share}")
    running = sum(found.running.values())
    times = (
        ""
        if found.repair_p50_s is None
        else f", p50 {_hours(found.repair_p50_s)}, p90 {_hours(found.repair_p90_s or 0)}"
    )
    lines.append(f"orders: {running} running, {found.repaired} repaired{times}")
    lines += [
        f"{each.orders} orders: {each.node}/{each.device} ({each.name}){', simulated' if each.simulated else ''}"
        for each in found.worst
    ]
    return [escaped(line) for line in lines]


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h"
