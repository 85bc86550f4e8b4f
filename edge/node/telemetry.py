"""Readings of sensors on their way: kept first, then looked at by their rules."""

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
from edge.settings import SensorSettings

SILENT = "silent"
BROKER = "local-broker"
NO_LINK = "no_link"

_log = structlog.get_logger(__name__)


class SensorDesk:
    """What the sensors' source hands over to, from its thread."""

    def __init__(
        self,
        sensors: Sequence[SensorSettings],
        *,
        recorder: Recorder,
        book: IncidentBook,
        standing: Standing,
        clock: Callable[[], datetime],
    ) -> None:
        self.faults: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._sensors: Mapping[str, SensorSettings] = {sensor.id: sensor for sensor in sensors}
        self._rules: Mapping[str, Sequence[ReadingRule]] = {
            sensor.id: [reading_rule(rule, sensor) for rule in sensor.rules] for sensor in sensors
        }
        self._recorder = recorder
        self._book = book
        self._standing = standing
        self._clock = clock

    def resume(self) -> None:
        """Hand what was open before the restart to its rules, and what they had decided; once, before the first reading."""
        self._take_up(self._rules)

    def adopt(self, sensors: Sequence[SensorSettings], cards: RuleCards) -> None:
        """Go on with other sensors and rules, from any thread, between two parcels. A rule that stays as it is goes on; another
        one of the same name takes up what is open as after a restart; what has no rule any more ends.
        """
        with self._lock:
            before = {
                (device, reading_footing(settings, sensor)): rule
                for device, sensor in self._sensors.items()
                for settings, rule in zip(sensor.rules, self._rules[device], strict=True)
            }
            rules, fresh = dict[str, list[ReadingRule]](), dict[str, list[ReadingRule]]()
            for sensor in sensors:
                rules[sensor.id], fresh[sensor.id] = [], []
                for settings in sensor.rules:
                    known = before.get((sensor.id, reading_footing(settings, sensor)))
                    rule = known or reading_rule(settings, sensor)
                    rules[sensor.id].append(rule)
                    fresh[sensor.id] += [] if known else [rule]
            gone = [device for device in self._sensors if device not in rules]
            devices = {*self._sensors, *rules}
            self._sensors, self._rules = {sensor.id: sensor for sensor in sensors}, rules
            for device in devices:
                self._book.adopt(device, cards)
            self._end_without_rule(devices)
            self._take_up(fresh)
        for device in gone:
            self._standing.forget(device)

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
        except Exception:  # noqa: BLE001 (one broken rule must not stop the readings of all sensors)
            self.faults[device] += 1
            _log.exception("a rule failed", device=device)
            return
        for finding in findings:
            self._book.report(finding)

    def on_status(self, device: str, health: Health, reason: str | None) -> None:
        """A sensor, or the local broker (without a name), came or went."""
        if not device:
            if health is Health.OK:
                self._standing.recover(BROKER, NO_LINK)
            else:
                self._standing.degrade(BROKER, NO_LINK, reason or "no link")
            return
        sensor = self._sensors.get(device)
        if sensor is None:
            return  # it is no part of the configuration any more
        if health is Health.OK:
            self._standing.recover(device, SILENT)
        else:
            self._standing.degrade(device, SILENT, reason or "silent")
        presence = presence_reading(device, health, self._clock(), simulated=sensor.simulated)
        try:
            self._recorder.readings([presence])
        except OutboxFull as error:
            _log.error("a presence was not kept", device=device, reason=str(error))
