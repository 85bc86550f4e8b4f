"""The verdict is the label (核实即标注): what people found on the spot, laid on the incidents that they looked at. Pure.

Verdicts are a function of the history of cases and of which incidents are in them, and of nothing else: `standing_verdicts` replays it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cloud.cases.model import CaseAction, CaseStatus, DismissalReason, HistoryAction


class Verdict(StrEnum):
    """What somebody found. `duplicate`: true, but known already; `test`: somebody tried whether it works, which says nothing of how often
    it is right.
    """

    TRUE = "true"
    DUPLICATE = "duplicate"
    FALSE_ALARM = "false_alarm"
    TEST = "test"
    UNSURE = "unsure"


RIGHT = frozenset({Verdict.TRUE, Verdict.DUPLICATE})
DECIDED = RIGHT | {Verdict.FALSE_ALARM}
"""What precision is counted from."""


class Sight(StrEnum):
    """Whether there was what the model said: a resident who may be there is a false alarm of the rule, and a person all the same."""

    THERE = "there"
    NOT_THERE = "not_there"
    UNKNOWN = "unknown"


_SIGHT_OF_REASON = {
    DismissalReason.WEATHER: Sight.NOT_THERE,
    DismissalReason.ANIMAL: Sight.NOT_THERE,
    DismissalReason.LIGHT: Sight.NOT_THERE,
    DismissalReason.MISDETECTION: Sight.NOT_THERE,
    DismissalReason.AUTHORISED: Sight.THERE,
    DismissalReason.DUPLICATE: Sight.THERE,
    DismissalReason.TEST: Sight.THERE,
    DismissalReason.OTHER: Sight.UNKNOWN,
}


def sight_of(verdict: Verdict, reason: str | None) -> Sight:
    """What a verdict says of the model, beside what it says of the rule."""
    if verdict in RIGHT:
        return Sight.THERE
    known = {each.value: sight for each, sight in _SIGHT_OF_REASON.items()}
    return Sight.UNKNOWN if verdict is Verdict.UNSURE else known.get(reason or "", Sight.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A row of the history of a case, as far as verdicts need it. Statuses and actions are words: others may come later."""

    event_id: int
    case_id: int
    action: str
    to_status: str | None = None
    reason: str | None = None
    at: datetime
    actor_id: int | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """An incident in a case, and since when. What came by merging is gone again once the two cases are taken apart."""

    case_id: int
    incident_id: int
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class Judgement:
    """One verification: by `event_id` it is told from others. `case_id` is the case in which it was made."""

    event_id: int
    case_id: int
    verdict: Verdict
    reason: str | None
    at: datetime
    actor_id: int | None


TELLING = frozenset(
    {
        CaseAction.CONFIRM.value,
        CaseAction.DISMISS.value,
        CaseAction.INCONCLUSIVE.value,
        CaseAction.REOPEN.value,
        CaseAction.VOID.value,
        HistoryAction.REOPENED.value,
        HistoryAction.CAME_AGAIN.value,
    }
)
"""Steps that verdicts are made from."""

LINKING = frozenset({HistoryAction.MERGED_IN.value, HistoryAction.UNMERGED_FROM.value})
"""Steps by which cases come to share incidents, and cease to."""


def standing_verdicts(steps: Iterable[Step], members: Iterable[Member]) -> dict[int, Judgement]:
    """Incident → the judgement that holds of it. `steps` and `members` are those of all cases that share incidents, the steps in the order
    of their ids.

    A judgement covers the incidents that are in the case when it is made: what joins later was looked at by nobody. It is taken back when
    somebody opens the case again to have it verified anew, or voids it. A case that goes on by itself after it was handled has been judged
    up to there: what is found later concerns what came since. Of several judgements of an incident the last one counts.
    """
    incidents: dict[int, list[Member]] = {}
    for member in members:
        incidents.setdefault(member.case_id, []).append(member)
    cases: dict[int, list[Judgement | None]] = {}
    for step in steps:
        _take(cases.setdefault(step.case_id, [None]), step)
    found: dict[int, Judgement] = {}
    for case_id, rounds in cases.items():
        for incident, judgement in _covered(rounds, incidents.get(case_id, [])):
            known = found.get(incident)
            if known is None or known.event_id < judgement.event_id:
                found[incident] = judgement
    return found


def _take(rounds: list[Judgement | None], step: Step) -> None:
    """Note a step in the last round of a case."""
    match step.action:
        case CaseAction.CONFIRM | CaseAction.DISMISS | CaseAction.INCONCLUSIVE:
            rounds[-1] = _judgement(step)
        case CaseAction.VOID:
            rounds[-1] = None
        case CaseAction.REOPEN if step.to_status == CaseStatus.REPORTED:
            rounds[-1] = None
        case HistoryAction.REOPENED | HistoryAction.CAME_AGAIN if step.to_status is not None and rounds[-1] is not None:
            rounds.append(None)


def _covered(rounds: Iterable[Judgement | None], members: Iterable[Member]) -> Iterator[tuple[int, Judgement]]:
    """Each incident with the first round of its case that judged it."""
    judged = [each for each in rounds if each is not None]
    for member in members:
        judgement = next((each for each in judged if member.joined_at <= each.at), None)
        if judgement is not None:
            yield member.incident_id, judgement


def _judgement(step: Step) -> Judgement:
    verdict = Verdict.TRUE
    if step.action == CaseAction.INCONCLUSIVE:
        verdict = Verdict.UNSURE
    elif step.action == CaseAction.DISMISS:
        special = {DismissalReason.DUPLICATE.value: Verdict.DUPLICATE, DismissalReason.TEST.value: Verdict.TEST}
        verdict = special.get(step.reason or "", Verdict.FALSE_ALARM)
    reason = step.reason if step.action == CaseAction.DISMISS else None
    return Judgement(step.event_id, step.case_id, verdict, reason, step.at, step.actor_id)
