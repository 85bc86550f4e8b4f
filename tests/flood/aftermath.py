"""What comes of a night's cases that nobody looks at: their deadlines, escalations and whistles, as facts for whom they are told to.

The clocks are those of `cloud.deadlines` by the rules as they are seeded; who is called by which level is what `cloud.escalation.whistles`
does in the database, in a town where each level has somebody and nobody ever comes. A test holds the two against each other.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cloud.cases.model import STAGE_OF, CaseStatus
from cloud.deadlines.clock import WHOLE, Clock, FiringKind, next_firing, passed, recomputed, started
from cloud.deadlines.rulebook import RuleBook, Ruling
from cloud.deadlines.rules import ARRIVAL
from cloud.notify.model import Audience
from cloud.notify.policy import Fact
from tests.flood.cases import Case
from tests.flood.night import BEGIN

LEVELS = ("grid", "community", "street", "district")
CHIEF_OF = "community"
"""The level of the duty chief who is nearest: of all chiefs he is told most."""
GRID_PATH = "110105/110105001/110105001001/110105001001003/"
HANDOVER = BEGIN + timedelta(hours=14, minutes=30)
"""Half past eight: the night's shift ends."""
NOON = BEGIN + timedelta(hours=18)
"""Of the day after: by then all cases of the night that nobody judged are late, and have been passed up to the duty chief."""


@dataclass
class Aftermath:
    """One case from its opening until somebody judges it."""

    book: RuleBook
    case: Case
    severities: Sequence[Fact]
    until: datetime
    facts: list[Fact] = field(default_factory=list)
    _clocks: dict[str, Clock] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)
    _due: list[tuple[datetime, int, str]] = field(default_factory=list)

    def run(self) -> list[Fact]:
        """All that is told of it."""
        stage = STAGE_OF[CaseStatus.REPORTED]
        assert stage is not None
        self._severity = self.severities[0].severity
        for each in (stage.value, WHOLE):
            ruling = self.book.ruling(GRID_PATH, "", self._severity, each, at=self.case.opened_at)
            self._clocks[each] = started(each, ruling.measure, at=self.case.opened_at)
        for change in self.severities[1:]:
            self._pass_time(change.at)
            if change.severity is not self._severity:
                self._severity = change.severity
                for each, clock in self._clocks.items():
                    self._clocks[each] = recomputed(clock, self._ruling(clock).measure)
        self._pass_time(self.case.settled_at or self.until)
        return self.facts

    def _ruling(self, clock: Clock) -> Ruling:
        return self.book.ruling(GRID_PATH, "", self._severity, clock.stage, at=clock.started_at)

    def _pass_time(self, end: datetime) -> None:
        """What is due before `end`, in its order."""
        while True:
            upcoming = [
                (firing.due_at, 0, each)
                for each, clock in self._clocks.items()
                if (firing := next_firing(clock, self._ruling(clock).rungs)) is not None
            ]
            first = min([*upcoming, *self._due[:1]], default=None)
            if first is None or first[0] >= end:
                return
            at, is_call, what = first
            if is_call:
                heapq.heappop(self._due)
                self._overdue(what, at)
            else:
                self._fire(what, at)

    def _fire(self, stage: str, at: datetime) -> None:
        clock = self._clocks[stage]
        firing = next_firing(clock, self._ruling(clock).rungs)
        assert firing is not None
        self._clocks[stage] = passed(clock)
        if firing.kind is FiringKind.ESCALATE:
            assert firing.level is not None
            self._call(firing.level, at)
        elif firing.kind is FiringKind.RED:
            self._tell("deadline_red", stage, at, Audience.CHIEF)

    def _call(self, level: str, at: datetime) -> None:
        to = (Audience.NAMED,) if level == CHIEF_OF else ()
        if level in self._open:
            self._tell("escalated_again", level, at, *to)
            return
        self._open.add(level)
        self._tell("escalated", level, at, *to)
        due_at = self.book.limit(GRID_PATH, "", self._severity, ARRIVAL, at=at)
        heapq.heappush(self._due, (due_at, 1, level))

    def _overdue(self, level: str, at: datetime) -> None:
        to = (Audience.CHIEF, Audience.NAMED) if level == CHIEF_OF else (Audience.CHIEF,)
        self._tell("whistle_overdue", level, at, *to)
        higher = LEVELS[LEVELS.index(level) + 1 :]
        if higher and not self._open.intersection(higher):
            self._call(higher[0], at)

    def _tell(self, word: str, reason: str, at: datetime, *to: Audience) -> None:
        if to:
            fact = Fact(
                at=at,
                case_id=self.case.facts.case_id,
                kind=self.case.kind,
                severity=self._severity,
                word=word,
                late=self.case.facts.late,
                reason=reason,
                to=frozenset(to),
            )
            self.facts.append(fact)


def aftermath(cases: Sequence[Case], facts: Sequence[Fact], book: RuleBook, *, until: datetime) -> Iterator[Fact]:
    """What comes of cases until a time; `facts` are what was told of their being found."""
    for case in cases:
        severities = [fact for fact in facts if fact.case_id == case.facts.case_id and fact.at < until]
        if severities:
            yield from Aftermath(book, case, severities, until).run()
