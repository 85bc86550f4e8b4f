"""A camera's watch whose model fails or hangs."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyrage
import pytest

from edge.contract.incident import EvidenceKind, IncidentState, Severity
from edge.contract.view import ViewAbsence
from edge.errors import ModelUnusable
from edge.evidence.seal import DistrictKey
from edge.flow import (
    Box,
    Detections,
    Encoded,
    EvidenceFile,
    Finding,
    Frame,
    Health,
    Image,
    NativeMark,
    Packet,
    Reading,
    Scene,
    Sight,
    StreamFormat,
)
from edge.incidents import IncidentBook
from edge.node import filming as filming_module
from edge.node import watch as watch_module
from edge.node.clips import ClipOrder, ClipOwner
from edge.node.looking import NEAR
from edge.node.shelf import LONGEST_BAR_S, ModelShelf
from edge.node.standing import Standing
from edge.node.turns import Turns
from edge.node.watch import ANALYSIS_STALLED, NO_CLIPS, CameraWatch, _Seen
from edge.perception.detector import OnnxDetector
from edge.settings import CameraSettings
from edge.sources.video_gateway import Gateways
from edge.video import UNMARKED, ArrayPicture, VideoWriter
from models import catalogue
from tests.edge.records import START, SteppedClock
from tests.edge.test_incidents import FakeKeeper
from tests.fakes.footage import picture, write_clip
from tests.fakes.scenes import at, detections, standing_at, walk
from tests.waiting import wait_until

MODEL = "yolox_nano_416"
LOST = "stream_lost"
NOTHING = Detections(np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.float32), ())


@dataclass
class FakeDetector:
    """Looks as it is told to."""

    look: Callable[[], None]
    looks: int = 0
    found: Detections = NOTHING

    def __post_init__(self) -> None:
        self.manifest = catalogue.models()[MODEL]
        self.labels = self.manifest.labels

    def detect(self, _image: Image, _things: Sequence[Box] = ()) -> Detections:
        self.looks += 1
        self.look()
        return self.found

    def end_overdue(self) -> None:
        """Nothing to end."""


@dataclass
class FakeRecorder:
    """Keeps presences in memory."""

    kept: list[Reading] = field(default_factory=list)

    def readings(self, readings: Sequence[Reading], **_more: Any) -> None:
        self.kept += readings


@dataclass
class FakeRule:
    """Opens one incident at the first picture and fails over the second; `at_the_end` may fail as well."""

    at_the_end: Callable[[], None] = lambda: None
    seen: int = 0

    def observe(self, scene: Scene) -> Sequence[Finding]:
        self.seen += 1
        if self.seen > 1:
            raise ZeroDivisionError
        return [self._finding(IncidentState.OPEN, scene.at)]

    def passed(self, _at: datetime) -> Sequence[Finding]:
        return ()

    def finish(self, at: datetime) -> Sequence[Finding]:
        if self.seen == 0:
            return ()
        self.at_the_end()
        return [self._finding(IncidentState.ENDED, at)]

    def readings(self, _at: datetime) -> Sequence[Reading]:
        return ()

    def _finding(self, state: IncidentState, at: datetime) -> Finding:
        return Finding(
            key=f"cam-1/{id(self)}",
            state=state,
            rule="made-by-hand",
            kind="intrusion",
            category="public_order",
            severity=Severity.MEDIUM,
            device="cam-1",
            started_at=at,
            at=at,
            ended_at=at if state is IncidentState.ENDED else None,
        )


@dataclass
class LateRule(FakeRule):
    """Opens two incidents at the third picture."""

    opened: threading.Event = field(default_factory=threading.Event)

    def observe(self, scene: Scene) -> Sequence[Finding]:
        self.seen += 1
        if self.seen != 3:
            return []
        self.opened.set()
        finding = self._finding(IncidentState.OPEN, scene.at)
        return [finding, replace(finding, key="another")]

    def finish(self, _at: datetime) -> Sequence[Finding]:
        return ()


@dataclass
class FakeClips:
    """Takes orders and makes nothing."""

    seals: bool = True
    orders: list[ClipOrder] = field(default_factory=list)

    def order(self, order: ClipOrder) -> None:
        self.orders.append(order)

    def refused(self, _camera: str) -> int:
        return 0


class Watching:
    """A watch over a clip that is played for ever, with a model made by hand."""

    def __init__(
        self,
        clip: Path,
        look: Callable[[], None],
        *,
        clock: Callable[[], datetime] | None = None,
        district_key: DistrictKey | None = None,
        found: Detections = NOTHING,
        seals: bool = True,
        **settings: Any,
    ) -> None:
        self.detector = FakeDetector(look, found=found)
        self.standing = Standing(clock=SteppedClock(), on_change=lambda: None)
        self.shelf = ModelShelf([MODEL], self.standing, open_model=lambda _id: cast("OnnxDetector", self.detector))
        self.recorder = FakeRecorder()
        self.keeper = FakeKeeper()
        self.films = FakeClips(seals=seals)
        self.sights: list[Sight] = []
        self.watch = CameraWatch(
            CameraSettings.model_validate(
                {"id": "cam-1", "url": str(clip), "loop": True, "analysis_hz": 30, "model": MODEL, **settings}
            ),
            shelf=self.shelf,
            book=IncidentBook(self.keeper, {}, clock=SteppedClock()),
            recorder=cast("Any", self.recorder),
            standing=self.standing,
            mark=_unmarked,
            clock=clock or SteppedClock(),
            gateways=Gateways((), lambda _file: None, lambda _gateway, _problem: None),
            turns=Turns(),
            district_key=district_key,
            clips=cast("Any", self.films),
            on_sight=self.sights.append,
        )

    def start(self) -> None:
        self.shelf.start()
        self.watch.start()

    def stop(self) -> None:
        self.shelf.stop()
        self.watch.stop()

    def reasons(self) -> set[tuple[str, str]]:
        return {(each.subject, each.reason) for each in self.standing.degradations()}


def _unmarked(_role: str) -> NativeMark:
    return UNMARKED


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Callable[[Callable[[], None]], Watching]]:
    running: list[Watching] = []
    clip = write_clip(tmp_path / "a.mp4", frames=20)

    def start(look: Callable[[], None], **settings: Any) -> Watching:
        found = Watching(clip, look, **settings)
        running.append(found)
        found.start()
        return found

    yield start
    for found in running:
        found.stop()


def test_a_model_that_fails_is_withdrawn_and_motion_goes_on(watching: Callable[..., Watching]) -> None:
    def fail() -> None:
        raise ModelUnusable("the graph failed; choose other weights")

    found = watching(fail)
    wait_until(lambda: (MODEL, "model_unusable") in found.reasons(), what="the withdrawal")
    [told] = [each for each in found.standing.degradations() if each.reason == "model_unusable"]
    assert "motion alone" in told.detail
    assert "choose other weights" in told.detail
    wait_until(lambda: found.watch.pipeline.counters.frames > 5, what="motion without a model")
    assert found.detector.looks == 1
    assert found.shelf.detector(MODEL) is None
    assert found.shelf.failures == {MODEL: 1}
    assert found.watch.faults == 1
    [version] = found.shelf.versions()
    assert "choose other weights" in str(version.problem)


@pytest.mark.parametrize("error", [ModelUnusable("the graph failed"), ZeroDivisionError()])
def test_whom_the_model_saw_stays_masked_when_the_analysis_begins_anew(
    error: Exception, watching: Callable[..., Watching]
) -> None:
    fail, failed, person = threading.Event(), threading.Event(), standing_at(0.5, 0.9)

    def look() -> None:
        if fail.is_set() and not failed.is_set():
            failed.set()
            found.detector.found = NOTHING
            raise error

    found = watching(look, found=detections((person, 0.9)))
    wait_until(lambda: found.watch.pipeline.counters.inferences > 0, what="a look")
    former = found.watch.pipeline
    fail.set()
    wait_until(lambda: found.watch.pipeline is not former, what="another pipeline")
    wait_until(lambda: found.watch.pipeline.counters.frames > 3, what="pictures of it")
    found.stop()
    shown = Frame("cam-1", 0, at(0), 0.0, ArrayPicture(picture(0)))
    people = found.watch.pipeline.private_parts(shown).people
    assert any(np.allclose(person, other, atol=0.01) for other in people)


@pytest.mark.parametrize("same", [True, False])
def test_whom_a_watch_saw_stays_masked_by_the_one_that_takes_its_place_at_the_same_camera(
    same: bool, watching: Callable[..., Watching], tmp_path: Path
) -> None:
    person = standing_at(0.5, 0.9)
    former = watching(lambda: None, found=detections((person, 0.9)))
    wait_until(lambda: former.watch.pipeline.counters.inferences > 3, what="looks")
    hanging = former.watch.private_memory
    assert [parts.moving for parts in hanging.held] == [((0.0, 0.0, 1.0, 1.0),)]
    former.stop()
    clip = tmp_path / "a.mp4" if same else write_clip(tmp_path / "b.mp4", frames=20)
    found = Watching(clip, lambda: None)
    found.watch.succeed(former.watch)
    found.start()
    try:
        wait_until(lambda: found.watch.pipeline.counters.inferences > 0, what="a look")
    finally:
        found.stop()
    shown = Frame("cam-1", 0, at(0), 0.0, ArrayPicture(picture(0)))
    people = found.watch.pipeline.private_parts(shown).people
    assert any(np.allclose(person, other, atol=0.01) for other in people) == same


def test_where_the_model_fails_over_the_picture_itself_the_incident_is_told_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = LateRule()
    monkeypatch.setattr(watch_module, "scene_rule", lambda _settings, _camera: rule)

    def look() -> None:
        if rule.opened.is_set():
            raise ModelUnusable("the graph failed")

    clip = tmp_path / "still.mp4"
    with VideoWriter(clip, rate=Fraction(10), width=160, height=96, crf=10) as writer:
        for _ in range(20):
            writer.write(picture(0))
    zones, rules = {"floor": [[0, 0], [1, 0], [1, 1]]}, [{"kind": "intrusion", "zone": "floor"}]
    found = Watching(clip, look, zones=zones, rules=rules)
    found.shelf.start()
    wait_until(lambda: found.shelf.detector(MODEL) is not None, what="the model")
    found.watch.start()
    try:
        wait_until(lambda: len(found.keeper.kept) > 0, what="the incidents")
    finally:
        found.stop()
    opened = [each for each in found.keeper.kept if each.state is IncidentState.OPEN]
    assert len(opened) == 2
    assert [each.evidence for each in opened] == [(), ()]
    assert found.watch.refused_pictures == 1  # both would have shared it
    assert found.shelf.failures == {MODEL: 1}
    assert found.watch.faults == 1


class FailingRule(FakeRule):
    """Fails with the third picture."""

    def observe(self, _scene: Scene) -> Sequence[Finding]:
        self.seen += 1
        if self.seen == 3:
            raise ValueError("a rule of somebody else")
        return []

    def finish(self, _at: datetime) -> Sequence[Finding]:
        return ()


def test_what_one_rule_found_is_told_though_another_one_fails_over_the_same_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = iter([LateRule(), FailingRule()] * 3)
    monkeypatch.setattr(watch_module, "scene_rule", lambda _settings, _camera: next(made))
    zones = {"floor": [[0, 0], [1, 0], [1, 1]]}
    rules = [{"kind": "intrusion", "zone": "floor"}, {"kind": "loitering", "zone": "floor", "limit_s": 60}]
    found = Watching(write_clip(tmp_path / "a.mp4", frames=20), lambda: None, zones=zones, rules=rules)
    found.start()
    try:
        wait_until(lambda: found.watch.faults > 0, what="the fault")
    finally:
        found.stop()
    assert [each.state for each in found.keeper.kept][:2] == [IncidentState.OPEN] * 2


def test_what_was_found_is_told_though_something_else_fails_over_its_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = LateRule()
    monkeypatch.setattr(watch_module, "scene_rule", lambda _settings, _camera: rule)
    zones, rules = {"floor": [[0, 0], [1, 0], [1, 1]]}, [{"kind": "intrusion", "zone": "floor"}]
    found = Watching(write_clip(tmp_path / "a.mp4", frames=20), lambda: None, zones=zones, rules=rules)

    def fail(_frame: Frame) -> Sequence[EvidenceFile]:
        raise MemoryError("no room for a picture")

    monkeypatch.setattr(found.watch, "_pictures", fail)
    found.start()
    try:
        wait_until(lambda: found.watch.faults > 0, what="the fault")
    finally:
        found.stop()
    opened = [each for each in found.keeper.kept if each.state is IncidentState.OPEN]
    assert [each.evidence for each in opened] == [(), ()]


def test_a_model_that_is_withdrawn_again_and_again_is_tried_ever_more_seldom() -> None:
    opened = threading.Semaphore(0)
    detector = cast("OnnxDetector", FakeDetector(lambda: None))

    def open_model(_id: str) -> OnnxDetector:
        opened.release()
        return detector

    shelf = ModelShelf([MODEL], Standing(clock=SteppedClock(), on_change=lambda: None), open_model=open_model)
    shelf.start()
    wait_until(lambda: shelf.detector(MODEL) is detector)
    shelf.withdraw(MODEL, cast("OnnxDetector", FakeDetector(lambda: None)), "another one, withdrawn before")
    assert shelf.detector(MODEL) is detector
    shelf.withdraw(MODEL, detector, "failed")
    shelf.withdraw(MODEL, detector, "failed, as another camera says")
    assert shelf.failures == {MODEL: 1}
    assert shelf.barred_s(MODEL) <= LONGEST_BAR_S
    shelf.stop()


def test_an_analysis_that_hangs_is_told_and_told_again_when_it_ends(
    watching: Callable[..., Watching], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "STALLED_S", 0.0)
    hanging, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        go_on.wait(60)

    found = watching(hang)
    assert hanging.wait(60)
    found.watch.check()
    assert ("cam-1", ANALYSIS_STALLED) in found.reasons()
    monkeypatch.setattr(watch_module, "STALLED_S", 60.0)
    go_on.set()
    wait_until(lambda: found.watch.pipeline.counters.frames > 3, what="the next pictures")
    found.watch.check()
    assert ("cam-1", ANALYSIS_STALLED) not in found.reasons()


def test_what_was_counted_when_the_watch_ends_is_told(watching: Callable[..., Watching]) -> None:
    rule = {"kind": "line_crossing", "id": "footfall", "line": "door", "interval_s": 3600}
    found = watching(lambda: None, lines={"door": [[0, 0.5], [1, 0.5]]}, rules=[rule])
    wait_until(lambda: found.watch.pipeline.counters.frames > 3, what="pictures")
    found.stop()
    counts = [(each.point, each.value) for each in found.recorder.kept if each.point != "presence"]
    assert counts[:2] == [("footfall.in_count", 0.0), ("footfall.out_count", 0.0)]


@dataclass
class RuleThatFailsAtTheEnd(FakeRule):
    """Opens one incident at the first picture, and fails over whatever it is shown once the node stops."""

    stopping: threading.Event = field(default_factory=threading.Event)

    def observe(self, scene: Scene) -> Sequence[Finding]:
        if self.stopping.is_set():
            raise ZeroDivisionError
        self.seen += 1
        return [self._finding(IncidentState.OPEN, scene.at)] if self.seen == 1 else []


def test_a_rule_that_fails_when_the_node_stops_leaves_nothing_open(
    watching: Callable[..., Watching], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = threading.Event()
    monkeypatch.setattr(watch_module, "scene_rule", lambda _settings, _camera: RuleThatFailsAtTheEnd(stopping=stopping))
    settings = [{"kind": "intrusion", "id": name, "zone": "floor"} for name in ("one", "two")]
    found = watching(lambda: None, model=None, zones={"floor": [[0, 0], [1, 0], [1, 1]]}, rules=settings)
    wait_until(lambda: len(found.keeper.kept) >= 2, what="both incidents")
    stopping.set()
    found.stop()
    opened = [each.incident_id for each in found.keeper.kept if each.state is IncidentState.OPEN]
    ended = [each.incident_id for each in found.keeper.kept if each.state is IncidentState.ENDED]
    assert len(opened) >= 2
    assert sorted(opened) == sorted(ended)
    assert found.watch.faults >= 2


def test_what_was_open_when_an_analysis_failed_is_ended(
    watching: Callable[..., Watching], monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([ZeroDivisionError()])

    def fail_once() -> None:
        for error in failures:
            raise error

    ends = {"one": fail_once, "two": lambda: None}
    monkeypatch.setattr(watch_module, "scene_rule", lambda settings, _camera: FakeRule(ends[settings.id]))
    settings = [{"kind": "intrusion", "id": name, "zone": "floor"} for name in ("one", "two")]
    zones = {"floor": [[0, 0], [1, 0], [1, 1]]}
    found = watching(lambda: None, model=None, zones=zones, rules=settings)

    def revisions() -> list[tuple[IncidentState, int]]:
        return [(each.state, each.revision) for each in found.keeper.kept]

    wait_until(lambda: (IncidentState.ENDED, 2) in revisions(), what="the end of what was open")
    assert found.watch.faults >= 2


def test_with_the_key_of_the_district_an_incident_has_its_picture_masked_and_its_original_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "scene_rule", lambda _settings, _camera: FakeRule())
    district = pyrage.x25519.Identity.generate()
    rule = {"kind": "intrusion", "zone": "floor"}
    found = Watching(
        write_clip(tmp_path / "a.mp4", frames=20),
        lambda: None,
        district_key=DistrictKey((str(district.to_public()),)),
        model=None,
        zones={"floor": [[0, 0], [1, 0], [1, 1]]},
        rules=[rule],
    )
    found.start()
    try:
        wait_until(lambda: len(found.keeper.kept) > 0, what="the incident")
    finally:
        found.stop()
    masked, sealed = found.keeper.kept[0].evidence
    assert (masked.kind, sealed.kind) == (EvidenceKind.SNAPSHOT, EvidenceKind.SEALED)
    assert masked.captured_at == sealed.captured_at
    assert masked.plain_sha256 is None
    assert sealed.plain_sha256 not in {None, masked.sha256, sealed.sha256}


@dataclass
class PatientRule(FakeRule):
    """Opens at the first picture, stays open for so long, and ends."""

    lasts_s: float = 0.0
    opened_at: datetime | None = None
    ended: bool = False

    def observe(self, scene: Scene) -> Sequence[Finding]:
        if self.opened_at is None:
            self.opened_at = scene.at
            return [self._finding(IncidentState.OPEN, scene.at)]
        if self.ended or (scene.at - self.opened_at).total_seconds() < self.lasts_s:
            return []
        self.ended = True
        return [self._finding(IncidentState.ENDED, scene.at)]

    def finish(self, _at: datetime) -> Sequence[Finding]:
        return ()


@pytest.mark.parametrize("lasts_s", [0.0, 1e9])
def test_an_incident_has_its_clip_once_whether_it_ends_before_the_time_after_it_or_not(
    lasts_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "scene_rule", lambda _settings, _camera: PatientRule(lasts_s=lasts_s))
    monkeypatch.setattr(filming_module, "POST_ROLL", timedelta(seconds=0.3))
    path = write_clip(tmp_path / "a.mp4", frames=20)
    found = Watching(
        path,
        lambda: None,
        clock=lambda: datetime.now(UTC),
        model=None,
        clips=True,
        zones={"floor": [[0, 0], [1, 0], [1, 1]]},
        rules=[{"kind": "intrusion", "zone": "floor"}],
    )
    now = datetime.now(UTC)
    _film(found, now - timedelta(seconds=1))
    found.start()
    try:
        wait_until(lambda: bool(found.films.orders), what="the order of the film")
    finally:
        found.stop()
    [order] = found.films.orders
    assert order.owners[0].started_at == found.keeper.kept[0].started_at
    assert order.packets[0].captured_at == now - timedelta(seconds=1)


def _film(found: Watching, *key_frames: datetime) -> None:
    """What the camera has sent, a key frame at each of these moments."""
    found.watch.source.ring.begin(StreamFormat("h264", None, 64, 48, Fraction(1, 90_000)))
    _go_on(found, *key_frames)


def _go_on(found: Watching, *key_frames: datetime) -> None:
    for moment in key_frames:
        found.watch.source.ring.add(Packet(Encoded(b"key", 0, 0, 0, True, 0.0), moment, 0.0))


@pytest.fixture
def filming(tmp_path: Path) -> Watching:
    """A watch that has films made, and is told by hand what is found."""
    return Watching(tmp_path / "none.mp4", lambda: None, model=None, clips=True)


def _opened(at: datetime, track_id: int = 1) -> Finding:
    found = FakeRule()._finding(IncidentState.OPEN, at)
    return replace(found, key=f"cam-1/{track_id}", track_ids=(track_id,), dwell_s=2.0)


def _times(order: ClipOrder) -> list[float]:
    return [(packet.captured_at - START).total_seconds() for packet in order.packets]


def test_neither_event_time_nor_dwell_runs_backwards_over_a_second_look(filming: Watching) -> None:
    scene = next(walk(1, [(0.0, standing_at(0.5, 0.9))]))
    second = replace(scene, at=START + timedelta(seconds=1.5))
    frame = Frame("cam-1", 1, second.at, 1.5, ArrayPicture(picture(1)))
    filming.watch._report([_opened(START)])
    filming.watch.pipeline.analyse(frame)
    filming.watch._look_again(_Seen(frame, second, (), filming.watch._pictures(frame)))
    filming.watch._report(
        [replace(_opened(START), state=IncidentState.ENDED, at=START + timedelta(seconds=5), dwell_s=4.0)]
    )
    told = [(each.updated_at - START, each.dwell_s) for each in filming.keeper.kept]
    assert [dwell_s for _, dwell_s in told] == [2.0, 3.5, 4.0]
    assert [at.total_seconds() for at, _ in told] == [0, 1.5, 5]


def test_the_time_before_is_kept_from_the_opening_on_and_that_after_it_is_waited_for(filming: Watching) -> None:
    _film(filming, *(START + timedelta(seconds=second) for second in range(-7, 3)))
    filming.watch._report([_opened(START + timedelta(seconds=2))])
    filming.watch._film(START + timedelta(seconds=5))
    assert filming.films.orders == []
    _go_on(filming, *(START + timedelta(seconds=second) for second in range(3, 8)))
    filming.watch._film(START + timedelta(seconds=5))  # a frame may be decoded late: the ring tells how late it is
    [order] = filming.films.orders
    assert _times(order) == list(range(-3, 8))
    assert order.until == START + timedelta(seconds=6)
    filming.watch._film(START + timedelta(seconds=60))
    assert len(filming.films.orders) == 1


def test_a_ring_that_has_let_go_of_the_beginning_costs_no_film_its_beginning(filming: Watching) -> None:
    _film(filming, *(START + timedelta(seconds=second) for second in range(-7, 3)))
    filming.watch._report([_opened(START + timedelta(seconds=2))])
    _go_on(filming, *(START + timedelta(seconds=second) for second in range(3, 12)))
    filming.watch._film(START + timedelta(seconds=5))
    [order] = filming.films.orders
    assert _times(order) == list(range(-3, 12))


def test_what_becomes_worse_before_its_film_is_made_is_made_among_the_worse(filming: Watching) -> None:
    _film(filming, START)
    filming.watch._report([_opened(START)])
    filming.watch._report([replace(_opened(START), state=IncidentState.UPDATE, severity=Severity.CRITICAL)])
    filming.watch._film(START + timedelta(seconds=9))
    assert [order.severity for order in filming.films.orders] == [Severity.CRITICAL]


def test_a_camera_that_is_back_before_the_clip_is_due_does_not_lose_it(filming: Watching) -> None:
    _film(filming, START)
    filming.watch._report([_opened(START)])
    _go_on(filming, START + timedelta(seconds=1))
    filming.watch._on_status(Health.LOST, "the camera closed the stream")
    _film(filming, START + timedelta(seconds=2))
    filming.watch._on_status(Health.OK, None)
    filming.watch._film(START + timedelta(seconds=2))
    filming.watch._film(START + timedelta(seconds=5))
    [order] = filming.films.orders
    assert _times(order) == [0, 1]


def test_what_opens_while_the_camera_is_lost_has_its_clip_at_once(filming: Watching) -> None:
    _film(filming, START)
    filming.watch._on_status(Health.LOST, "the camera closed the stream")
    filming.watch._report([_opened(START)])
    filming.watch._film(START)
    assert len(filming.films.orders) == 1


def test_without_a_detector_a_film_shows_nothing_that_may_have_moved(filming: Watching) -> None:
    _film(filming, START)
    filming.watch._report([_opened(START)])
    filming.watch._film(START + timedelta(seconds=5))
    [order] = filming.films.orders
    assert order.detector is None
    assert order.known.moving == ((0.0, 0.0, 1.0, 1.0),)


def test_clips_that_are_asked_for_without_the_key_of_the_district_are_missed_aloud(tmp_path: Path) -> None:
    found = Watching(write_clip(tmp_path / "a.mp4", frames=20), lambda: None, model=None, clips=True, seals=False)
    found.start()
    found.stop()
    assert ("cam-1", NO_CLIPS) in found.reasons()


def _told(keeper: FakeKeeper) -> set[tuple[str | None, IncidentState]]:
    return {(each.point, each.state) for each in keeper.kept}


def test_a_stream_that_is_lost_is_an_incident_since_its_last_picture_and_over_with_the_next(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", frames=20)
    rule = {"kind": "camera_trouble", "for_s": 0, "clear_for_s": 0}
    found = Watching(clip, lambda: None, clock=lambda: datetime.now(UTC), rules=[rule])
    found.start()
    try:
        wait_until(lambda: found.watch.pipeline.counters.frames > 3, what="pictures")
        clip.unlink()
        wait_until(lambda: (LOST, IncidentState.OPEN) in _told(found.keeper), what="the loss")
        write_clip(clip, frames=20)
        wait_until(lambda: (LOST, IncidentState.ENDED) in _told(found.keeper), what="the end of the loss")
    finally:
        found.stop()


@pytest.mark.parametrize(
    ("settings", "gated"),
    [
        ({"url": "rtsp://192.0.2.1/a"}, True),
        ({"url": "rtsps://192.0.2.1/a"}, True),
        ({"url": "rtsp://192.0.2.1/a", "gate": False}, False),
        ({"url": "film.mp4"}, False),
    ],
)
def test_what_is_sent_as_it_is_made_has_a_gate_unless_nobody_wants_one(
    settings: dict[str, Any], *, gated: bool, tmp_path: Path
) -> None:
    watch = Watching(tmp_path / "a.mp4", lambda: None, **settings).watch
    assert (watch.gate is not None) == gated


def test_who_asks_is_shown_the_moment_with_what_is_to_be_seen_in_it(tmp_path: Path) -> None:
    found = Watching(
        write_clip(tmp_path / "a.mp4", frames=20),
        lambda: None,
        clock=lambda: datetime.now(UTC),
        found=detections((standing_at(0.3, 0.9), 0.9)),
        zones={"floor": [[0, 0], [1, 0], [1, 1], [0, 1]], "corner": [[0.9, 0], [1, 0], [1, 0.1]]},
    )
    found.start()
    try:
        wait_until(lambda: found.watch.pipeline.counters.inferences > 0, what="a look")
        assert found.sights == []
        asked_at = datetime.now(UTC)
        assert found.watch.look(asked_at) is None
        wait_until(lambda: bool(found.sights), what="the sight")
        looks = found.watch.pipeline.counters.frames
        wait_until(lambda: found.watch.pipeline.counters.frames > looks + 5, what="pictures after it")
    finally:
        found.stop()
    [sight] = found.sights
    assert sight.captured_at >= asked_at - NEAR
    assert [picture.kind for picture in sight.pictures] == [EvidenceKind.SNAPSHOT]
    counts = {(each.zone, each.label): each.count for each in sight.counts or ()}
    assert counts[None, "person"] == counts["floor", "person"] == 1
    assert counts["corner", "person"] == counts[None, "vehicle"] == 0


def test_without_a_detector_nobody_counts_and_the_picture_shows_nobody(tmp_path: Path) -> None:
    found = Watching(
        write_clip(tmp_path / "a.mp4", frames=20), lambda: None, clock=lambda: datetime.now(UTC), model=None
    )
    found.start()
    try:
        found.watch.look(datetime.now(UTC))
        wait_until(lambda: bool(found.sights), what="the sight")
    finally:
        found.stop()
    assert found.sights[0].counts is None
    assert len(found.sights[0].pictures) == 1


def test_a_camera_that_is_lost_or_held_says_so_instead(filming: Watching) -> None:
    filming.watch._on_status(Health.LOST, "no route to host")
    assert filming.watch.look(START) is ViewAbsence.CAMERA_LOST
    filming.watch._on_status(Health.OK, None)
    assert filming.watch.look(START) is None
    filming.watch.hold("it ended the process three times")
    assert filming.watch.look(START) is ViewAbsence.QUARANTINED


def test_a_frame_that_was_filmed_before_the_moment_is_not_the_one(filming: Watching) -> None:
    looks = filming.watch._looks
    looks.ask(START)
    assert not looks.shows(START - NEAR - timedelta(milliseconds=1))
    assert looks.shows(START - NEAR)
    looks.ask(START - timedelta(seconds=2))  # the earlier moment comes first; whoever wants the later one asks again
    assert looks.shows(START - timedelta(seconds=2))
    filming.watch.leave()
    assert not looks.shows(START)


def _owner(number: int = 1, severity: Severity = Severity.HIGH) -> ClipOwner:
    return ClipOwner(f"pile-{number}/threshold", START, severity)


def test_what_other_devices_tell_at_one_moment_has_one_film(filming: Watching) -> None:
    _film(filming, *(START + timedelta(seconds=second) for second in range(-7, 3)))
    watch = filming.watch
    assert watch.film(_owner(1), START + timedelta(seconds=2), still=False)
    assert watch.film(_owner(2, Severity.CRITICAL), START + timedelta(seconds=2.5), still=False)
    assert watch.film(_owner(3), START + timedelta(seconds=4), still=False)
    _go_on(filming, *(START + timedelta(seconds=second) for second in range(3, 12)))
    watch._film(START + timedelta(seconds=12))
    first, second = filming.films.orders
    assert [owner.key for owner in first.owners] == ["pile-1/threshold", "pile-2/threshold"]
    assert (first.severity, first.linked, first.still_at) == (Severity.CRITICAL, True, None)
    assert _times(first)[0] == -3
    assert first.until == START + timedelta(seconds=6)
    assert [owner.key for owner in second.owners] == ["pile-3/threshold"]


@pytest.mark.parametrize(
    ("after_s", "still", "possible"),
    [(2.0, False, True), (6.9, False, True), (7.1, False, False), (1.0, True, True), (2.5, True, False)],
)
def test_a_film_of_a_moment_is_made_of_what_was_sent_then_or_not_at_all(
    after_s: float, still: bool, possible: bool, filming: Watching
) -> None:
    """The camera has sent nothing for some time: what it showed before is no picture of the moment."""
    _film(filming, *(START + timedelta(seconds=second) for second in range(3)))
    assert filming.watch.film(_owner(), START + timedelta(seconds=after_s), still=still) is possible
    assert not filming.watch.film(_owner(), START - timedelta(seconds=30), still=True)


def test_a_camera_without_films_makes_none_for_others(tmp_path: Path) -> None:
    found = Watching(tmp_path / "none.mp4", lambda: None, model=None)
    assert not found.watch.film(_owner(), START, still=True)
