"""Device fault (设备故障): what a device says is wrong with it, in the one taxonomy of all protocols. Pure.

A fault stands in a state of the device or of one of its connectors (`faults`, `faults.1`), or is the reason for which a charge was stopped
(`stop_reason.1`). Both are one thing: each member of the taxonomy is one incident for each connector. The device's own code is kept.
"""

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from edge.contract.incident import Incident, IncidentState
from edge.contract.safety import SEPARATOR, SafetyFault, category_of, severity_of, split
from edge.contract.telemetry import ReadingFlag
from edge.flow import Finding, Reading, ReadingRule
from edge.rules.identity import connector_of, fault_key, quantity_of, rule_id, told_kind
from edge.rules.spells import Change, Decision, Spell, Spells
from edge.settings import DeviceFaultSettings

FAULTS: Final = "faults"
STOP_REASON: Final = "stop_reason"

_REMEMBERED: Final = 256
_LONGEST_CODE: Final = 200


def reasons(value: str) -> frozenset[SafetyFault]:
    """The faults for which a charge was stopped; a reason that is no fault (`remote`, `full`) names none."""
    known = set(SafetyFault)
    return frozenset(SafetyFault(name) for name in value.split(SEPARATOR) if name in known)


@dataclass(slots=True)
class _Connector:
    """One member of the taxonomy at one connector: told as a state, or to hold until `until` since a charge was stopped for it."""

    spells: Spells
    point: str
    until: datetime | None = None
    stated: bool = False
    raw_codes: dict[str, None] = field(default_factory=dict)


class DeviceFaultRule(ReadingRule):
    """All faults of one device."""

    def __init__(self, settings: DeviceFaultSettings, device: str) -> None:
        self._settings, self._device = settings, device
        self._faults: dict[tuple[int | None, SafetyFault], _Connector] = {}
        self._newest: dict[int | None, tuple[datetime, frozenset[SafetyFault]]] = {}
        self._stops: deque[tuple[str, datetime, str]] = deque(maxlen=_REMEMBERED)
        self._anchor: tuple[datetime, datetime] | None = None
        self._decided_at: datetime | None = None

    @property
    def id(self) -> str:
        """What the rule is called on its device."""
        return rule_id(self._settings)

    def concerns(self, reading: Reading) -> bool:
        """Whether a reading tells of faults."""
        if reading.device != self._device or not isinstance(reading.value, str):
            return False
        return quantity_of(reading.point) in {FAULTS, STOP_REASON}

    def observe(self, reading: Reading) -> Sequence[Finding]:
        """Take what is wrong now, or why a charge was stopped."""
        if not self.concerns(reading) or not isinstance(reading.value, str):
            return ()
        of_node = reading.observed_at if ReadingFlag.REPLAYED in reading.flag else reading.received_at
        if self._anchor is None or reading.observed_at >= self._anchor[0]:
            self._anchor = reading.observed_at, of_node
        over = [finding for name in list(self._faults) for finding in self._passed(name, reading.observed_at)]
        if quantity_of(reading.point) == FAULTS:
            return [*over, *self._stated(reading, self._counting(split(reading.value)))]
        return [*over, *self._stopped(reading, self._counting(reasons(reading.value)))]

    def passed(self, at: datetime) -> Sequence[Finding]:
        """A state goes on while nothing is told; what was told of a stop is over some time later."""
        if self._anchor is None or at <= self._anchor[1]:
            return ()
        now = self._anchor[0] + (at - self._anchor[1])
        return [finding for name in list(self._faults) for finding in self._passed(name, now)]

    def holding(self) -> Sequence[Finding]:
        """What is wrong as far as the states say; a stop for a fault is over as soon as it is told."""
        return [
            self._told(name, of, of.spells.open, IncidentState.UPDATE, of.spells.open.since)
            for name, of in self._faults.items()
            if of.spells.open is not None and of.stated
        ]

    def resume(self, incident: Incident) -> bool:
        """Go on with what was open before a restart, where it is a fault that counts still."""
        try:
            fault = SafetyFault(incident.fault or "")
        except ValueError:
            return False
        if not self._counting({fault}) or incident.point is None:
            return False
        name = connector_of(incident.point), fault
        of = self._of(name, incident.point)
        of.spells.take_up(Spell(fault.value, incident.started_at), incident.updated_at)
        of.raw_codes = dict.fromkeys(incident.raw_code.split("; ") if incident.raw_code else ())
        of.stated = quantity_of(incident.point) == FAULTS
        if of.stated:
            since, present = self._newest.get(name[0], (incident.started_at, frozenset()))
            self._newest[name[0]] = max(since, incident.started_at), present | {fault}
        else:
            of.until = incident.updated_at + timedelta(seconds=self._settings.hold_s)
            self._anchor = self._anchor or (incident.updated_at, incident.updated_at)
        return True

    def stands_alone(self, finding: Finding) -> bool:
        """Whether it is what a charge was stopped for: that has happened, whatever is told afterwards."""
        return quantity_of(finding.point or "") == STOP_REASON

    def pass_over(self, until: datetime) -> None:
        """Everything up to `until` was decided before a restart."""
        self._decided_at = until

    def _counting(self, faults: Collection[SafetyFault]) -> set[SafetyFault]:
        wanted = set(self._settings.faults or SafetyFault) - set(self._settings.ignored)
        return wanted & set(faults)

    def _of(self, name: tuple[int | None, SafetyFault], point: str) -> _Connector:
        known = self._faults.get(name)
        if known is None:
            known = self._faults[name] = _Connector(Spells(0.0, self._settings.clear_for_s), point)
        return known

    def _stated(self, reading: Reading, present: Collection[SafetyFault]) -> Iterator[Finding]:
        connector = connector_of(reading.point)
        newest_at, since_present = self._newest.get(connector, (reading.observed_at, frozenset()))
        if reading.observed_at < newest_at:
            yield from self._stated_before(reading, present, newest_at, since_present)
            return
        self._newest[connector] = reading.observed_at, frozenset(present)
        for fault in sorted(present):
            of = self._of((connector, fault), reading.point)
            of.point, of.stated, of.until = reading.point, True, None
            self._note(of, reading.raw_code)
            yield from self._take((connector, fault), of, reading.observed_at, fault)
        for name, of in self._faults.items():
            if name[0] == connector and name[1] not in present and of.stated:
                of.stated = False
                yield from self._take(name, of, reading.observed_at, None)

    def _stated_before(
        self,
        reading: Reading,
        present: Collection[SafetyFault],
        newest_at: datetime,
        since_present: Collection[SafetyFault],
    ) -> Iterator[Finding]:
        """What was wrong before the newest that was told: it begins and ends with what is known since."""
        connector = connector_of(reading.point)
        for fault in sorted(present):
            name = connector, fault
            of = self._of(name, reading.point)
            self._note(of, reading.raw_code)
            yield from self._take(name, of, reading.observed_at, fault)
            if fault not in since_present and of.until is None:
                yield from self._take(name, of, newest_at, None)
        for fault in sorted(set(since_present) - set(present)):
            yield from self._take((connector, fault), self._faults[connector, fault], reading.observed_at, None)

    def _stopped(self, reading: Reading, present: Collection[SafetyFault]) -> Iterator[Finding]:
        occurrence = reading.point, reading.observed_at, str(reading.value)
        if occurrence in self._stops:
            return
        self._stops.append(occurrence)
        connector = connector_of(reading.point)
        for fault in sorted(present):
            of = self._of((connector, fault), reading.point)
            is_new = self._note(of, reading.raw_code)
            if of.stated:
                if is_new and of.spells.open is not None:
                    yield self._told((connector, fault), of, of.spells.open, IncidentState.UPDATE, reading.observed_at)
                continue
            if of.spells.open is None:
                of.point = reading.point
            until = reading.observed_at + timedelta(seconds=self._settings.hold_s)
            of.until = until if of.until is None else max(of.until, until)
            yield from self._take((connector, fault), of, reading.observed_at, fault)
            if self._anchor is not None:
                yield from self._passed((connector, fault), self._anchor[0])

    def _passed(self, name: tuple[int | None, SafetyFault], now: datetime) -> Iterator[Finding]:
        of = self._faults[name]
        if of.until is not None and now >= of.until:
            until, of.until = of.until, None
            yield from self._take(name, of, until, None)
        for decision in of.spells.passed(now):
            yield self._decided(name, of, decision)

    def _take(
        self, name: tuple[int | None, SafetyFault], of: _Connector, at: datetime, fault: SafetyFault | None
    ) -> Iterator[Finding]:
        if self._decided_at is not None and fault is not None and at <= self._decided_at and of.spells.open is None:
            return
        for decision in of.spells.take(Change(at, fault)):
            yield self._decided(name, of, decision)

    def _note(self, of: _Connector, raw_code: str | None) -> bool:
        """Keep what the device itself calls it, each code once."""
        if of.spells.open is None and of.until is None:
            of.raw_codes.clear()
        is_new = raw_code is not None and raw_code not in of.raw_codes
        if raw_code is not None and is_new:
            of.raw_codes[raw_code] = None
        return is_new

    def _decided(self, name: tuple[int | None, SafetyFault], of: _Connector, decision: Decision) -> Finding:
        if decision.ended_at is None:
            return self._told(name, of, decision.spell, IncidentState.OPEN, decision.at)
        return self._told(name, of, decision.spell, IncidentState.ENDED, decision.at, ended_at=decision.ended_at)

    def _told(
        self,
        name: tuple[int | None, SafetyFault],
        of: _Connector,
        spell: Spell,
        state: IncidentState,
        at: datetime,
        *,
        ended_at: datetime | None = None,
    ) -> Finding:
        connector, fault = name
        return Finding(
            key=fault_key(self._device, self.id, connector, fault),
            state=state,
            rule=self.id,
            kind=told_kind(self._settings),
            category=self._settings.category or category_of(fault),
            severity=self._settings.severity or severity_of(fault),
            device=self._device,
            started_at=spell.since,
            at=max(at, spell.since),
            ended_at=ended_at,
            dwell_s=max(0.0, round(((ended_at or at) - spell.since).total_seconds(), 3)),
            point=of.point,
            fault=fault.value,
            raw_code="; ".join(of.raw_codes)[:_LONGEST_CODE] or None,
        )
