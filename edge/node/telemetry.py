"""Readings of devices on their way: kept first, then looked at by their rules."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Protocol

import structlog

from edge.contract.incident import Incident, IncidentKind, IncidentState
from edge.contract.telemetry import ReadingFlag
from edge.errors import EdgeError, OutboxFull
from edge.flow import Finding, Health, Parcel, Reading, Recorder, RuleMemory
from edge.incidents import IncidentBook, RuleCards
from edge.node.camera_status import presence_reading
from edge.node.standing import Standing
from edge.node.states import States
from edge.rules.device_rules import DeviceRules
from edge.rules.device_rules import Standing as StandingRule
from edge.rules.history import SETTLE_S, History, Past
from edge.rules.identity import resumed_key
from edge.rules.registry import reading_footing, reading_rule
from edge.settings import ActingSettings, DeviceSettings, ReadingRuleSettings

SILENT = "silent"
BROKER = "local-broker"
NO_LINK = "no_link"

ACTING = "acting "
"""Begins the names of what is remembered of acting on devices: not a rule's."""

_NOT_OF_ONE_RULE = (IncidentKind.STOP_UNCONFIRMED, IncidentKind.COMPOSITE)
"""Incidents that stand beside those of the rules that they name."""

_log = structlog.get_logger(__name__)


class DeskStore(Recorder, RuleMemory, Protocol):
    """What the desk needs of the outbox."""


class Protector(Protocol):
    """What acts where a rule asks for it."""

    def look(self, reading: Reading) -> None:
        """A live reading of a device."""
        ...

    def found(self, settings: ReadingRuleSettings, finding: Finding, reading: Reading | None) -> None:
        """What a rule has found and is about to be told, and the live reading that it was found in."""
        ...

    def holds(self, settings: ReadingRuleSettings, finding: Finding, reading: Reading) -> None:
        """What is open holds, as a live reading says."""
        ...

    def cools(self, key: str) -> None:
        """What is open only waits for its end, as a live reading says."""
        ...

    def over(self, key: str) -> None:
        """What was open has ended, as no rule can go on with it."""
        ...


class DeviceDesk:
    """What the sources of readings hand over to, each from its thread."""

    def __init__(
        self,
        devices: Sequence[DeviceSettings],
        *,
        recorder: DeskStore,
        book: IncidentBook,
        standing: Standing,
        clock: Callable[[], datetime],
        protector: Protector | None = None,
        settle_s: float = SETTLE_S,
    ) -> None:
        self.faults: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._recorder = recorder
        self._book = book
        self._standing = standing
        self._clock = clock
        self._protector = protector
        self._history = History(clock, settle_s=settle_s)
        self._states = States(devices)
        self._begun: list[tuple[str, StandingRule]] = []
        self._remembered: dict[str, str] = {}
        self._devices: Mapping[str, DeviceSettings] = {device.id: device for device in devices}
        self._rules: Mapping[str, DeviceRules] = {
            device.id: self._of(device, [_made(rule, device) for rule in device.standing_rules]) for device in devices
        }

    def _of(self, device: DeviceSettings, standing: Sequence[StandingRule]) -> DeviceRules:
        return DeviceRules(standing, partial(self._guarded, device.id))

    def resume(self) -> None:
        """Hand what was open before the restart to its rules, and what they had decided; once, before the first reading."""
        with self._lock:
            self._remembered = {
                name: words for name, words in self._recorder.remembered().items() if not name.startswith(ACTING)
            }
            self._take_up([rule for rules in self._rules.values() for rule in rules.standing])
            self._forget_unconfigured()

    def adopt(self, devices: Sequence[DeviceSettings], cards: RuleCards) -> None:
        """Go on with other devices and rules, from any thread, between two parcels. A rule that stays as it is goes on; another
        one of the same name takes up what is open as after a restart; what has no rule any more ends.
        """
        with self._lock:
            before = {
                (name, reading_footing(settings, device)): standing
                for name, device in self._devices.items()
                for settings, standing in zip(device.standing_rules, self._rules[name].standing, strict=True)
            }
            rules, fresh = dict[str, DeviceRules](), list[StandingRule]()
            for device in devices:
                standing = []
                for settings in device.standing_rules:
                    known = before.get((device.id, reading_footing(settings, device)))
                    rule = known or _made(settings, device)
                    standing.append(rule)
                    fresh += [] if known else [rule]
                rules[device.id] = self._of(device, standing)
            self._flush(
                {
                    name: [each for each in known.standing if each not in rules[name].standing]
                    if name in rules
                    else known.standing
                    for name, known in self._rules.items()
                }
            )
            gone = [name for name in self._devices if name not in rules]
            names = {*self._devices, *rules}
            self._devices, self._rules = {device.id: device for device in devices}, rules
            self._history.forget(gone)
            self._states.adopt(devices)
            for name in names:
                self._book.adopt(name, cards)
            self._end_without_rule(names)
            self._take_up(fresh)
            self._tell_what_stands(fresh)
            self._forget_unconfigured()
        for name in gone:
            self._standing.forget(name)

    def _end_without_rule(self, devices: Collection[str]) -> None:
        for incident in self._book.ongoing():
            standing = self._rules[incident.device].standing if incident.device in self._rules else ()
            names = {each.rule.id for each in standing}
            if incident.kind == IncidentKind.COMPOSITE or incident.device not in devices:
                continue
            if incident.rule is None or incident.rule.id not in names:
                self._end(incident, "its rule is not configured any more; what followed was not seen")

    def _end(self, incident: Incident, reason: str) -> None:
        self._book.end(incident, reason)
        if self._protector is not None:
            self._protector.over(resumed_key(incident))

    def _take_up(self, fresh: Sequence[StandingRule]) -> None:
        if not fresh:
            return
        by_name = {(device, each.rule.id): each for device, rules in self._rules.items() for each in rules.standing}
        for (device, name), each in by_name.items():
            words = self._remembered.get(f"{device}/{name}") if each in fresh else None
            if words is not None:
                each.rule.recall(_memory(words))
        for (device, name), until in self._book.decided().items():
            known = by_name.get((device, name))
            if known in fresh and known is not None:
                known.decided_at = until
                known.rule.pass_over(until)
        for incident in self._book.ongoing():
            known = by_name.get((incident.device, incident.rule.id)) if incident.rule is not None else None
            if known is None or known not in fresh or incident.kind in _NOT_OF_ONE_RULE:
                continue
            if not known.rule.resume(incident):
                self._end(incident, "its rule looks at something else now; what followed was not seen")
                continue
            known.take_up(_as_found(incident, known.rule.id))

    def _tell_what_stands(self, fresh: Collection[StandingRule]) -> None:
        """Rules that begin on a reload learn what states stand: nobody tells them again before they change."""
        for device, rules in self._rules.items():
            for each in rules.standing:
                if each in fresh:
                    self._tell_of(device, rules, each)

    def _tell_of(self, device: str, rules: DeviceRules, begun: StandingRule) -> None:
        known_until = [finding.at for finding in begun.open.values()]
        known_until += [] if begun.decided_at is None else [begun.decided_at]
        for reading in self._states.of(device, after=max(known_until, default=None)):
            if begun.rule.concerns(reading):
                replayed = ReadingFlag.REPLAYED in reading.flag
                for standing, finding in rules.observe_by(begun, reading):
                    self._tell(standing, replace(finding, replayed=finding.replayed or replayed), None)
        self._begun.append((device, begun))

    def _act_on_what_stands(self) -> None:
        """What a rule that begins asks for, for a state that stands: once all of the node goes on with the new configuration."""
        begun, self._begun = self._begun, []
        now = self._clock()
        for device, standing in begun:
            rules = self._rules.get(device)
            if self._protector is None or rules is None or standing not in rules.standing:
                continue
            for reading in self._states.of(device):
                if ReadingFlag.REPLAYED not in reading.flag:
                    self._say_of(self._protector, standing, replace(reading, observed_at=now, received_at=now))

    def _flush(self, leaving: Mapping[str, Sequence[StandingRule]]) -> None:
        for device, standing in leaving.items():
            for each in standing:
                for rule, finding in self._rules[device].flush(each):
                    self._tell(rule, finding, None)

    def _forget_unconfigured(self) -> None:
        names = {f"{device}/{each.rule.id}" for device, rules in self._rules.items() for each in rules.standing}
        for name in [name for name in self._remembered if name not in names]:
            self._remember(name, None)

    def set_back(self) -> dict[str, int]:
        """How often the clock of a device was set back, as its rules saw it."""
        counts = {
            device: max((each.rule.set_back for each in rules.standing), default=0)
            for device, rules in self._rules.items()
        }
        return {device: count for device, count in counts.items() if count}

    @property
    def waiting(self) -> int:
        """Readings of histories that are not complete."""
        return self._history.kept

    def keep(self, parcel: Parcel) -> None:
        """Commit, then decide. Raises OutboxFull; a rule that fails is counted and holds nothing up."""
        self._recorder.readings(parcel.readings, receipts=parcel.receipts)
        with self._lock:
            seen = [self._judge(reading, again=True) for reading in parcel.again]
            seen += [self._judge(reading) for reading in parcel.readings]
            self._protect([reading for reading in seen if reading is not None])
            self._judge_histories()
            self._keep_memories({reading.device for reading in (*parcel.again, *parcel.readings)})

    def tick(self) -> None:
        """Now and then, from any thread: what a rule holds open for what may follow ends in time, also while no reading comes."""
        with self._lock:
            self._judge_histories()
            self._act_on_what_stands()
            now = self._clock()
            for device, rules in self._rules.items():
                if self._history.is_begun(device):
                    continue  # what was told last of it is not how things stand
                for standing, finding in rules.passed(now):
                    self._tell(standing, finding, None)
            self._keep_memories(self._rules)

    def flush(self) -> None:
        """The node stops: what waits is looked at as it is."""
        with self._lock:
            for past in self._history.rest():
                self._judge_past(past.device, past)
            self._flush({device: rules.standing for device, rules in self._rules.items()})

    def _judge(self, reading: Reading, *, again: bool = False) -> Reading | None:
        """The reading as rules have seen it now; None where it waits, or is nobody's."""
        rules = self._rules.get(reading.device)
        seen = None if rules is None else self._history.take(reading, again=again)
        if rules is None or seen is None:
            return None
        self._states.take(seen)
        for standing, finding in rules.observe(seen, again=again):
            self._tell(standing, finding, seen)
        return seen

    def _protect(self, readings: Sequence[Reading]) -> None:
        """What was said at once counts together: first how hot it is, then what flows."""
        if self._protector is None:
            return
        for reading in readings:
            self._say_what_holds(self._protector, reading)
        for reading in readings:
            self._protector.look(reading)

    def _say_what_holds(self, protector: Protector, reading: Reading) -> None:
        """Of what is open and asks for more than being told, whether it holds still."""
        for standing in self._rules[reading.device].standing:
            self._say_of(protector, standing, reading)

    def _say_of(self, protector: Protector, standing: StandingRule, reading: Reading) -> None:
        settings = standing.settings
        if not isinstance(settings, ActingSettings) or settings.act is None or not standing.open:
            return
        if standing.rule.concerns(reading):
            holding = {finding.key: finding for finding in self._guarded(reading.device, standing.rule.holding)}
            for key in standing.open:
                if key in holding:
                    protector.holds(settings, holding[key], reading)
                else:
                    protector.cools(key)

    def _judge_histories(self) -> None:
        for past in self._history.due():
            self._judge_past(past.device, past)
            self._keep_memories([past.device])

    def _judge_past(self, device: str, past: Past) -> None:
        rules = self._rules.get(device)
        if rules is not None:
            for reading in past.readings:
                self._states.take(reading)
            for standing, finding in rules.past(past, self._clock()):
                self._tell(standing, finding, None)

    def _tell(self, standing: StandingRule, finding: Finding, reading: Reading | None) -> None:
        if self._protector is not None:
            self._protector.found(standing.settings, finding, reading)
        self._book.report(finding)

    def _guarded(self, device: str, ask: Callable[[], Sequence[Finding]]) -> Sequence[Finding]:
        try:
            return ask()
        except Exception:  # noqa: BLE001 (one broken rule must not stop the readings of all devices)
            self.faults[device] += 1
            _log.exception("a rule failed", device=device)
            return ()

    def _keep_memories(self, devices: Iterable[str]) -> None:
        """What rules have to know after a restart, as far as it has changed."""
        for device in devices:
            rules = self._rules.get(device)
            memories = {} if rules is None else rules.memories()
            for each in () if rules is None else rules.standing:
                name, memory = f"{device}/{each.rule.id}", memories.get(each.rule.id)
                words = json.dumps(memory, sort_keys=True, ensure_ascii=False) if memory else None
                if words != self._remembered.get(name):
                    self._remember(name, words)

    def _remember(self, name: str, words: str | None) -> None:
        try:
            self._recorder.remember(name, words)
        except EdgeError as error:
            _log.error("what a rule has to know after a restart was not kept", rule=name, reason=str(error))
            return
        if words is None:
            self._remembered.pop(name, None)
        else:
            self._remembered[name] = words

    def on_status(self, device: str, health: Health, reason: str | None) -> None:
        """A device, or the local broker (without a name), came or went."""
        if not device:
            if health is Health.OK:
                self._standing.recover(BROKER, NO_LINK)
            else:
                self._standing.degrade(BROKER, NO_LINK, reason or "no link")
            return
        settings = self._devices.get(device)
        if settings is None:
            return  # it is no part of the configuration any more
        if health is Health.OK:
            self._standing.recover(device, SILENT)
        else:
            self._standing.degrade(device, SILENT, reason or "silent")
        presence = presence_reading(device, health, self._clock(), simulated=settings.simulated)
        try:
            self._recorder.readings([presence])
        except OutboxFull as error:
            _log.error("a presence was not kept", device=device, reason=str(error))
        with self._lock:
            self._judge(presence)


def _made(settings: ReadingRuleSettings, device: DeviceSettings) -> StandingRule:
    """A rule as it stands. Raises ConfigurationError."""
    return StandingRule(reading_rule(settings, device), partial(reading_rule, settings, device), settings)


def _memory(words: str) -> Mapping[str, str]:
    """What a rule gave to be kept; what can't be read is nothing."""
    try:
        memory = json.loads(words)
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in memory.items()} if isinstance(memory, dict) else {}


def _as_found(incident: Incident, rule: str) -> Finding:
    """An incident that was open before a restart, as its rule has found it."""
    return Finding(
        key=resumed_key(incident, rule),
        state=IncidentState.UPDATE,
        rule=rule,
        kind=incident.kind,
        category=incident.category,
        severity=incident.severity,
        device=incident.device,
        started_at=incident.started_at,
        at=incident.updated_at,
        point=incident.point,
        value=incident.value,
        unit=incident.unit,
        fault=incident.fault,
        raw_code=incident.raw_code,
    )
