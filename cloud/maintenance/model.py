"""The life of a work order (维修工单): statuses, actions, and the one table of who may move it from where to where. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cloud.access.model import Role
from cloud.errors import Forbidden, Invalid, TransitionRefused

CATEGORY: Final = "maintenance"
"""Incidents of this category are faults of devices: an order's, no case of a grid."""


class OrderStatus(StrEnum):
    """Where an order stands. 待派, 已派, 到场, 已修, 已验, 自愈, 撤销, 并单."""

    OPENED = "opened"
    ASSIGNED = "assigned"
    ON_SITE = "on_site"
    FIXED = "fixed"
    VERIFIED = "verified"
    RECOVERED = "recovered"
    """The device works again by itself, and nobody had been sent."""
    CANCELLED = "cancelled"
    MERGED = "merged"
    """It was another device's fault: a line, a node."""


RUNNING: Final = frozenset({OrderStatus.OPENED, OrderStatus.ASSIGNED, OrderStatus.ON_SITE, OrderStatus.FIXED})
"""A new fault of the device joins an order that runs; any other opens a new one."""


class OrderAction(StrEnum):
    """What a person does to an order."""

    ASSIGN = "assign"
    """To oneself or to somebody else; again: to another one."""
    ARRIVE = "arrive"
    FIX = "fix"
    VERIFY = "verify"
    REJECT = "reject"
    """It is not fixed."""
    CANCEL = "cancel"
    NOTE = "note"


class OrderHistory(StrEnum):
    """What the history of an order tells beside people's actions."""

    OPENED = "opened"
    FAULT_ADDED = "fault_added"
    SEVERITY_RAISED = "severity_raised"
    WELL = "well"
    """None of its faults holds any more."""
    CAME_BACK = "came_back"
    """What was fixed has failed again."""
    RECOVERED = "recovered"
    MERGED = "merged"
    TOOK_IN = "took_in"
    CONTINUED = "continued"
    """A fault of an ended order got worse: it goes on in another one."""


@dataclass(frozen=True, slots=True)
class OrderTransition:
    """One row of the table: who may move an order from where to where."""

    action: OrderAction
    from_status: OrderStatus
    to_status: OrderStatus
    note_required: bool = False
    roles: frozenset[Role] = frozenset({Role.MAINTAINER, Role.ADMINISTRATOR})


TRANSITIONS: Final[tuple[OrderTransition, ...]] = (
    OrderTransition(OrderAction.ASSIGN, OrderStatus.OPENED, OrderStatus.ASSIGNED),
    OrderTransition(OrderAction.ASSIGN, OrderStatus.ASSIGNED, OrderStatus.ASSIGNED),
    OrderTransition(OrderAction.ASSIGN, OrderStatus.ON_SITE, OrderStatus.ASSIGNED),
    OrderTransition(OrderAction.ARRIVE, OrderStatus.ASSIGNED, OrderStatus.ON_SITE),
    OrderTransition(OrderAction.FIX, OrderStatus.ASSIGNED, OrderStatus.FIXED),
    OrderTransition(OrderAction.FIX, OrderStatus.ON_SITE, OrderStatus.FIXED),
    OrderTransition(OrderAction.VERIFY, OrderStatus.FIXED, OrderStatus.VERIFIED),
    OrderTransition(OrderAction.REJECT, OrderStatus.FIXED, OrderStatus.ASSIGNED, note_required=True),
    *(
        OrderTransition(OrderAction.CANCEL, status, OrderStatus.CANCELLED, note_required=True)
        for status in sorted(RUNNING)
    ),
    *(OrderTransition(OrderAction.NOTE, status, status, note_required=True) for status in sorted(RUNNING)),
)

_BY_PLACE: Final = {(row.action, row.from_status): row for row in TRANSITIONS}


def transition(action: OrderAction, status: OrderStatus, role: Role, *, note: str | None) -> OrderTransition:
    """The row that an action takes. Raises TransitionRefused, Forbidden, Invalid for a missing note."""
    row = _BY_PLACE.get((action, status))
    if row is None:
        raise TransitionRefused(f"an order that is {status} can't be moved by {action}")
    if role not in row.roles:
        raise Forbidden(f"{action} is for the roles {', '.join(sorted(row.roles))}")
    if row.note_required and not note:
        raise Invalid(f"{action} needs a note that says why")
    return row


def possible(status: OrderStatus, role: Role) -> list[OrderAction]:
    """What somebody may do with an order now, in the order of the table."""
    return list(dict.fromkeys(row.action for row in TRANSITIONS if row.from_status is status and role in row.roles))
