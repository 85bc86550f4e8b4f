"""The life of a case (案件): statuses, actions, and the one table of who may move it from where to where. Pure.

A later status (verifying, dispatched, in_progress, suspended, checking, merged, voided) is a member of `CaseStatus`, an
entry in `OPEN_STATUSES` if new incidents may still fold into it, and rows of `TRANSITIONS`: nothing else decides.
"""

from dataclasses import dataclass
from enum import StrEnum

from cloud.access.model import Role
from cloud.errors import Forbidden, Invalid, TransitionRefused


class CaseStatus(StrEnum):
    """Where a case stands. 上报, 立案, 不予立案, 处置完毕, 结案."""

    REPORTED = "reported"
    FILED = "filed"
    REJECTED = "rejected"
    RESOLVED = "resolved"
    CLOSED = "closed"


OPEN_STATUSES = frozenset({CaseStatus.REPORTED, CaseStatus.FILED})
"""Statuses in which a case takes further incidents. Any other never swallows a new one."""


class CaseAction(StrEnum):
    """What a person does to a case."""

    CONFIRM = "confirm"
    DISMISS = "dismiss"
    RESOLVE = "resolve"
    CLOSE = "close"
    REOPEN = "reopen"


class DismissalReason(StrEnum):
    """Why an incident was no case: the label that rules and models learn from."""

    WEATHER = "weather"
    ANIMAL = "animal"
    AUTHORISED = "authorised"
    LIGHT = "light"
    MISDETECTION = "misdetection"
    TEST = "test"
    OTHER = "other"


class HistoryAction(StrEnum):
    """What the history of a case tells beside people's actions."""

    OPENED = "opened"
    INCIDENT_ADDED = "incident_added"
    SEVERITY_RAISED = "severity_raised"
    CONTINUED = "continued"


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table: who may move a case from where to where."""

    action: CaseAction
    from_status: CaseStatus
    to_status: CaseStatus
    roles: frozenset[Role]
    reason_required: bool = False


_ON_THE_SPOT = frozenset({Role.DUTY_CHIEF, Role.GRID_WORKER, Role.ADMINISTRATOR})
_IN_CHARGE = frozenset({Role.DUTY_CHIEF, Role.ADMINISTRATOR})

TRANSITIONS: tuple[Transition, ...] = (
    Transition(CaseAction.CONFIRM, CaseStatus.REPORTED, CaseStatus.FILED, _ON_THE_SPOT),
    Transition(CaseAction.DISMISS, CaseStatus.REPORTED, CaseStatus.REJECTED, _ON_THE_SPOT, reason_required=True),
    Transition(CaseAction.RESOLVE, CaseStatus.FILED, CaseStatus.RESOLVED, _ON_THE_SPOT),
    Transition(CaseAction.CLOSE, CaseStatus.RESOLVED, CaseStatus.CLOSED, _IN_CHARGE),
    # who judged too fast takes it back himself; the history keeps who did what
    Transition(CaseAction.REOPEN, CaseStatus.REJECTED, CaseStatus.REPORTED, _ON_THE_SPOT),
    Transition(CaseAction.REOPEN, CaseStatus.FILED, CaseStatus.REPORTED, _ON_THE_SPOT),
    Transition(CaseAction.REOPEN, CaseStatus.RESOLVED, CaseStatus.FILED, _IN_CHARGE),
    Transition(CaseAction.REOPEN, CaseStatus.CLOSED, CaseStatus.FILED, _IN_CHARGE),
)

_BY_PLACE = {(row.action, row.from_status): row for row in TRANSITIONS}


def actions_of(status: CaseStatus, role: Role) -> tuple[CaseAction, ...]:
    """What a role may do to a case in a status, in the order of the table."""
    return tuple(row.action for row in TRANSITIONS if row.from_status is status and role in row.roles)


def check_role(action: CaseAction, role: Role) -> None:
    """Raise Forbidden when a role may never do this, whatever the status."""
    if not any(row.action is action and role in row.roles for row in TRANSITIONS):
        raise Forbidden(f"the role {role} may not {action} cases")


def transition(action: CaseAction, status: CaseStatus, role: Role, reason: DismissalReason | None) -> Transition:
    """The row that applies.

    Raises Forbidden when the role may never do it, TransitionRefused when the status does not allow it now, Invalid when
    a reason is missing or out of place.
    """
    check_role(action, role)
    row = _BY_PLACE.get((action, status))
    if row is None:
        raise TransitionRefused(f"a case that is {status} can't be moved by {action}")
    if role not in row.roles:
        raise Forbidden(f"the role {role} may not {action} a case that is {status}")
    if row.reason_required and reason is None:
        raise Invalid(f"{action} needs a reason")
    if reason is not None and not row.reason_required:
        raise Invalid(f"{action} takes no reason; say it in the note")
    return row
