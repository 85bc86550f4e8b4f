"""The node's own alarms (自身告警): an outbox or an evidence folder that fills, incidents that the disk or the cloud does not take.

What fills becomes an incident of the node itself, one from its beginning to its end, told again only when it gets worse or
better: an alarm about a queue must not be what fills it. All of them show as degradations too.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from edge.contract.health import Level
from edge.contract.incident import Incident, IncidentKind, IncidentState, RuleReference, Severity
from edge.contract.topics import Channel
from edge.flow import Finding
from edge.incidents import RULE_VERSION, IncidentBook, RuleCard
from edge.node.pressure import Limits, level_after
from edge.node.standing import Standing
from edge.outbox.outbox import Figures

OUTBOX_RULE = "outbox-pressure"
EVIDENCE_RULE = "evidence-pressure"
OUTBOX = "outbox"
EVIDENCE = "evidence"
PRESSURE = "pressure"
UNSAVED = "unsaved"
REJECTED = "rejected_incidents"
CATEGORY = "maintenance"

REJECTED_FOR = timedelta(days=7)
"""So long after the cloud rejected an incident the node says so."""

SEVERITIES = {Level.WARNING: Severity.MEDIUM, Level.CRITICAL: Severity.HIGH}
"""`critical` stays with people in danger: a thousand nodes behind one dead link must not ring like a thousand fires."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that fills: how much of it is used, and what its levels mean for whoever has to act."""

    rule: str
    kind: IncidentKind
    subject: str
    point: str
    share: Callable[[Figures], float]
    meaning: Mapping[Level, str]
    limits: Limits = field(default_factory=Limits)


ALARMS = (
    Alarm(
        rule=OUTBOX_RULE,
        kind=IncidentKind.OUTBOX_PRESSURE,
        subject=OUTBOX,
        point="outbox_percent",
        share=lambda figures: figures.share,
        meaning={
            Level.WARNING: "half of the outbox is used: more comes in than the cloud takes",
            Level.CRITICAL: "the outbox is nearly full; at its end the oldest readings are dropped and declared",
        },
    ),
    Alarm(
        rule=EVIDENCE_RULE,
        kind=IncidentKind.EVIDENCE_PRESSURE,
        subject=EVIDENCE,
        point="evidence_percent",
        share=lambda figures: figures.evidence_share,
        meaning={Level.CRITICAL: "the room for pictures is nearly used up; at its end incidents go without a picture"},
        limits=Limits(warning=None),
    ),
)


def alarm_cards(node: str) -> dict[tuple[str, str], RuleCard]:
    """The cards of the node's own alarms; the node is their device."""
    return {(node, alarm.rule): RuleCard(_reference(alarm), None, simulated=False, resumes=True) for alarm in ALARMS}


def _reference(alarm: Alarm) -> RuleReference:
    canonical = json.dumps(asdict(alarm.limits), sort_keys=True, separators=(",", ":"))
    return RuleReference(id=alarm.rule, version=RULE_VERSION, sha256=hashlib.sha256(canonical.encode()).hexdigest())


class AlarmDesk:
    """Looks at the figures now and then, from one thread, and tells what changed. `clock` tells node time, `told` the true
    time as far as it is known.
    """

    def __init__(
        self,
        node: str,
        *,
        book: IncidentBook,
        standing: Standing,
        clock: Callable[[], datetime],
        told: Callable[[], datetime],
    ) -> None:
        self._node = node
        self._book = book
        self._standing = standing
        self._clock = clock
        self._told = told
        self._levels = {alarm.rule: Level.NORMAL for alarm in ALARMS}
        self._resumed: set[str] = set()

    def level(self, rule: str) -> Level:
        """The present level of one alarm."""
        return self._levels[rule]

    def resume(self, ongoing: Sequence[Incident]) -> None:
        """Take up the alarms that were open when the node stopped."""
        levels = {severity: level for level, severity in SEVERITIES.items()}
        for incident in ongoing:
            if incident.device == self._node and incident.rule is not None and incident.rule.id in self._levels:
                self._levels[incident.rule.id] = levels.get(incident.severity, Level.WARNING)
                self._resumed.add(incident.rule.id)

    def watch(self, figures: Figures) -> None:
        """Compare with what was told last."""
        for alarm in ALARMS:
            self._watch(alarm, alarm.share(figures))
        self._state(OUTBOX, UNSAVED, "the disk takes nothing: incidents wait in memory", holds=self._book.unsaved > 0)
        since = self._told() - REJECTED_FOR
        self._state(
            OUTBOX,
            REJECTED,
            "the cloud rejected incidents for good; `gridward-edge status` tells why",
            holds=any(each.channel == Channel.INCIDENT and each.last_at >= since for each in figures.dead_letters),
        )

    def _watch(self, alarm: Alarm, share: float) -> None:
        before = self._levels[alarm.rule]
        level = level_after(before, share, alarm.limits)
        if level is before and alarm.rule not in self._resumed:
            return
        self._levels[alarm.rule] = level
        self._resumed.discard(alarm.rule)
        if level is Level.NORMAL:
            self._standing.recover(alarm.subject, PRESSURE)
        else:
            self._standing.degrade(alarm.subject, PRESSURE, alarm.meaning[level])
        self._report(alarm, before, level, share)

    def _report(self, alarm: Alarm, before: Level, level: Level, share: float) -> None:
        state = IncidentState.OPEN if before is Level.NORMAL else IncidentState.UPDATE
        if level is Level.NORMAL:
            state = IncidentState.ENDED
        now = self._clock()
        self._book.report(
            Finding(
                key=f"{self._node}/{alarm.rule}",
                state=state,
                rule=alarm.rule,
                kind=alarm.kind.value,
                category=CATEGORY,
                severity=SEVERITIES[before if level is Level.NORMAL else level],
                device=self._node,
                started_at=now,
                at=now,
                ended_at=now if state is IncidentState.ENDED else None,
                point=alarm.point,
                value=round(100 * share, 1),
                unit="%",
            )
        )

    def _state(self, subject: str, reason: str, detail: str, *, holds: bool) -> None:
        if holds:
            self._standing.degrade(subject, reason, detail)
        else:
            self._standing.recover(subject, reason)
