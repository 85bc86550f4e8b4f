"""Readings of a sensor over a restart of the node, with the real store: what was open must end."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from edge.contract.incident import Incident, IncidentState
from edge.flow import EvidenceFile, Health, Parcel, Reading, StagedFile
from edge.incidents import IncidentBook, rule_cards
from edge.node.standing import Standing
from edge.node.telemetry import DeviceDesk
from edge.outbox.outbox import Outbox
from edge.settings import NodeConfiguration
from tests.edge.records import START, SteppedClock

FOR_S = 20.0
CLEAR_FOR_S = 30.0


def configuration(**changed: object) -> NodeConfiguration:
    limit: dict[str, object] = {
        "kind": "threshold",
        "point": "t",
        "above": 60,
        "clear": 55,
        "for_s": FOR_S,
        "clear_for_s": CLEAR_FOR_S,
    }
    limit |= changed
    return NodeConfiguration.model_validate(
        {
            "node": {"id": "station-01", "district": "110105", "data_directory": "data"},
            "cloud": {"mqtt": "mqtt://127.0.0.1", "https": "http://127.0.0.1"},
            "local_mqtt": {"url": "mqtt://127.0.0.1"},
            "sensors": [
                {
                    "id": "pile-1",
                    "topic": "piles/1",
                    "points": [{"name": "t", "period_s": 10}, {"name": "humidity", "period_s": 10}],
                    "rules": [limit],
                }
            ],
        }
    )


@dataclass(frozen=True, slots=True)
class Life:
    """One start of the node, as far as sensors need it; `kept` is every revision of all lives."""

    desk: DeviceDesk
    book: IncidentBook
    standing: Standing
    clock: SteppedClock
    kept: list[Incident]

    def hear(self, value: float, seconds: float = 10.0) -> None:
        """A reading that comes `seconds` after the one before."""
        self.clock.step(seconds)
        at = self.clock()
        self.desk.keep(Parcel([Reading("pile-1", "t", at, value, at)]))
        self.book.tick()

    def states(self) -> list[IncidentState]:
        return [each.state for each in self.kept]


Start = Callable[..., Life]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    clock, kept = SteppedClock(), list[Incident]()
    with ExitStack() as stack:

        class Recording(Outbox):
            """The real store, which also shows what it was given."""

            def incident(
                self, incident: Incident, evidence: Sequence[EvidenceFile | StagedFile] = (), *, replayed: bool = False
            ) -> None:
                super().incident(incident, evidence, replayed=replayed)
                kept.append(incident)

        @contextmanager
        def life(settings: NodeConfiguration) -> Iterator[Life]:
            outbox = Recording(tmp_path, settings.outbox, devices=["pile-1"], clock=clock, window_s=0.0)
            book = IncidentBook(outbox, rule_cards(settings), clock=clock)
            standing = Standing(clock=clock, on_change=lambda: None)
            desk = DeviceDesk(settings.sensors, recorder=outbox, book=book, standing=standing, clock=clock)
            book.resume()
            desk.resume()
            yield Life(desk, book, standing, clock, kept)
            outbox.close()

        def restart(**changed: object) -> Life:
            stack.pop_all().close()
            return stack.enter_context(life(configuration(**changed)))

        yield restart


def test_what_comes_again_after_a_crash_opens_nothing_twice(start: Start) -> None:
    """The node ended after its incident had ended and before its source was told."""
    life = start(for_s=0.0, clear_for_s=0.0)
    life.hear(70)
    life.hear(40)
    assert life.states() == [IncidentState.OPEN, IncidentState.ENDED]
    again = [
        Reading("pile-1", "t", at, value, at)
        for at, value in ((life.kept[0].updated_at, 70.0), (life.kept[1].updated_at, 40.0))
    ]
    life = start(for_s=0.0, clear_for_s=0.0)
    life.desk.keep(Parcel([], again))
    assert life.states() == [IncidentState.OPEN, IncidentState.ENDED]
    life.hear(70)
    assert life.states()[2:] == [IncidentState.OPEN]
    assert life.kept[2].incident_id != life.kept[0].incident_id


def opened(start: Start, **changed: object) -> Life:
    """A life in which a threshold incident is open."""
    life = start(**changed)
    for _ in range(4):
        life.hear(70)
    assert life.states() == [IncidentState.OPEN]
    return life


def test_what_is_clear_from_the_first_reading_after_a_restart_ends(start: Start) -> None:
    opened(start)
    life = start()
    for _ in range(5):
        life.hear(20)
    first, last = life.kept
    assert life.states() == [IncidentState.OPEN, IncidentState.ENDED]
    assert last.incident_id == first.incident_id
    assert last.ended_at is not None
    assert START < last.ended_at <= life.clock()


def test_what_still_holds_after_a_restart_goes_on_and_ends_when_it_is_clear(start: Start) -> None:
    opened(start)
    life = start()
    for _ in range(30):
        life.hear(72)
    for _ in range(6):
        life.hear(20)
    assert len({each.incident_id for each in life.kept}) == 1
    assert life.states()[0] is IncidentState.OPEN
    assert life.states()[-1] is IncidentState.ENDED
    assert life.kept[-1].ended_at == life.clock() - timedelta(seconds=50)


def test_what_comes_back_within_the_grace_is_the_same_incident(start: Start) -> None:
    opened(start)
    life = start()
    life.hear(20)
    for _ in range(4):
        life.hear(70)
    assert IncidentState.ENDED not in life.states()
    assert len({each.incident_id for each in life.kept}) == 1


def test_what_waits_for_its_fold_ends_while_the_sensor_is_silent(start: Start) -> None:
    life = start(for_s=0, clear_for_s=0, fold_s=60)
    life.hear(70)
    life.hear(40)
    life.clock.step(59)
    life.desk.tick()
    assert life.states() == [IncidentState.OPEN]
    life.clock.step(1)
    life.desk.tick()
    assert life.states() == [IncidentState.OPEN, IncidentState.ENDED]


def test_two_restarts_end_it_once(start: Start) -> None:
    opened(start)
    start().hear(20)
    life = start()
    for _ in range(30):
        life.hear(20)
    assert life.states() == [IncidentState.OPEN, IncidentState.ENDED]


def test_a_value_in_the_band_goes_on_with_its_incident_however_long_it_stays_there(start: Start) -> None:
    opened(start)
    life = start()
    for _ in range(100):
        life.hear(57)
    for _ in range(4):
        life.hear(70)
    assert IncidentState.ENDED not in life.states()
    for _ in range(4):
        life.hear(20)
    assert life.states()[-1] is IncidentState.ENDED
    assert len({each.incident_id for each in life.kept}) == 1


def test_a_sensor_that_is_silent_after_the_restart_is_no_evidence_of_an_end(start: Start) -> None:
    opened(start)
    life = start()
    life.clock.step(86_400)
    life.book.tick()
    assert life.states() == [IncidentState.OPEN]
    for _ in range(4):
        life.hear(20)
    assert life.states() == [IncidentState.OPEN, IncidentState.ENDED]


def test_a_rule_that_watches_another_point_now_ends_what_it_had_opened(start: Start) -> None:
    opened(start, id="hot")
    life = start(point="humidity", id="hot")
    assert life.states() == [IncidentState.OPEN, IncidentState.ENDED]
    assert "something else" in (life.kept[-1].note or "")


def test_a_limit_that_was_raised_over_the_restart_ends_by_the_rule_itself(start: Start) -> None:
    opened(start)
    life = start(above=90, clear=80)
    for _ in range(4):
        life.hear(70)
    assert life.states() == [IncidentState.OPEN, IncidentState.ENDED]
    assert len({each.incident_id for each in life.kept}) == 1


def reloaded(life: Life, settings: NodeConfiguration) -> None:
    life.desk.adopt(settings.sensors, rule_cards(settings))


def test_a_rule_that_stays_goes_on_over_a_reload(start: Start) -> None:
    life = opened(start)
    reloaded(life, configuration())
    for _ in range(5):
        life.hear(40)
    assert life.states() == [IncidentState.OPEN, IncidentState.ENDED]


def test_a_rule_that_changes_takes_up_what_is_open(start: Start) -> None:
    life = opened(start)
    reloaded(life, configuration(clear_for_s=0.0, severity="critical"))
    life.hear(40)
    assert life.states()[-1] is IncidentState.ENDED
    assert {each.incident_id for each in life.kept} == {life.kept[0].incident_id}
    hashes = [each.rule.sha256 for each in life.kept if each.rule is not None]
    assert hashes[0] != hashes[-1]


def test_what_has_no_rule_any_more_ends_and_says_so(start: Start) -> None:
    life = opened(start)
    settings = configuration()
    sensor = settings.sensors[0].model_copy(update={"rules": ()})
    reloaded(life, settings.model_copy(update={"sensors": (sensor,)}))
    assert life.states() == [IncidentState.OPEN, IncidentState.ENDED]
    assert "not configured any more" in str(life.kept[-1].note)
    assert life.kept[-1].rule == life.kept[0].rule
    life.hear(70)
    assert len(life.kept) == 2


def test_a_sensor_that_goes_is_forgotten_and_may_still_speak(start: Start) -> None:
    life = opened(start)
    life.desk.on_status("pile-1", Health.LOST, "nothing came for 30 s")
    reloaded(life, configuration().model_copy(update={"sensors": ()}))
    assert life.states()[-1] is IncidentState.ENDED
    life.desk.on_status("pile-1", Health.LOST, "nothing came for 60 s")
    assert life.standing.degradations() == ()
    life.hear(70)
    assert life.desk.set_back() == {}
