"""Protection (保护动作) at work: asks piles to stop, looks at their meters, and tells of what was not confirmed.

What is decided stands in `edge/rules/protection.py`; here are the threads that ask, the disk that remembers over a restart, and
the book. An order is remembered before the incident that it answers is told, and before it goes out.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import structlog

from edge.contract.incident import Incident, IncidentKind, IncidentState, Severity
from edge.contract.safety import SafetyFault
from edge.contract.telemetry import ReadingFlag
from edge.errors import CommandRefused, DeviceBusy, DeviceUnreachable, EdgeError
from edge.flow import DeviceAction, DeviceControl, Finding, Reading, RuleMemory
from edge.incidents import IncidentBook
from edge.node.stop_case import Case, Reason
from edge.node.telemetry import ACTING
from edge.rules.connector import Connector, Lag, Means
from edge.rules.identity import connector_of, quantity_of, resumed_key, rule_id
from edge.rules.protection import OLDEST_S, Stage, Stop
from edge.settings import ActingSettings, DeviceFaultSettings, DeviceSettings, ReadingRuleSettings, ThresholdSettings

HOT: Final = frozenset({SafetyFault.OVER_TEMPERATURE, SafetyFault.BATTERY_OVER_TEMPERATURE, SafetyFault.SMOKE})
"""The faults for which a charge is stopped."""

CATEGORY: Final = "fire_safety"
ACCEPTED: Final = "accepted"
ANSWER_IN_S: Final = 10.0
AGAIN_FOR_S: Final = 600.0
"""So long after the last word that it is too hot a stop is asked for again."""

_AT_ONCE: Final = 8
_TELLING: Final = ("current_a", "power_w", "charging", "status")

_log = structlog.get_logger(__name__)


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
        self._connectors: dict[tuple[str, int | None], Connector] = {}
        self._lags: dict[str, Lag] = {}
        self._cases: dict[tuple[str, int | None], Case] = {}
        self._workers = workers or ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="protection")

    def resume(self) -> None:
        """Go on with what was ordered before a restart; after the book, before the first reading."""
        with self._lock:
            ongoing = {resumed_key(incident): incident for incident in self._book.ongoing()}
            for name, words in self._memory.remembered().items():
                if not name.startswith(ACTING):
                    continue
                case = Case.of(words)
                if case is not None:
                    case.reasons = {key: reason for key, reason in case.reasons.items() if key in ongoing}
                if (
                    case is None
                    or case.device not in self._devices
                    or name != _name(case)
                    or not (case.reasons or case.key in ongoing)
                ):
                    self._remember(name, None)
                    continue
                self._cases[case.place] = case
                self._say(case)
                if case.stop.stage is Stage.UNCONFIRMED and case.key not in ongoing:
                    self._report(case, IncidentState.OPEN, self._clock())
            told = {case.key for case in self._cases.values() if case.stop.stage is Stage.UNCONFIRMED}
            for key, incident in ongoing.items():
                if incident.kind == IncidentKind.STOP_UNCONFIRMED and key not in told:
                    self._book.end(incident, "nothing is left to be confirmed of this stop")
            for case in [case for case in self._cases.values() if case.is_done]:
                self._drop(case)

    def adopt(self, devices: Sequence[DeviceSettings]) -> None:
        """Go on with other devices and rules, once they are in force: what must not be stopped any more is left alone."""
        with self._lock:
            self._devices = _stoppable(devices)
            acting = {
                (device.id, rule_id(rule))
                for device in self._devices.values()
                for rule in device.standing_rules
                if isinstance(rule, ActingSettings) and rule.act is not None
            }
            for case in list(self._cases.values()):
                rules = {case.rule, *(reason.rule for reason in case.reasons.values())}
                for rule in sorted(name for name in rules if (case.device, name) not in acting):
                    self._without(case, rule)
            for case in list(self._cases.values()):
                self._look_at(case)
            self._connectors = {place: of for place, of in self._connectors.items() if place[0] in self._devices}
            self._lags = {device: lag for device, lag in self._lags.items() if device in self._devices}

    def _without(self, case: Case, rule: str) -> None:
        """A rule acts no more."""
        before, is_told = case.key, case.stop.stage is Stage.UNCONFIRMED
        goes_on = case.goes_on_by(rule)
        if case.key != before or not goes_on:
            for incident in [each for each in self._book.ongoing() if is_told and _is_of(each, before)]:
                self._book.end(incident, "its rule acts no more")
        if not goes_on:
            self._drop(case)
            return
        self._keep(case)
        if case.key != before and is_told:
            self._report(case, IncidentState.OPEN, self._clock())

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
                    self._over(case, finding.key)
            elif reading is not None and not finding.replayed:
                self._want(settings, finding, reading)

    def over(self, key: str) -> None:
        """What was open has ended without a word of its rule, as on a reload: it is no reason any more."""
        with self._lock:
            for case in self._of(key):
                self._over(case, key)

    def _of(self, key: str) -> list[Case]:
        return [case for case in self._cases.values() if key in case.reasons]

    def _over(self, case: Case, key: str) -> None:
        """One reason is over. What is done later is no word of its incident any more."""
        del case.reasons[key]
        self._keep(case)
        self._look_at(case)

    def holds(self, settings: ReadingRuleSettings, finding: Finding, reading: Reading) -> None:
        """What is open holds still, as a live reading says."""
        if _acts(settings):
            with self._lock:
                self._want(settings, finding, reading)

    def cools(self, key: str) -> None:
        """What is open only waits for its end, as a live reading says."""
        with self._lock:
            for case in self._of(key):
                case.reasons[key].hot = False

    def look(self, reading: Reading) -> None:
        """A live reading; of those that tell what flows, and whether a charge is under way, the newest count."""
        if reading.device not in self._devices or ReadingFlag.REPLAYED in reading.flag:
            return
        quantity = quantity_of(reading.point)
        with self._lock:
            lag = self._lags.setdefault(reading.device, Lag())
            if reading.own_time:
                lag.hear(reading.observed_at, reading.received_at)
            if quantity not in _TELLING:
                return
            place = reading.device, connector_of(reading.point)
            before = self._known(place)
            lag_of = lag.of(own_time=reading.own_time)
            known = before.said(quantity, reading.value, reading.observed_at, lag_of)
            self._connectors[place] = known
            case = self._cases.get(place)
            if case is not None:
                self._change(case, case.stop.heard(before, known, reading.observed_at + lag_of))
                self._go_on(case)

    def _known(self, place: tuple[str, int | None]) -> Connector:
        return self._connectors.get(place, Connector())

    def tick(self) -> None:
        """Time has passed: what is not confirmed in time is told, and asked for again."""
        with self._lock:
            for case in list(self._cases.values()):
                self._go_on(case)

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
            case = self._cases.get((device.id, connector))
            if case is None:
                case = Case(device.id, finding.rule, means, Stop(connector, now, Stage.IDLE))
                self._cases[case.place] = case
            is_new = finding.key not in case.reasons
            reason = case.reasons.setdefault(
                finding.key, Reason(finding.rule, means, isinstance(settings, DeviceFaultSettings))
            )
            reason.holds_at, reason.hot = now, True
            if is_new:
                self._joined(case)
            self._go_on(case)

    def _joined(self, case: Case) -> None:
        """There is one reason more. A zero that was confirmed for another one counts for this one too."""
        if case.stop.stage is Stage.LEFT:
            case.stop = replace(case.stop, stage=Stage.IDLE)
        elif case.stop.stage is Stage.UNCONFIRMED and not case.stop.is_restless:
            case.stop = replace(case.stop, next_at=None)
        self._keep(case)

    def _go_on(self, case: Case) -> None:
        """What has begun is to stop, what was asked for is looked at, and what is due goes out."""
        self._begin_if_charging(case)
        self._look_at(case)
        self._order_if_due(case)

    def _begin_if_charging(self, case: Case) -> None:
        """It is too hot: what is charged there now, as far as is known, has to stop, each charge by an order of its own."""
        now, known = self._clock(), self._known(case.place)
        if not case.is_fresh(now):
            return
        if case.stop.stage is Stage.IDLE and not known.is_idle(case.means):
            case.goes_on_from(now)
            self._change(case, case.stop.begun(now, known))
        elif case.stop.is_needed_again(known, case.means):
            case.goes_on_from(now)
            self._turn(case, case.stop.again(now, known))

    def _order_if_due(self, case: Case) -> None:
        now, known = self._clock(), self._known(case.place)
        holds_at = case.holds_at
        if holds_at is None or (now - holds_at).total_seconds() > AGAIN_FOR_S or not case.stop.is_due(now):
            return
        if known.is_idle(case.means) or known.has_left(case.stop.charge, case.means):
            return  # the charge that was meant is over: another one is nobody's fault
        self._change(case, case.stop.asked(now, known.charge))
        self.orders += 1
        _log.warning("a charge is to stop", device=case.device, connector=case.stop.connector, rule=case.rule)
        try:
            self._workers.submit(self._ask, case)
        except RuntimeError:  # the node stops
            self._change(case, case.stop.answered(""))

    def _ask(self, case: Case) -> None:
        busy = ""
        try:
            words = self._asked(case)
        except DeviceBusy as error:
            words, busy = "", f"waits its turn: {error}"
        except Exception as error:  # noqa: BLE001 (the top of the thread)
            self.faults += 1
            _log.exception("asking a pile to stop failed", device=case.device)
            words = f"failed: {type(error).__name__}"
        with self._lock:
            if self._cases.get(case.place) is case:
                if busy:
                    self.orders -= 1
                    self._change(case, case.stop.unasked(self._clock(), busy))
                else:
                    self._change(case, case.stop.answered(words, agreed=words == ACCEPTED))
                self._go_on(case)

    def _asked(self, case: Case) -> str:
        control = self._control(case.device)
        if control is None:
            return "nothing here can act on it"
        try:
            control.act(case.device, DeviceAction.STOP_CHARGE, {}, connector=case.stop.connector, wait_s=ANSWER_IN_S)
        except CommandRefused as error:
            return f"refused: {error}"
        except DeviceBusy:
            raise
        except DeviceUnreachable as error:
            return f"no answer: {error}"
        return ACCEPTED

    def _look_at(self, case: Case) -> None:
        before = case.stop.stage
        self._turn(case, case.looked(self._known(case.place), self._clock()))
        if case.stop.stage is Stage.CONFIRMED and before is not Stage.CONFIRMED:
            case.confirmed()
        if case.is_done:
            self._drop(case)

    def _turn(self, case: Case, stop: Stop) -> None:
        """What is not confirmed, or is no longer so, is told once that is remembered."""
        before = case.stop.stage
        self._change(case, stop)
        if before is not Stage.UNCONFIRMED and stop.stage is Stage.UNCONFIRMED:
            _log.error("a stop is not confirmed", device=case.device, connector=stop.connector)
            self._report(case, IncidentState.OPEN, self._clock())
        elif before is Stage.UNCONFIRMED and stop.stage is not Stage.UNCONFIRMED:
            self._report(case, IncidentState.ENDED, self._clock())

    def _change(self, case: Case, stop: Stop) -> None:
        if stop != case.stop:
            was_told = case.stop.stage is Stage.UNCONFIRMED
            case.stop = stop
            self._keep(case, was_told=was_told)

    def _keep(self, case: Case, *, was_told: bool = False) -> None:
        """What is done is remembered, and told."""
        self._remember(_name(case), case.kept() if case.is_kept else None)
        self._say(case, was_told=was_told)

    def _say(self, case: Case, *, was_told: bool = False) -> None:
        """The incidents that are its reasons say what was done, and so does the one of a stop that is not confirmed."""
        for key in case.reasons:
            words = "; ".join(
                (f"connector {each.stop.connector}: " if each.stop.connector else "") + each.stop.words()
                for each in self._cases.values()
                if key in each.reasons
            )
            self._book.remark(key, f"protection: {words}")
        if was_told or case.stop.stage is Stage.UNCONFIRMED:
            self._book.remark(case.key, f"protection: {case.stop.words()}")

    def _drop(self, case: Case) -> None:
        self._cases.pop(case.place, None)
        self._remember(_name(case), None)

    def _report(self, case: Case, state: IncidentState, at: datetime) -> None:
        flow = self._known(case.place).flow
        by_power = flow.current_a is None and flow.power_w is not None
        quantity, unit = ("power_w", "W") if by_power else ("current_a", "A")
        measured = flow.power_w if by_power else flow.current_a
        connector = case.stop.connector
        self._book.report(
            Finding(
                key=case.key,
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
                value=None if measured is None else measured.value,
                unit=None if measured is None else unit,
            )
        )

    def _remember(self, name: str, words: str | None) -> None:
        try:
            self._memory.remember(name, words)
        except EdgeError as error:
            _log.error("what was ordered is not kept over a restart", order=name, reason=str(error))


def _name(case: Case) -> str:
    """What it is remembered as."""
    return f"{ACTING}{case.device}/{case.stop.connector or 0}"


def _is_of(incident: Incident, key: str) -> bool:
    return incident.kind == IncidentKind.STOP_UNCONFIRMED and resumed_key(incident) == key


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
    told = {connector_of(point.name) for point in device.declared if quantity_of(point.name) in _TELLING}
    numbers = sorted(number for number in told if number)
    yield from numbers or (None,)
