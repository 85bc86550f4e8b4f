"""The life of a case (案件): statuses, actions, and the one table of who may move it from where to where. Pure.

Code, API, page and tests read `TRANSITIONS`; nothing else decides. Whether a row applies to one case and one person (is he the
handler, did he resolve it himself, was a return asked for) is `cloud.cases.standing`'s. Vocabulary: 数字城管 (GB/T 30428).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from cloud.access.model import Role


class CaseStatus(StrEnum):
    """Where a case stands. 上报, 核实中, 立案, 不予立案, 派遣, 处置中, 挂账, 处置完毕, 核查中, 结案, 并案, 作废."""

    REPORTED = "reported"
    VERIFYING = "verifying"
    FILED = "filed"
    REJECTED = "rejected"
    DISPATCHED = "dispatched"
    IN_PROGRESS = "in_progress"
    SUSPENDED = "suspended"
    RESOLVED = "resolved"
    CHECKING = "checking"
    CLOSED = "closed"
    MERGED = "merged"
    VOIDED = "voided"


class Stage(StrEnum):
    """What a running case waits for; each stage has a clock of its own. 核实, 派遣, 接单, 处置, 挂账, 核查."""

    VERIFYING = "verifying"
    DISPATCHING = "dispatching"
    RECEIPT = "receipt"
    HANDLING = "handling"
    SUSPENSION = "suspension"
    CHECKING = "checking"


STAGE_OF: dict[CaseStatus, Stage | None] = {
    CaseStatus.REPORTED: Stage.VERIFYING,
    CaseStatus.VERIFYING: Stage.VERIFYING,
    CaseStatus.FILED: Stage.DISPATCHING,
    CaseStatus.REJECTED: None,
    CaseStatus.DISPATCHED: Stage.RECEIPT,
    CaseStatus.IN_PROGRESS: Stage.HANDLING,
    CaseStatus.SUSPENDED: Stage.SUSPENSION,
    CaseStatus.RESOLVED: Stage.CHECKING,
    CaseStatus.CHECKING: Stage.CHECKING,
    CaseStatus.CLOSED: None,
    CaseStatus.MERGED: None,
    CaseStatus.VOIDED: None,
}

RUNNING_STATUSES = frozenset(status for status, stage in STAGE_OF.items() if stage is not None)
"""Somebody has yet to do something."""

OPEN_STATUSES = frozenset(
    {
        CaseStatus.REPORTED,
        CaseStatus.VERIFYING,
        CaseStatus.FILED,
        CaseStatus.DISPATCHED,
        CaseStatus.IN_PROGRESS,
    }
)
"""Statuses in which a case takes further incidents. Any other never swallows a new one."""


class CaseOrigin(StrEnum):
    """Who found it: a machine, a grid worker on his round (巡查), a resident (点单), the hotline, another platform."""

    MACHINE = "machine"
    PATROL = "patrol"
    REQUEST = "request"
    HOTLINE = "hotline"
    PLATFORM = "platform"


class CaseAction(StrEnum):
    """What a person does to a case."""

    VERIFY = "verify"
    CONFIRM = "confirm"
    DISMISS = "dismiss"
    INCONCLUSIVE = "inconclusive"
    PUBLISH = "publish"
    CLAIM = "claim"
    DISPATCH = "dispatch"
    RECALL = "recall"
    TAKE = "take"
    ACCEPT = "accept"
    RESOLVE = "resolve"
    ASK_RETURN = "ask_return"
    ALLOW_RETURN = "allow_return"
    REFUSE_RETURN = "refuse_return"
    ASK_SUSPENSION = "ask_suspension"
    ALLOW_SUSPENSION = "allow_suspension"
    REFUSE_SUSPENSION = "refuse_suspension"
    RESUME = "resume"
    ASK_EXTENSION = "ask_extension"
    ALLOW_EXTENSION = "allow_extension"
    REFUSE_EXTENSION = "refuse_extension"
    CHECK = "check"
    REWORK = "rework"
    CLOSE = "close"
    REOPEN = "reopen"
    RATE = "rate"
    MERGE = "merge"
    UNMERGE = "unmerge"
    VOID = "void"
    URGE = "urge"
    COMMENT = "comment"


class DismissalReason(StrEnum):
    """Why an incident was no case: the label that rules and models learn from. `duplicate`: true, but known already."""

    WEATHER = "weather"
    ANIMAL = "animal"
    AUTHORISED = "authorised"
    LIGHT = "light"
    MISDETECTION = "misdetection"
    DUPLICATE = "duplicate"
    TEST = "test"
    OTHER = "other"


class HistoryAction(StrEnum):
    """What the history of a case tells beside people's actions."""

    OPENED = "opened"
    INCIDENT_ADDED = "incident_added"
    SEVERITY_RAISED = "severity_raised"
    CONTINUED = "continued"
    MERGED_IN = "merged_in"
    UNMERGED_FROM = "unmerged_from"
    RESUMED = "resumed"
    REOPENED = "reopened"
    CAME_AGAIN = "came_again"
    RANG = "rang"
    FOLDED = "folded"
    FOLDED_FALSE_ALARM = "folded_false_alarm"
    FALSE_ALARM_AGAIN = "false_alarm_again"
    REQUEST_RATED = "request_rated"
    TAKEN_AWAY = "taken_away"
    DEADLINE_AMBER = "deadline_amber"
    DEADLINE_RED = "deadline_red"
    ESCALATED = "escalated"
    ESCALATED_AGAIN = "escalated_again"
    NOBODY_ON_DUTY = "nobody_on_duty"
    WHISTLE = "whistle"
    WHISTLE_ANSWERED = "whistle_answered"
    WHISTLE_OVERDUE = "whistle_overdue"
    WHISTLE_ENDED = "whistle_ended"
    HOLD_SET = "hold_set"
    HOLD_LIFTED = "hold_lifted"
    UNSEAL_ASKED = "unseal_asked"
    UNSEAL_ALLOWED = "unseal_allowed"
    UNSEAL_REFUSED = "unseal_refused"
    UNSEAL_READY = "unseal_ready"
    UNSEAL_GONE = "unseal_gone"
    UNSEAL_UNSERVED = "unseal_unserved"
    HOLD_UNKEPT = "hold_unkept"
    UNSEALED = "unsealed"
    MADE_REAL = "made_real"


class Petition(StrEnum):
    """What a handler may ask for, and somebody else allows. 退单, 挂账, 延时."""

    RETURN = "return"
    SUSPENSION = "suspension"
    EXTENSION = "extension"


class Need(StrEnum):
    """What an action has to be given."""

    REASON = "reason"
    NOTE = "note"
    DEPARTMENT = "department"
    UNTIL = "until"
    TARGET = "target"
    RATING = "rating"


class Guard(StrEnum):
    """What else must hold of the person and the case.

    `handler`: who has the case does it (his department, or he himself); whoever is in charge may do it in his stead.
    `another_person`: not the one who resolved it. `recent`: within the window in which a case may be opened again. `unrated`: not
    rated since it was closed. `request`: a resident asked for it (点单). `published`: offered to teams and companies (派单).
    """

    HANDLER = "handler"
    ANOTHER_PERSON = "another_person"
    RECENT = "recent"
    UNRATED = "unrated"
    REQUEST = "request"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table: who may move a case from where to where. `to_status` None: where it stood before it was merged.

    `asks` opens a petition, `answers` ends one: by another person than the one who asked.
    """

    action: CaseAction
    from_status: CaseStatus
    to_status: CaseStatus | None
    roles: frozenset[Role]
    needs: frozenset[Need] = frozenset()
    guards: frozenset[Guard] = frozenset()
    asks: Petition | None = None
    answers: Petition | None = None

    @property
    def reason_required(self) -> bool:
        """Whether it wants a word of `DismissalReason`."""
        return Need.REASON in self.needs

    @property
    def moves(self) -> bool:
        """Whether the case stands elsewhere afterwards."""
        return self.to_status is not self.from_status


IN_CHARGE = frozenset({Role.DUTY_CHIEF, Role.ADMINISTRATOR})
DISPATCHERS = IN_CHARGE | {Role.DISPATCHER}
DESK = DISPATCHERS | {Role.INTAKE_CLERK}
ON_THE_SPOT = IN_CHARGE | {Role.GRID_WORKER, Role.GRID_LEAD}
HANDLERS = IN_CHARGE | {Role.DEPARTMENT, Role.GRID_WORKER, Role.GRID_LEAD}
CHECKERS = ON_THE_SPOT | {Role.INTAKE_CLERK}
WHOEVER_WORKS = DESK | ON_THE_SPOT | {Role.DEPARTMENT}

_S = CaseStatus
_A = CaseAction
_NOTE = frozenset({Need.NOTE})
_REASON = frozenset({Need.REASON})
_DATED = frozenset({Need.NOTE, Need.UNTIL})


def _rows(
    action: CaseAction,
    statuses: Iterable[CaseStatus],
    roles: frozenset[Role],
    *,
    to: CaseStatus | None = None,
    stays: bool = False,
    needs: frozenset[Need] = frozenset(),
    guards: frozenset[Guard] = frozenset(),
    asks: Petition | None = None,
    answers: Petition | None = None,
) -> tuple[Transition, ...]:
    """The rows of one action, one for each status from which it starts."""
    return tuple(
        Transition(action, status, status if stays else to, roles, needs, guards, asks, answers) for status in statuses
    )


_RUNNING = tuple(status for status in CaseStatus if status in RUNNING_STATUSES)
_MERGEABLE = (*(status for status in CaseStatus if status in OPEN_STATUSES), _S.SUSPENDED)
_RETURNABLE = (_S.DISPATCHED, _S.IN_PROGRESS)
_HANDLED = (_S.IN_PROGRESS,)
_OWN = frozenset({Guard.HANDLER})
_ANOTHER = frozenset({Guard.ANOTHER_PERSON})
_RECENT = frozenset({Guard.RECENT})

TRANSITIONS: tuple[Transition, ...] = (
    # verifying: on the spot, by the grid worker whom somebody sends, or who goes by himself
    *_rows(_A.CONFIRM, (_S.REPORTED, _S.VERIFYING), ON_THE_SPOT, to=_S.FILED),
    *_rows(_A.DISMISS, (_S.REPORTED, _S.VERIFYING), ON_THE_SPOT, to=_S.REJECTED, needs=_REASON),
    *_rows(_A.VERIFY, (_S.REPORTED, _S.VERIFYING), DESK | ON_THE_SPOT, to=_S.VERIFYING),
    *_rows(_A.INCONCLUSIVE, (_S.VERIFYING,), ON_THE_SPOT, to=_S.REPORTED, needs=_NOTE),
    # what a resident asks for needs no look on the spot: it is offered to teams and companies, and one of them claims it
    *_rows(_A.PUBLISH, (_S.REPORTED, _S.VERIFYING, _S.FILED), DESK, to=_S.FILED, guards=frozenset({Guard.REQUEST})),
    *_rows(
        _A.CLAIM,
        (_S.FILED,),
        frozenset({Role.DEPARTMENT}),
        to=_S.IN_PROGRESS,
        guards=frozenset({Guard.PUBLISHED}),
    ),
    # handling: by a department that is told, or by the one who stands beside it (自处理)
    *_rows(_A.DISPATCH, (_S.FILED, _S.DISPATCHED), DISPATCHERS, to=_S.DISPATCHED, needs=frozenset({Need.DEPARTMENT})),
    *_rows(_A.RECALL, (_S.DISPATCHED,), DISPATCHERS, to=_S.FILED, needs=_NOTE),
    *_rows(_A.TAKE, (_S.FILED,), frozenset({Role.GRID_WORKER, Role.GRID_LEAD}), to=_S.IN_PROGRESS),
    *_rows(_A.ACCEPT, (_S.DISPATCHED,), HANDLERS, to=_S.IN_PROGRESS, guards=_OWN),
    *_rows(_A.RESOLVE, (_S.FILED,), ON_THE_SPOT, to=_S.RESOLVED),
    *_rows(_A.RESOLVE, (_S.IN_PROGRESS,), HANDLERS, to=_S.RESOLVED, guards=_OWN),
    # what a handler asks for, and a dispatcher answers
    *_rows(_A.ASK_RETURN, _RETURNABLE, HANDLERS, stays=True, needs=_NOTE, guards=_OWN, asks=Petition.RETURN),
    *_rows(_A.ALLOW_RETURN, _RETURNABLE, DISPATCHERS, to=_S.FILED, answers=Petition.RETURN),
    *_rows(_A.REFUSE_RETURN, _RETURNABLE, DISPATCHERS, stays=True, needs=_NOTE, answers=Petition.RETURN),
    *_rows(_A.ASK_SUSPENSION, _HANDLED, HANDLERS, stays=True, needs=_DATED, guards=_OWN, asks=Petition.SUSPENSION),
    *_rows(_A.ALLOW_SUSPENSION, _HANDLED, DISPATCHERS, to=_S.SUSPENDED, answers=Petition.SUSPENSION),
    *_rows(_A.REFUSE_SUSPENSION, _HANDLED, DISPATCHERS, stays=True, needs=_NOTE, answers=Petition.SUSPENSION),
    *_rows(_A.RESUME, (_S.SUSPENDED,), HANDLERS | DISPATCHERS, to=_S.IN_PROGRESS, guards=_OWN),
    *_rows(_A.ASK_EXTENSION, _HANDLED, HANDLERS, stays=True, needs=_DATED, guards=_OWN, asks=Petition.EXTENSION),
    *_rows(_A.ALLOW_EXTENSION, _HANDLED, DISPATCHERS, stays=True, answers=Petition.EXTENSION),
    *_rows(_A.REFUSE_EXTENSION, _HANDLED, DISPATCHERS, stays=True, needs=_NOTE, answers=Petition.EXTENSION),
    # checking and closing: never by the one who did the work
    *_rows(_A.CHECK, (_S.RESOLVED,), CHECKERS, to=_S.CHECKING, guards=_ANOTHER),
    *_rows(_A.REWORK, (_S.RESOLVED, _S.CHECKING), CHECKERS, to=_S.IN_PROGRESS, needs=_NOTE, guards=_ANOTHER),
    *_rows(_A.CLOSE, (_S.RESOLVED, _S.CHECKING), IN_CHARGE, to=_S.CLOSED, guards=_ANOTHER),
    *_rows(
        _A.RATE,
        (_S.CLOSED,),
        IN_CHARGE | {Role.INTAKE_CLERK},
        stays=True,
        needs=frozenset({Need.RATING}),
        guards=frozenset({Guard.UNRATED}),
    ),
    # who judged too fast takes it back himself; the history keeps who did what
    *_rows(_A.REOPEN, (_S.REJECTED,), ON_THE_SPOT, to=_S.REPORTED, guards=_RECENT),
    *_rows(_A.REOPEN, (_S.FILED,), ON_THE_SPOT, to=_S.REPORTED),
    *_rows(_A.REOPEN, (_S.RESOLVED,), IN_CHARGE, to=_S.FILED),
    *_rows(_A.REOPEN, (_S.CLOSED,), IN_CHARGE, to=_S.FILED, guards=_RECENT),
    *_rows(_A.REOPEN, (_S.VOIDED,), IN_CHARGE, to=_S.REPORTED, guards=_RECENT),
    *_rows(_A.MERGE, _MERGEABLE, DESK, to=_S.MERGED, needs=frozenset({Need.TARGET})),
    *_rows(_A.UNMERGE, (_S.MERGED,), DESK),
    *_rows(_A.VOID, _RUNNING, IN_CHARGE, to=_S.VOIDED, needs=_NOTE),
    *_rows(_A.URGE, _RUNNING, DISPATCHERS, stays=True, needs=_NOTE),
    *_rows(_A.COMMENT, tuple(CaseStatus), WHOEVER_WORKS, stays=True, needs=_NOTE),
)
"""All that people may do. The order is the one in which a page offers it."""


OWN_MOVES: dict[HistoryAction, tuple[CaseStatus, CaseStatus]] = {
    HistoryAction.RESUMED: (CaseStatus.SUSPENDED, CaseStatus.IN_PROGRESS),
    HistoryAction.REOPENED: (CaseStatus.CLOSED, CaseStatus.FILED),
}
"""Where a case goes by itself: the date of its suspension has come; whoever asked for it is not content with what was done."""

FOUND_AGAIN = frozenset({CaseStatus.RESOLVED, CaseStatus.CHECKING, CaseStatus.CLOSED})
"""From here a case goes to filed by itself (`came_again`) when what it is about turns out never to have gone."""
