"""Whatever comes after what, of words, meters, heat, answers, reloads and restarts: each charge that runs while it is too hot is stopped by an
order of its own, and what is told of that is true. The desk, the book and the protection are the real ones.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from edge.contract.incident import Incident, IncidentKind, IncidentState
from edge.contract.telemetry import ReadingFlag
from edge.errors import CommandRefused, DeviceBusy, DeviceUnreachable
from edge.flow import EvidenceFile, Parcel, Reading, Receipts, StagedFile
from edge.incidents import IncidentBook, rule_cards
from edge.node.protection import HOT, Protection
from edge.node.standing import Standing
from edge.node.telemetry import DeviceDesk
from edge.rules.protection import MOST_AGAIN, QUIET_S, Stage
from edge.settings import DeviceSettings, NodeConfiguration
from tests.edge.node.test_protection import PILE, Pile, configuration
from tests.edge.node.test_protection_sequences import Disk
from tests.edge.records import SteppedClock

LIMIT = "temperature_c.1"
FRESH_S = 55.0
ANSWERS: dict[str, Exception | None] = {
    "agrees": None,
    "refuses": CommandRefused("there is no charge"),
    "is not there": DeviceUnreachable("it is not there"),
    "is busy": DeviceBusy("others are asked first"),
}
RULES: dict[str, list[dict[str, Any]]] = {
    "heat and faults": [
        {"kind": "threshold", "point": LIMIT, "above": 85, "act": "stop_charge"},
        {"kind": "device_fault", "act": "stop_charge"},
    ],
    "another limit": [
        {"kind": "threshold", "point": LIMIT, "above": 80, "act": "stop_charge"},
        {"kind": "device_fault", "act": "stop_charge"},
    ],
    "another plug": [
        {
            "kind": "threshold",
            "id": f"threshold-{LIMIT}",
            "point": "temperature_c.2",
            "above": 85,
            "act": "stop_charge",
        },
        {"kind": "device_fault", "act": "stop_charge"},
    ],
    "faults alone": [{"kind": "device_fault", "act": "stop_charge"}],
    "heat alone": [{"kind": "threshold", "point": LIMIT, "above": 85, "act": "stop_charge"}],
    "told only": [{"kind": "threshold", "point": LIMIT, "above": 85}, {"kind": "device_fault"}],
}


def with_rules(name: str) -> NodeConfiguration:
    plain = configuration().model_dump(mode="json", by_alias=True, exclude_unset=True)
    plain["ocpp"]["piles"][0]["rules"] = RULES[name]
    return NodeConfiguration.model_validate(plain)


class Late(Executor):
    """Asks when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], Any]] = []

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.waiting.append(lambda: work(*args, **kwargs))
        return Future()

    def deliver(self) -> None:
        waiting, self.waiting = self.waiting, []
        for work in waiting:
            work()


class Kept(Disk):
    """What outlives a restart, also of histories; readings are not looked at."""

    def incident(
        self,
        incident: Incident,
        evidence: Sequence[EvidenceFile | StagedFile] = (),
        *,
        replayed: bool = False,  # noqa: ARG002
    ) -> None:
        assert not evidence
        self.kept.append(incident)

    def readings(self, readings: Sequence[Reading], *, receipts: Receipts | None = None) -> None:
        """They are kept."""


class Words:
    """What the pile has said of connector 1, as a reader with paper and pencil would note it: the newest of each counts."""

    def __init__(self) -> None:
        self.newest: dict[str, tuple[datetime, float | str]] = {}
        self.ever: dict[str, float | str] = {}
        self.zero_at: datetime | None = None
        self.number: float | str | None = None
        self.begun_at: datetime | None = None

    def take(self, point: str, value: float | str, at: datetime, ordered_at: datetime | None) -> None:
        """A word. Current begins to flow where a meter said zero since the last order; what flows on is what was asked to stop."""
        before = self.newest.get(point)
        if before is not None and at < before[0]:
            return
        self.newest[point] = at, value
        if point == "current_a.1" and value == 0.0:
            self.zero_at = at
        was = self.ever.get(point)
        self.ever[point] = value
        if point == "charging.1" and value != "none":
            self.number = value
        was_zero = before is not None and before[1] == 0.0 and (ordered_at is None or before[0] > ordered_at)
        charging = self.newest.get("charging.1")
        unnamed = charging is None or charging[1] == "none"
        begins = (
            (point == "charging.1" and value not in {"none", was})
            or (point == "status.1" and unnamed and value == "charging" and was not in {None, value})
            or (point == "current_a.1" and value != 0.0 and was_zero)
        )
        if begins:
            self.begun_at = at if self.begun_at is None else max(at, self.begun_at)

    def of(self, point: str) -> tuple[datetime, float | str] | None:
        return self.newest.get(point)

    def is_running(self) -> bool:
        """Whether a charge is certainly under way: one has a number, or current flows and nothing later says that none is."""
        charging, current, status = self.of("charging.1"), self.of("current_a.1"), self.of("status.1")
        if charging is not None and charging[1] != "none":
            return True
        said = [word[0] for word in (charging, status) if word is not None]
        return current is not None and current[1] != 0.0 and all(current[0] > at for at in said)


class ProtectionMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock, self.disk, self.pile = SteppedClock(), Kept(), Pile()
        self.words = Words()
        self.ordered: list[datetime] = []
        self.heat_at: datetime | None = None
        self.faults: set[str] = set()
        self.played_back = 0
        self.begun_heard_at: datetime | None = None
        self.changed_at = self.clock()
        self.heat_since: datetime | None = None

    # --- the node ----------------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.in_force = "heat and faults"
        self.start()

    def start(self) -> None:
        self.configuration, self.late = with_rules(self.in_force), Late()
        book = self.book = IncidentBook(self.disk, rule_cards(self.configuration), clock=self.clock)
        self.protection = Protection(
            self.devices,
            control=lambda _device: self.pile,
            book=book,
            memory=self.disk,
            clock=self.clock,
            workers=self.late,
        )
        self.desk = DeviceDesk(
            self.devices,
            recorder=self.disk,
            book=book,
            standing=Standing(clock=self.clock, on_change=lambda: None),
            clock=self.clock,
            protector=self.protection,
        )
        book.resume()
        self.protection.resume()
        self.desk.resume()
        self.forget()

    def forget(self) -> None:
        """What is hot has to be said anew."""
        self.heat_at, self.changed_at = None, self.clock()
        self.faults.clear()

    @property
    def devices(self) -> Sequence[DeviceSettings]:
        return self.configuration.devices

    def pass_time(self, seconds: float) -> None:
        self.clock.step(seconds)
        self.note(self.desk.tick)
        self.note(self.protection.tick)

    def note(self, work: Callable[[], None]) -> None:
        """Do it, and look at what went out and what was told meanwhile."""
        before = self.protection.orders
        is_open = {each.incident_id for each in self.stops_told()}
        work()
        if self.protection.orders > before:
            self.order()
        for each in self.stops_told():
            if each.incident_id not in is_open:
                self.check_what_is_told()

    def order(self) -> None:
        assert self.reasons(), "nothing is too hot"
        charging, current = self.words.of("charging.1"), self.words.of("current_a.1")
        if charging is not None and charging[1] == "none" and self.words.of("status.1") is None:
            assert self.words.is_running() or (current and current[1]), "no charge is under way"
        last = self.ordered[-1] if self.ordered else None
        if last is not None and current is not None and current[1] == 0.0 and current[0] > last > self.changed_at:
            is_anew = (self.heat_since or last) >= last
            is_another = (
                self.begun_heard_at is not None and self.begun_heard_at > last
            )  # the order meant the one before
            assert is_anew or is_another, "what was confirmed was asked for again"
        self.ordered.append(self.clock())

    def check_what_is_told(self) -> None:
        """A stop that is not confirmed is told: is it so?"""
        current = self.words.of("current_a.1")
        assert self.ordered, "nothing was asked for"
        if self.late.waiting:
            return  # the order before keeps the way: this one could not be given
        meant_at = max(self.ordered[-1], self.words.begun_at or self.ordered[-1])
        assert current is None or current[1] != 0.0 or current[0] <= meant_at, "the meter says zero"

    # --- what happens ------------------------------------------------------------------------------------------

    def say(self, point: str, value: float | str, *, late_s: float = 0.0, replayed: bool = False) -> None:
        self.clock.step(0.01)
        now = self.clock()
        at = now - timedelta(seconds=late_s)
        flag = ReadingFlag.REPLAYED if replayed else ReadingFlag.NONE
        if not replayed:
            begun_at = self.words.begun_at
            self.words.take(point, value, at, self.ordered[-1] if self.ordered else None)
            self.begun_heard_at = self.begun_heard_at if self.words.begun_at == begun_at else now
        self.note(lambda: self.desk.keep(Parcel([Reading(PILE, point, at, value, now, flag=flag)])))
        if replayed or late_s:
            return
        if point == LIMIT:
            self.heat_at = now if float(value) > 85 else None
        if point == "faults.1":
            self.faults = {str(value)} & {fault.value for fault in HOT}
        self.pass_time(0.01)

    @rule(charge=st.sampled_from(["none", "77", "78", "79"]), late_s=st.sampled_from([0.0, 0.0, 0.0, 3.0, 40.0]))
    def says_who_charges(self, charge: str, late_s: float) -> None:
        self.say("charging.1", charge, late_s=late_s)

    @rule(status=st.sampled_from(["available", "preparing", "charging", "finishing"]))
    def says_how_it_is(self, status: str) -> None:
        self.say("status.1", status)

    @rule(current=st.sampled_from([0.0, 16.0]), late_s=st.sampled_from([0.0, 0.0, 0.0, 3.0, 40.0]))
    def measures(self, current: float, late_s: float) -> None:
        self.say("current_a.1", current, late_s=late_s)

    @rule(temperature=st.sampled_from([40.0, 92.0, 92.0]))
    def is_as_hot_as(self, temperature: float) -> None:
        self.say(LIMIT, temperature)

    @rule(fault=st.sampled_from(["none", "smoke", "over_temperature", "lock"]))
    def has_a_fault(self, fault: str) -> None:
        self.say("faults.1", fault)

    @rule(
        word=st.sampled_from([(LIMIT, 92.0), ("faults.1", "smoke"), ("current_a.1", 0.0), ("charging.1", "76")]),
        late_s=st.sampled_from([5.0, 300.0]),
    )
    def plays_back(self, word: tuple[str, float | str], late_s: float) -> None:
        self.played_back += 1  # always late by as much would be a slow clock
        self.say(*word, late_s=late_s + 50.0 * self.played_back, replayed=True)

    @rule(seconds=st.sampled_from([1, 5, 15, 31, 61, 130]))
    def waits(self, seconds: int) -> None:
        for _ in range(seconds):
            self.pass_time(1.0)

    @rule(name=st.sampled_from(sorted(ANSWERS)))
    def answers_from_now_on(self, name: str) -> None:
        self.pile.refuses = ANSWERS[name]

    @precondition(lambda self: self.late.waiting)
    @rule()
    def answer(self) -> None:
        self.note(self.late.deliver)
        self.pass_time(1.1)  # what was not sent has its turn

    @rule(name=st.sampled_from(sorted(RULES)))
    def reload(self, name: str) -> None:
        self.clock.step(0.01)
        self.in_force, self.configuration = name, with_rules(name)
        self.note(lambda: self.desk.adopt(self.devices, rule_cards(self.configuration)))
        self.note(lambda: self.protection.adopt(self.devices))
        self.forget()
        self.pass_time(0.01)

    @rule()
    def restart(self) -> None:
        self.clock.step(0.01)
        self.words.newest = {point: word for point, word in self.words.newest.items() if point == "current_a.1"}
        self.start()
        self.words.newest.clear()
        if self.words.number is not None:
            self.words.ever["charging.1"] = self.words.number  # the same number again is the same charge to a new start

    # --- what must hold ----------------------------------------------------------------------------------------

    def stops_told(self) -> list[Incident]:
        return [each for each in self.disk.ongoing() if each.kind == IncidentKind.STOP_UNCONFIRMED]

    def reasons(self) -> list[Incident]:
        """What is open and stops a charge."""
        return [
            each
            for each in self.disk.ongoing()
            if each.kind == "threshold" or (each.kind == "device_fault" and each.fault in HOT)
        ]

    def is_hot(self) -> bool:
        """Whether it was said, just now or as a state, since anything was confirmed, that it is too hot."""
        acting = {each["kind"] for each in RULES[self.in_force] if "act" in each and each.get("point", LIMIT) == LIMIT}
        if "device_fault" in acting and self.faults:
            return True
        if "threshold" not in acting or self.heat_at is None:
            return False
        is_fresh = (self.clock() - self.heat_at).total_seconds() < FRESH_S
        return is_fresh and (self.words.zero_at is None or self.words.zero_at < self.heat_at)

    @invariant()
    def each_charge_that_runs_while_it_is_hot_is_ordered_to_stop(self) -> None:
        if not hasattr(self, "late") or self.late.waiting or not self.is_hot() or not self.words.is_running():
            return
        begun_at = self.words.begun_at
        told_as_worse = bool(self.stops_told()) and any(
            case.stop.begun_again > MOST_AGAIN for case in self.protection._cases.values()
        )
        assert self.ordered, "nothing was asked for"
        assert told_as_worse or begun_at is None or self.ordered[-1] >= begun_at, "this charge was not asked to stop"

    @invariant()
    def what_is_told_and_kept_is_what_is_done(self) -> None:
        if not hasattr(self, "late"):
            return
        stops = [each["stage"] for each in self.protection.figures()["stops"]]
        reasons = self.reasons()
        assert len(stops) <= 1
        assert len(self.stops_told()) == stops.count(Stage.UNCONFIRMED)
        assert sum(name.startswith("acting ") for name in self.disk.words) == len(stops) - stops.count(Stage.IDLE)
        assert self.protection.faults == self.book.faults == 0
        assert not self.desk.faults
        known = {f"{each.incident_id}" for each in reasons}
        self.heat_since = self.heat_since if known else None
        if known and self.heat_since is None:
            self.heat_since = self.clock()
        keys = {key for case in self.protection._cases.values() for key in case.reasons}
        assert keys <= set(self.book.ongoing_by_key()), "a reason whose incident is over"

    def teardown(self) -> None:
        """It cools down and nothing flows: nothing is left."""
        if not hasattr(self, "late"):
            return
        self.pile.refuses = None
        self.say("faults.1", "none")
        for _ in range(int(QUIET_S) // 10 + 10):
            self.say(LIMIT, 40.0)
            self.say("current_a.1", 0.0)
            self.late.deliver()
            self.pass_time(10.0)
        assert [each for each in self.disk.ongoing() if each.state is not IncidentState.ENDED] == []
        assert self.protection.figures()["stops"] == []
        assert not [name for name in self.disk.words if name.startswith("acting ")]


def test_whatever_comes_after_what() -> None:
    run_state_machine_as_test(
        ProtectionMachine,
        settings=settings(
            max_examples=40, stateful_step_count=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
        ),
    )
