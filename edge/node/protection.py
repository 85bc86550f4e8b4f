"""Protection (保护动作) at work: asks piles to stop, looks at their meters, and tells of what was not confirmed.

What is decided stands in `edge/rules/protection.py`; here are the threads that ask, the disk that remembers over a restart, and
the book. An order is remembered before the incident that it answers is told, and before it goes out.
"""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import structlog

from edge.contract.incident import Incident, IncidentKind, IncidentState, Severity
from edge.contract.safety import SafetyFault
from edge.contract.telemetry import ReadingFlag
from edge.errors import CommandRefused, DeviceUnreachable, EdgeError
from edge.flow import DeviceAction, DeviceControl, Finding, Reading, RuleMemory
from edge.incidents import IncidentBook
from edge.node.telemetry import ACTING
from edge.rules.identity import connector_of, quantity_of, resumed_key, rule_id, stop_key
from edge.rules.protection import OLDEST_S, Flow, Means, Stage, Stop
from edge.settings import ActingSettings, DeviceFaultSettings, DeviceSettings, ReadingRuleSettings, ThresholdSettings

HOT: Final = frozenset({SafetyFault.OVER_TEMPERATURE, SafetyFault.BATTERY_OVER_TEMPERATURE, SafetyFault.SMOKE})
"""The faults for which a charge is stopped."""

CATEGORY: Final = "fire_safety"
ANSWER_IN_S: Final = 10.0
AGAIN_FOR_S: Final = 600.0
"""So long after the last word that it is too hot a stop is asked for again."""

_AT_ONCE: Final = 8
_METERS: Final = ("current_a", "power_w")
_CONNECTED: Final = (*_METERS, "charging", "status")

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Case:
    """One stop, and what has to be known to go on with it."""

    stop: Stop
    means: Means
    device: str
    rule: str
    holds_at: datetime | None = None
    hot: bool = False
    said: str = ""

    @property
    def name(self) -> str:
        """What it is remembered as."""
        return f"{ACTING}{self.device}/{self.rule}/{self.stop.connector or 0}/{self.stop.key}"


class Protection:
    """All stops of a node. `control` tells what acts on a device; any thread."""

    def __init__(
        self,
        devices: Sequence[DeviceSettings],
        *,
        control: Callable[[str], DeviceControl | None],
        book: IncidentBook,
        memory: RuleMemory,
        clock: Callable[[], datetime],
        workers: Executor | None = None,
    ) -> None:
        self.orders = 0
        self.faults = 0
        self._control, self._book, self._memory, self._clock = control, book, memory, clock
        self._lock = threading.RLock()
        self._devices = _stoppable(devices)
        self._flows: dict[tuple[str, int | None], Flow] = {}
        self._cases: dict[tuple[str, int | None], _Case] = {}
        self._workers = workers or ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="protection")

    def resume(self) -> None:
        """Go on with what was ordered before a restart; after the book, before the first reading."""
        with self._lock:
            ongoing = {resumed_key(incident): incident for incident in self._book.ongoing()}
            for name, words in self._memory.remembered().items():
                if not name.startswith(ACTING):
                    continue
                case = _remembered(words)
                if case is None or case.device not in self._devices or self._is_idle(case, ongoing):
                    self._remember(name, None)
                    continue
                case.stop = replace(case.stop, over=case.stop.key not in ongoing)
                self._cases[case.stop.key, case.stop.connector] = case
                self._say(case)
            known = {stop_key(case.device, case.rule, case.stop.connector) for case in self._cases.values()}
            for key, incident in ongoing.items():
                if incident.kind == IncidentKind.STOP_UNCONFIRMED and key not in known:
                    self._book.end(incident, "nothing is known of this stop any more")

    @staticmethod
    def _is_idle(case: _Case, ongoing: dict[str, Incident]) -> bool:
        is_told = stop_key(case.device, case.rule, case.stop.connector) in ongoing
        return case.stop.key not in ongoing and not is_told

    def adopt(self, devices: Sequence[DeviceSettings]) -> None:
        """Go on with other devices and rules: what must not be stopped any more is left alone."""
        with self._lock:
            self._devices = _stoppable(devices)
            acting = {
                (device.id, rule_id(rule))
                for device in self._devices.values()
                for rule in device.standing_rules
                if isinstance(rule, ActingSettings) and rule.act is not None
            }
            for case in [case for case in self._cases.values() if (case.device, case.rule) not in acting]:
                if case.stop.stage is Stage.UNCONFIRMED:
                    self._report(case, IncidentState.ENDED, self._clock())
                self._drop(case)
            self._flows = {name: flow for name, flow in self._flows.items() if name[0] in self._devices}

    def stop(self) -> None:
        """No order goes out any more; what was ordered is gone on with at the next start."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    # --- what the desk tells ------------------------------------------------------------------------------------

    def found(self, settings: ReadingRuleSettings, finding: Finding, reading: Reading | None) -> None:
        """A rule has found something and is about to be told."""
        if not _acts(settings):
            return
        with self._lock:
            if finding.state is IncidentState.ENDED:
                for case in self._of(finding.key):
                    self._change(case, replace(case.stop, over=True))
            elif reading is not None and not finding.replayed:
                self._want(settings, finding, reading)

    def _of(self, key: str) -> list[_Case]:
        return [case for case in self._cases.values() if case.stop.key == key]

    def holds(self, settings: ReadingRuleSettings, finding: Finding, reading: Reading) -> None:
        """What is open holds still, as a live reading says."""
        if _acts(settings):
            with self._lock:
                self._want(settings, finding, reading)

    def cools(self, key: str) -> None:
        """What is open only waits for its end, as a live reading says."""
        with self._lock:
            for case in self._of(key):
                case.hot = False

    def look(self, reading: Reading) -> None:
        """A live reading; of those that a meter tells the newest count."""
        quantity = quantity_of(reading.point)
        if quantity not in _METERS or reading.device not in self._devices or isinstance(reading.value, str):
            return
        with self._lock:
            name = reading.device, connector_of(reading.point)
            self._flows[name] = self._flows.get(name, Flow()).said(quantity, reading.value, reading.observed_at)
            for case in [case for case in self._cases.values() if (case.device, case.stop.connector) == name]:
                self._look_at(case)

    def tick(self) -> None:
        """Time has passed: what is not confirmed in time is told, and asked for again."""
        with self._lock:
            for case in list(self._cases.values()):
                self._look_at(case)
                self._order_if_due(case)

    def figures(self) -> dict[str, Any]:
        """For the status of the node."""
        with self._lock:
            return {
                "orders": self.orders,
                "faults": self.faults,
                "stops": [
                    {
                        "device": case.device,
                        "connector": case.stop.connector,
                        "rule": case.rule,
                        "stage": case.stop.stage.value,
                        "attempts": case.stop.attempts,
                        "told": case.stop.words(),
                    }
                    for case in self._cases.values()
                ],
            }

    # --- stops --------------------------------------------------------------------------------------------------

    def _want(self, settings: ReadingRuleSettings, finding: Finding, reading: Reading) -> None:
        device = self._devices.get(finding.device)
        if device is None or not isinstance(settings, ActingSettings) or not _is_reason(finding):
            return
        now = self._clock()
        if ReadingFlag.REPLAYED in reading.flag or (now - reading.observed_at).total_seconds() > OLDEST_S:
            return
        means = Means(settings.confirm_s, settings.zero_a, settings.zero_w)
        for connector in _connectors(device, finding):
            known = self._cases.get((finding.key, connector))
            if known is None or known.stop.over:
                going_on = known is not None and known.stop.stage is Stage.UNCONFIRMED
                stage = Stage.UNCONFIRMED if going_on else Stage.ORDERED
                stop = Stop(finding.key, finding.started_at, connector, now, stage)
                known = _Case(stop, means, device.id, finding.rule)
                self._cases[finding.key, connector] = known
            known.holds_at, known.hot = now, True
            self._order_if_due(known)

    def _order_if_due(self, case: _Case) -> None:
        now = self._clock()
        if (
            case.holds_at is None
            or not case.hot
            or (now - case.holds_at).total_seconds() > AGAIN_FOR_S
            or not case.stop.is_due(now)
        ):
            return
        self._change(case, case.stop.asked(now))
        self.orders += 1
        _log.warning("a charge is to stop", device=case.device, connector=case.stop.connector, rule=case.rule)
        try:
            self._workers.submit(self._ask, case)
        except RuntimeError:  # the node stops
            self._change(case, case.stop.answered(""))

    def _ask(self, case: _Case) -> None:
        try:
            words = self._asked(case)
        except Exception as error:  # noqa: BLE001 (the top of the thread)
            self.faults += 1
            _log.exception("asking a pile to stop failed", device=case.device)
            words = f"failed: {type(error).__name__}"
        with self._lock:
            if self._cases.get((case.stop.key, case.stop.connector)) is case:
                self._change(case, case.stop.answered(words))
                self._look_at(case)

    def _asked(self, case: _Case) -> str:
        control = self._control(case.device)
        if control is None:
            return "nothing here can act on it"
        try:
            control.act(case.device, DeviceAction.STOP_CHARGE, {}, connector=case.stop.connector, wait_s=ANSWER_IN_S)
        except CommandRefused as error:
            return f"refused: {error}"
        except DeviceUnreachable as error:
            return f"no answer: {error}"
        return "accepted"

    def _look_at(self, case: _Case) -> None:
        flow = self._flows.get((case.device, case.stop.connector), Flow())
        before = case.stop.stage
        self._change(case, case.stop.looked(flow, case.means, self._clock(), hot=case.hot))
        if case.stop.stage is before:
            return
        if case.stop.stage is Stage.CONFIRMED:
            case.hot = False  # until it is said again
        if case.stop.stage is Stage.UNCONFIRMED:
            _log.error("a stop is not confirmed", device=case.device, connector=case.stop.connector)
            self._report(case, IncidentState.OPEN, self._clock())
        elif before is Stage.UNCONFIRMED:
            self._report(case, IncidentState.ENDED, self._clock())
        if case.stop.is_done:
            self._drop(case)

    def _change(self, case: _Case, stop: Stop) -> None:
        if stop == case.stop:
            return
        case.stop = stop
        if stop.is_done:
            self._say(case)
            self._drop(case)
            return
        self._remember(case.name, json.dumps(_plain(case), sort_keys=True))
        self._say(case)

    def _say(self, case: _Case) -> None:
        """The incident says what was done, and so does the one of a stop that is not confirmed."""
        words = "; ".join(
            (f"connector {each.stop.connector}: " if each.stop.connector else "") + each.stop.words()
            for each in self._cases.values()
            if each.stop.key == case.stop.key
        )
        if words != case.said:
            case.said = words
            self._book.remark(case.stop.key, f"protection: {words}")
            self._book.remark(stop_key(case.device, case.rule, case.stop.connector), f"protection: {case.stop.words()}")

    def _drop(self, case: _Case) -> None:
        self._cases.pop((case.stop.key, case.stop.connector), None)
        self._remember(case.name, None)

    def _report(self, case: _Case, state: IncidentState, at: datetime) -> None:
        flow = self._flows.get((case.device, case.stop.connector), Flow())
        by_power = flow.current_a is None and flow.power_w is not None
        quantity, value, unit = ("power_w", flow.power_w, "W") if by_power else ("current_a", flow.current_a, "A")
        connector = case.stop.connector
        self._book.report(
            Finding(
                key=stop_key(case.device, case.rule, connector),
                state=state,
                rule=case.rule,
                kind=IncidentKind.STOP_UNCONFIRMED.value,
                category=CATEGORY,
                severity=Severity.CRITICAL,
                device=case.device,
                started_at=case.stop.ordered_at,
                at=at,
                ended_at=at if state is IncidentState.ENDED else None,
                dwell_s=max(0.0, round((at - case.stop.ordered_at).total_seconds(), 3)),
                point=quantity if connector is None else f"{quantity}.{connector}",
                value=value,
                unit=None if value is None else unit,
            )
        )

    def _remember(self, name: str, words: str | None) -> None:
        try:
            self._memory.remember(name, words)
        except EdgeError as error:
            _log.error("what was ordered is not kept over a restart", order=name, reason=str(error))


def _stoppable(devices: Sequence[DeviceSettings]) -> dict[str, DeviceSettings]:
    return {device.id: device for device in devices if device.may_be_stopped}


def _acts(settings: ReadingRuleSettings) -> bool:
    return isinstance(settings, ThresholdSettings | DeviceFaultSettings) and settings.act is not None


def _is_reason(finding: Finding) -> bool:
    """Whether it is too hot now; that a charge was stopped because of heat is no reason to stop it."""
    return finding.fault is None or (finding.fault in HOT and quantity_of(finding.point or "") == "faults")


def _connectors(device: DeviceSettings, finding: Finding) -> Iterator[int | None]:
    """The connectors whose charge has to stop: all of the device's where the heat is not that of one."""
    connector = connector_of(finding.point)
    if connector:
        yield connector
        return
    told = {connector_of(point.name) for point in device.declared if quantity_of(point.name) in _CONNECTED}
    numbers = sorted(number for number in told if number)
    yield from numbers or (None,)


def _plain(case: _Case) -> dict[str, Any]:
    means = {"confirm_s": case.means.confirm_s, "zero_a": case.means.zero_a, "zero_w": case.means.zero_w}
    return {"device": case.device, "rule": case.rule, "means": means, "stop": case.stop.plain()}


def _remembered(words: str) -> _Case | None:
    try:
        plain = json.loads(words)
        return _Case(Stop.of(plain["stop"]), Means(**plain["means"]), str(plain["device"]), str(plain["rule"]))
    except (ValueError, TypeError, KeyError):
        return None
