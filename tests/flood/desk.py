"""The cloud in memory, for nights of ten thousand incidents in a second: its candidates, its decisions, and a desk that judges.

What decides is `cloud.correlate.folding` and `policy`; what is written here anew is only how cases are found, which
`cloud/correlate/queries.sql` does in the database. A test holds the two against each other.
"""

import heapq
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from cloud.cases.model import CaseStatus, DismissalReason
from cloud.correlate import folding, policy
from cloud.correlate.arrival import Arrival
from cloud.correlate.folding import Decision, Verdict
from cloud.correlate.policy import CaseFacts, activity_end
from cloud.correlate.rules import DEFAULT_RULES, CorrelationRules
from cloud.correlate.source import Source
from cloud.deadlines.rulebook import RuleBook
from cloud.notify.policy import Fact, rehearse
from tests.flood.aftermath import HANDOVER, NOON, aftermath
from tests.flood.cases import Case, identity
from tests.flood.night import Delivery, Night

ZONE = ZoneInfo("Asia/Shanghai")


class Desk:
    """Takes deliveries, and judges what is false some minutes after it rang; `judges_after` None: nobody looks till the morning."""

    def __init__(self, rules: CorrelationRules = DEFAULT_RULES, *, judges_after: timedelta | None = None) -> None:
        self._rules = rules
        self._judges_after = judges_after
        self._of_node: dict[tuple[str, str], list[Case]] = defaultdict(list)
        self._known: dict[UUID, tuple[int, Case]] = {}
        self._seen: set[tuple[UUID, int]] = set()
        self._due: list[tuple[datetime, int]] = []
        self.cases: list[Case] = []
        self.facts: list[Fact] = []
        self.judged = 0

    def take(self, delivery: Delivery, real: frozenset[UUID] = frozenset()) -> None:
        """One report, after what the desk does until then."""
        self.judge(delivery.at, real)
        arrival = Arrival.of(delivery.report, self._rules)
        incident = arrival.incident
        if (incident.incident_id, incident.revision) in self._seen:
            return
        self._seen.add((incident.incident_id, incident.revision))
        known = self._known.get(incident.incident_id)
        if known is None:
            self._place(arrival, None)
            return
        revision, case = known
        is_newest = incident.revision > revision
        standing = case.candidate(None)
        if policy.outgrows(case.facts, incident) or folding.breaks_out(incident, standing, self._rules.folding):
            self._place(arrival, case)
            return
        self._absorb(case, arrival, aloud=is_newest and arrival.rings)
        key = identity(arrival.source)
        if key in case.reached:
            case.reached[key] = max(case.reached[key], activity_end(incident))
        self._known[incident.incident_id] = max(revision, incident.revision), case

    def judge(self, now: datetime, real: frozenset[UUID]) -> None:
        """Dismiss what is false and due."""
        while self._due and self._due[0][0] <= now:
            at, case_id = heapq.heappop(self._due)
            case = self.cases[case_id - 1]
            if case.status is not CaseStatus.REPORTED or case.incidents & real:
                continue
            case.status, case.settled_at, case.reason = CaseStatus.REJECTED, at, DismissalReason.WEATHER
            case.facts = replace(case.facts, is_open=False)
            self.judged += 1

    def _place(self, arrival: Arrival, out_of: Case | None) -> None:
        incident, source = arrival.incident, arrival.source
        near = [case for case in self._near(arrival) if case is not out_of]
        candidates = [case.candidate(source) for case in near]
        decision = folding.decide(incident, candidates, self._rules.folding, aloud=arrival.rings)
        if decision.verdict is Verdict.OPEN or decision.case is None:
            case = self._open(arrival, decision)
        else:
            case = self.cases[decision.case.facts.case_id - 1]
            self._absorb(case, arrival, aloud=arrival.rings)
        case.count(source, incident.severity, activity_end(incident))
        case.incidents.add(incident.incident_id)
        self._known[incident.incident_id] = incident.revision, case

    def _near(self, arrival: Arrival) -> list[Case]:
        """As `candidates` in queries.sql: cases of one danger, by the same device or at the same spot."""
        source, incident, rules = arrival.source, arrival.incident, self._rules.folding
        oldest = incident.started_at - rules.horizon
        latest = activity_end(incident) + rules.window
        found = [
            case
            for case in self._of_node[source.node, source.danger]
            if case.facts.started_at <= latest
            and any(
                key[0] == source.node and key[2] == source.danger and at >= oldest for key, at in case.reached.items()
            )
            and self._is_at(case, source)
        ]
        return found[-40:]

    @staticmethod
    def _is_at(case: Case, source: Source) -> bool:
        return any(key[1] == source.device for key in case.sources) or case.spot == source.spot

    def _open(self, arrival: Arrival, decision: Decision) -> Case:
        incident = arrival.incident
        facts = CaseFacts(
            case_id=len(self.cases) + 1,
            is_open=True,
            severity=incident.severity,
            started_at=incident.started_at,
            last_activity_at=activity_end(incident),
            late=not arrival.rings,
            simulated=incident.simulated,
        )
        opened_at = arrival.report.received_at
        case = Case(facts, incident.kind, incident.spot, opened_at, decision.why, echo=decision.echo)
        self.cases.append(case)
        self._of_node[arrival.source.node, arrival.source.danger].append(case)
        self._tell(case, arrival, "opened" if decision.echo is None else "false_alarm_again")
        if self._judges_after is not None:
            heapq.heappush(self._due, (arrival.report.received_at + self._judges_after, facts.case_id))
        return case

    def _absorb(self, case: Case, arrival: Arrival, *, aloud: bool) -> None:
        absorbed = policy.absorb(case.facts, arrival.incident, aloud=aloud)
        case.facts = absorbed.facts
        if absorbed.raised:
            self._tell(case, arrival, "severity_raised")
        elif absorbed.rang:
            self._tell(case, arrival, "rang")

    def _tell(self, case: Case, arrival: Arrival, word: str) -> None:
        self.facts.append(
            Fact(
                at=arrival.report.received_at,
                case_id=case.facts.case_id,
                kind=case.kind,
                severity=case.facts.severity,
                word=word,
                late=case.facts.late,
            )
        )


@dataclass(frozen=True)
class Outcome:
    """What a night came to.

    `rings` and `summaries`: all that the nearest duty chief is told until the shift is handed over, with the deadlines, escalations and
    whistles of the night's cases; `found`: of that, what correlation alone would have told; `until_noon`: where the morning's shift does not
    look at any of them either. `own_case`: whether each of the three began a case; `case_after_s`, `told_after_s`: from its arrival until it had one, and until the
    duty chief was told, by a ring of its own or by a summary.
    """

    seed: int
    incidents: int
    cases: int
    echoes: int
    judged: int
    largest: int
    facts: int
    found: int
    rings: int
    summaries: int
    until_noon: int
    own_case: dict[str, bool]
    case_after_s: dict[str, float]
    told_after_s: dict[str, float]

    @property
    def notifications(self) -> int:
        """How often the duty chief's phone rings until the morning."""
        return self.rings + self.summaries


def work_through(night: Night, desk: Desk, book: RuleBook) -> Outcome:
    """A night at a desk, with the clocks of a rule book."""
    real = frozenset(night.real)
    arrived: dict[UUID, datetime] = {}
    for delivery in night.deliveries:
        arrived.setdefault(delivery.report.incident.incident_id, delivery.at)
        desk.take(delivery, real)
    found = rehearse(desk.facts, zone=ZONE)
    told, later = (
        rehearse([*desk.facts, *aftermath(desk.cases, desk.facts, book, until=until)], zone=ZONE)
        for until in (HANDOVER, NOON)
    )
    own, after, heard = {}, {}, {}
    for what, incident_id in night.hidden.items():
        case = next(each for each in reversed(desk.cases) if incident_id in each.incidents)
        first = min(case.incidents, key=lambda each: arrived[each])
        own[what] = first == incident_id and case.echo is None
        after[what] = (case.opened_at - arrived[incident_id]).total_seconds()
        rung = [fact.at for fact in told.rings if fact.case_id == case.facts.case_id]
        summed = [at for at, _ in told.summaries if at >= case.opened_at]
        heard[what] = (min(rung + summed) - arrived[incident_id]).total_seconds()
    return Outcome(
        seed=night.seed,
        incidents=len(arrived),
        cases=len(desk.cases),
        echoes=sum(case.echo is not None for case in desk.cases),
        judged=desk.judged,
        largest=max(len(case.incidents) for case in desk.cases),
        facts=len(desk.facts),
        found=found.notifications,
        rings=len(told.rings),
        summaries=len(told.summaries),
        until_noon=later.notifications,
        own_case=own,
        case_after_s=after,
        told_after_s=heard,
    )
