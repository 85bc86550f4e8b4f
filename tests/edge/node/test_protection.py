"""Too hot: the charge is stopped and the meter asked, with the real store; what does not stop is told, once."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.contract.incident import Incident, IncidentState, Severity
from edge.contract.telemetry import ReadingFlag
from edge.errors import CommandRefused, ConfigurationError, DeviceBusy, DeviceUnreachable
from edge.flow import DeviceAction, EvidenceFile, Parcel, Reading, StagedFile
from edge.incidents import IncidentBook, rule_cards
from edge.node.protection import Protection
from edge.node.standing import Standing
from edge.node.telemetry import DeviceDesk
from edge.outbox.outbox import Outbox
from edge.rules.identity import rule_id
from edge.rules.registry import reading_rule
from edge.settings import NodeConfiguration, OcppPileSettings, ThresholdSettings
from tests.edge.records import SteppedClock

OPEN, UPDATE, ENDED = IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED
PILE = "pile-1"


def configuration(*, allow_stop: bool = True) -> NodeConfiguration:
    return NodeConfiguration.model_validate(
        {
            "node": {"id": "station-01", "district": "110105", "data_directory": "data"},
            "cloud": {"mqtt": "mqtt://127.0.0.1", "https": "http://127.0.0.1"},
            "ocpp": {
                "security_profile": 0,
                "piles": [{"id": PILE, "connectors": 2, "allow_stop": allow_stop, "spot": "shed"}],
            },
        }
    )


class Inline(Executor):
    """Does at once, in this thread, what others would do in theirs."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = Future[Any]()
        future.set_result(work(*args, **kwargs))
        return future


@dataclass
class Pile:
    """A pile that stops, or refuses, or is not there."""

    refuses: Exception | None = None
    asked: list[int | None] = field(default_factory=list)

    def actions(self, device: str) -> Collection[DeviceAction]:
        return [DeviceAction.STOP_CHARGE] if device == PILE else []

    def act(
        self,
        device: str,
        action: DeviceAction,
        arguments: Mapping[str, Any],  # noqa: ARG002
        *,
        connector: int | None = None,
        wait_s: float,
    ) -> dict[str, Any]:
        assert (device, action) == (PILE, DeviceAction.STOP_CHARGE)
        assert wait_s > 0
        self.asked.append(connector)
        if self.refuses is not None:
            raise self.refuses
        return {"status": "Accepted"}


@dataclass
class Life:
    """One start of the node, as far as piles need it."""

    desk: DeviceDesk
    book: IncidentBook
    protection: Protection
    clock: SteppedClock
    kept: list[tuple[Incident, bool]]

    def hear(
        self,
        point: str,
        value: float | str,
        *,
        flag: ReadingFlag = ReadingFlag.NONE,
        age_s: float = 0.0,
        raw_code: str | None = None,
    ) -> None:
        now = self.clock()
        observed_at = now - timedelta(seconds=age_s)
        reading = Reading(PILE, point, observed_at, value, now, flag=flag, own_time=True, raw_code=raw_code)
        self.desk.keep(Parcel([reading]))

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.step(1)
            self.desk.tick()
            self.protection.tick()

    def of(self, kind: str) -> list[Incident]:
        return [incident for incident, _ in self.kept if incident.kind == kind]

    def states(self, kind: str) -> list[IncidentState]:
        return [each.state for each in self.of(kind)]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Life]]:
    clock, kept = SteppedClock(), list[tuple[Incident, bool]]()
    with ExitStack() as stack:

        class Recording(Outbox):
            def incident(
                self, incident: Incident, evidence: Sequence[EvidenceFile | StagedFile] = (), *, replayed: bool = False
            ) -> None:
                super().incident(incident, evidence, replayed=replayed)
                kept.append((incident, replayed))

        @contextmanager
        def life(pile: Pile | None) -> Iterator[Life]:
            settings = configuration()
            outbox = Recording(tmp_path, settings.outbox, devices=[PILE], clock=clock, window_s=0.0)
            book = IncidentBook(outbox, rule_cards(settings), clock=clock)
            protection = Protection(
                settings.devices, control=lambda _device: pile, book=book, memory=outbox, clock=clock, workers=Inline()
            )
            desk = DeviceDesk(
                settings.devices,
                recorder=outbox,
                book=book,
                standing=Standing(clock=clock, on_change=lambda: None),
                clock=clock,
                protector=protection,
            )
            book.resume()
            protection.resume()
            desk.resume()
            yield Life(desk, book, protection, clock, kept)
            outbox.close()

        def restart(pile: Pile | None) -> Life:
            stack.pop_all().close()
            return stack.enter_context(life(pile))

        yield restart


Start = Callable[[Pile | None], Life]


def test_a_hot_pile_is_stopped_and_its_incident_says_that_the_meter_confirms_it(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("current_a.1", 16.0)
    life.hear("temperature_c.1", 92.0)
    assert pile.asked == [1]
    life.wait(4)
    life.hear("current_a.1", 0.0)
    life.wait(60)
    assert pile.asked == [1]
    (*_, last) = life.of("threshold")
    assert last.note is not None
    assert "accepted; meter says zero" in last.note
    assert life.of("stop_unconfirmed") == []
    assert life.protection.figures()["stops"][0]["stage"] == "confirmed"
    for _ in range(8):
        life.hear("temperature_c.1", 40.0)
        life.wait(10)
    assert life.states("threshold")[-1] is ENDED
    assert life.protection.figures()["stops"] == []


@pytest.mark.parametrize(
    "refuses", [None, CommandRefused("there is no charge"), DeviceUnreachable("it is not there"), RuntimeError("bug")]
)
def test_a_pile_that_goes_on_charging_is_told_as_worse_once_until_nothing_flows(
    start: Start, refuses: Exception | None
) -> None:
    pile = Pile(refuses)
    life = start(pile)
    life.hear("temperature_c.2", 92.0)
    for _ in range(20):
        life.wait(5)
        life.hear("current_a.2", 16.0)
        life.hear("temperature_c.2", 93.0)
    first, *updates = life.of("stop_unconfirmed")
    assert (first.state, first.severity, first.point, first.value) == (OPEN, Severity.CRITICAL, "current_a.2", 16.0)
    assert {each.state for each in updates} <= {UPDATE}
    assert len(pile.asked) >= 4
    life.wait(1)
    life.hear("current_a.2", 0.0)
    *_, ended = life.of("stop_unconfirmed")
    assert ended.state is ENDED
    assert {each.incident_id for each in life.of("stop_unconfirmed")} == {first.incident_id}


def test_without_a_way_to_the_pile_it_is_told_too(start: Start) -> None:
    life = start(None)
    life.hear("temperature_c.1", 92.0)
    life.wait(31)
    assert life.states("stop_unconfirmed")[0] is OPEN
    assert "nothing here can act on it" in (life.of("stop_unconfirmed")[0].note or "")


def test_the_next_charge_at_a_pile_that_has_cooled_down_is_nobodys_fault(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("temperature_c.1", 92.0)
    life.wait(4)
    life.hear("current_a.1", 0.0)
    life.wait(300)
    now = life.clock()
    said = [
        Reading(PILE, point, now, value, now) for point, value in (("current_a.1", 32.0), ("temperature_c.1", 25.0))
    ]
    life.desk.keep(Parcel(said))
    life.wait(40)
    assert pile.asked == [1]
    assert life.of("stop_unconfirmed") == []


def test_current_that_flows_again_while_it_is_hot_is_stopped_as_well_and_told_only_if_that_fails(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("temperature_c.1", 92.0)
    life.wait(4)
    life.hear("current_a.1", 0.0)
    life.wait(20)
    life.hear("temperature_c.1", 91.0)
    life.hear("current_a.1", 16.0)
    assert pile.asked == [1, 1]
    life.wait(5)
    life.hear("current_a.1", 0.0)
    life.wait(60)
    assert life.of("stop_unconfirmed") == []
    life.hear("temperature_c.1", 91.0)
    life.hear("current_a.1", 16.0)
    life.wait(31)
    assert life.states("stop_unconfirmed")[0] is OPEN


def test_each_charge_that_begins_while_a_fault_stands_is_stopped_by_its_own_order(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("charging.1", "77")
    life.hear("faults.1", "smoke")
    for charge in ("78", "79"):
        life.wait(4)
        life.hear("current_a.1", 0.0)
        life.hear("charging.1", "none")
        life.wait(700)
        life.hear("charging.1", charge)
    assert pile.asked == [1, 1, 1]
    life.wait(3)
    life.hear("current_a.1", 0.0)
    life.wait(60)
    assert life.of("stop_unconfirmed") == []


def test_the_next_charge_is_stopped_also_where_another_reason_opened_before_it_and_after_a_restart(
    start: Start,
) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("charging.1", "77")
    life.hear("faults.1", "over_temperature")
    life.wait(4)
    life.hear("current_a.1", 0.0)
    life.wait(20)
    life.hear("faults.1", "over_temperature+smoke")
    life.hear("charging.1", "none")
    life = start(pile)
    life.wait(5)
    life.hear("faults.1", "over_temperature+smoke")
    assert pile.asked == [1]
    life.hear("charging.1", "78")
    assert pile.asked == [1, 1]
    life.wait(3)
    life.hear("current_a.1", 0.0)
    life.wait(60)
    assert life.of("stop_unconfirmed") == []


def test_a_charge_without_a_number_that_begins_after_a_confirmed_stop_is_stopped(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("status.1", "charging")
    life.hear("faults.1", "smoke")
    life.wait(4)
    life.hear("current_a.1", 0.0)
    life.hear("status.1", "available")
    life.wait(800)
    life.hear("status.1", "charging")
    assert pile.asked == [1, 1]


def test_a_pile_that_begins_again_each_minute_is_one_worse_incident_and_no_storm(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("faults.1", "smoke")
    for minute in range(30):
        life.hear("charging.1", str(minute))
        life.hear("current_a.1", 16.0)
        life.wait(5)
        life.hear("current_a.1", 0.0)
        life.wait(55)
    assert 30 <= len(pile.asked) <= 35, "one for each charge, and hardly any more"
    told = life.of("stop_unconfirmed")
    assert len({each.incident_id for each in told}) == 1
    assert ENDED not in life.states("stop_unconfirmed")
    assert "charging began again" in (told[-1].note or "")
    life.wait(70)
    assert life.states("stop_unconfirmed")[-1] is ENDED


def test_a_zero_from_before_the_next_charge_that_comes_late_confirms_nothing_of_it(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("charging.1", "77")
    life.hear("faults.1", "smoke")
    life.wait(10)
    life.hear("charging.1", "78")
    assert pile.asked[-1] == 1
    life.wait(1)
    life.hear("current_a.1", 0.0, age_s=5)
    life.wait(31)
    assert life.states("stop_unconfirmed")[0] is OPEN


def test_what_a_reload_ends_is_no_reason_any_more_at_once(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("current_a.1", 16.0)
    life.wait(1)
    life.hear("temperature_c.1", 92.0)
    life.wait(3)
    life.hear("current_a.1", 0.0)
    (device,) = configuration().devices
    rules = [
        rule.model_copy(update={"id": rule_id(rule), "point": "temperature_c.2"})
        if isinstance(rule, ThresholdSettings) and rule.point == "temperature_c.1"
        else rule
        for rule in device.standing_rules
        if getattr(rule, "point", None) != "temperature_c.2"
    ]
    piles = [OcppPileSettings(id=PILE, connectors=2, allow_stop=True, spot="shed", rules=tuple(rules))]
    settings = configuration()
    life.desk.adopt(piles, rule_cards(settings))
    life.protection.adopt(piles)
    assert life.states("threshold")[-1] is ENDED
    assert life.protection.figures()["stops"] == []


def test_a_zero_that_one_rule_has_seen_counts_for_the_next_while_nothing_has_flowed_since(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("charging.1", "77")
    life.hear("current_a.1", 16.0)
    life.wait(1)
    life.hear("temperature_c.1", 92.0)
    life.wait(3)
    life.hear("current_a.1", 0.0)
    life.hear("charging.1", "none")
    life.wait(3)
    pile.refuses = CommandRefused("no charge is known on connector 1: there is nothing to stop")
    life.hear("faults.1", "over_temperature+smoke")
    life.wait(90)
    assert pile.asked == [1]
    assert life.of("stop_unconfirmed") == []
    assert all("meter says zero" in (each.note or "") for each in life.of("device_fault"))


@pytest.mark.parametrize(
    "idle", [{"charging.2": "none"}, {"status.2": "available"}, {"charging.2": "none", "status.2": "finishing"}]
)
def test_where_no_charge_is_known_there_is_nothing_to_stop_until_one_begins(start: Start, idle: dict[str, str]) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("charging.1", "77")
    for point, state in idle.items():
        life.hear(point, state)
    life.wait(1)
    life.hear("temperature_c.0", 92.0)
    life.wait(4)
    life.hear("current_a.1", 0.0)
    life.wait(40)
    assert pile.asked == [1]
    assert life.of("stop_unconfirmed") == []
    life.hear("temperature_c.0", 92.0)
    life.hear("charging.2", "78")
    assert pile.asked == [1, 2]


def test_a_meter_is_believed_where_a_pile_says_that_no_charge_is_under_way(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("charging.1", "none")
    life.wait(1)
    life.hear("current_a.1", 16.0)
    life.wait(1)
    life.hear("temperature_c.1", 92.0)
    assert pile.asked == [1]
    life.wait(31)
    assert life.states("stop_unconfirmed") == [OPEN]


def test_a_charge_that_begins_while_a_fault_stands_is_stopped(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("status.1", "available")
    life.hear("faults.1", "smoke")
    life.wait(900)
    assert pile.asked == []
    assert "nothing to stop" in (life.of("device_fault")[-1].note or "")
    life.hear("charging.1", "77")
    assert pile.asked == [1]


def test_a_stop_of_which_nothing_was_known_is_let_go_once_it_is_known_that_there_was_no_charge(start: Start) -> None:
    pile = Pile(CommandRefused("no charge is known on connector 1: there is nothing to stop"))
    life = start(pile)
    life.hear("temperature_c.1", 92.0)
    life.wait(40)
    assert life.states("stop_unconfirmed")[-1] is not ENDED
    life.hear("status.1", "available")
    assert life.states("stop_unconfirmed")[-1] is ENDED


def test_a_pile_without_a_meter_that_agrees_is_not_believed_for_saying_that_it_is_free(start: Start) -> None:
    life = start(Pile())
    life.hear("temperature_c.1", 92.0)
    life.wait(2)
    life.hear("status.1", "available")
    life.wait(40)
    assert life.states("stop_unconfirmed")[-1] is not ENDED


def test_a_zero_from_before_a_new_charge_says_nothing_of_it(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("charging.1", "77")
    life.hear("temperature_c.1", 92.0)
    life.wait(3)
    life.hear("current_a.1", 0.0)
    life.hear("charging.1", "none")
    life.wait(20)
    life.hear("charging.1", "78")
    life.wait(1)
    life.hear("faults.1", "smoke")
    assert pile.asked == [1, 1]
    life.wait(31)
    assert life.states("stop_unconfirmed") == [OPEN]


def test_the_next_charge_is_not_asked_to_stop_for_the_heat_of_the_one_before(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("charging.1", "77")
    life.wait(1)
    life.hear("temperature_c.1", 92.0)
    life.wait(2)
    life.hear("charging.1", "none")
    life.wait(95)
    assert life.states("stop_unconfirmed") == [OPEN]
    life.hear("charging.1", "78")
    life.wait(500)
    assert pile.asked == [1]
    life.hear("temperature_c.1", 92.0)
    assert pile.asked == [1, 1], "it is the next one's own now"


def test_once_it_is_cool_a_stop_ends_with_the_charge_that_it_meant(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("charging.1", "77")
    life.wait(1)
    life.hear("temperature_c.1", 92.0)
    life.wait(35)
    life.hear("charging.1", "none")
    assert life.states("stop_unconfirmed")[-1] is not ENDED
    for _ in range(8):
        life.hear("temperature_c.1", 40.0)
        life.wait(10)
    assert life.states("stop_unconfirmed")[-1] is ENDED
    assert "the charge is over, as the pile says" in (life.of("stop_unconfirmed")[-1].note or "")
    assert life.protection.figures()["stops"] == []


def test_faults_at_one_connector_share_one_stop_and_what_is_told_of_it(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("current_a.1", 16.0)
    life.wait(1)
    life.hear("faults.1", "over_temperature")
    life.wait(10)
    life.hear("current_a.1", 16.0)
    life.hear("faults.1", "over_temperature+smoke")
    life.wait(25)
    life.hear("faults.1", "smoke")
    life.wait(40)
    assert ENDED not in life.states("stop_unconfirmed"), "smoke is there still, and no meter says zero"
    life.hear("faults.1", "none")
    life.hear("current_a.1", 0.0)
    assert life.states("stop_unconfirmed").count(ENDED) == 1
    told = life.of("stop_unconfirmed")
    assert told[-1].state is ENDED
    assert {each.incident_id for each in told} == {told[0].incident_id}


def test_a_device_that_was_not_asked_is_asked_as_soon_as_it_may_be(start: Start) -> None:
    pile = Pile(DeviceBusy("others are asked first"))
    life = start(pile)
    life.hear("temperature_c.1", 92.0)
    life.wait(6)
    assert len(pile.asked) == 7
    (stop,) = life.protection.figures()["stops"]
    assert stop["attempts"] == 0
    pile.refuses = None
    life.wait(1)
    assert len(pile.asked) == 8
    (stop,) = life.protection.figures()["stops"]
    assert stop["attempts"] == life.protection.figures()["orders"] == 1


def test_a_pile_whose_clock_is_slow_is_believed_that_nothing_flows(start: Start) -> None:
    life = start(Pile())
    life.hear("current_a.1", 16.0, age_s=45)
    life.wait(1)
    life.hear("temperature_c.1", 92.0, age_s=45)
    life.wait(5)
    life.hear("current_a.1", 0.0, age_s=45)
    life.wait(60)
    assert life.of("stop_unconfirmed") == []


def test_a_zero_of_before_the_order_that_comes_late_confirms_nothing(start: Start) -> None:
    life = start(Pile())
    life.hear("temperature_c.1", 60.0)
    life.wait(1)
    life.hear("temperature_c.1", 92.0)
    life.wait(5)
    life.hear("current_a.1", 0.0, age_s=45)
    life.wait(60)
    assert life.states("stop_unconfirmed")[0] is OPEN


def test_what_is_done_after_an_incident_is_over_is_no_word_of_the_next_one(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("faults.1", "smoke")
    life.wait(2)
    life.hear("faults.1", "none")
    life.wait(60)
    life.hear("current_a.1", 0.0)
    assert life.states("stop_unconfirmed")[-1] is ENDED
    life.clock.step(3600)
    for minutes, state in ((40, "smoke"), (30, "none")):
        life.hear("faults.1", state, flag=ReadingFlag.REPLAYED, age_s=60.0 * minutes)
    life.wait(30)
    last = life.of("device_fault")[-1]
    assert (last.revision, last.state, last.note) == (1, ENDED, None)


def test_a_stop_that_was_not_told_before_a_crash_is_told_after_it(start: Start) -> None:
    life = start(Pile())
    life.hear("temperature_c.1", 92.0)
    life.wait(29)
    life.clock.step(5)
    (case,) = life.protection._cases.values()
    life.protection._change(case, case.looked(life.protection._known(case.place), life.clock()))
    life = start(Pile())
    assert life.states("stop_unconfirmed") == [OPEN]


def test_without_its_rule_a_stop_is_told_by_another_one_that_acts(start: Start) -> None:
    life = start(Pile())
    life.hear("temperature_c.1", 92.0)
    life.hear("faults.1", "smoke")
    life.wait(31)
    (first,) = {each.rule.id for each in life.of("stop_unconfirmed") if each.rule is not None}
    (device,) = configuration().devices
    left = [rule for rule in device.standing_rules if rule_id(rule) != first]
    life.protection.adopt([OcppPileSettings(id=PILE, connectors=2, allow_stop=True, spot="shed", rules=tuple(left))])
    assert life.states("stop_unconfirmed")[-2:] == [ENDED, OPEN]
    last = life.of("stop_unconfirmed")[-1]
    assert last.rule is not None
    assert last.rule.id == "device_fault"


def test_heat_of_the_housing_stops_every_connector(start: Start) -> None:
    pile = Pile()
    start(pile).hear("temperature_c.0", 92.0)
    assert pile.asked == [1, 2]


def test_a_fault_of_heat_stops_the_charge_another_one_and_a_stop_for_heat_do_not(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("faults.1", "lock")
    life.hear("stop_reason.1", "over_temperature")
    assert pile.asked == []
    life.clock.step(1)
    life.hear("faults.1", "lock+over_temperature")
    assert pile.asked == [1]


def test_history_never_acts_and_what_holds_still_does(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    for minute in range(60, 2, -1):
        life.hear("temperature_c.1", 92.0, flag=ReadingFlag.REPLAYED, age_s=60.0 * minute)
    life.wait(15)
    ((opened, replayed),) = life.kept
    assert (opened.state, replayed) == (OPEN, True)
    assert pile.asked == []
    life.hear("temperature_c.1", 92.0)
    assert pile.asked == [1]


def test_an_old_reading_is_no_reason(start: Start) -> None:
    pile = Pile()
    start(pile).hear("temperature_c.1", 92.0, age_s=90)
    assert pile.asked == []


def test_after_a_restart_a_confirmed_stop_is_not_ordered_again_and_another_one_is_gone_on_with(start: Start) -> None:
    pile = Pile()
    life = start(pile)
    life.hear("temperature_c.1", 92.0)
    life.hear("temperature_c.2", 92.0)
    life.wait(2)
    life.hear("current_a.1", 0.0)
    life = start(pile)
    life.wait(1)
    life.hear("temperature_c.1", 92.0)
    life.hear("temperature_c.2", 92.0)
    life.wait(20)
    assert pile.asked.count(1) == 1
    life.hear("temperature_c.2", 92.0)
    life.wait(8)
    assert pile.asked.count(2) >= 2
    life.wait(1)
    assert [each.point for each in life.of("stop_unconfirmed") if each.state is OPEN] == ["current_a.2"]
    life = start(pile)
    life.wait(1)
    life.hear("current_a.2", 0.0)
    assert life.states("stop_unconfirmed")[-1] is ENDED


def test_a_device_that_does_not_allow_it_is_not_acted_on() -> None:
    (device,) = configuration(allow_stop=False).devices
    assert all(getattr(rule, "act", None) is None for rule in device.standing_rules)
    (hot, *_) = configuration().devices[0].standing_rules
    with pytest.raises(ConfigurationError, match="allow_stop"):
        reading_rule(hot, device)
