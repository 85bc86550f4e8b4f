"""Readings of a pile from the desk to the outbox: history travels as history, and what is known outlives the node."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.envelope import Lane
from edge.contract.incident import Incident, IncidentState
from edge.contract.telemetry import ReadingFlag
from edge.flow import Finding, Health, Parcel, Reading
from edge.incidents import IncidentBook, rule_cards
from edge.node.standing import Standing
from edge.node.telemetry import DeviceDesk, Protector
from edge.outbox.outbox import Outbox
from edge.rules.history import SETTLE_S
from edge.settings import NodeConfiguration, ReadingRuleSettings
from tests.edge.records import SteppedClock

OPEN, UPDATE, ENDED = IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED
PILE = "pile-1"
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def configuration(**pile: Any) -> NodeConfiguration:
    return NodeConfiguration.model_validate(
        {
            "node": {"id": "station-01", "district": "110105", "data_directory": "data"},
            "cloud": {"mqtt": "mqtt://127.0.0.1", "https": "http://127.0.0.1"},
            "ocpp": {"security_profile": 0, "piles": [{"id": PILE, "connectors": 1, **pile}]},
        }
    )


@dataclass
class Life:
    """One start of the node, as far as a pile needs it."""

    desk: DeviceDesk
    outbox: Outbox
    clock: SteppedClock

    def hear(self, *readings: Reading, again: bool = False) -> None:
        self.desk.keep(Parcel((), readings) if again else Parcel(readings))

    def said(self, point: str, value: float | str, *, age_s: float = 0.0) -> Reading:
        """What the pile says now; of something older than a minute it says itself that it is late."""
        flag = ReadingFlag.REPLAYED if age_s > 60 else ReadingFlag.NONE
        observed_at = self.clock() - timedelta(seconds=age_s)
        return Reading(
            PILE,
            point,
            observed_at,
            value,
            self.clock(),
            device_at=observed_at,
            flag=flag,
            own_time=True,
            is_event=point.startswith("stop_reason"),
        )

    def reload(self, **pile: Any) -> None:
        settings = configuration(**pile)
        self.desk.adopt(settings.devices, rule_cards(settings))

    def wait(self, seconds: float, *, step_s: float = 1.0) -> None:
        for _ in range(round(seconds / step_s)):
            self.clock.step(step_s)
            self.desk.tick()

    def revisions(self) -> list[tuple[Incident, bool]]:
        """All that waits for the cloud, and whether it travels as history, in the order in which it was kept."""
        records = self.outbox.pending(Lane.INCIDENT, fresh_since=_LONG_AGO, old=False, skip=[], limit=10_000)
        return [(msgspec.json.decode(record.body, type=Incident), record.replayed) for record in records]

    def told(self) -> list[tuple[str, str | None, IncidentState, bool]]:
        return [(each.kind, each.fault, each.state, replayed) for each, replayed in self.revisions()]


def life(
    directory: Path, clock: SteppedClock, stack: ExitStack, protector: Protector | None = None, **pile: Any
) -> Life:
    settings = configuration(**pile)
    outbox = Outbox(directory, settings.outbox, devices=[PILE], clock=clock, window_s=0.0)
    stack.callback(outbox.close)
    book = IncidentBook(outbox, rule_cards(settings), clock=clock)
    standing = Standing(clock=clock, on_change=lambda: None)
    desk = DeviceDesk(settings.devices, recorder=outbox, book=book, standing=standing, clock=clock, protector=protector)
    book.resume()
    desk.resume()
    return Life(desk, outbox, clock)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Life]]:
    clock = SteppedClock()
    with ExitStack() as stack:

        def restart() -> Life:
            stack.pop_all().close()
            return life(tmp_path, clock, stack)

        yield restart


Start = Callable[[], Life]


def test_an_hour_of_history_travels_as_history_and_what_still_holds_is_open(start: Start) -> None:
    pile = start()
    history = [
        pile.said("temperature_c.1", 95.0 if 3000 < age < 3300 else 30.0, age_s=float(age))
        for age in range(3600, 60, -15)
    ]
    history += [pile.said("faults.1", "lock", age_s=1800.0), pile.said("stop_reason.1", "smoke", age_s=2000.0)]
    for reading in reversed(history):
        pile.hear(reading)
    assert pile.told() == []
    pile.wait(SETTLE_S + 1)
    assert sorted(pile.told()) == [
        ("device_fault", "lock", OPEN, True),
        ("device_fault", "smoke", ENDED, True),
        ("threshold", None, ENDED, True),
    ]
    pile.hear(pile.said("faults.1", "none"))
    assert pile.told()[-1] == ("device_fault", "lock", ENDED, False)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.sampled_from([30.0, 95.0]), min_size=8, max_size=60),
    st.integers(1, 5),
    st.randoms(use_true_random=False),
)
def test_no_history_rings_as_live_in_the_outbox_and_each_of_its_incidents_is_there_once(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], doubled: int, chance: object
) -> None:
    def told(*, late: bool) -> list[tuple[datetime, datetime | None]]:
        clock = SteppedClock()
        with ExitStack() as stack:
            pile = life(tmp_path_factory.mktemp("node"), clock, stack)
            if late:
                clock.step(3600)
                ages = [(3600.0 - 30 * index, value) for index, value in enumerate(values)] * doubled
                chance.shuffle(ages)  # type: ignore[attr-defined]
                pile.hear(*(pile.said("temperature_c.1", value, age_s=age_s) for age_s, value in ages))
                pile.wait(SETTLE_S + 1)
                assert all(replayed for _, replayed in pile.revisions())
            else:
                for value in values:
                    pile.hear(pile.said("temperature_c.1", value))
                    pile.wait(30, step_s=10)
                clock.step(3600 + SETTLE_S + 1 - 30 * len(values))
            for _ in range(8):
                clock.step(15)
                pile.hear(pile.said("temperature_c.1", 30.0))
            newest = {each.incident_id: each for each, _ in pile.revisions()}
            return sorted((each.started_at, each.ended_at) for each in newest.values())

    assert told(late=True) == told(late=False)


def test_the_beginning_of_a_charge_is_known_after_a_restart(start: Start) -> None:
    pile = start()
    pile.hear(pile.said("charging.1", "17"))
    began = pile.clock()
    pile.wait(12 * 3600, step_s=1800)
    pile = start()
    pile.hear(pile.said("charging.1", "17"))
    pile.wait(12 * 3600 - 60, step_s=60)
    assert pile.told() == []
    pile.wait(120, step_s=60)
    ((opened, _),) = pile.revisions()
    assert (opened.kind, opened.started_at, opened.note) == ("overlong_charge", began, "17")


def test_contact_with_a_pile_is_lost_while_it_charges(start: Start) -> None:
    pile = start()
    pile.hear(pile.said("charging.1", "17"), pile.said("temperature_c.1", 70.0))
    pile.desk.on_status(PILE, Health.LOST, "no answer")
    pile.wait(61)
    ((opened, _),) = pile.revisions()
    assert (opened.kind, opened.severity.value) == ("lost_while_charging", "critical")
    pile = start()
    pile.desk.on_status(PILE, Health.OK, None)
    assert pile.told()[-1] == ("lost_while_charging", None, ENDED, False)


def test_what_is_delivered_again_after_a_crash_is_told_once(start: Start) -> None:
    pile = start()
    stop = pile.said("stop_reason.1", "insulation")
    pile.hear(stop)
    pile.wait(130)
    assert [each[2] for each in pile.told()] == [OPEN, ENDED]
    pile = start()
    pile.hear(stop, again=True)
    pile.wait(130)
    assert [each[2] for each in pile.told()] == [OPEN, ENDED]


def test_what_waits_when_the_node_stops_is_looked_at_before(start: Start) -> None:
    pile = start()
    pile.hear(pile.said("stop_reason.1", "smoke", age_s=600.0))
    assert pile.desk.waiting == 1
    pile.desk.flush()
    assert pile.told() == [("device_fault", "smoke", ENDED, True)]


def test_what_waits_for_a_word_that_it_is_over_is_told_when_the_node_stops(start: Start) -> None:
    pile = start()
    for age_s in range(600, 60, -15):
        pile.hear(pile.said("temperature_c.1", 95.0 if age_s > 90 else 30.0, age_s=float(age_s)))
    pile.wait(SETTLE_S + 1)
    assert pile.told() == []
    pile.desk.flush()
    assert pile.told() == [("threshold", None, OPEN, True)]
    pile = start()
    for _ in range(8):
        pile.wait(15, step_s=15)
        pile.hear(pile.said("temperature_c.1", 30.0))
    assert pile.told()[-1][2] is ENDED


def test_what_waits_for_a_word_that_it_is_over_is_told_when_its_rule_goes(start: Start) -> None:
    pile = start()
    for age_s in range(600, 60, -15):
        pile.hear(pile.said("temperature_c.1", 95.0 if age_s > 90 else 30.0, age_s=float(age_s)))
    pile.wait(SETTLE_S + 1)
    assert pile.told() == []
    pile.reload(rules=[])
    assert [state for *_, state, _ in pile.told()] == [OPEN, ENDED]


@dataclass
class Protecting:
    """What the desk says to what acts on devices."""

    held: list[tuple[str, Reading]] = field(default_factory=list)

    def look(self, reading: Reading) -> None:
        pass

    def found(self, settings: ReadingRuleSettings, finding: Finding, reading: Reading | None) -> None:
        pass

    def holds(self, settings: ReadingRuleSettings, finding: Finding, reading: Reading) -> None:
        assert settings.kind == "device_fault"
        self.held.append((finding.key, reading))

    def cools(self, key: str) -> None:
        pass

    def over(self, key: str) -> None:
        pass


FAULTS: dict[str, Any] = {"kind": "device_fault"}
ACTING: dict[str, Any] = {"kind": "device_fault", "act": "stop_charge"}


def test_a_rule_that_begins_with_a_reload_sees_what_stands(tmp_path: Path) -> None:
    clock = SteppedClock()
    with ExitStack() as stack:
        pile = life(tmp_path, clock, stack, rules=[])
        pile.hear(pile.said("faults.1", "lock"))
        pile.wait(60, step_s=10)
        began = clock()
        pile.hear(pile.said("faults.1", "over_temperature"), pile.said("charging.1", "17"))
        pile.wait(3600, step_s=600)
        pile.hear(pile.said("faults.1", "over_temperature"))
        assert pile.told() == []
        pile.reload(rules=[FAULTS, {"kind": "overlong_charge", "point": "charging.1", "limit_s": 7200}])
        ((opened, replayed),) = pile.revisions()
        assert (opened.fault, opened.state, opened.started_at, replayed) == ("over_temperature", OPEN, began, False)
        pile.wait(3500, step_s=100)
        assert len(pile.told()) == 1
        pile.wait(200, step_s=100)
        *_, (overlong, _) = pile.revisions()
        assert (overlong.kind, overlong.started_at) == ("overlong_charge", began)


def test_a_rule_that_changes_with_a_reload_goes_on_and_sees_what_it_did_not_look_at(tmp_path: Path) -> None:
    clock = SteppedClock()
    with ExitStack() as stack:
        pile = life(tmp_path, clock, stack, rules=[{**FAULTS, "ignored": ["lock"]}])
        pile.hear(pile.said("faults.1", "lock+smoke"))
        pile.wait(30)
        pile.hear(pile.said("faults.1", "lock"))
        pile.wait(30)
        assert pile.told() == [("device_fault", "smoke", OPEN, False), ("device_fault", "smoke", ENDED, False)]
        pile.reload(rules=[FAULTS])
        assert pile.told()[2:] == [("device_fault", "lock", OPEN, False)]
        pile.reload(rules=[{**FAULTS, "severity": "critical"}])
        pile.hear(pile.said("faults.1", "none"))
        assert pile.told()[2:] == [("device_fault", "lock", OPEN, False), ("device_fault", "lock", ENDED, False)]


def test_what_a_rule_did_not_look_at_before_a_reload_and_is_over_is_nothing(tmp_path: Path) -> None:
    clock = SteppedClock()
    with ExitStack() as stack:
        pile = life(tmp_path, clock, stack, rules=[])
        pile.hear(pile.said("faults.1", "smoke"), pile.said("stop_reason.1", "smoke"))
        pile.wait(10)
        pile.hear(pile.said("faults.1", "none"))
        pile.reload(rules=[FAULTS])
        assert pile.told() == []


def test_contact_that_is_lost_while_it_charges_is_seen_by_a_rule_that_begins_meanwhile(tmp_path: Path) -> None:
    clock = SteppedClock()
    with ExitStack() as stack:
        pile = life(tmp_path, clock, stack, rules=[])
        pile.hear(pile.said("charging.1", "17"))
        pile.wait(10)
        pile.desk.on_status(PILE, Health.LOST, "no answer")
        pile.wait(600, step_s=60)
        pile.reload(rules=[{"kind": "lost_while_charging", "for_s": 60}])
        pile.wait(1)
        assert pile.told() == [("lost_while_charging", None, OPEN, False)]


@pytest.mark.parametrize("replayed", [False, True])
def test_what_stands_when_a_rule_begins_to_act_is_acted_on_unless_only_history_says_so(
    tmp_path: Path, *, replayed: bool
) -> None:
    clock, protecting = SteppedClock(), Protecting()
    with ExitStack() as stack:
        pile = life(tmp_path, clock, stack, protecting, rules=[FAULTS], allow_stop=True)
        pile.hear(pile.said("faults.1", "over_temperature", age_s=300.0 if replayed else 0.0))
        pile.wait(3600, step_s=600)
        ((opened, _),) = pile.revisions()
        pile.reload(rules=[ACTING], allow_stop=True)
        pile.wait(2)
        assert len(pile.revisions()) == 1
        assert opened.state is OPEN
        assert len(protecting.held) == (0 if replayed else 1)
        for _, reading in protecting.held:
            assert (reading.point, reading.value) == ("faults.1", "over_temperature")
            assert clock() - reading.observed_at < timedelta(seconds=5)


def test_rules_that_are_gone_leave_nothing_behind(start: Start) -> None:
    pile = start()
    pile.hear(pile.said("charging.1", "17"))
    assert pile.outbox.remembered() != {}
    pile.desk.adopt([], {})
    assert pile.outbox.remembered() == {}
