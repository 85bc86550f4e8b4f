"""One camera from frame to incident, in a thread of its own."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from edge.contract.incident import CameraTrouble, IncidentState
from edge.contract.view import ViewAbsence
from edge.errors import ModelUnusable
from edge.evidence.seal import DistrictKey
from edge.evidence.snapshot import SnapshotMaker
from edge.flow import (
    EvidenceFile,
    Finding,
    Frame,
    Health,
    NativeMark,
    NativeStep,
    PrivateParts,
    Recorder,
    Scene,
    SceneRule,
    Sight,
)
from edge.incidents import IncidentBook, RuleCards
from edge.node.camera_status import QUARANTINED, CameraStatus
from edge.node.clips import ClipOwner, ClipWorker
from edge.node.filming import Filming
from edge.node.looking import LookDesk
from edge.node.recollecting import CameraMemory, watched_by
from edge.node.second_looks import LATE_LOOK_S, SECOND_LOOK_S, SecondLooks
from edge.node.shelf import ModelShelf
from edge.node.standing import Standing
from edge.node.steadiness import Steadiness, SteadinessFigures
from edge.node.turns import Turns
from edge.node.wall import WallDesk
from edge.perception.audit import AuditedGate
from edge.perception.detector import OnnxDetector
from edge.perception.lineage import TrackerSettings
from edge.perception.pace import Pace, PaceFigures
from edge.perception.pipeline import CameraPipeline, PrivateMemory
from edge.perception.scheduler import Attention
from edge.perception.sighting import counted
from edge.rules.registry import footing, scene_rule
from edge.settings import CameraSettings
from edge.sources.mailbox import Mailbox
from edge.sources.registry import frame_source, is_sent
from edge.sources.video_gateway import Gateways

ANALYSIS_FAILED = "analysis_failed"
ANALYSIS_STALLED = "analysis_stalled"
NO_CLIPS = "no_clips"

STALLED_S = 15.0
"""No picture takes so long, whatever else the machine does."""

BLIND_S = TrackerSettings().blind_s
"""So long a lost camera may be away before its tracks end: one that is back at once ends and opens nothing."""

DECODED_LATER = timedelta(seconds=8.0)
"""A frame is decoded at most so long after its time: a group of pictures that suits a gate, and the patience of catching up."""

HURRIED_SHARE = 0.5
"""Who has waited for a turn for more than this share of his period takes no more of it than he must: the machine has more to do than it can."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What came of one frame. `pictures`: of what the camera showed, masked and sealed; None where none were wanted. `sight`: for those who
    have asked what is to be seen.
    """

    frame: Frame
    scene: Scene
    findings: Sequence[Finding]
    pictures: Sequence[EvidenceFile] | None
    sight: Sight | None = None


class CameraWatch:
    """The threads `camera-<id>` (the source's own) and `watch-<id>`: frames, pipeline, rules, evidence, incidents.

    `mark` gives each of them, by its role, the place where it tells what it does: after a crash that says which camera it
    was.
    """

    def __init__(
        self,
        camera: CameraSettings,
        *,
        shelf: ModelShelf,
        book: IncidentBook,
        recorder: Recorder,
        standing: Standing,
        mark: Callable[[str], NativeMark],
        clock: Callable[[], datetime],
        gateways: Gateways,
        turns: Turns,
        district_key: DistrictKey | None = None,
        wall: WallDesk | None = None,
        clips: ClipWorker | None = None,
        memory: CameraMemory | None = None,
        on_sight: Callable[[Sight], None] = lambda _sight: None,
    ) -> None:
        """`on_sight` is called with what was asked for by `look`, from the thread that analyses."""
        self.camera = camera
        self.mailbox = Mailbox()
        self.gate = AuditedGate() if camera.gate and is_sent(camera.url) else None
        self._seen_at: datetime | None = None
        self._status = CameraStatus(camera.id, recorder, standing, clock=clock, simulated=camera.simulated)
        self.source = frame_source(
            camera,
            self.mailbox,
            self._on_status,
            clock=clock,
            mark=mark("source"),
            gateways=gateways,
            gate=self.gate,
        )
        self.faults = 0
        self._shelf = shelf
        self._book = book
        self._standing = standing
        self._snapshots = SnapshotMaker(camera.id, camera.masks, district_key=district_key)
        self._second_looks = SecondLooks()
        self._clips = clips if camera.clips else None
        self._filming = None if self._clips is None else Filming(self.source.ring, self._clips, mark("clips"))
        self._looks = LookDesk(on_sight)
        self._mark = mark("analysis")
        self._clock = clock
        self._turns = turns
        self._wall = wall
        self._memory = memory
        self._pace = Pace()
        self._steadiness = Steadiness()
        self._detector: OnnxDetector | None = None
        self._pipeline = CameraPipeline(camera, None)
        self._rules = self._make_rules()
        self._seen_s: float | None = None
        self._busy_since_s: float | None = None
        self._successors: deque[tuple[CameraSettings, RuleCards]] = deque(maxlen=1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch-{camera.id}", daemon=True)

    @property
    def pipeline(self) -> CameraPipeline:
        """The present pipeline, for its counters."""
        return self._pipeline

    @property
    def _seen_with(self) -> str | None:
        """The model whose detector looks at present."""
        return None if self._detector is None else self._detector.manifest.id

    @property
    def private_memory(self) -> PrivateMemory:
        """For the watch that takes the place of this one, which has ended: what must not be recognisable. Of one that hangs nobody knows."""
        return PrivateMemory.unknown(self._clock()) if self._thread.is_alive() else self._pipeline.memory

    @property
    def pace(self) -> PaceFigures:
        """How quickly the camera is analysed at present."""
        return self._pace.figures(time.monotonic())

    @property
    def steadiness(self) -> SteadinessFigures:
        """How steady the camera's connection has been within the last hour."""
        return self._steadiness.figures

    @property
    def refused_pictures(self) -> int:
        """How many could not be masked, or copied, and were not made."""
        return self._snapshots.refused + (0 if self._clips is None else self._clips.refused(self.camera.id))

    def succeed(self, former: "CameraWatch") -> None:
        """Before the start: take the place of a watch of this camera, and know what it knew to be private, if it is the same place."""
        if former.camera.url == self.camera.url:
            self._pipeline.inherit(former.private_memory)

    def start(self) -> None:
        """Open the camera and begin to watch."""
        self._standing.recover(self.camera.id, QUARANTINED)
        if self.camera.clips and (self._clips is None or not self._clips.seals):
            self._standing.degrade(
                self.camera.id,
                NO_CLIPS,
                "node.district_key is missing: of clips only the masked film is kept, no original",
            )
        self.source.start()
        self._thread.start()

    def look(self, moment: datetime) -> ViewAbsence | None:
        """Show what is to be seen from this moment on, soon, by `on_sight`; or why nothing is to be seen. Any thread. Behind a gate decoding begins
        for it.
        """
        if self._status.is_held:
            return ViewAbsence.QUARANTINED
        if self._status.is_lost:
            return ViewAbsence.CAMERA_LOST
        self._looks.ask(moment)
        self.source.ask(moment)
        return None

    def leave(self) -> None:
        """Nobody waits for a sight any more."""
        self._looks.leave()

    def film(self, owner: ClipOwner, moment: datetime, *, still: bool) -> bool:
        """Have a film made for the incident of another device, where this camera makes films and what it sent at that moment is kept; with
        `still` a picture of the moment as well.
        """
        return self._filming is not None and self._filming.join(owner, moment, still=still)

    def hold(self, detail: str) -> None:
        """Say that the camera is in quarantine; it is not opened."""
        self._status.hold(detail)

    def adopt(self, camera: CameraSettings, cards: RuleCards) -> None:
        """Go on with other rules, zones, another name or model, from the next picture on; the stream is not let go of.

        A rule that stays as it is goes on with what it has open; what others have open ends.
        """
        self._successors.append((camera, cards))
        if not self._thread.is_alive():
            self._take_over()

    def check(self) -> None:
        """Called every few seconds: counts losses by the hour, and says so when the analysis of one picture does not end."""
        counters = self.source.counters
        reconnects = min(counters.losses, max(0, counters.connections - 1))  # a film that begins anew has lost nothing
        self._steadiness.note(time.monotonic(), reconnects=reconnects, stalls=counters.stalls)
        since_s = self._busy_since_s
        if since_s is not None and time.monotonic() - since_s > STALLED_S:
            self._standing.degrade(
                self.camera.id, ANALYSIS_STALLED, "the analysis of one picture does not end; nothing is found meanwhile"
            )
        else:
            self._standing.recover(self.camera.id, ANALYSIS_STALLED)

    def stop(self) -> None:
        """End; what is open is ended with its last sight."""
        self._stop.set()
        self.source.stop()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _make_rules(self) -> list[SceneRule]:
        return [scene_rule(settings, self.camera) for settings in self.camera.rules]

    def _take_over(self) -> None:
        if not self._successors:
            return
        camera, cards = self._successors.pop()
        footings = (footing(settings, self.camera) for settings in self.camera.rules)
        before = dict(zip(footings, self._rules, strict=True))
        rules = []
        for settings in camera.rules:
            known = footing(settings, camera)
            rules.append(before.pop(known) if known in before else scene_rule(settings, camera))
        self._end(before.values())
        self._book.adopt(camera.id, cards)
        self.camera, self._rules = camera, rules
        self._status.simulated = camera.simulated
        self._pipeline.adopt(camera)
        if self._memory is not None:
            self._memory.watches(watched_by(camera, model=self._seen_with))

    def _on_status(self, health: Health, reason: str | None) -> None:
        """From the camera's thread, on changes."""
        if health is Health.LOST and self._filming is not None:
            self._filming.save()
        self._status.tell(health, reason)

    def _tell_counts(self, at: datetime) -> None:
        self._status.keep([reading for rule in self._rules for reading in rule.readings(at)])

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if not self._turn():
                    break
            except ModelUnusable as error:
                self._withdraw(error)
            except Exception as error:  # noqa: BLE001 (the top of the thread)
                self.faults += 1
                _log.exception("the analysis of a camera failed and begins anew", camera=self.camera.id)
                self._standing.degrade(self.camera.id, ANALYSIS_FAILED, f"{type(error).__name__}; see the node's log")
                self._give_up()
                self._begin_anew(CameraPipeline(self.camera, self._detector, memory=self._pipeline.memory))
                self._stop.wait(1.0)
        self._finish()
        self._film(self._clock(), at_once=True)

    def _turn(self) -> bool:
        """One frame, or nothing for a while; False when no more will come."""
        self._take_over()
        detector = self._shelf.detector(self.camera.model)
        if detector is not self._detector:
            successor = CameraPipeline(self.camera, detector, memory=self._pipeline.memory)
            self._finish()
            self._detector = detector
            self._begin_anew(successor)
        told = self.mailbox.wait(0.5)
        found = self._looked() if told else None
        if told and found is None:
            return True  # it comes with what follows; whoever is stopped goes no further
        if found is not None:
            self._report(found.findings, found.pictures or ())
            if found.sight is not None:
                self._looks.show(found.sight)
            self._look_again(found)
            self._film(found.scene.at)
            self._tell_counts(found.scene.at)
            self._show(found.frame)
            self._keep_background(found.frame, found.scene)
            self._standing.recover(self.camera.id, ANALYSIS_FAILED)
            return True
        if self._seen_s is not None and time.monotonic() - self._seen_s >= BLIND_S:
            self._seen_s = None
            scene = self._pipeline.interrupt(self._clock())
            self._remember(scene, begins=False)
            self._report(finding for rule in self._rules for finding in rule.observe(scene))
        at = self._present()
        if self._status.is_lost:
            lost = Scene(self.camera.id, at, (), moving=False, troubles=frozenset({CameraTrouble.STREAM_LOST}))
            self._remember(lost)
            self._report(finding for rule in self._rules for finding in rule.observe(lost))
        else:
            self._report(finding for rule in self._rules for finding in rule.passed(at))
        self._film(at)
        self._tell_counts(at)
        return not self.mailbox.closed

    def _present(self) -> datetime:
        """Up to when all is known that can be: behind a gate the frames of the last seconds may still come."""
        now = self._clock()
        if self.gate is None or self._status.is_lost or self._seen_at is None:
            return now
        return max(self._seen_at, now - DECODED_LATER)

    def _looked(self) -> "_Seen | None":
        """The newest frame that there is when the camera's turn has come, analysed, and what the rules find in it.

        Whatever takes the machine's time is done within the turn: decoding, looking, the pictures. Keeping waits for a disk, and is not.
        """
        period_s = 1.0 / self.camera.analysis_hz
        attention = Attention.CONFIRMING if self._looks.waiting else self._pipeline.attention
        with self._turns.turn(
            self.camera.id, period_s=period_s, attention=attention, wanted=lambda: not self._stop.is_set()
        ) as waited_s:
            frame = None if waited_s is None else self._fetched()
            if frame is None or waited_s is None:
                return None
            hurried = waited_s > HURRIED_SHARE * period_s
            late_s = LATE_LOOK_S if hurried else SECOND_LOOK_S
            disordered = self._pipeline.counters.disordered
            scene = self._analysed(frame, hurried=hurried)
            if self._pipeline.counters.disordered > disordered:
                return None
            self._seen_s, self._seen_at = time.monotonic(), scene.at
            self.source.attend(scene, followed=self._pipeline.followed)
            self._remember(scene)
            findings: list[Finding] = []
            try:
                for rule in self._rules:
                    findings += rule.observe(scene)
                opens = any(finding.state is IncidentState.OPEN for finding in findings)
                asked = self._looks.shows(frame.captured_at)
                pictures = self._pictures(frame) if opens or asked or self._second_looks.is_due(scene, late_s) else None
                sight = self._sight(frame, scene, pictures or ()) if asked else None
            except Exception:
                self._report(findings)  # what was found is told, whatever is wrong with its picture or another rule
                raise
        age_s = (self._clock() - frame.captured_at).total_seconds()
        self._pace.note(time.monotonic(), age_s=age_s, waited_s=waited_s)
        return _Seen(frame, scene, findings, pictures, sight)

    def _sight(self, frame: Frame, scene: Scene, pictures: Sequence[EvidenceFile]) -> Sight:
        """What this frame shows: its pictures, and what is counted in it where a detector has looked at all of it."""
        look = self._pipeline.whole_look
        counts = None if look is None else counted(scene.tracks, look, self.camera.zones)
        trouble = min(scene.troubles, default=None) if scene.troubles else None
        return Sight(self.camera.id, frame.captured_at, tuple(pictures), counts, trouble)

    def _fetched(self) -> Frame | None:
        self._busy_since_s = time.monotonic()
        try:
            return self.mailbox.take(0) or self.source.fetch(self._mark)
        finally:
            self._busy_since_s = None

    def _analysed(self, frame: Frame, *, hurried: bool = False) -> Scene:
        self._busy_since_s = time.monotonic()
        self._mark.tell(NativeStep.ANALYSING)
        try:
            return self._pipeline.analyse(frame, hurried=hurried)
        finally:
            self._mark.tell(NativeStep.NONE)
            self._busy_since_s = None

    def _withdraw(self, error: ModelUnusable) -> None:
        self.faults += 1
        if self._detector is not None and self.camera.model is not None:
            self._shelf.withdraw(self.camera.model, self._detector, str(error))

    def _begin_anew(self, pipeline: CameraPipeline) -> None:
        self._pipeline = pipeline
        self._rules = self._make_rules()
        self._forget()
        self._second_looks.clear()

    def _give_up(self) -> None:
        """After a fault: end what the rules have open where it was last seen, or it would stay open for ever."""
        self._end(self._rules)

    def _end(self, rules: Iterable[SceneRule], at: datetime | None = None) -> None:
        at = at or self._clock()
        for rule in rules:
            with self._others_go_on():
                self._report(rule.finish(at))
                self._status.keep(rule.readings(at))

    @contextmanager
    def _others_go_on(self) -> Iterator[None]:
        """It may be this rule that fails; what the others have open ends all the same."""
        try:
            yield
        except Exception:  # noqa: BLE001 (whatever the rule raised)
            self.faults += 1
            _log.exception("a rule could not end what it had open", camera=self.camera.id)

    def _finish(self) -> None:
        """End whatever the rules have open, and tell what they have counted."""
        scene = self._pipeline.interrupt(self._clock())
        self._remember(scene, begins=False)
        for rule in self._rules:
            with self._others_go_on():
                self._report(rule.observe(scene))
        self._end(self._rules, scene.at)
        self._forget()

    def _remember(self, scene: Scene, *, begins: bool = True) -> None:
        """What the rules see now, for those that are tried later."""
        if self._memory is not None:
            self._memory.scene(scene, begins=begins)

    def _forget(self) -> None:
        """What the rules had open has ended: what follows is remembered as another watch."""
        if self._memory is not None:
            self._memory.ended()
            self._memory.watches(watched_by(self.camera, model=self._seen_with))

    def _keep_background(self, frame: Frame, scene: Scene) -> None:
        """Now and then a picture in which nobody is, for zones to be drawn on; masked all the same."""
        memory, shape, sees = self._memory, frame.picture.luma.shape, self._detector is not None
        if memory is None or not memory.wants_background(scene, shape, followed=self._pipeline.followed, sees=sees):
            return
        if not self._pipeline.watched:  # it would be nothing but squares, and be kept for hours
            return
        with self._turns.spare(self.camera.id) as free:
            if free:
                self._mark.tell(NativeStep.ANALYSING)
                try:
                    parts = self._private(frame)
                    picture = None if parts is None else self._snapshots.small(frame, parts)
                    memory.background(None if picture is None else picture.content, scene.at)
                finally:
                    self._mark.tell(NativeStep.NONE)

    def _report(self, findings: Iterable[Finding], pictures: Sequence[EvidenceFile] = ()) -> None:
        """Findings to the book; one that opens takes the pictures along."""
        for finding in findings:
            opens = finding.state is IncidentState.OPEN
            self._second_looks.follow(finding)
            self._tell(finding, pictures if opens else ())
            if self._filming is not None:
                self._filming.follow(finding)
            if self._memory is not None:
                self._memory.told(finding)

    def _look_again(self, seen: "_Seen") -> None:
        """A second picture of what opened a while ago and is still there, where pictures of this frame were made for whatever reason."""
        if seen.pictures is None:
            return
        for finding in self._second_looks.take(seen.scene):
            if seen.pictures:
                self._tell(finding, seen.pictures)

    def _film(self, at: datetime, *, at_once: bool = False) -> None:
        """Have the films made of what opened so long ago that the time after it is there, or will never be: the stream broke off."""
        if self._filming is not None:
            known = self._pipeline.known_parts
            self._filming.order(at, self.camera, known, self._detector, at_once=at_once or self._status.is_lost)

    def _pictures(self, frame: Frame) -> Sequence[EvidenceFile]:
        """The masked picture first: where there is room for one file alone, it is the one that people can look at.

        What is found in the same frame shares them.
        """
        self._busy_since_s = time.monotonic()
        self._mark.tell(NativeStep.ANALYSING)
        try:
            made = (self._masked(frame), self._snapshots.seal(frame))
            return [picture for picture in made if picture is not None]
        finally:
            self._mark.tell(NativeStep.NONE)
            self._busy_since_s = None

    def _show(self, frame: Frame) -> None:
        """A picture for those who look at this camera now, after all that is urgent, if the machine has time for it."""
        if self._wall is None or not self._wall.wants(self.camera.id):
            return
        with self._turns.spare(self.camera.id) as free:
            if not free:
                self._wall.pass_over(self.camera.id)
                return
            self._busy_since_s = time.monotonic()
            self._mark.tell(NativeStep.ANALYSING)
            try:
                parts = self._private(frame)
                self._wall.show(self.camera.id, None if parts is None else self._snapshots.small(frame, parts))
            finally:
                self._mark.tell(NativeStep.NONE)
                self._busy_since_s = None

    def _masked(self, frame: Frame) -> EvidenceFile | None:
        """None where it is not known who is in it; what was found is told all the same."""
        parts = self._private(frame)
        return None if parts is None else self._snapshots.take(frame, parts)

    def _private(self, frame: Frame) -> PrivateParts | None:
        """What must not be recognisable in the frame that was analysed last; None where that is not known."""
        if self._detector is not None and self._shelf.detector(self.camera.model) is not self._detector:
            self._snapshots.refused += 1  # withdrawn just now: it is not asked again
            return None
        try:
            return self._pipeline.private_parts(frame)
        except ModelUnusable as error:
            self._snapshots.refused += 1
            self._withdraw(error)
            return None

    def _tell(self, finding: Finding, evidence: Sequence[EvidenceFile]) -> None:
        self._book.report(finding, evidence, model=self._shelf.reference(self.camera.model))
