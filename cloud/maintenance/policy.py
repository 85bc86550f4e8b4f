"""What a fault does to an order, and when an order ends by itself. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from cloud.maintenance.model import CATEGORY, RUNNING, OrderStatus
from edge.contract.incident import Incident, IncidentState, Severity

RECOVERED_AFTER: Final = timedelta(hours=4)
"""A device that has been well for so long, and to which nobody was sent, needs nobody: its order ends by itself."""

LOST_AFTER: Final = timedelta(minutes=15)
"""A device that its node has not reached for so long needs somebody."""

MERGE_WITHIN: Final = timedelta(minutes=10)
"""Orders that were opened so shortly before that of what they stand behind were its fault."""

LOST: Final = "device_lost"
"""The cause of an order that no incident has opened: its node does not reach it."""


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What an order has to know of itself when a fault comes."""

    order_id: int
    status: OrderStatus
    severity: Severity
    started_at: datetime
    last_fault_at: datetime
    well_since: datetime | None
    simulated: bool

    @property
    def is_running(self) -> bool:
        """Whether new faults of its device join it."""
        return self.status in RUNNING


@dataclass(frozen=True, slots=True)
class Joined:
    """An order after a fault was added. `came_back`: it had been fixed."""

    facts: OrderFacts
    raised: bool
    came_back: bool
    changed: bool


def belongs(incident: Incident) -> bool:
    """Whether an incident is a fault of a device: an order's, and no case of a grid."""
    return incident.category == CATEGORY


def fault_end(incident: Incident) -> datetime:
    """The last moment at which a revision saw the fault hold."""
    return max(incident.started_at, incident.updated_at, incident.ended_at or incident.started_at)


def join(order: OrderFacts, incident: Incident, *, is_new: bool) -> Joined:
    """Join a revision into an order: severity only rises, the span only grows, in any order of arrival.

    What was fixed and fails anew goes back to whoever had it. Whether all of its faults are over, the store has to say.
    """
    holds = incident.state is not IncidentState.ENDED
    came_back = is_new and holds and order.status is OrderStatus.FIXED and incident.started_at > order.last_fault_at
    facts = replace(
        order,
        status=OrderStatus.ASSIGNED if came_back else order.status,
        severity=max(order.severity, incident.severity, key=lambda severity: severity.rank),
        started_at=min(order.started_at, incident.started_at),
        last_fault_at=max(order.last_fault_at, fault_end(incident)),
        simulated=order.simulated and incident.simulated,
    )
    return Joined(
        facts, raised=facts.severity is not order.severity, came_back=came_back, changed=facts != order or is_new
    )


def outgrows(order: OrderFacts, incident: Incident) -> bool:
    """Whether a fault that is known got worse than all that people knew when they ended its order."""
    return not order.is_running and incident.severity.rank > order.severity.rank


def merged(order: OrderFacts, other: OrderFacts) -> OrderFacts:
    """An order that has taken another one in: severity only rises, the span only grows."""
    return replace(
        order,
        severity=max(order.severity, other.severity, key=lambda severity: severity.rank),
        started_at=min(order.started_at, other.started_at),
        last_fault_at=max(order.last_fault_at, other.last_fault_at),
        simulated=order.simulated and other.simulated,
    )


def is_recovered(order: OrderFacts, now: datetime) -> bool:
    """Whether an order ends by itself: nobody was sent, and the device has been well for long."""
    if order.status is not OrderStatus.OPENED or order.well_since is None:
        return False
    return now - order.well_since >= RECOVERED_AFTER
