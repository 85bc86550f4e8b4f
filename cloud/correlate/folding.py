"""Which case an incident goes to: attach | open | reopen. Pure, over candidates that `cloud.correlate.candidates` found.

What is found again and again at one spot is one case, and a storm of it stays one case for hours. But folding never hides
something worse or something new: a case that is flooded takes only those who are part of it, at severities that they have shown
already. Who is quiet so far, who tells of another danger, and what is worse each get a case of their own. What people have
settled takes nothing in silence.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from cloud.cases.model import OPEN_STATUSES, CaseStatus, DismissalReason
from cloud.correlate.policy import CaseFacts, activity_end, gap_between
from cloud.correlate.source import LASTING
from edge.contract.incident import Incident, IncidentState, Severity


@dataclass(frozen=True, slots=True)
class FoldRules:
    """The figures of folding.

    `window`: an incident joins a case up to this long after its last activity. With each repetition after the first it is twice as
    long for those who are part of it, up to `storm_window`, for `storm_lasts` after the beginning. `flooded_from`: so many
    repetitions make a flood. `near_m`: devices of one grid that stand no farther to the north, south, east or west are at one spot.
    `again_within`: so long after it was closed a case is opened again or linked. `false_times` incidents judged false within
    `false_within`: the next are told once per `echo_window`.
    """

    window: timedelta
    storm_window: timedelta = timedelta(hours=2)
    storm_lasts: timedelta = timedelta(hours=24)
    flooded_from: int = 3
    near_m: float = 30.0
    again_within: timedelta = timedelta(hours=24)
    false_times: int = 3
    false_within: timedelta = timedelta(hours=12)
    echo_window: timedelta = timedelta(hours=6)

    @property
    def horizon(self) -> timedelta:
        """Cases without activity for longer are no candidates."""
        return max(self.window, self.storm_window, self.again_within, self.false_within, self.echo_window)


FALSE_REASONS: Final = frozenset(
    {
        DismissalReason.WEATHER,
        DismissalReason.ANIMAL,
        DismissalReason.LIGHT,
        DismissalReason.MISDETECTION,
        DismissalReason.OTHER,
    }
)
"""Nothing was there. A `duplicate` and what was `authorised` were seen rightly, a `test` says nothing of the next."""

_SETTLED_UNCHECKED: Final = frozenset({CaseStatus.RESOLVED, CaseStatus.CHECKING})
_UNJUDGED: Final = frozenset({CaseStatus.REPORTED, CaseStatus.VERIFYING})


class Verdict(StrEnum):
    """What becomes of an incident."""

    ATTACH = "attach"
    OPEN = "open"
    REOPEN = "reopen"


class Why(StrEnum):
    """Why it became that."""

    SAME_TROUBLE = "same_trouble"
    STORM = "storm"
    JUDGED_FALSE = "judged_false"
    NEW = "new"
    WORSE = "worse"
    QUIET_SOURCE = "quiet_source"
    CAME_AGAIN = "came_again"


@dataclass(frozen=True, slots=True)
class Echo:
    """A case that takes what was judged false again: until when, and up to which severity."""

    until: datetime
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A case of the same danger at the same place. `own` counts the incidents of the same source by severity, lowest first.

    `incidents` and `sources` are of the whole case, `same_link` says that it is about devices behind the same line. `settled_at` is when
    it was resolved, or ended. `reason` is why it was dismissed.
    """

    facts: CaseFacts
    status: CaseStatus
    own: Sequence[int] = (0, 0, 0, 0)
    incidents: int = 1
    sources: int = 1
    same_link: bool = False
    settled_at: datetime | None = None
    reason: str | None = None
    echo: Echo | None = None

    @property
    def repetitions(self) -> int:
        """Forty devices that each say it once repeat nothing."""
        return self.incidents - self.sources

    def knows(self, severity: Severity) -> bool:
        """Whether the same source has found as bad a thing before; of devices behind one dead line each is the same."""
        if self.same_link and severity.rank <= self.facts.severity.rank:
            return True
        return sum(self.own[severity.rank :]) > 0

    @property
    def is_of_source(self) -> bool:
        """Whether the same source is part of it."""
        return sum(self.own) > 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of an incident. `link`: the case that it comes after, or breaks out of. `echo`: what a case opened so is."""

    verdict: Verdict
    why: Why
    case: Candidate | None = None
    link: Candidate | None = None
    echo: Echo | None = None


def is_flooded(case: Candidate, rules: FoldRules) -> bool:
    """Whether so much is repeated in a case that nobody reads each."""
    return case.repetitions >= rules.flooded_from


def decide(incident: Incident, candidates: Iterable[Candidate], rules: FoldRules, *, aloud: bool = True) -> Decision:
    """Where a new incident goes. The order of the candidates makes no difference. What is not told `aloud` opens no case again."""
    alike = sorted(
        (case for case in candidates if case.facts.simulated == incident.simulated), key=lambda each: each.facts.case_id
    )
    return (
        _into_echo(incident, alike)
        or _as_echo(incident, alike, rules)
        or _into_open(incident, alike, rules)
        or _again(incident, alike, rules, aloud=aloud)
        or Decision(Verdict.OPEN, Why.NEW)
    )


def breaks_out(incident: Incident, case: Candidate, rules: FoldRules) -> bool:
    """Whether a known incident has become too bad for the case that it lies in: a flood, or what was judged false."""
    if incident.severity.rank <= case.facts.severity.rank:
        return False
    return is_flooded(case, rules) or (case.echo is not None and case.status in _UNJUDGED)


def was_never_gone(incident: Incident, case: Candidate, rules: FoldRules) -> bool:
    """Whether a known incident still lasts long after its case was said to be resolved."""
    return (
        incident.kind in LASTING
        and incident.state is not IncidentState.ENDED
        and (case.status in _SETTLED_UNCHECKED or case.status is CaseStatus.CLOSED)
        and case.settled_at is not None
        and rules.window < incident.updated_at - case.settled_at <= rules.again_within
    )


def _into_echo(incident: Incident, cases: Sequence[Candidate]) -> Decision | None:
    """A judged false alarm once more: into the one case of its window, whether that was dismissed as well or not yet."""
    for case in reversed(cases):
        if case.echo is None or not case.is_of_source or incident.severity.rank > case.echo.severity.rank:
            continue
        in_window = case.facts.started_at <= incident.started_at <= case.echo.until
        if in_window and (case.status in _UNJUDGED or _was_false(case)):
            return Decision(Verdict.ATTACH, Why.JUDGED_FALSE, case)
    return None


def _as_echo(incident: Incident, cases: Sequence[Candidate], rules: FoldRules) -> Decision | None:
    """A case of its own for all that was judged false so often, for a while: of this source, and no worse than what was judged."""
    judged = [
        case
        for case in cases
        if _was_false(case)
        and case.is_of_source
        and case.settled_at is not None
        and abs(incident.started_at - case.settled_at) <= rules.false_within
    ]
    often = [
        severity for severity in Severity if sum(sum(case.own[severity.rank :]) for case in judged) >= rules.false_times
    ]
    if not often or incident.severity.rank > often[-1].rank:
        return None
    latest = max(judged, key=lambda case: (case.settled_at, case.facts.case_id))
    echo = Echo(incident.started_at + rules.echo_window, often[-1])
    return Decision(Verdict.OPEN, Why.JUDGED_FALSE, link=latest, echo=echo)


def _into_open(incident: Incident, cases: Sequence[Candidate], rules: FoldRules) -> Decision | None:
    """Into an open case near in time; where it floods, only of who is part of that case, and nothing worse.

    A place that has flooded within a day is watched as if it did: a small case there is likely the flood's next. The flood that an
    incident is part of goes before a case that broke out of it, which so stays readable.
    """
    near: list[tuple[tuple[bool, bool, timedelta, int], Decision]] = []
    refusal: Decision | None = None
    is_wary = any(_floods_around(incident, case, rules) for case in cases)
    for case in cases:
        if case.status not in OPEN_STATUSES or (case.echo is not None and case.status in _UNJUDGED):
            continue
        gap = gap_between(incident, case.facts)
        if gap > _window(incident, case, rules):
            continue
        is_known = case.knows(incident.severity)
        if is_wary and not is_known:
            worse = case.is_of_source or incident.severity.rank > case.facts.severity.rank
            refusal = Decision(Verdict.OPEN, Why.WORSE if worse else Why.QUIET_SOURCE, link=case)
            continue
        is_storm = is_known and is_flooded(case, rules)
        order = (not is_storm, not case.is_of_source, gap, case.facts.case_id)
        near.append((order, Decision(Verdict.ATTACH, Why.STORM if is_storm else Why.SAME_TROUBLE, case)))
    return min(near, key=lambda item: item[0])[1] if near else refusal


def _floods_around(incident: Incident, case: Candidate, rules: FoldRules) -> bool:
    return is_flooded(case, rules) and gap_between(incident, case.facts) <= rules.storm_lasts


def _window(incident: Incident, case: Candidate, rules: FoldRules) -> timedelta:
    """Who has said it twice is given the window, who has said it once more twice that, and so on up to the window of a storm.

    A storm that goes on into another day is told anew.
    """
    if not case.knows(incident.severity) or incident.started_at - case.facts.started_at > rules.storm_lasts:
        return rules.window
    return min(rules.window * (1 << min(max(0, case.repetitions - 1), 10)), max(rules.window, rules.storm_window))


def _again(incident: Incident, cases: Sequence[Candidate], rules: FoldRules, *, aloud: bool) -> Decision | None:
    """What people thought settled: opened again where the same thing was never gone, else followed by a case that is linked to it."""
    settled = [case for case in cases if _is_recent(incident, case, rules)]
    if not settled:
        return None
    latest = max(settled, key=lambda case: (case.facts.last_activity_at, case.facts.case_id))
    gone_on = (
        aloud
        and incident.kind in LASTING
        and latest.status is not CaseStatus.SUSPENDED
        and incident.severity.rank <= latest.facts.severity.rank
        and latest.settled_at is not None
        and incident.started_at >= latest.settled_at
    )
    if gone_on:
        return Decision(Verdict.REOPEN, Why.CAME_AGAIN, latest)
    return Decision(Verdict.OPEN, Why.CAME_AGAIN, link=latest)


def _is_recent(incident: Incident, case: Candidate, rules: FoldRules) -> bool:
    if case.status is CaseStatus.SUSPENDED or case.status in _SETTLED_UNCHECKED:
        return True
    ended_at = case.settled_at
    return (
        case.status is CaseStatus.CLOSED
        and ended_at is not None
        and ended_at - rules.window <= activity_end(incident)
        and incident.started_at - ended_at <= rules.again_within
    )


def _was_false(case: Candidate) -> bool:
    return case.status is CaseStatus.REJECTED and case.reason in FALSE_REASONS
