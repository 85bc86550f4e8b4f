"""Ways of watching cameras: the node's own, a plain loop at the analysis rate, a loop that detects every frame, demuxing alone."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from edge.benches.openings import PlainWatch, Tally, now, plain_detector
from edge.contract.incident import IncidentState
from edge.errors import EdgeError
from edge.flow import EvidenceFile, Finding, Frame, GateState, Health, Scene
from edge.incidents import IncidentBook
from edge.node.shelf import ModelShelf
from edge.node.standing import Standing
from edge.node.turns import Turns, cores
from edge.node.watch import CameraWatch
from edge.outbox.outbox import Outbox
from edge.perception.audit import AuditedGate
from edge.settings import CameraSettings, OutboxSettings
from edge.sources.camera import CameraSource
from edge.sources.mailbox import Mailbox
from edge.sources.timing import EventClock
from edge.sources.video_gateway import Gateways
from edge.video import UNMARKED, Video

MODEL_PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Counts:
    """What a system has done since its start: frames looked at per camera, looks of the detector, pictures decoded, packets that were taken
    in and not decoded, seconds in which gates were audited (everything is decoded then), of all cameras together.
    """

    analysed: Mapping[str, int] = field(default_factory=dict)
    looks: int = 0
    decoded: int = 0
    spared: int = 0
    audited_s: float = 0.0


class System(Protocol):
    """One way of watching cameras."""

    tally: Tally

    def start(self, spread_s: float, /) -> None:
        """Begin, with cameras that are opened over so many seconds where their own rhythms would else coincide."""
        ...

    def counts(self) -> Counts:
        """What was done so far."""
        ...

    def gates(self) -> Mapping[str, str]:
        """What the gate of each camera that has one does, and why."""
        ...

    def settled(self) -> bool:
        """Whether all gates have learnt their streams."""
        ...


class Node:
    """The node's own watches: gate, turns, regions, tracker, rules, masked pictures, and incidents that are kept on the disk."""

    def __init__(self, cameras: Sequence[CameraSettings], folder: Path) -> None:
        self.tally = Tally()
        self._rested: set[str] = set()
        outbox = Outbox(folder, OutboxSettings())
        book = IncidentBook(outbox, {}, clock=now)
        standing = Standing(clock=now, on_change=lambda: None)
        self._shelf = ModelShelf({camera.model for camera in cameras if camera.model}, standing)
        turns = Turns()
        self._watches = [
            _Watch(
                camera,
                tally=self.tally,
                shelf=self._shelf,
                book=book,
                recorder=outbox,
                standing=standing,
                mark=lambda _role: UNMARKED,
                clock=now,
                gateways=Gateways((), lambda _file: None, lambda _gateway, _problem: None),
                turns=turns,
            )
            for camera in cameras
        ]

    def start(self, spread_s: float, /) -> None:
        """Open the model, then the cameras, one after the other."""
        self._shelf.start()
        until_s = time.monotonic() + MODEL_PATIENCE_S
        while any(self._shelf.detector(watch.camera.model) is None for watch in self._watches if watch.camera.model):
            if time.monotonic() > until_s:
                raise EdgeError("the model was not opened within a minute; `gridward-edge models verify` tells why")
            time.sleep(0.05)
        for watch in self._watches:
            watch.start()
            time.sleep(spread_s / len(self._watches))

    def counts(self) -> Counts:
        """What was done so far."""
        return Counts(
            analysed={watch.camera.id: watch.pipeline.counters.frames for watch in self._watches},
            looks=sum(watch.pipeline.counters.inferences for watch in self._watches),
            decoded=sum(watch.source.counters.decoded for watch in self._watches),
            spared=sum(gate.counters.spared for _, gate in self._gated()),
            audited_s=sum(gate.audit.audited_s for _, gate in self._gated()),
        )

    def gates(self) -> Mapping[str, str]:
        """State and reason of each gate."""
        return {camera: f"{gate.state.value}: {gate.reason.value}" for camera, gate in self._gated()}

    def settled(self) -> bool:
        """Whether each gate has come to watch, or has said that its stream does not suit: an audit opens it again for a while."""
        rested = {GateState.WATCHING, GateState.UNSUITED}
        self._rested.update(camera for camera, gate in self._gated() if gate.state in rested)
        return all(camera in self._rested for camera, _ in self._gated())

    def _gated(self) -> Iterator[tuple[str, AuditedGate]]:
        return ((watch.camera.id, watch.gate) for watch in self._watches if watch.gate is not None)


class _Watch(CameraWatch):
    """A watch that tells when its stream began, of losses, and of what is found once it is kept, with its picture."""

    def __init__(self, camera: CameraSettings, *, tally: Tally, **parts: Any) -> None:
        super().__init__(camera, **parts)
        self._tally = tally

    def _analysed(self, frame: Frame, *, hurried: bool = False) -> Scene:
        self._tally.see(frame)
        return super()._analysed(frame, hurried=hurried)

    def _tell(self, finding: Finding, evidence: Sequence[EvidenceFile]) -> None:
        super()._tell(finding, evidence)
        if finding.state is IncidentState.OPEN:
            self._tally.found(self.camera.id, finding.rule, finding.at)

    def _on_status(self, health: Health, reason: str | None) -> None:
        self._tally.hear(self.camera.id)(health, reason)
        super()._on_status(health, reason)


class _Loop:
    """What loops without a gate have in common."""

    def __init__(self, cameras: Sequence[CameraSettings], _folder: Path) -> None:
        self.tally = Tally()
        detector = plain_detector(str(cameras[0].model))
        self._watches = [PlainWatch(camera, detector) for camera in cameras]

    def counts(self) -> Counts:
        """Each frame that was analysed was one look."""
        analysed = {watch.camera.id: watch.frames for watch in self._watches}
        return Counts(analysed=analysed, looks=sum(analysed.values()))

    def gates(self) -> Mapping[str, str]:
        """There are none."""
        return {}

    def settled(self) -> bool:
        """There is nothing to learn."""
        return True

    def _analyse(self, watch: PlainWatch, frame: Frame) -> None:
        self.tally.see(frame)
        for finding in watch.analyse(frame):
            self.tally.found(frame.camera, finding.rule, finding.at)


class Plain(_Loop):
    """Everything is decoded; as many workers as there are cores detect the newest full frame of each camera at the analysis rate, in turn."""

    def __init__(self, cameras: Sequence[CameraSettings], folder: Path) -> None:
        super().__init__(cameras, folder)
        self._boxes = [Mailbox() for _ in cameras]
        self._sources = [
            CameraSource(camera, box, self.tally.hear(camera.id))
            for camera, box in zip(cameras, self._boxes, strict=True)
        ]
        self._busy: set[int] = set()
        self._lock = threading.Lock()
        self._next = 0
        self._workers = [threading.Thread(target=self._work, name=f"worker-{n}", daemon=True) for n in range(cores())]

    def start(self, spread_s: float, /) -> None:
        """Begin."""
        for worker in self._workers:
            worker.start()
        for source in self._sources:
            source.start()
            time.sleep(spread_s / len(self._sources))

    def _work(self) -> None:
        while True:
            taken = self._taken()
            if taken is None:
                time.sleep(0.002)
                continue
            place, frame = taken
            self._analyse(self._watches[place], frame)
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


class Every(_Loop):
    """Each camera has a thread that decodes and detects every frame in order."""

    def start(self, spread_s: float, /) -> None:
        """Begin."""
        for watch in self._watches:
            threading.Thread(target=self._watch, args=(watch,), name=f"loop-{watch.camera.id}", daemon=True).start()
            time.sleep(spread_s / len(self._watches))

    def _watch(self, watch: PlainWatch) -> None:
        clock, name = EventClock(), watch.camera.id
        try:
            with Video(watch.camera.url) as video:
                for number, decoded in enumerate(video.frames()):
                    told = clock.time_of(decoded.pts_s, now())
                    self._analyse(watch, Frame(name, number, told.captured_at, told.media_s, decoded.picture))
        except EdgeError as error:
            self.tally.hear(name)(Health.LOST, str(error))


class Demuxed:
    """Packets are taken in and thrown away: what nothing that reads these streams can be below."""

    def __init__(self, cameras: Sequence[CameraSettings], _folder: Path) -> None:
        self.tally = Tally()
        self._cameras = cameras
        self._packets: Counter[str] = Counter()

    def start(self, _spread_s: float, /) -> None:
        """Begin."""
        for camera in self._cameras:
            threading.Thread(target=self._read, args=(camera,), name=f"read-{camera.id}", daemon=True).start()

    def counts(self) -> Counts:
        """Nothing is decoded."""
        return Counts(analysed=dict.fromkeys((camera.id for camera in self._cameras), 0), spared=self._packets.total())

    def gates(self) -> Mapping[str, str]:
        """There are none."""
        return {}

    def settled(self) -> bool:
        """There is nothing to learn."""
        return True

    def _read(self, camera: CameraSettings) -> None:
        try:
            with Video(camera.url) as video:
                for _ in video.packets():
                    self._packets[camera.id] += 1
        except EdgeError as error:
            self.tally.hear(camera.id)(Health.LOST, str(error))


SYSTEMS: Mapping[str, Callable[[Sequence[CameraSettings], Path], System]] = {
    "node": Node,
    "plain": Plain,
    "every": Every,
    "demuxed": Demuxed,
}
"""Name → made of cameras and an empty folder of their own."""
