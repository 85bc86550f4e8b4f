"""What a case remembers of its life, and what a step makes of it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Self

from cloud.access.model import Principal
from cloud.cases.model import CaseAction, CaseStatus, DismissalReason, Need, Petition, Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person wants done. `version` is the one that was on the screen.

    `person` is an account (who verifies, who checks), `department` who handles it, `target` the case that this one is merged
    into, `until` the date of a suspension or an extension, `rating` one to five stars.
    """

    action: CaseAction
    version: int
    reason: DismissalReason | None = None
    note: str | None = None
    person: int | None = None
    department: int | None = None
    target: int | None = None
    until: datetime | None = None
    rating: int | None = None

    @property
    def given(self) -> frozenset[Need]:
        """What came with it."""
        values: dict[Need, object] = {
            Need.REASON: self.reason,
            Need.NOTE: self.note,
            Need.DEPARTMENT: self.department,
            Need.UNTIL: self.until,
            Need.TARGET: self.target,
            Need.RATING: self.rating,
        }
        return frozenset(need for need, value in values.items() if value is not None)


@dataclass(frozen=True, slots=True)
class Asked:
    """A petition that waits for an answer: who asked, and until when the case shall rest or be given time."""

    by: int | None
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Where a case stands and how it came there. Accounts, departments and cases by their ids.

    It is in the hands of its `department_id`, or, where there is none, of its `worker_id`. `rated_by_requester`: the rating is of whoever
    asked for it, and nobody else's takes its place.
    """

    status: CaseStatus
    worker_id: int | None = None
    checker_id: int | None = None
    department_id: int | None = None
    published_at: datetime | None = None
    verified_at: datetime | None = None
    filed_at: datetime | None = None
    dispatched_at: datetime | None = None
    accepted_at: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: int | None = None
    ended_at: datetime | None = None
    suspended_until: datetime | None = None
    merged_into: int | None = None
    merged_from: str | None = None
    urged_at: datetime | None = None
    reworks: int = 0
    returns: int = 0
    reopenings: int = 0
    rating: int | None = None
    rated_by_requester: bool = False

    @classmethod
    def of(cls, row: Any) -> Self:
        """The life of a case's row."""
        values = {each.name: getattr(row, each.name) for each in fields(cls)}
        return cls(**values | {"status": CaseStatus(row.status)})

    @property
    def columns(self) -> dict[str, Any]:
        """As a row keeps it."""
        return {each.name: getattr(self, each.name) for each in fields(self)} | {"status": self.status.value}


@dataclass(frozen=True, slots=True)
class Step:
    """A row of the table taken by a person at a time, with what he gave and what had been asked for."""

    row: Transition
    order: Order
    person: Principal
    at: datetime
    petitions: Mapping[Petition, Asked]


def after(life: Life, step: Step) -> Life:
    """The case after a step."""
    change = _CHANGES.get(step.row.action)
    changed = life if change is None else change(life, step)
    status = step.row.to_status or _before_merge(life)
    return replace(changed, status=status)


def at_work_again(life: Life) -> Life:
    """A suspended case whose date has come."""
    return replace(life, status=CaseStatus.IN_PROGRESS, suspended_until=None)


def begun_anew(life: Life, status: CaseStatus) -> Life:
    """A case that goes on from where nobody had handled it; `status` is reported or filed."""
    return replace(
        life,
        status=status,
        worker_id=None,
        checker_id=None,
        department_id=None,
        published_at=None,
        verified_at=life.verified_at if status is CaseStatus.FILED else None,
        filed_at=life.filed_at if status is CaseStatus.FILED else None,
        dispatched_at=None,
        accepted_at=None,
        resolved_at=None,
        resolved_by=None,
        ended_at=None,
        suspended_until=None,
        rating=None,
        rated_by_requester=False,
        reopenings=life.reopenings + (life.status is not CaseStatus.FILED),
    )


def _before_merge(life: Life) -> CaseStatus:
    status = CaseStatus(life.merged_from or CaseStatus.REPORTED)
    return CaseStatus.IN_PROGRESS if status is CaseStatus.SUSPENDED else status


def _verified(life: Life, step: Step) -> Life:
    return replace(life, verified_at=step.at, filed_at=step.at)


def _rejected(life: Life, step: Step) -> Life:
    return replace(life, verified_at=step.at, ended_at=step.at)


def _sent_to_verify(life: Life, step: Step) -> Life:
    return replace(life, worker_id=step.order.person or step.person.user_id)


def _published(life: Life, step: Step) -> Life:
    return replace(life, published_at=step.at, filed_at=life.filed_at or step.at)


def _claimed(life: Life, step: Step) -> Life:
    return replace(life, department_id=step.person.department_id, dispatched_at=step.at, accepted_at=step.at)


def _dispatched(life: Life, step: Step) -> Life:
    return replace(life, department_id=step.order.department, dispatched_at=step.at, accepted_at=None)


def _called_back(life: Life, step: Step) -> Life:
    returned = step.row.action is CaseAction.ALLOW_RETURN
    return replace(life, department_id=None, dispatched_at=None, accepted_at=None, returns=life.returns + returned)


def _taken(life: Life, step: Step) -> Life:
    return replace(life, worker_id=step.person.user_id, department_id=None, accepted_at=step.at)


def _resolved(life: Life, step: Step) -> Life:
    resolved = replace(life, resolved_at=step.at, resolved_by=step.person.user_id)
    return resolved if life.status is not CaseStatus.FILED else _taken(resolved, step)


def _suspended(life: Life, step: Step) -> Life:
    return replace(life, suspended_until=step.petitions[Petition.SUSPENSION].until)


def _in_work_again(life: Life, step: Step) -> Life:
    rework = step.row.action is CaseAction.REWORK
    return replace(
        life,
        checker_id=None,
        resolved_at=None,
        resolved_by=None,
        suspended_until=None,
        reworks=life.reworks + rework,
    )


_CHANGES: Mapping[CaseAction, Callable[[Life, Step], Life]] = {
    CaseAction.CONFIRM: _verified,
    CaseAction.DISMISS: _rejected,
    CaseAction.VERIFY: _sent_to_verify,
    CaseAction.INCONCLUSIVE: lambda life, _step: replace(life, worker_id=None),
    CaseAction.PUBLISH: _published,
    CaseAction.CLAIM: _claimed,
    CaseAction.DISPATCH: _dispatched,
    CaseAction.RECALL: _called_back,
    CaseAction.ALLOW_RETURN: _called_back,
    CaseAction.TAKE: _taken,
    CaseAction.ACCEPT: lambda life, step: replace(life, accepted_at=step.at),
    CaseAction.RESOLVE: _resolved,
    CaseAction.ALLOW_SUSPENSION: _suspended,
    CaseAction.RESUME: _in_work_again,
    CaseAction.REWORK: _in_work_again,
    CaseAction.CHECK: lambda life, step: replace(life, checker_id=step.order.person or step.person.user_id),
    CaseAction.CLOSE: lambda life, step: replace(life, ended_at=step.at),
    CaseAction.RATE: lambda life, step: replace(life, rating=step.order.rating),
    CaseAction.REOPEN: lambda life, step: begun_anew(life, step.row.to_status or CaseStatus.REPORTED),
    CaseAction.MERGE: lambda life, step: replace(
        life, merged_into=step.order.target, merged_from=life.status.value, ended_at=step.at, suspended_until=None
    ),
    CaseAction.UNMERGE: lambda life, _step: replace(life, merged_into=None, merged_from=None, ended_at=None),
    CaseAction.VOID: lambda life, step: replace(life, ended_at=step.at, suspended_until=None),
    CaseAction.URGE: lambda life, step: replace(life, urged_at=step.at),
}
"""What an action changes beside the status; one that is missing here changes nothing else."""
