"""Rules on what is told as a state: a state that lasts (状态), and a charge that lasts too long (超时充电). Pure.

An overlong charge is a spell of one transaction: it is counted from the charge's own start, which is remembered over a restart,
and is over with the charge.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from edge.contract.incident import Incident, IncidentState
from edge.contract.telemetry import ReadingFlag
from edge.flow import Finding, Reading, ReadingRule
from edge.rules.identity import rule_id, told_kind
from edge.rules.listening import Listening
from edge.rules.spells import Change, Decision, Spell, Spells
from edge.settings import OverlongChargeSettings, StateSettings

NOT_CHARGING: Final = "none"
"""The state of `charging` while there is no transaction."""

_IN: Final = "in"
_LONGEST_NOTE: Final = 200


class SpellRule(ReadingRule):
    """One state point of one device. Its findings have one key: after a restart it goes on with the incident that is open."""

    def __init__(self, settings: StateSettings | OverlongChargeSettings, device: str) -> None:
        self._settings, self._device = settings, device
        if isinstance(settings, StateSettings):
            self._spells = Spells(settings.for_s, settings.clear_for_s)
        else:
            self._spells = Spells(settings.limit_s, 0.0)
        self._anchor: tuple[datetime, datetime] | None = None
        self._remembered: Listening | None = None

    @property
    def id(self) -> str:
        """What the rule is called on its device."""
        return rule_id(self._settings)

    @property
    def key(self) -> str:
        """The key of all its findings."""
        return f"{self._device}/{self.id}"

    def concerns(self, reading: Reading) -> bool:
        """Whether it is a state of the point that is watched."""
        return (
            reading.device == self._device
            and reading.point == self._settings.point
            and isinstance(reading.value, str)
            and not reading.is_event
        )

    def observe(self, reading: Reading) -> Sequence[Finding]:
        """Take one state; the same one again says that it goes on."""
        if not self.concerns(reading):
            return ()
        text = str(reading.value)
        replayed = ReadingFlag.REPLAYED in reading.flag
        anchor = reading.observed_at, reading.observed_at if replayed else reading.received_at
        if self._anchor is None or anchor[0] >= self._anchor[0]:
            self._anchor = anchor
        self._remembered = None
        change = Change(reading.observed_at, self._label(text), text, reading.raw_code)
        return [self._finding(decision) for decision in self._spells.take(change)]

    def passed(self, at: datetime) -> Sequence[Finding]:
        """A state goes on while nothing is told: the readings' own time passes as that of the node does."""
        if self._anchor is None:
            return ()
        observed_at, of_node = self._anchor
        if self._remembered is not None and not self._remembered.has_heard_enough(at):
            return ()
        if at <= of_node:
            return ()
        return [self._finding(decision) for decision in self._spells.passed(observed_at + (at - of_node))]

    def holding(self) -> Sequence[Finding]:
        """What is open, while its state is the one that was told last."""
        spell, current = self._spells.open, self._spells.current
        if spell is None or (current is not None and current.label != spell.label and spell.label is not None):
            return ()
        at = spell.since if self._anchor is None else max(spell.since, self._anchor[0])
        return (self._told(spell, IncidentState.UPDATE, at),)

    def resume(self, incident: Incident) -> bool:
        """Go on with what was open before a restart, as far as it speaks of the same point."""
        if incident.point != self._settings.point:
            return False
        current = self._spells.current
        label = current.label if current is not None and current.at <= incident.updated_at else None
        if label is None:  # it only waited for its end
            label = _IN if isinstance(self._settings, StateSettings) else self._label(incident.note or "")
        self._spells.take_up(
            Spell(label, incident.started_at, incident.note or "", incident.raw_code), incident.updated_at
        )
        return True

    def pass_over(self, until: datetime) -> None:
        """Everything up to `until` was decided before a restart."""
        self._spells.pass_over(until)

    def memory(self) -> Mapping[str, str] | None:
        """Since when what was told last has been so."""
        current = self._spells.current
        if current is None or current.label is None:
            return None
        return {"at": current.at.isoformat(), "text": current.text, "point": self._settings.point}

    def recall(self, memory: Mapping[str, str]) -> None:
        """What was told last before a restart, as far as it was told of the same point: it holds on, also if nothing more is told."""
        if memory.get("point", self._settings.point) != self._settings.point:
            return
        try:
            at = datetime.fromisoformat(memory["at"])
            text = memory["text"]
        except (KeyError, ValueError):
            return
        if at.tzinfo is None:
            return
        self._spells.recall(Change(at, self._label(text), text))
        self._anchor = at, at
        self._remembered = Listening()

    def _label(self, text: str) -> str | None:
        if isinstance(self._settings, StateSettings):
            return _IN if text in self._settings.states else None
        return None if text in {"", NOT_CHARGING} else text

    def _finding(self, decision: Decision) -> Finding:
        if decision.ended_at is None:
            return self._told(decision.spell, IncidentState.OPEN, decision.at)
        return self._told(decision.spell, IncidentState.ENDED, decision.at, ended_at=decision.ended_at)

    def _told(self, spell: Spell, state: IncidentState, at: datetime, *, ended_at: datetime | None = None) -> Finding:
        return Finding(
            key=self.key,
            state=state,
            rule=self.id,
            kind=told_kind(self._settings),
            category=self._settings.category,
            severity=self._settings.severity,
            device=self._device,
            started_at=spell.since,
            at=at,
            ended_at=ended_at,
            dwell_s=max(0.0, round(((ended_at or at) - spell.since).total_seconds(), 3)),
            point=self._settings.point,
            note=spell.text[:_LONGEST_NOTE] or None,
            raw_code=spell.raw_code,
        )
