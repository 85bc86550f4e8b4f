"""What is shown of a work order: the same shapes in lists, details and the live stream."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from cloud.cases.view import NamedArea
from cloud.maintenance.model import OrderAction, OrderStatus
from edge.contract.incident import IncidentState, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDevice:
    """The device that has to be repaired; `id` is None where the registry does not know it."""

    id: int | None
    node: str
    device: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSummary:
    """An order in a list. `cause` is the kind of its first fault, or `device_lost`; `well_since`: none of its faults holds since."""

    id: int
    number: str
    status: OrderStatus
    cause: str
    severity: Severity
    device: OrderDevice
    spot: str | None
    grid: NamedArea | None
    community: NamedArea | None
    street: NamedArea | None
    assigned_to: int | None
    assigned_name: str | None
    opened_at: datetime
    started_at: datetime
    assigned_at: datetime | None
    on_site_at: datetime | None
    fixed_at: datetime | None
    ended_at: datetime | None
    last_fault_at: datetime
    well_since: datetime | None
    fault_count: int
    merged_into: str | None
    simulated: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPicture:
    """What a fault showed, masked; `url` answers once it is `stored`."""

    sha256: str
    captured_at: datetime
    stored: bool
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultView:
    """One fault, in its highest revision. `device` may be one behind the order's own."""

    incident_id: UUID
    kind: str
    device: str
    severity: Severity
    state: IncidentState
    started_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    point: str | None
    value: float | None
    unit: str | None
    note: str | None
    simulated: bool
    pictures: list[FaultPicture]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStep:
    """One line of an order's history; without `actor` nobody did it."""

    at: datetime
    actor: str | None
    action: str
    from_status: OrderStatus | None
    to_status: OrderStatus | None
    severity: Severity | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignee:
    """Somebody to whom an order can be given."""

    id: int
    name: str
    display_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDetail(OrderSummary):
    """An order with its newest faults and steps, and what the reader may do now."""

    faults: list[FaultView]
    history: list[OrderStep]
    actions: list[OrderAction]
    assignees: list[Assignee]


_SUMMARY: TypeAdapter[OrderSummary] = TypeAdapter(OrderSummary)


def to_payload(summary: OrderSummary) -> dict[str, Any]:
    """An order as the live stream tells it."""
    payload: dict[str, Any] = _SUMMARY.dump_python(summary, mode="json")
    return payload


def summary_fields(row: Any) -> dict[str, Any]:
    """The fields of an `OrderSummary` from a row."""
    places = row.areas or {}

    def area(level: str) -> NamedArea | None:
        return NamedArea(**places[level]) if level in places else None

    same = (
        *("id", "number", "cause", "spot", "assigned_to", "assigned_name", "opened_at", "started_at", "assigned_at"),
        *("on_site_at", "fixed_at", "ended_at", "last_fault_at", "well_since", "fault_count", "simulated", "version"),
    )
    return {name: getattr(row, name) for name in same} | {
        "status": OrderStatus(row.status),
        "severity": Severity(row.severity),
        "device": OrderDevice(
            id=row.device_id, node=row.node, device=row.device, name=row.device_name, kind=row.device_kind
        ),
        "grid": area("grid"),
        "community": area("community"),
        "street": area("street"),
        "merged_into": row.merged_into_number,
    }
