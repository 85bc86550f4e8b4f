"""Whatever comes after what, heat, charges, meters and restarts: one stop for each connector, told while it is not confirmed, and never without
a reason or for nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.incident import Incident, IncidentKind, IncidentState, Severity
from edge.errors import CommandRefused
from edge.flow import EvidenceFile, Finding, Reading, StagedFile
from edge.incidents import IncidentBook, rule_cards
from edge.node.protection import Protection
from edge.rules.identity import fault_key, rule_id
from edge.rules.protection import Stage
from edge.settings import DeviceFaultSettings, NodeConfiguration, ReadingRuleSettings, ThresholdSettings
from tests.edge.node.test_protection import PILE, Inline, Pile, configuration
from tests.edge.records import SteppedClock


class Disk:
    """What outlives a restart, in memory."""

    def __init__(self) -> None:
        self.words: dict[str, str] = {}
        self.kept: list[Incident] = []

    def remembered(self) -> Mapping[str, str]:
        return dict(self.words)

    def remember(self, name: str, words: str | None) -> None:
        self.words.pop(name, None)
        if words is not None:
            self.words[name] = words

    def incident(self, incident: Incident, evidence: Sequence[StagedFile] = (), *, replayed: bool = False) -> None:
        assert not replayed
        assert not evidence
        self.kept.append(incident)

    def ongoing(self) -> Sequence[Incident]:
        newest = {each.incident_id: each for each in self.kept}
        return [each for each in newest.values() if each.state is not IncidentState.ENDED]

    def decided(self) -> Mapping[tuple[str, str], datetime]:
        return {}

    def chain_head(self) -> str | None:
        return None

    def undeclared(self) -> Sequence[Incident]:
        return ()

    def stage(self, file: EvidenceFile, severity: Severity) -> StagedFile:
        raise NotImplementedError

    def discard(self, file: StagedFile) -> None:
        raise NotImplementedError


class Watched:
    """A node's protection of one connector, and what must hold of it at any time."""

    def __init__(self) -> None:
        self.clock, self.disk, self.pile = SteppedClock(), Disk(), Pile()
        self.configuration: NodeConfiguration = configuration()
        standing = self.configuration.devices[0].standing_rules
        self.rules: dict[str, tuple[ReadingRuleSettings, str, str | None]] = {}
        for rule in standing:
            if isinstance(rule, ThresholdSettings) and rule.point == "temperature_c.1":
                self.rules["heat"] = rule, f"{PILE}/{rule_id(rule)}", None
            if isinstance(rule, DeviceFaultSettings):
                for fault in ("over_temperature", "smoke"):
                    self.rules[fault] = rule, fault_key(PILE, rule_id(rule), 1, fault), fault
        self.open: dict[str, Finding] = {}
        self.orders = 0
        self.known_idle = False
        self.start()

    def start(self) -> None:
        self.book = IncidentBook(self.disk, rule_cards(self.configuration), clock=self.clock)
        self.protection = Protection(
            self.configuration.devices,
            control=lambda _device: self.pile,
            book=self.book,
            memory=self.disk,
            clock=self.clock,
            workers=Inline(),
        )
        self.book.resume()
        self.protection.resume()
        self.known_idle = False

    def reading(self, point: str, value: float | str) -> Reading:
        return Reading(PILE, point, self.clock(), value, self.clock(), own_time=True)

    def take(self, what: str, value: Any) -> None:
        self.clock.step(0.001)
        before = len(self.pile.asked)
        match what:
            case "hot":
                self.hot(value)
            case "cool" if value in self.open:
                self.protection.cools(self.open[value].key)
            case "over" if value in self.open:
                self.over(value)
            case "wait":
                for _ in range(value):
                    self.clock.step(1)
                    self.protection.tick()
            case "restart":
                self.start()
            case "refuses":
                self.pile.refuses = CommandRefused("no") if value else None
            case "charging.1" | "current_a.1":
                self.protection.look(self.reading(what, value))
                self.known_idle = value == "none" if what == "charging.1" else self.known_idle and value == 0.0
        if len(self.pile.asked) > before:
            assert self.open, "nothing is too hot"
            assert not self.known_idle, "there is nothing to stop"

    def hot(self, name: str) -> None:
        rule, key, fault = self.rules[name]
        point = "temperature_c.1" if fault is None else "faults.1"
        said = self.reading(point, 92.0 if fault is None else name)
        known = self.open.get(name)
        finding = Finding(
            key=key,
            state=IncidentState.OPEN if known is None else IncidentState.UPDATE,
            rule=rule_id(rule),
            kind=rule.kind,
            category="fire_safety",
            severity=Severity.CRITICAL,
            device=PILE,
            started_at=self.clock() if known is None else known.started_at,
            at=self.clock(),
            point=point,
            fault=fault,
        )
        self.open[name] = finding
        self.protection.found(rule, finding, said)
        self.book.report(finding)
        self.protection.holds(rule, finding, said)
        self.protection.look(said)

    def over(self, name: str) -> None:
        finding, now = self.open.pop(name), self.clock()
        ended = {"state": IncidentState.ENDED, "at": now, "ended_at": now}
        over = Finding(**{**{each: getattr(finding, each) for each in finding.__dataclass_fields__}, **ended})
        self.protection.found(self.rules[name][0], over, None)
        self.book.report(over)

    def check(self) -> None:
        told = [each for each in self.disk.ongoing() if each.kind == IncidentKind.STOP_UNCONFIRMED]
        stops = [each["stage"] for each in self.protection.figures()["stops"]]
        assert len(stops) <= 1
        assert len(told) == stops.count(Stage.UNCONFIRMED)
        assert len(self.disk.words) == len([stage for stage in stops if stage != Stage.IDLE])
        assert self.protection.faults == self.book.faults == 0


NAMES = st.sampled_from(["heat", "over_temperature", "smoke"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hot"), NAMES),
        st.tuples(st.just("cool"), NAMES),
        st.tuples(st.just("over"), NAMES),
        st.tuples(st.just("charging.1"), st.sampled_from(["none", "77", "78"])),
        st.tuples(st.just("current_a.1"), st.sampled_from([0.0, 16.0])),
        st.tuples(st.just("wait"), st.integers(1, 40)),
        st.tuples(st.just("refuses"), st.booleans()),
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_in_any_order(steps: list[tuple[str, Any]]) -> None:
    watched = Watched()
    for step in steps:
        watched.take(*step)
        watched.check()
    for name in list(watched.open):
        watched.over(name)
        watched.check()
    watched.take("current_a.1", 0.0)
    watched.take("wait", 1)
    watched.check()
    assert watched.disk.ongoing() == []
    assert watched.disk.words == {}
