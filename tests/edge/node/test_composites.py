"""Composites in the node's book: one worse incident beside those that it is made of, over restarts and other configurations."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from edge.contract.incident import Incident, IncidentState, Severity
from edge.contract.view import SightCount
from edge.flow import Finding, Sight
from edge.incidents import IncidentBook, rule_cards
from edge.node.composites import Composites
from edge.outbox.outbox import Outbox
from edge.settings import NodeConfiguration
from tests.edge.records import SteppedClock

OPEN, UPDATE, ENDED = IncidentState.OPEN, IncidentState.UPDATE, IncidentState.ENDED

FIRE: dict[str, Any] = {
    "id": "pile-fire",
    "signs": [
        {"name": "heat", "kinds": ["threshold"], "required": True},
        {"name": "smoke", "kinds": ["state"], "points": ["smoke"]},
        {"name": "people", "sees": ["person"]},
    ],
}


def configuration(composites: list[dict[str, Any]], *, smoke_at: str = "shed") -> NodeConfiguration:
    def sensor(name: str, spot: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
        points = [{"name": "t"}, {"name": "smoke", "kind": "state"}]
        return {"id": name, "topic": f"sensors/{name}", "spot": spot, "points": points, "rules": rules}

    hot = {"kind": "threshold", "point": "t", "above": 60, "id": "hot"}
    burning = {"kind": "state", "point": "smoke", "states": ["true"], "id": "burning"}
    return NodeConfiguration.model_validate(
        {
            "node": {"id": "station-01", "district": "110105", "data_directory": "data"},
            "cloud": {"mqtt": "mqtt://127.0.0.1", "https": "http://127.0.0.1"},
            "local_mqtt": {"url": "mqtt://127.0.0.1"},
            "sensors": [
                sensor("pile-1", "shed", [hot]),
                sensor("smoke-1", smoke_at, [burning]),
                sensor("smoke-2", "gate", [burning]),
            ],
            "composites": composites,
        }
    )


class Life:
    """One start of the node, as far as composites need it."""

    def __init__(self, directory: Path, clock: SteppedClock, composites: list[dict[str, Any]]) -> None:
        self.clock = clock
        settings = configuration(composites)
        self.outbox = Outbox(directory, settings.outbox, devices=[], clock=clock, window_s=0.0)
        self.book = IncidentBook(self.outbox, rule_cards(settings), clock=clock)
        self.composites = Composites(settings, self.book, clock=clock)
        self.told: list[Finding] = []
        self.book.listen(self.told.append)
        self.book.resume()
        self.composites.resume()

    def find(
        self, device: str, rule: str, kind: str, point: str, state: IncidentState = OPEN, *, occurrence: str = ""
    ) -> None:
        now = self.clock()
        ended_at = now if state is ENDED else None
        self.book.report(
            Finding(
                f"{device}/{rule}{occurrence}",
                state,
                rule,
                kind,
                "fire_safety",
                Severity.HIGH,
                device,
                now,
                now,
                ended_at,
                point=point,
            )
        )

    def open(self) -> list[Incident]:
        return [each for each in self.book.ongoing() if each.kind == "composite"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Life]]:
    clock = SteppedClock()
    with ExitStack() as stack:

        def restart(composites: list[dict[str, Any]] | None = None) -> Life:
            stack.pop_all().close()
            clock.step(1)
            life = Life(tmp_path, clock, [FIRE] if composites is None else composites)
            stack.callback(life.outbox.close)
            return life

        yield restart


def test_the_single_ones_stay_and_one_worse_thing_is_told_beside_them(start: Callable[..., Life]) -> None:
    life = start()
    life.find("pile-1", "hot", "threshold", "t")
    life.find("smoke-2", "burning", "state", "smoke")
    assert life.open() == []
    life.find("smoke-1", "burning", "state", "smoke")
    (composite,) = life.open()
    assert (composite.severity, composite.spot, composite.device) == (Severity.CRITICAL, "shed", "pile-1")
    assert composite.rule is not None
    assert composite.rule.id == "pile-fire"
    assert len(life.book.ongoing()) == 4


def test_it_goes_on_over_a_restart_and_ends_with_its_signs(start: Callable[..., Life]) -> None:
    life = start()
    life.find("pile-1", "hot", "threshold", "t")
    life.find("smoke-1", "burning", "state", "smoke")
    (before,) = life.open()
    life = start()
    (after,) = life.open()
    assert after.incident_id == before.incident_id
    life.find("pile-1", "hot", "threshold", "t", ENDED)
    assert life.open() != []
    life.find("smoke-1", "burning", "state", "smoke", ENDED)
    assert life.open() == []


def test_people_whom_a_camera_sees_complete_it(start: Callable[..., Life]) -> None:
    life = start()
    life.find("pile-1", "hot", "threshold", "t")
    nobody = (SightCount(label="person", count=0),)
    life.composites.saw("pile-1", Sight("cam-1", life.clock(), (), nobody))
    assert life.open() == []
    life.composites.saw("pile-1", Sight("cam-1", life.clock(), (), (SightCount(label="person", count=2),)))
    assert len(life.open()) == 1


def test_one_that_is_not_configured_any_more_ends_and_a_new_one_begins_with_what_is_open(
    start: Callable[..., Life],
) -> None:
    life = start([])
    life.find("pile-1", "hot", "threshold", "t")
    life.find("smoke-1", "burning", "state", "smoke")
    assert life.open() == []
    life.composites.adopt(configuration([FIRE]), rule_cards(configuration([FIRE])))
    (composite,) = life.open()
    assert composite.rule is not None
    life.composites.adopt(configuration([]), rule_cards(configuration([])))
    assert life.open() == []


@pytest.mark.parametrize("occurrence", ["", "/1773652487000000"])
def test_a_sign_whose_rule_a_reload_took_away_is_over(start: Callable[..., Life], occurrence: str) -> None:
    life = start()
    life.find("smoke-1", "burning", "state", "smoke", occurrence=occurrence)
    (smoke,) = life.book.ongoing()
    life.book.end(smoke, "its rule is not configured any more")
    assert life.book.ongoing() == []
    life.clock.step(86_400)
    life.find("pile-1", "hot", "threshold", "t")
    assert life.open() == []


def test_a_composite_that_stands_ends_when_a_reload_takes_the_rules_of_its_signs_away(
    start: Callable[..., Life],
) -> None:
    life = start()
    life.find("pile-1", "hot", "threshold", "t")
    life.find("smoke-1", "burning", "state", "smoke", occurrence="/1773652487000000")
    for incident in life.book.ongoing():
        if incident.kind != "composite":
            life.book.end(incident, "its rule is not configured any more")
    assert life.book.ongoing() == []


def test_a_new_composite_hears_of_the_end_of_an_occurrence_that_was_there_before_it(start: Callable[..., Life]) -> None:
    life = start([])
    life.find("pile-1", "hot", "threshold", "t", occurrence="/1/2")
    life.find("smoke-1", "burning", "state", "smoke", occurrence="/1773652487000000/3")
    life.composites.adopt(configuration([FIRE]), rule_cards(configuration([FIRE])))
    assert len(life.open()) == 1
    life.find("pile-1", "hot", "threshold", "t", ENDED, occurrence="/1/2")
    life.find("smoke-1", "burning", "state", "smoke", ENDED, occurrence="/1773652487000000/3")
    assert life.book.ongoing() == []


def test_a_sign_goes_to_another_spot_with_its_device(start: Callable[..., Life]) -> None:
    life = start()
    life.find("smoke-1", "burning", "state", "smoke")
    moved = configuration([FIRE], smoke_at="yard")
    life.composites.adopt(moved, rule_cards(moved))
    life.find("pile-1", "hot", "threshold", "t")
    assert life.open() == [], "the smoke is in the yard now"
    back = configuration([FIRE])
    life.composites.adopt(back, rule_cards(back))
    assert len(life.open()) == 1, "and is back, beside the heat"
    life.composites.adopt(moved, rule_cards(moved))
    life.find("pile-1", "hot", "threshold", "t", ENDED)
    assert life.open() == [], "nothing keeps it open here any more"
    life.find("smoke-1", "burning", "state", "smoke", ENDED)
    assert life.book.ongoing() == []
