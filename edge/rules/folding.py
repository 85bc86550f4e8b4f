"""What of a rule's findings is told: when it is armed, what is one incident, and how long it rests afterwards. Pure.

- Outside of its schedule a rule opens nothing. What still holds when a window begins opens then, with its true beginning; what is
  open when a window ends goes on to its own end.
- With `fold_s`, findings that begin while an incident is open, or within so many seconds after its last one was over, join it:
  their number is its `count`.
- With `cooldown_s`, nothing new opens for so long after an incident has ended. What still holds then opens then.

Nothing worse is ever hidden by this: a finding of a higher severity than the incident that it joins raises it at once, and one of
a higher severity than the incident that has ended opens in spite of the cool-down. Where a rule tells values, one that lies farther out
is worse at the same severity.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from edge.contract.incident import IncidentState, Severity
from edge.flow import Finding, Reading, Scene, SceneObserver
from edge.rules.schedule import is_armed
from edge.settings import ReadingRuleSettings, SceneRuleSettings

Badness = tuple[int, float]
"""The rank of a severity, and how far out a value lies; the greater the worse."""


def by_severity(finding: Finding) -> Badness:
    """How bad a finding is that has no value."""
    return finding.severity.rank, 0.0


@dataclass(slots=True)
class _Incident:
    """What is told as one: `members` joined so far, `living` are not over. The rest is the worst of all members."""

    first: Finding
    worst: Finding
    confidence: float | None
    dwell_s: float | None
    latest: Finding
    members: int = 0
    living: dict[str, Finding] = field(default_factory=dict)
    over_at: datetime | None = None

    def take(self, finding: Finding, badness: Callable[[Finding], Badness]) -> None:
        """Take what is told of a member."""
        self.latest = finding
        if finding.key not in self.living and finding.state is not IncidentState.ENDED:
            self.members += 1
        self.living[finding.key] = finding
        self.confidence = max(
            (each for each in (self.confidence, finding.confidence) if each is not None), default=None
        )
        self.dwell_s = max((each for each in (self.dwell_s, finding.dwell_s) if each is not None), default=None)
        self.worst = max(self.worst, finding, key=badness)

    def lose(self, finding: Finding, badness: Callable[[Finding], Badness]) -> None:
        """A member is over."""
        self.take(finding, badness)
        del self.living[finding.key]
        ended_at = finding.ended_at or finding.at
        self.over_at = ended_at if self.over_at is None else max(self.over_at, ended_at)

    def told(self, state: IncidentState, at: datetime) -> Finding:
        """The whole, as one finding; of one member, that member's."""
        ended_at = self.over_at if state is IncidentState.ENDED else None
        if self.members == 1:
            return replace(self.latest, state=state, at=at, ended_at=ended_at)
        tracks = [track_id for each in self.living.values() for track_id in each.track_ids]
        return replace(
            self.latest,
            key=self.first.key,
            state=state,
            at=at,
            started_at=self.first.started_at,
            ended_at=ended_at,
            severity=self.worst.severity,
            value=self.worst.value,
            confidence=self.confidence,
            dwell_s=self.dwell_s,
            count=max(self.latest.count or 0, self.members),
            track_ids=tuple(tracks) or self.latest.track_ids,
        )


class Folding:
    """What is open, held back or at rest of one rule. `badness` says which of two findings is the worse one."""

    def __init__(
        self, settings: SceneRuleSettings | ReadingRuleSettings, badness: Callable[[Finding], Badness] = by_severity
    ) -> None:
        self._schedule = settings.schedule
        self._fold_s = settings.fold_s
        self._cooldown_s = settings.cooldown_s
        self._badness = badness
        self._incidents: dict[str, _Incident] = {}
        self._member_of: dict[str, _Incident] = {}
        self._held: dict[str, Finding] = {}
        self._rests_until: datetime | None = None
        self._rests_from: Badness = (Severity.LOW.rank, 0.0)

    @property
    def kept(self) -> int:
        """How many findings are kept: those held back, and those that incidents are made of."""
        return len(self._held) + len(self._member_of)

    def told_as(self, key: str) -> Finding | None:
        """The first finding of the incident that what this key found is told as; None where it is not told."""
        incident = self._member_of.get(key)
        return None if incident is None else incident.first

    def told(self, findings: Sequence[Finding], at: datetime) -> Iterator[Finding]:
        """What is told at a moment at which these were found; none of them where only time has passed."""
        for finding in findings:
            yield from self._taken(finding, at)
        for incident in list(self._incidents.values()):
            if not incident.living and self._fold_is_over(incident, at):
                yield self._closed(incident, at)
        for key, finding in list(self._held.items()):
            if self._may_open(finding, at):
                del self._held[key]
                yield self._opened(finding, at)

    def finished(self, findings: Sequence[Finding], at: datetime) -> Iterator[Finding]:
        """The same, and the end of whatever is open then."""
        yield from self.told(findings, at)
        for incident in list(self._incidents.values()):
            yield self._closed(incident, at)
        self._held.clear()
        self._member_of.clear()

    def take_up(self, finding: Finding) -> None:
        """Go on with an incident that was open before a restart; the finding is what it was told as last."""
        incident = _Incident(finding, finding, finding.confidence, finding.dwell_s, finding)
        incident.take(finding, self._badness)
        incident.members = max(finding.count or 1, 1)
        self._incidents[finding.key] = self._member_of[finding.key] = incident

    def set_back(self, at: datetime) -> Iterator[Finding]:
        """The clock was set back to a moment: what waits for a time that may never come again waits no longer."""
        for incident in list(self._incidents.values()):
            if incident.living:
                incident.over_at = None
            else:
                yield self._closed(incident, at)
        self._rests_until = None

    def _taken(self, finding: Finding, at: datetime) -> Iterator[Finding]:
        incident = self._member_of.get(finding.key)
        ended = finding.state is IncidentState.ENDED
        held = self._held.pop(finding.key, None)
        if incident is None and ended and held is not None and held.at == at and self._may_open(held, at):
            yield self._opened(held, at)
            incident = self._member_of[finding.key]
        if incident is None:
            if not ended:
                self._held[finding.key] = finding
        elif ended:
            incident.lose(finding, self._badness)
            del self._member_of[finding.key]
            if not self._fold_s:
                yield self._closed(incident, at)
        else:
            incident.take(finding, self._badness)
            yield incident.told(IncidentState.UPDATE, at)

    def _may_open(self, finding: Finding, at: datetime) -> bool:
        if not is_armed(self._schedule, at):
            return False
        if self._fold_s and self._incidents:
            return True
        rests = self._rests_until is not None and at < self._rests_until
        return not rests or self._badness(finding) > self._rests_from

    def _opened(self, finding: Finding, at: datetime) -> Finding:
        """A new incident, or a new member of the one that is open. What was held has lasted on."""
        waited_s = max((at - finding.at).total_seconds(), 0.0)
        if waited_s and finding.dwell_s is not None:
            finding = replace(finding, dwell_s=round(finding.dwell_s + waited_s, 3))
        joined = next(iter(self._incidents.values()), None) if self._fold_s else None
        incident = joined or _Incident(finding, finding, None, None, finding)
        incident.take(finding, self._badness)
        self._incidents[incident.first.key] = self._member_of[finding.key] = incident
        return incident.told(IncidentState.OPEN if joined is None else IncidentState.UPDATE, at)

    def _fold_is_over(self, incident: _Incident, at: datetime) -> bool:
        return incident.over_at is None or at - incident.over_at >= timedelta(seconds=self._fold_s)

    def _closed(self, incident: _Incident, at: datetime) -> Finding:
        del self._incidents[incident.first.key]
        self._rests_until = at + timedelta(seconds=self._cooldown_s)
        self._rests_from = self._badness(incident.worst)
        return incident.told(IncidentState.ENDED, at)


class FoldingRule:
    """A rule on a camera's scenes, and what of its findings is told."""

    def __init__(self, rule: SceneObserver, settings: SceneRuleSettings) -> None:
        self.rule = rule
        self.folding = Folding(settings)

    def observe(self, scene: Scene) -> Sequence[Finding]:
        """Take one analysed moment; scenes of a camera come in order of event time."""
        return list(self.folding.told(self.rule.observe(scene), scene.at))

    def passed(self, at: datetime) -> Sequence[Finding]:
        """Time has passed without a picture."""
        return list(self.folding.told((), at))

    def finish(self, at: datetime) -> Sequence[Finding]:
        """End whatever is open: the source has ended or the node stops."""
        return list(self.folding.finished(self.rule.finish(at), at))

    def readings(self, at: datetime) -> Sequence[Reading]:
        """What the rule has counted, at any hour."""
        return self.rule.readings(at)
