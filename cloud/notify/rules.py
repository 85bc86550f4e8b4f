"""Which fact is told to whom, and how loudly: the one table. Pure.

Each word of a case's history has a row, or stands in `SILENT`; a test demands it.
"""

from dataclasses import dataclass

from cloud.cases.model import CaseAction, HistoryAction
from cloud.notify.model import Audience, Urgency


@dataclass(frozen=True, slots=True)
class Call:
    """Who is told, and how loudly."""

    to: Audience
    urgency: Urgency


@dataclass(frozen=True, slots=True)
class Rule:
    """What one word sets going.

    `by_severity`: a low one is for the digest. `folds`: the same of the same case soon after is no news. `rings_if_late`: also for a case
    of late history that did not ring. `storms`: clocks write it by themselves, so that many at once are a storm, though each is
    news; of whatever kind the cases are, their being found was told before.
    """

    calls: tuple[Call, ...]
    by_severity: bool = False
    folds: bool = False
    rings_if_late: bool = True
    storms: bool = False

    @property
    def may_storm(self) -> bool:
        """Whether it may come by the hundred: what people ask of each other comes at their pace."""
        return self.folds or self.by_severity or self.storms


def _rings(*to: Audience) -> tuple[Call, ...]:
    return tuple(Call(audience, Urgency.RING) for audience in to)


def _quiet(*to: Audience) -> tuple[Call, ...]:
    return tuple(Call(audience, Urgency.QUIET) for audience in to)


def _alarms(*to: Audience) -> tuple[Call, ...]:
    return tuple(Call(audience, Urgency.ALARM) for audience in to)


_A = Audience
_FOUND = Rule(_rings(_A.CHIEF, _A.WORKER), by_severity=True, folds=True, rings_if_late=False)
_WORSE = Rule(_rings(_A.CHIEF, _A.WORKER, _A.RESPONSIBLE), by_severity=True, folds=True, rings_if_late=False)
_ASKED = Rule(_rings(_A.DISPATCHER))
_ANSWERED = Rule(_rings(_A.DEPARTMENT, _A.HOLDER))

RULES: dict[str, Rule] = {
    # what was found, and what became worse
    HistoryAction.OPENED: _FOUND,
    HistoryAction.SEVERITY_RAISED: _WORSE,
    HistoryAction.REOPENED: Rule(
        _rings(_A.CHIEF, _A.RESPONSIBLE) + _quiet(_A.DEPARTMENT), by_severity=True, folds=True, rings_if_late=False
    ),
    HistoryAction.RESUMED: Rule(_rings(_A.DEPARTMENT, _A.HOLDER)),
    HistoryAction.CAME_AGAIN: Rule(
        _WORSE.calls + _quiet(_A.DEPARTMENT), by_severity=True, folds=True, rings_if_late=False
    ),
    HistoryAction.RANG: _WORSE,
    HistoryAction.FALSE_ALARM_AGAIN: Rule((Call(_A.CHIEF, Urgency.DIGEST),), folds=True, rings_if_late=False),
    # people's steps: whoever has the next one, never the one who took this one
    CaseAction.VERIFY: Rule(_rings(_A.NAMED)),
    CaseAction.CONFIRM: Rule(_rings(_A.DISPATCHER), by_severity=True),
    CaseAction.INCONCLUSIVE: Rule(_quiet(_A.CHIEF)),
    CaseAction.DISPATCH: Rule(_rings(_A.DEPARTMENT)),
    CaseAction.RECALL: Rule(_quiet(_A.DEPARTMENT)),
    HistoryAction.TAKEN_AWAY: Rule(_quiet(_A.FORMER)),
    CaseAction.RESOLVE: Rule(_quiet(_A.RESPONSIBLE, _A.CLERK)),
    CaseAction.ASK_RETURN: _ASKED,
    CaseAction.ASK_SUSPENSION: _ASKED,
    CaseAction.ASK_EXTENSION: _ASKED,
    CaseAction.ALLOW_RETURN: _ANSWERED,
    CaseAction.REFUSE_RETURN: _ANSWERED,
    CaseAction.ALLOW_SUSPENSION: _ANSWERED,
    CaseAction.REFUSE_SUSPENSION: _ANSWERED,
    CaseAction.ALLOW_EXTENSION: _ANSWERED,
    CaseAction.REFUSE_EXTENSION: _ANSWERED,
    CaseAction.RESUME: Rule(_quiet(_A.DEPARTMENT, _A.HOLDER)),
    CaseAction.CHECK: Rule(_rings(_A.NAMED)),
    CaseAction.REWORK: Rule(_rings(_A.DEPARTMENT, _A.HOLDER)),
    CaseAction.REOPEN: Rule(_rings(_A.RESPONSIBLE) + _quiet(_A.CHIEF, _A.DEPARTMENT), by_severity=True),
    CaseAction.MERGE: Rule(_quiet(_A.DEPARTMENT, _A.HOLDER)),
    CaseAction.UNMERGE: Rule(_quiet(_A.RESPONSIBLE, _A.CHIEF)),
    CaseAction.VOID: Rule(_quiet(_A.DEPARTMENT, _A.HOLDER)),
    CaseAction.URGE: Rule(_rings(_A.RESPONSIBLE)),
    "publish": Rule(_rings(_A.WORKER, _A.LEAD, _A.OFFERED), by_severity=True),
    CaseAction.COMMENT: Rule(_quiet(_A.DEPARTMENT, _A.HOLDER)),
    "request_rated": Rule(_quiet(_A.CHIEF)),
    # clocks: who has to act, then who has to know
    "deadline_amber": Rule(_rings(_A.RESPONSIBLE), folds=True, storms=True),
    "deadline_red": Rule(_alarms(_A.RESPONSIBLE) + _rings(_A.NAMED, _A.CHIEF), folds=True, storms=True),
    "escalated": Rule(_rings(_A.NAMED, _A.DEPARTMENT), storms=True),
    "escalated_again": Rule(_rings(_A.NAMED), folds=True, storms=True),
    "whistle": Rule(_alarms(_A.NAMED, _A.DEPARTMENT)),
    "whistle_answered": Rule(_quiet(_A.CHIEF)),
    "whistle_overdue": Rule(_alarms(_A.NAMED) + _rings(_A.CHIEF), storms=True),
    "whistle_ended": Rule(_quiet(_A.NAMED, _A.DEPARTMENT)),
    "nobody_on_duty": Rule(_rings(_A.NAMED, _A.CHIEF), folds=True),
    # what is done with evidence
    HistoryAction.UNSEAL_ASKED: Rule(_rings(_A.CHIEF)),
    HistoryAction.UNSEAL_ALLOWED: Rule(_rings(_A.NAMED)),
    HistoryAction.UNSEAL_REFUSED: Rule(_rings(_A.NAMED)),
    HistoryAction.UNSEAL_READY: Rule(_rings(_A.NAMED)),
    HistoryAction.UNSEAL_GONE: Rule(_rings(_A.NAMED)),
    HistoryAction.UNSEAL_UNSERVED: Rule(_rings(_A.NAMED)),
    HistoryAction.HOLD_UNKEPT: Rule(_rings(_A.CHIEF), folds=True),
    # real danger in a drill: it rings anew, as what it is
    HistoryAction.MADE_REAL: Rule(_alarms(_A.CHIEF, _A.WORKER, _A.RESPONSIBLE)),
    "no_channel": Rule(_rings(_A.NAMED, _A.CHIEF), folds=True),
    "handover_unconfirmed": Rule(_rings(_A.NAMED)),
    "calendar_ends": Rule(_quiet(_A.NAMED)),
}

SILENT = frozenset(
    {
        HistoryAction.INCIDENT_ADDED,
        HistoryAction.CONTINUED,
        HistoryAction.MERGED_IN,
        HistoryAction.UNMERGED_FROM,
        CaseAction.DISMISS,
        CaseAction.TAKE,
        CaseAction.ACCEPT,
        CaseAction.CLOSE,
        CaseAction.RATE,
        "claim",
        HistoryAction.FOLDED,
        HistoryAction.FOLDED_FALSE_ALARM,
        HistoryAction.HOLD_SET,
        HistoryAction.HOLD_LIFTED,
        HistoryAction.UNSEALED,
    }
)
"""What stands in the history and is told to nobody: it asks nobody for anything."""

NEVER_QUEUED = frozenset(
    {HistoryAction.INCIDENT_ADDED, HistoryAction.CONTINUED, HistoryAction.FOLDED, HistoryAction.FOLDED_FALSE_ALARM}
)
"""What a storm brings by the thousand: the trigger of migration 0026 leaves it out."""
