"""The films of incidents, made beside everything else: one thread for all cameras of a node, which keeps nobody waiting.

Of each clip the sealed original comes first, since that is copying; then the masked film, which costs decoding, looking and
encoding. Worse incidents come before others, and older ones before younger; where too much waits, what would come last is left.
"""

import contextlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

import structlog

from edge.contract.incident import Severity
from edge.contract.view import CameraView
from edge.errors import MediaUnusable, ModelUnusable
from edge.evidence.clip import ClipMaker, within
from edge.evidence.film import RATE_HZ, frames_of, masked_film
from edge.evidence.film_masks import FilmMasks
from edge.evidence.seal import DistrictKey
from edge.evidence.snapshot import SnapshotMaker
from edge.flow import (
    Detector,
    EvidenceFile,
    Frame,
    NativeMark,
    NativeStep,
    Packet,
    PrivateParts,
    StreamFormat,
)
from edge.incidents import IncidentBook
from edge.perception.hindsight import Hindsight
from edge.settings import CameraSettings

MOST_WAITING: Final = 24
MOST_BYTES: Final = 64 << 20
"""Packets that wait to be made films of; each clip's are counted once."""

LONGEST_CPU_S: Final = 30.0
"""No masked film takes this thread longer: what would be is given up. The sealed original is kept by then."""

NICENESS: Final = 10
PATIENCE_S: Final = 2.0

_STILL_NEAR: Final = timedelta(seconds=1 / RATE_HZ)

_log = structlog.get_logger(__name__)


class Stage(IntEnum):
    """What is made of a clip, in this order."""

    SEALED = 0
    MASKED = 1


@dataclass(frozen=True, slots=True)
class ClipOwner:
    """Whose a film is: the incident of the findings `key` that began at `started_at`."""

    key: str
    started_at: datetime
    severity: Severity


@dataclass(frozen=True, slots=True)
class ClipOrder:
    """What a film is to be made of, and whose it is: the incidents of `owners`, the camera's own or, where it is `linked`, those of other
    devices at its spot.

    `packets` begin before it, and up to `until` they are wanted. `known` must not be recognisable in any of its pictures; `detector` finds
    who else is there, and where it is None, what moves in the film tells it. With `still_at` a picture of that moment is made as well.
    """

    camera: CameraSettings
    owners: tuple[ClipOwner, ...]
    opened_at: datetime
    stream_format: StreamFormat | None
    packets: Sequence[Packet] = field(repr=False)
    until: datetime
    known: PrivateParts = field(repr=False)
    detector: Detector | None
    mark: NativeMark
    linked: bool = False
    still_at: datetime | None = None

    @property
    def severity(self) -> Severity:
        """That of the worst incident that waits for it."""
        return max((owner.severity for owner in self.owners), key=lambda severity: severity.rank)

    @property
    def size_bytes(self) -> int:
        """What its packets take."""
        return sum(len(packet.encoded.data) for packet in self.packets)


@dataclass(frozen=True, slots=True)
class ClipFigures:
    """Films that wait, that were made, that could not be made, and that were left because too many waited."""

    waiting: int
    made: int
    refused: int
    skipped: int
    longest_s: float


@dataclass(frozen=True, slots=True)
class _Task:
    stage: Stage
    order: ClipOrder
    size_bytes: int

    @property
    def place(self) -> tuple[int, int, datetime]:
        """Among those that wait; the first is made first."""
        return self.stage, -self.order.severity.rank, self.order.opened_at


class ClipWorker:
    """The thread `clips`. Films are attached to their incidents in `book`; without `district_key` nothing is sealed."""

    def __init__(
        self,
        book: IncidentBook,
        district_key: DistrictKey | None = None,
        *,
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._book, self._district_key = book, district_key
        self._cpu_clock = cpu_clock
        self._waiting: list[_Task] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._made: Counter[Stage] = Counter()
        self._refused: Counter[str] = Counter()
        self._skipped = 0
        self._longest_s = 0.0
        self._thread = threading.Thread(target=self._run, name="clips", daemon=True)

    @property
    def seals(self) -> bool:
        """Whether there is a key of the district: originals are kept."""
        return self._district_key is not None

    @property
    def figures(self) -> ClipFigures:
        """What became of the films since the start."""
        with self._changed:
            waiting = len(self._waiting)
        return ClipFigures(waiting, self._made.total(), self._refused.total(), self._skipped, self._longest_s)

    def refused(self, camera: str) -> int:
        """How many films of a camera could not be made."""
        return self._refused[camera]

    def start(self) -> None:
        """Begin to make films."""
        self._thread.start()

    def stop(self) -> None:
        """Seal what waits, as far as that is done soon, and leave the rest."""
        with self._changed:
            self._stopping = True
            left = [task for task in self._waiting if task.stage is Stage.MASKED]
            self._waiting = [task for task in self._waiting if task.stage is Stage.SEALED]
            self._skipped += len(left)
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(PATIENCE_S)

    def order(self, order: ClipOrder) -> None:
        """Have the films of a clip made, some time soon."""
        stages = (Stage.SEALED, Stage.MASKED) if self._district_key is not None else (Stage.MASKED,)
        size_bytes = order.size_bytes
        with self._changed:
            self._waiting += [_Task(stage, order, size_bytes) for stage in stages]
            self._waiting.sort(key=lambda task: task.place)
            while len(self._waiting) > MOST_WAITING:
                self._leave([self._waiting[-1]])
            while len(orders := {id(task.order): task for task in self._waiting}) > 1:
                if sum(task.size_bytes for task in orders.values()) <= MOST_BYTES:
                    break
                last = max(self._waiting, key=lambda task: task.place[1:]).order
                self._leave([task for task in self._waiting if task.order is last])
            self._changed.notify()

    def turn(self) -> bool:
        """Make the film whose turn it is; False when none waits."""
        with self._changed:
            if not self._waiting:
                return False
            task = self._waiting.pop(0)
        began_s = time.monotonic()
        try:
            files = self._sealed(task.order) if task.stage is Stage.SEALED else self._masked(task.order)
        except (MediaUnusable, ModelUnusable, ValueError) as error:
            self._refused[task.order.camera.id] += 1
            _log.error("film refused", camera=task.order.camera.id, stage=task.stage.name, reason=str(error))
            return True
        finally:
            task.order.mark.tell(NativeStep.NONE)
            self._longest_s = max(self._longest_s, time.monotonic() - began_s)
        if files:
            self._made[task.stage] += 1
            self._attach(task.order, files)
        return True

    def _attach(self, order: ClipOrder, files: Sequence[EvidenceFile]) -> None:
        camera = order.camera.id
        views = [CameraView(camera=camera, evidence=tuple(file.reference.sha256 for file in files))]
        for owner in order.owners:
            self._book.attach(
                owner.key, owner.started_at, camera, owner.severity, files, views=views if order.linked else ()
            )

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while True:
            with self._changed:
                if not self._waiting:
                    if self._stopping:
                        return
                    self._changed.wait()
            try:
                self.turn()
            except Exception:  # noqa: BLE001 (the top of the thread)
                self._refused["?"] += 1
                _log.exception("making a film failed and goes on")

    def _leave(self, tasks: Sequence[_Task]) -> None:
        for task in tasks:
            self._waiting.remove(task)
            self._skipped += 1
            _log.warning("too many films wait: one is left", camera=task.order.camera.id, stage=task.stage.name)

    def _sealed(self, order: ClipOrder) -> Sequence[EvidenceFile]:
        if self._district_key is None:
            return ()
        maker = ClipMaker(order.camera.id, self._district_key)
        order.mark.tell(NativeStep.ANALYSING)
        clip = maker.take(order.stream_format, order.packets, until=order.until)
        self._refused[order.camera.id] += maker.refused
        return () if clip is None else (clip,)

    def _masked(self, order: ClipOrder) -> Sequence[EvidenceFile]:
        """Decoded twice: once to see who is in it, once to show it. Both in memory at once would be hundreds of megabytes."""
        chosen = within(order.packets, order.until)
        if order.stream_format is None or not chosen:
            raise MediaUnusable("nothing is kept of what the camera sent then")
        until_s = self._cpu_clock() + LONGEST_CPU_S
        order.mark.tell(NativeStep.ANALYSING)
        hindsight = Hindsight(order.camera, order.detector)
        for frame in self._frames(order, order.stream_format, chosen, until_s):
            hindsight.show(frame)
        masks = FilmMasks(hindsight.looks(), order.known, frame_period_s=1 / RATE_HZ)
        stills: list[EvidenceFile] = []
        frames = self._showing(order, masks, self._frames(order, order.stream_format, chosen, until_s), stills)
        return (masked_film(frames, masks, order.camera.masks), *stills)

    def _showing(
        self, order: ClipOrder, masks: FilmMasks, frames: Iterator[Frame], stills: list[EvidenceFile]
    ) -> Iterator[Frame]:
        """The pictures as they come; of the one that shows the moment that is asked for, a still with the masks of this very picture."""
        maker = SnapshotMaker(order.camera.id, order.camera.masks)
        for frame in frames:
            if order.still_at is not None and not stills and frame.captured_at >= order.still_at - _STILL_NEAR:
                still = maker.take(frame, masks.at(frame.captured_at))
                if still is None:
                    raise MediaUnusable("its picture can't be masked")
                stills.append(still)
            yield frame

    def _frames(
        self, order: ClipOrder, stream_format: StreamFormat, chosen: Sequence[Packet], until_s: float
    ) -> Iterator[Frame]:
        for frame in frames_of(order.camera.id, stream_format, chosen):
            if self._stopping:
                raise MediaUnusable("the node stops")
            if self._cpu_clock() > until_s:
                raise MediaUnusable(f"it takes longer than {LONGEST_CPU_S:g} s")
            yield frame
