"""Readings of devices on their way: kept first, then looked at by their rules."""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial

import structlog

from edge.errors import OutboxFull
from edge.flow import Finding, Health, Parcel, ReadingRule, Recorder
from edge.incidents import IncidentBook, RuleCards
from edge.node.standing import Standing
from edge.node.watch import presence_reading
from edge.rules.registry import reading_footing, reading_rule
from edge.settings import DeviceSettings

SILENT = "silent"
BROKER = "local-broker"
NO_LINK = "no_link"

_log = structlog.get_logger(__name__)


class DeviceDesk:
    """What the sources of readings hand over to, each from its thread."""

    def __init__(
        self,
        devices: Sequence[DeviceSettings],
        *,
        recorder: Recorder,
        book: IncidentBook,
        standing: Standing,
        clock: Callable[[], datetime],
    ) -> None:
        self.faults: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._devices: Mapping[str, DeviceSettings] = {device.id: device for device in devices}
        self._rules: Mapping[str, Sequence[ReadingRule]] = {
            device.id: [reading_rule(rule, device) for rule in device.standing_rules] for device in devices
        }
        self._recorder = recorder
        self._book = book
        self._standing = standing
        self._clock = clock

    def resume(self) -> None:
        """Hand what was open before the restart to its rules, and what they had decided; once, before the first reading."""
        self._take_up(self._rules)

    def adopt(self, devices: Sequence[DeviceSettings], cards: RuleCards) -> None:
        """Go on with other devices and rules, from any thread, between two parcels. A rule that stays as it is goes on; another
        one of the same name takes up what is open as after a restart; what has no rule any more ends.
        """
        with self._lock:
            before = {
                (name, reading_footing(settings, device)): rule
                for name, device in self._devices.items()
                for settings, rule in zip(device.standing_rules, self._rules[name], strict=True)
            }
            rules, fresh = dict[str, list[ReadingRule]](), dict[str, list[ReadingRule]]()
            for device in devices:
                rules[device.id], fresh[device.id] = [], []
                for settings in device.standing_rules:
                    known = before.get((device.id, reading_footing(settings, device)))
                    rule = known or reading_rule(settings, device)
                    rules[device.id].append(rule)
                    fresh[device.id] += [] if known else [rule]
            gone = [name for name in self._devices if name not in rules]
            names = {*self._devices, *rules}
            self._devices, self._rules = {device.id: device for device in devices}, rules
            for name in names:
                self._book.adopt(name, cards)
            self._end_without_rule(names)
            self._take_up(fresh)
        for name in gone:
            self._standing.forget(name)

    def _end_without_rule(self, devices: Collection[str]) -> None:
        for incident in self._book.ongoing():
            names = {rule.id for rule in self._rules.get(incident.device, ())}
            if incident.device in devices and (incident.rule is None or incident.rule.id not in names):
                self._book.end(incident, "its rule is not configured any more; what followed was not seen")

    def _take_up(self, fresh: Mapping[str, Sequence[ReadingRule]]) -> None:
        if not any(fresh.values()):
            return
        for (device, rule_id), until in self._book.decided().items():
            for rule in fresh.get(device, ()):
                if rule.id == rule_id:
                    rule.pass_over(until)
        for incident in self._book.ongoing():
            rules = [
                rule
                for rule in fresh.get(incident.device, ())
                if incident.rule is not None and rule.id == incident.rule.id
            ]
            if rules and not any(rule.resume(incident) for rule in rules):
                self._book.end(incident, "its rule looks at something else now; what followed was not seen")

    def set_back(self) -> dict[str, int]:
        """How often the clock of a device was set back, as its rules saw it."""
        counts = {device: max((rule.set_back for rule in rules), default=0) for device, rules in self._rules.items()}
        return {device: count for device, count in counts.items() if count}

    def keep(self, parcel: Parcel) -> None:
        """Commit, then decide. Raises OutboxFull; a rule that fails is counted and holds nothing up."""
        with self._lock:
            self._recorder.readings(parcel.readings, receipts=parcel.receipts)
            for reading in (*parcel.again, *parcel.readings):
                for rule in self._rules.get(reading.device, ()):
                    self._decide(reading.device, partial(rule.observe, reading))

    def tick(self) -> None:
        """Now and then, from any thread: what a rule holds open for what may follow ends in time, also while no reading comes."""
        with self._lock:
            now = self._clock()
            for device, rules in self._rules.items():
                for rule in rules:
                    self._decide(device, partial(rule.passed, now))

    def _decide(self, device: str, ask: Callable[[], Sequence[Finding]]) -> None:
        try:
            findings = ask()
        except Exception:  # noqa: BLE001 (one broken rule must not stop the readings of all devices)
            self.faults[device] += 1
            _log.exception("a rule failed", device=device)
            return
        for finding in findings:
            self._book.report(finding)

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
