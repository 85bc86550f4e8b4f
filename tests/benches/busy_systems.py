"""The three ways of watching cameras that `tests.benches.cameras_busy` compares; each runs as a process of its own.

`python -m tests.benches.busy_systems` reads an order as JSON (system, cameras, duration_s, settled_s) and answers as JSON.
"""

import json
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol, cast

import cv2
import structlog

from edge.contract.incident import IncidentState
from edge.flow import Detections, EvidenceFile, Finding, Frame, Health, Image, Reading, Scene
from edge.incidents import IncidentBook
from edge.node.shelf import ModelShelf
from edge.node.standing import Standing
from edge.node.turns import Turns
from edge.node.watch import CameraWatch
from edge.perception.detector import OnnxDetector, open_detector
from edge.perception.tracker import Tracker
from edge.rules.registry import scene_rule
from edge.settings import CameraSettings
from edge.sources.camera import CameraSource
from edge.sources.mailbox import Mailbox
from edge.sources.timing import AnalysisGrid, EventClock
from edge.sources.video_gateway import Gateways
from edge.video import UNMARKED, Video
from tests.edge.test_incidents import FakeKeeper

WORKERS: Final = 2


@dataclass(frozen=True, slots=True)
class Opening:
    """Something that was found: by which rule, at which moment of the stretch, and how long after that frame was taken."""

    rule: str
    at_s: float
    delay_ms: float = 0.0


def now() -> datetime:
    """Event time of all cameras here."""
    return datetime.now(UTC)


class Eyes:
    """Whole frames in the input that the manifest states."""

    def __init__(self, detector: OnnxDetector) -> None:
        self._detector = detector
        self.looks = 0

    def detect(self, image: Image) -> Detections:
        """Look at all of one picture."""
        self.looks += 1
        tensor, placement = self._detector.prepare(image)
        return self._detector._told(self._detector.infer(tensor), placement)


class FoundInOrder:
    """One camera of a plain loop: whole frames, tracker, rules."""

    def __init__(self, camera: CameraSettings, eyes: Eyes) -> None:
        self.camera = camera
        self._eyes = eyes
        self._tracker = Tracker()
        self._rules = [scene_rule(settings, camera) for settings in camera.rules]

    def analyse(self, frame: Frame) -> list[Finding]:
        """What one frame brings to an opening."""
        step = self._tracker.update(frame.captured_at, self._eyes.detect(frame.image))
        scene = Scene(self.camera.id, frame.captured_at, step.seen, step.ended)
        found = [finding for rule in self._rules for finding in rule.observe(scene)]
        return [finding for finding in found if finding.state is IncidentState.OPEN]


def openings_in(file: Path, camera: CameraSettings, detector: OnnxDetector) -> list[Opening]:
    """What whole frames at the analysis rate find in a file, as fast as the machine can."""
    loop, grid, begin_at = FoundInOrder(camera, Eyes(detector)), AnalysisGrid(camera.analysis_hz), now()
    found = []
    with Video(file) as video:
        for number, decoded in enumerate(video.frames()):
            at_s = decoded.pts_s or 0.0
            if grid.takes(at_s):
                frame = Frame(camera.id, number, begin_at + timedelta(seconds=at_s), at_s, decoded.picture)
                found += [Opening(finding.rule, round(at_s, 2)) for finding in loop.analyse(frame)]
    return found


@dataclass
class Tally:
    """What the cameras of one run brought."""

    openings: dict[str, list[Opening]] = field(default_factory=lambda: defaultdict(list))
    begun_at: dict[str, datetime] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)

    def hear(self, camera: str) -> Callable[[Health, str | None], None]:
        """For a source's status: who is lost within the time is told."""

        def listen(health: Health, _reason: str | None) -> None:
            if health is Health.LOST:
                self.lost.add(camera)

        return listen

    def see(self, frame: Frame) -> None:
        """The first frames come in a burst: the latest beginning that any frame speaks of is not far from the true one."""
        begun_at = frame.captured_at - timedelta(seconds=frame.media_s)
        self.begun_at[frame.camera] = min(begun_at, self.begun_at.get(frame.camera, begun_at))

    def found(self, camera: str, rule: str, at: datetime) -> None:
        """A rule has opened something, over the frame of `at`."""
        at_s = (at - self.begun_at.get(camera, at)).total_seconds()
        delay_ms = (now() - at).total_seconds() * 1000
        self.openings[camera].append(Opening(rule, round(at_s, 2), round(delay_ms, 1)))


class System(Protocol):
    """One way of watching cameras."""

    tally: Tally

    def start(self) -> None:
        """Begin."""
        ...

    def analysed(self) -> Mapping[str, int]:
        """Frames per camera so far."""
        ...

    def inferences(self) -> int:
        """Looks of the detector so far."""
        ...

    def stop(self) -> None:
        """End."""
        ...


class Node:
    """The node's own watches."""

    def __init__(self, cameras: Sequence[CameraSettings]) -> None:
        self.tally = Tally()
        standing = Standing(clock=now, on_change=lambda: None)
        self._shelf = ModelShelf({camera.model for camera in cameras if camera.model}, standing)
        turns = Turns(WORKERS)
        self._watches = [
            _Watch(
                camera,
                tally=self.tally,
                shelf=self._shelf,
                book=IncidentBook(FakeKeeper(), {}, clock=now),
                recorder=cast("Any", _Recorder()),
                standing=standing,
                mark=lambda _role: UNMARKED,
                clock=now,
                gateways=Gateways((), lambda _file: None, lambda _gateway, _problem: None),
                turns=turns,
            )
            for camera in cameras
        ]

    def start(self) -> None:
        """Open the model, then the cameras."""
        self._shelf.start()
        model = self._watches[0].camera.model
        while self._shelf.detector(model) is None:
            time.sleep(0.05)
        for watch in self._watches:
            watch.start()

    def analysed(self) -> Mapping[str, int]:
        """Frames per camera so far."""
        return {watch.camera.id: watch.pipeline.counters.frames for watch in self._watches}

    def inferences(self) -> int:
        """Looks of the detector so far."""
        return sum(watch.pipeline.counters.inferences for watch in self._watches)

    def stop(self) -> None:
        """End all at once."""
        threads = [threading.Thread(target=watch.stop) for watch in self._watches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._shelf.stop()


class _Watch(CameraWatch):
    """A watch that tells when its stream began, of losses, and of what is found once it is kept, with its picture."""

    def __init__(self, camera: CameraSettings, *, tally: Tally, **parts: Any) -> None:
        super().__init__(camera, **parts)
        self._tally = tally

    def _analysed(self, frame: Frame) -> Scene:
        self._tally.see(frame)
        return super()._analysed(frame)

    def _tell(self, finding: Finding, evidence: Sequence[EvidenceFile]) -> None:
        super()._tell(finding, evidence)
        if finding.state is IncidentState.OPEN:
            self._tally.found(self.camera.id, finding.rule, finding.at)

    def _on_status(self, health: Health, reason: str | None) -> None:
        self._tally.hear(self.camera.id)(health, reason)
        super()._on_status(health, reason)


class _Recorder:
    """Forgets readings."""

    def readings(self, _readings: Sequence[Reading], **_more: Any) -> None:
        """Nothing."""


class Plain:
    """Everything is decoded; two workers detect the newest full frame of each camera at the analysis rate, the oldest request first."""

    def __init__(self, cameras: Sequence[CameraSettings]) -> None:
        self.tally = Tally()
        self._eyes = Eyes(open_detector(str(cameras[0].model)))
        self._loops = [FoundInOrder(camera, self._eyes) for camera in cameras]
        self._boxes = [Mailbox() for _ in cameras]
        self._sources = [
            CameraSource(camera, box, self.tally.hear(camera.id))
            for camera, box in zip(cameras, self._boxes, strict=True)
        ]
        self._counts: Counter[str] = Counter()
        self._busy: set[int] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._next = 0
        self._workers = [threading.Thread(target=self._work) for _ in range(WORKERS)]

    def start(self) -> None:
        """Begin."""
        for source in self._sources:
            source.start()
        for worker in self._workers:
            worker.start()

    def analysed(self) -> Mapping[str, int]:
        """Frames per camera so far."""
        return {loop.camera.id: self._counts[loop.camera.id] for loop in self._loops}

    def inferences(self) -> int:
        """Looks of the detector so far."""
        return self._eyes.looks

    def stop(self) -> None:
        """End."""
        self._stop.set()
        for worker in self._workers:
            worker.join()
        for source in self._sources:
            threading.Thread(target=source.stop).start()

    def _work(self) -> None:
        while not self._stop.is_set():
            taken = self._taken()
            if taken is None:
                self._stop.wait(0.002)
                continue
            place, frame = taken
            self.tally.see(frame)
            for finding in self._loops[place].analyse(frame):
                self.tally.found(frame.camera, finding.rule, finding.at)
            self._counts[frame.camera] += 1
            with self._lock:
                self._busy.discard(place)

    def _taken(self) -> tuple[int, Frame] | None:
        """The newest frame of the next camera in turn that has one and that nobody works on."""
        with self._lock:
            for step in range(len(self._boxes)):
                place = (self._next + step) % len(self._boxes)
                if place in self._busy:
                    continue
                frame = self._boxes[place].take(0)
                if frame is not None:
                    self._next = place + 1
                    self._busy.add(place)
                    return place, frame
        return None


class Every:
    """Each camera has a thread that decodes and detects every frame in order."""

    def __init__(self, cameras: Sequence[CameraSettings]) -> None:
        self.tally = Tally()
        self._eyes = Eyes(open_detector(str(cameras[0].model)))
        self._loops = [FoundInOrder(camera, self._eyes) for camera in cameras]
        self._counts: Counter[str] = Counter()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=(loop,), daemon=True) for loop in self._loops]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def analysed(self) -> Mapping[str, int]:
        """Frames per camera so far."""
        return {loop.camera.id: self._counts[loop.camera.id] for loop in self._loops}

    def inferences(self) -> int:
        """Looks of the detector so far."""
        return self._eyes.looks

    def stop(self) -> None:
        """End."""
        self._stop.set()

    def _watch(self, loop: FoundInOrder) -> None:
        clock, name = EventClock(), loop.camera.id
        with Video(loop.camera.url) as video:
            for number, decoded in enumerate(video.frames()):
                if self._stop.is_set():
                    return
                told = clock.time_of(decoded.pts_s, now())
                frame = Frame(name, number, told.captured_at, told.media_s, decoded.picture)
                self.tally.see(frame)
                for finding in loop.analyse(frame):
                    self.tally.found(name, finding.rule, finding.at)
                self._counts[name] += 1


SYSTEMS: Mapping[str, Callable[[Sequence[CameraSettings]], System]] = {"node": Node, "plain": Plain, "every": Every}


def main() -> int:
    """Watch as ordered, and answer."""
    order = json.load(sys.stdin)
    cv2.setNumThreads(1)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    cameras = [CameraSettings.model_validate(each) for each in order["cameras"]]
    system = SYSTEMS[order["system"]](cameras)
    system.start()
    stop = threading.Event()
    stop.wait(order["settled_s"])
    before, looks, cpu_s, began_s = system.analysed(), system.inferences(), time.process_time(), time.perf_counter()
    stop.wait(order["duration_s"] - order["settled_s"] - 1.0)
    after, wall_s = system.analysed(), time.perf_counter() - began_s
    answer = {
        "analysed_hz": {camera.id: (after[camera.id] - before[camera.id]) / wall_s for camera in cameras},
        "cpu_s": time.process_time() - cpu_s,
        "wall_s": wall_s,
        "inferences": system.inferences() - looks,
        "lost": len(system.tally.lost),
        "openings": {
            camera.id: [asdict(each) for each in system.tally.openings.get(camera.id, ())] for camera in cameras
        },
    }
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    system.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
