"""What the cameras at a spot show when another device there tells of something."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contract.incident import EvidenceKind, EvidenceReference, Incident, IncidentState, Severity
from edge.contract.view import SightCount, ViewAbsence
from edge.flow import EvidenceFile, Finding, Sight
from edge.incidents import IncidentBook, rule_cards
from edge.node.clips import ClipOwner
from edge.node.linkage import LATEST, MOST_WAITING, ONE_MOMENT, PATIENCE_S, PRESENT, Covering, Linkage, covered
from edge.settings import NodeConfiguration
from tests.edge.records import START, SteppedClock
from tests.edge.test_incidents import FakeKeeper

ZONES = {"lane": [[0, 0], [1, 0], [1, 1]], "door": [[0, 0], [1, 0], [1, 1]]}


def configuration(**parts: Any) -> NodeConfiguration:
    camera = {"url": "rtsp://127.0.0.1/", "zones": ZONES}
    return NodeConfiguration.model_validate(
        {
            "node": {"id": "station-01", "district": "110105", "data_directory": Path("data")},
            "cloud": {"mqtt": "mqtt://127.0.0.1", "https": "http://127.0.0.1"},
            "local_mqtt": {"url": "mqtt://127.0.0.1"},
            "cameras": [{"id": "cam-1", "spot": "shed", **camera}, {"id": "cam-2", **camera}],
            "sensors": [
                {
                    "id": f"pile-{number}",
                    "topic": f"piles/{number}",
                    "spot": "shed",
                    "points": [{"name": "t"}],
                    "rules": [{"kind": "threshold", "point": "t", "above": 50}],
                }
                for number in range(40)
            ],
            **parts,
        }
    )


SHOWN = configuration(spots=[{"id": "shed", "cameras": [{"camera": "cam-1", "zones": ["lane"]}]}])


@dataclass
class FakeCameras:
    """Remembers what it was asked for."""

    asked: list[tuple[str, datetime]] = field(default_factory=list)
    films: list[tuple[str, ClipOwner, datetime, bool]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    absent: ViewAbsence | None = None
    keeps: bool = False

    def look(self, camera: str, moment: datetime) -> ViewAbsence | None:
        if self.absent is None:
            self.asked.append((camera, moment))
        return self.absent

    def film(self, camera: str, owner: ClipOwner, moment: datetime, *, still: bool) -> bool:
        self.films.append((camera, owner, moment, still))
        return self.keeps

    def leave(self, camera: str) -> None:
        self.left.append(camera)


class Site:
    """A linkage over a real book, moved on by hand."""

    def __init__(self, given_configuration: NodeConfiguration = SHOWN) -> None:
        self.now = START
        self.keeper = FakeKeeper()
        self.book = IncidentBook(self.keeper, rule_cards(given_configuration), clock=SteppedClock())
        self.cameras = FakeCameras()
        self.linkage = Linkage(
            given_configuration,
            self.book,
            lambda: self.cameras,
            clock=lambda: self.now,
            steady=self.steady_s,
        )
        self.book.listen(self.linkage.follow)

    def steady_s(self) -> float:
        return (self.now - START).total_seconds()

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.linkage.turn()

    def tell(self, device: str = "pile-0", *, ago_s: float = 0.0, **changes: Any) -> Finding:
        moment = self.now - timedelta(seconds=ago_s)
        found = replace(alarm(device, moment), **changes)
        self.book.report(found)
        return found

    def show(self, camera: str = "cam-1", *, ago_s: float = 0.0, **changes: Any) -> Sight:
        shown = replace(sight(camera, self.now - timedelta(seconds=ago_s)), **changes)
        self.linkage.show(shown)
        self.linkage.turn()
        return shown

    def newest(self) -> dict[str, Incident]:
        """The newest revision of each device's incident."""
        return {incident.device: incident for incident in self.keeper.kept}


def alarm(device: str, moment: datetime) -> Finding:
    return Finding(
        key=f"{device}/threshold-t/{moment.isoformat()}",
        state=IncidentState.OPEN,
        rule="threshold-t",
        kind="threshold",
        category="fire_safety",
        severity=Severity.HIGH,
        device=device,
        started_at=moment,
        at=moment,
    )


def sight(camera: str, captured_at: datetime) -> Sight:
    content = f"{camera} {captured_at.isoformat()}".encode()
    reference = EvidenceReference(
        sha256=hashlib.sha256(content).hexdigest(),
        kind=EvidenceKind.SNAPSHOT,
        mime="image/jpeg",
        bytes=len(content),
        captured_at=captured_at,
    )
    counts = (
        SightCount(label="person", count=2),
        SightCount(label="vehicle", count=1, zone="lane"),
        SightCount(label="vehicle", count=0, zone="door"),
    )
    return Sight(camera, captured_at, (EvidenceFile(reference, content),), counts)


def test_what_a_spot_names_shows_it_and_else_what_stands_there() -> None:
    every = frozenset(ZONES)
    standing = {device: cameras for device, cameras in covered(configuration()).items() if device == "pile-3"}
    assert standing == {"pile-3": (Covering("cam-1", every),)}
    named = configuration(spots=[{"id": "shed", "cameras": ["cam-2", {"camera": "cam-1", "zones": []}]}])
    assert covered(named)["pile-3"] == (Covering("cam-2", every), Covering("cam-1", frozenset()))
    assert covered(configuration(cameras=[])) == {}


def test_the_incident_is_told_at_once_and_its_picture_follows_with_what_was_counted() -> None:
    site = Site()
    site.tell()
    [told] = site.keeper.kept
    assert told.views == ()
    site.pass_s(0)
    assert site.cameras.asked == [("cam-1", START)]
    site.now += timedelta(seconds=0.4)
    shown = site.show()
    picture = site.newest()["pile-0"]
    assert (picture.incident_id, picture.revision, picture.state) == (told.incident_id, 2, IncidentState.UPDATE)
    [view] = picture.views
    assert view.evidence == (picture.evidence[0].sha256,) == (shown.pictures[0].reference.sha256,)
    assert view.captured_at == shown.captured_at
    assert [(each.label, each.zone, each.count) for each in view.counts or ()] == [
        ("person", None, 2),
        ("vehicle", "lane", 1),
    ]
    assert view.absence is None


def test_an_incident_that_has_ended_meanwhile_gets_its_picture_and_stays_ended() -> None:
    site = Site()
    found = site.tell()
    site.pass_s(0)
    site.book.report(replace(found, state=IncidentState.ENDED, ended_at=found.at))
    site.show()
    incident = site.newest()["pile-0"]
    assert incident.state is IncidentState.ENDED
    assert len(incident.views) == len(incident.evidence) == 1


def test_forty_that_tell_at_the_same_time_cost_one_look() -> None:
    site = Site()
    for number in range(40):
        site.tell(f"pile-{number}", ago_s=number / 200)
    site.linkage.turn()
    assert {camera for camera, _ in site.cameras.asked} == {"cam-1"}
    shown = site.show()
    site.tell("pile-0", ago_s=-0.3)  # what comes within the next second is served by what is there
    site.linkage.turn()
    assert site.linkage.figures.sights == 1
    incidents = {incident.incident_id: incident for incident in site.keeper.kept}.values()
    assert len(incidents) == 41
    assert {incident.views[0].evidence for incident in incidents} == {(shown.pictures[0].reference.sha256,)}
    assert site.linkage.waiting == 0


def test_what_waits_is_bounded_and_counted() -> None:
    site = Site()
    for number in range(MOST_WAITING + 5):
        site.tell(started_at=START + timedelta(microseconds=number), key=f"pile-0/{number}")
    assert site.linkage.figures.left == 5
    assert len(site.keeper.kept) == MOST_WAITING + 5
    site.linkage.turn()
    assert site.linkage.waiting == MOST_WAITING
    site.pass_s(PATIENCE_S)
    assert site.linkage.waiting == 0


@pytest.mark.parametrize("absence", [ViewAbsence.CAMERA_LOST, ViewAbsence.QUARANTINED])
def test_a_camera_that_shows_nothing_is_said_in_the_incident(absence: ViewAbsence) -> None:
    site = Site()
    site.cameras.absent = absence
    site.tell()
    site.linkage.turn()
    [view] = site.newest()["pile-0"].views
    assert (view.camera, view.absence, view.evidence, view.counts) == ("cam-1", absence.value, (), None)


def test_a_camera_that_does_not_come_is_given_up_and_said() -> None:
    site = Site()
    site.tell()
    site.pass_s(0)
    site.pass_s(PATIENCE_S - 0.1)
    assert site.newest()["pile-0"].views == ()
    site.pass_s(0.1)
    [view] = site.newest()["pile-0"].views
    assert view.absence == ViewAbsence.NO_FRAME.value
    assert site.cameras.left == ["cam-1"]
    site.show()  # what comes then is nobody's
    assert site.newest()["pile-0"].evidence == ()


def test_a_picture_that_could_not_be_masked_is_none_and_what_was_counted_is_told() -> None:
    site = Site()
    site.tell()
    site.pass_s(0)
    site.show(pictures=())
    [view] = site.newest()["pile-0"].views
    assert view.absence == ViewAbsence.NOT_MASKED.value
    assert view.counts
    assert view.evidence == ()


def test_a_picture_that_finds_no_room_is_said_and_what_was_counted_stays() -> None:
    site = Site()
    site.tell()
    site.pass_s(0)
    site.keeper.room = False
    site.show()
    [view] = site.newest()["pile-0"].views
    assert (view.absence, view.evidence) == (ViewAbsence.NOT_KEPT.value, ())
    assert view.counts


@pytest.mark.parametrize(("ago_s", "replayed"), [(PRESENT.total_seconds() + 0.1, False), (0.0, True), (3_600.0, True)])
@pytest.mark.parametrize("keeps", [True, False])
def test_of_what_is_over_no_present_picture_is_taken(ago_s: float, replayed: bool, keeps: bool) -> None:
    site = Site()
    site.cameras.keeps = keeps
    site.tell(ago_s=ago_s, replayed=replayed)
    site.linkage.turn()
    assert site.cameras.asked == []
    assert [(film[0], film[2], film[3]) for film in site.cameras.films] == [
        ("cam-1", START - timedelta(seconds=ago_s), True)
    ]
    views = site.newest()["pile-0"].views
    assert [view.absence for view in views] == ([] if keeps else [ViewAbsence.MOMENT_PASSED.value])


def test_updates_ends_what_cameras_find_and_what_only_wants_maintenance_are_no_events() -> None:
    site = Site()
    found = site.tell()
    site.book.report(replace(found, state=IncidentState.UPDATE))
    site.book.report(replace(alarm("cam-1", START), key="cam-1/1"))
    site.book.report(replace(alarm("nobody", START), key="nobody/1"))
    site.tell("pile-1", category="maintenance")
    site.linkage.turn()
    assert site.linkage.figures.events == 1


def test_another_configuration_counts_from_the_next_event_on() -> None:
    site = Site()
    site.linkage.adopt(configuration(spots=[{"id": "shed", "cameras": ["cam-2"]}]))
    site.tell()
    site.linkage.turn()
    assert site.cameras.asked == [("cam-2", START)]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.integers(0, 5), st.floats(-0.5, 6.0)),
        st.tuples(st.just("sight"), st.sampled_from([1, 2]), st.floats(0.0, 6.0)),
        st.tuples(st.just("pass"), st.just(0), st.floats(0.01, 3.0)),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_whatever_comes_in_whatever_order_each_event_ends_with_its_own_moment_or_with_the_word_that_there_is_none(
    steps: Sequence[tuple[str, int, float]],
) -> None:
    both = configuration(spots=[{"id": "shed", "cameras": ["cam-1", "cam-2"]}])
    site = Site(both)
    moments: dict[str, datetime] = {}
    for number, (step, which, seconds) in enumerate(steps):
        if step == "event":
            found = site.tell(f"pile-{which}", ago_s=seconds, key=f"pile-{which}/{number}")
            moments[f"{found.device}/{found.started_at.isoformat()}"] = found.at
        elif step == "sight":
            site.show(f"cam-{which}", ago_s=seconds)
        else:
            site.pass_s(seconds)
    site.linkage.turn()
    site.pass_s(PATIENCE_S + 0.01)
    assert site.linkage.waiting == 0
    newest = {incident.incident_id: incident for incident in site.keeper.kept}.values()
    for incident in newest:
        moment = moments[f"{incident.device}/{incident.started_at.isoformat()}"]
        assert {view.camera for view in incident.views} == {"cam-1", "cam-2"}
        for view in incident.views:
            assert (view.absence is None) == bool(view.evidence)
            if view.captured_at is not None:
                assert -ONE_MOMENT <= view.captured_at - moment <= LATEST
