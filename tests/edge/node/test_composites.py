"""Composites in the node's book: one worse incident beside those that it is made of, over restarts and other configurations."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.incident import Incident, IncidentState, Severity
from edge.contract.view import SightCount
from edge.flow import Finding, Sight
from edge.incidents import IncidentBook, rule_cards
from edge.node.composites import Composites
from edge.outbox.outbox import Outbox
from edge.settings import NodeConfiguration
from tests.edge.records import SteppedClock
from tests.edge.test_incidents import FakeKeeper

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
        known = configuration(composites)
        self.outbox = Outbox(directory, known.outbox, devices=[], clock=clock, window_s=0.0)
        self.book = IncidentBook(self.outbox, rule_cards(known), clock=clock)
        self.composites = Composites(known, self.book, clock=clock)
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


steps = st.lists(
    st.tuples(
        st.sampled_from(["open", "open", "open", "tell", "end", "take the rule away", "reload"]),
        st.integers(0, 11),
        st.sampled_from(["shed", "gate", "yard"]),
    ),
    max_size=30,
)
SIGNS = (
    ("pile-1", "hot", "threshold", "t"),
    ("smoke-1", "burning", "state", "smoke"),
    ("smoke-2", "burning", "state", "smoke"),
)


@settings(max_examples=60)
@given(steps)
def test_whatever_reloads_take_away_no_composite_outlives_its_signs(wanted: list[tuple[str, int, str]]) -> None:
    clock, keeper = SteppedClock(), FakeKeeper()
    known = configuration([FIRE])
    book = IncidentBook(keeper, rule_cards(known), clock=clock)
    composites = Composites(known, book, clock=clock)
    spot_of = {"pile-1": "shed", "smoke-1": "shed", "smoke-2": "gate"}
    told = dict[str, Finding]()
    for number, (step, which, spot) in enumerate(wanted):
        clock.step(7)
        open_ = [told[key] for key in book.ongoing_by_key() if key in told]
        chosen = open_[which % len(open_)] if open_ else None
        if step == "open":
            device, rule, kind, point = SIGNS[which % len(SIGNS)]
            key = f"{device}/{rule}/{number}"
            told[key] = Finding(
                key, OPEN, rule, kind, "fire_safety", Severity.HIGH, device, clock(), clock(), point=point
            )
            book.report(told[key])
        elif step == "tell" and chosen is not None:
            book.report(replace(chosen, state=UPDATE, at=clock()))
        elif step == "end" and chosen is not None:
            book.report(replace(chosen, state=ENDED, at=clock(), ended_at=clock()))
        elif step == "take the rule away" and chosen is not None:
            book.end(book.ongoing_by_key()[chosen.key], "its rule is not configured any more")
        elif step == "reload":
            spot_of["smoke-1"] = spot
            changed = configuration([FIRE] if which else [], smoke_at=spot)
            composites.adopt(changed, rule_cards(changed))
        there = {spot_of[incident.device] for incident in book.ongoing() if incident.kind != "composite"}
        assert {spot_of["pile-1"] for incident in book.ongoing() if incident.kind == "composite"} <= there
    for key in list(book.ongoing_by_key()):
        if key in told:
            book.report(replace(told[key], state=ENDED, at=clock(), ended_at=clock()))
    assert book.ongoing() == []
