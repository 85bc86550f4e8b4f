"""The node's memory of what its cameras saw: written down a batch a minute, off the threads that analyse."""

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import structlog

from edge.contract.incident import CameraTrouble
from edge.flow import Finding, Scene
from edge.perception.motion import UNWATCHED_S
from edge.recollection.block import Block, Watched
from edge.recollection.recorder import MANY, SceneRecorder, to_ms
from edge.recollection.store import MemoryWriter, size_bytes
from edge.settings import MOTION, CameraSettings, MemorySettings, PlaceSettings

WRITE_EVERY_S: Final = 60.0
BACKGROUND_EVERY: Final = timedelta(hours=6)
BACKGROUND_SPACING: Final = timedelta(hours=1)
"""However often the view changes, a background is kept this often at most."""

SETTLED: Final = timedelta(seconds=20)
SETTLED_UNSEEING: Final = timedelta(seconds=330)
"""Without a detector a picture is masked wherever something has moved within five minutes: before, that is everywhere."""

UNWATCHED: Final = timedelta(seconds=UNWATCHED_S)

BLOCKS_MOST: Final = 64
"""Of one camera, while the disk is slow."""

_NOT_A_VIEW: Final = frozenset(set(CameraTrouble) - {CameraTrouble.MOVED})
_MIB: Final = 1 << 20
_log = structlog.get_logger(__name__)


def watched_by(camera: CameraSettings, *, model: str | None) -> Watched:
    """What is looked for at a camera with these rules, with the model whose detector looks (None: none does)."""
    sees = model is not None
    kinds = {rule.kind for rule in camera.rules}
    motion = any(rule.kind == "line_crossing" and MOTION in rule.classes for rule in camera.rules)
    return Watched(
        model=model,
        motion=motion,
        objects=sees and "abandoned_object" in kinds,
        troubles="camera_trouble" in kinds,
        places=sees and any(isinstance(rule, PlaceSettings) for rule in camera.rules),
    )


@dataclass(frozen=True, slots=True)
class Background:
    """A masked picture of a camera in which nobody was followed."""

    camera: str
    at: datetime
    sha256: str
    jpeg: bytes = field(repr=False)


class CameraMemory:
    """What one camera's watch tells the memory. Its thread adds, that of the memory takes away."""

    def __init__(
        self,
        camera: str,
        *,
        process: int,
        on_much: Callable[[], None],
        on_background: Callable[[Background], None],
    ) -> None:
        self.camera = camera
        self.lost = 0
        self._process = process
        self._on_much, self._on_background = on_much, on_background
        self._lock = threading.Lock()
        self._watched = Watched(model=None, motion=False, objects=False, troubles=False)
        self._recorder: SceneRecorder | None = None
        self._ready: list[Block] = []
        self._background: str | None = None
        self._background_at: datetime | None = None
        self._view: tuple[int, ...] | None = None
        self._view_since: datetime | None = None
        self._looked_at: datetime | None = None
        self._unbroken_since: datetime | None = None
        self._moved = False

    def watches(self, watched: Watched) -> None:
        """From now on this is looked for."""
        with self._lock:
            if self._recorder is not None and self._recorder.watched != watched:
                self._put_aside(self._recorder.cut())
                self._recorder.watched = watched
            self._watched = watched

    def scene(self, scene: Scene, *, begins: bool = True) -> None:
        """One moment, as the rules saw it. Only a look `begins` a watch, the end of one does not."""
        with self._lock:
            if self._recorder is None:
                if not begins:
                    return
                run = to_ms(scene.at)
                self._recorder = SceneRecorder(self.camera, self._watched, process=self._process, run=run)
            self._recorder.scene(scene)
            if self._recorder.size >= MANY:
                self._put_aside(self._recorder.cut())
                self._on_much()

    def told(self, finding: Finding) -> None:
        """What was told of an incident."""
        with self._lock:
            if self._recorder is not None:
                self._recorder.told(finding, self._background)

    def ended(self) -> None:
        """The rules have ended what they had open; what follows is another watch."""
        self._view = None
        with self._lock:
            recorder, self._recorder = self._recorder, None
            if recorder is not None:
                self._put_aside(recorder.cut(ended=True))

    def take(self) -> list[Block]:
        """What is to be written; it is forgotten here."""
        with self._lock:
            if self._recorder is not None:
                self._put_aside(self._recorder.cut())
            ready, self._ready = self._ready, []
            return ready

    def wants_background(self, scene: Scene, shape: Sequence[int], *, followed: bool, sees: bool) -> bool:
        """Whether the picture of this scene is to be kept as the camera's background: nobody is followed in it, nothing moves, and
        the one before is old or of another view. It has to have been seen for some time without a gap.
        """
        if self._looked_at is None or self._unbroken_since is None or scene.at - self._looked_at > UNWATCHED:
            self._unbroken_since = scene.at
        self._looked_at = scene.at
        troubles = scene.troubles or frozenset()
        turned = self._moved and CameraTrouble.MOVED not in troubles
        self._moved = CameraTrouble.MOVED in troubles
        if tuple(shape) != self._view or turned:
            self._view, self._view_since = tuple(shape), scene.at
        since = self._view_since
        if since is None or scene.tracks or followed or scene.moving or troubles & _NOT_A_VIEW or self._moved:
            return False
        if scene.at - max(since, self._unbroken_since) < (SETTLED if sees else SETTLED_UNSEEING):
            return False
        last = self._background_at
        if last is None:
            return True
        return scene.at - last >= (BACKGROUND_EVERY if last >= since else BACKGROUND_SPACING)

    def background(self, jpeg: bytes | None, at: datetime) -> None:
        """Keep a masked picture as the camera's background; None where it could not be masked, and is not tried again soon."""
        self._background_at = at
        if jpeg is not None:
            picture = Background(self.camera, at, hashlib.sha256(jpeg).hexdigest(), jpeg)
            self._background = picture.sha256
            self._on_background(picture)

    def _put_aside(self, block: Block | None) -> None:
        if block is None:
            return
        self._ready.append(block)
        while len(self._ready) > BLOCKS_MOST:
            del self._ready[0]
            self.lost += 1


@dataclass(frozen=True, slots=True)
class MemoryFigures:
    """How the memory stands: what it takes on the disk and may take, written since the start, blocks that found no room."""

    used_bytes: int
    quota_bytes: int
    written_bytes: int
    blocks_lost: int
    faults: int


class Recollection:
    """The memories of all cameras, and the thread `recollection` that writes them down."""

    def __init__(
        self,
        directory: Path,
        settings: MemorySettings,
        *,
        clock: Callable[[], datetime],
        correction: Callable[[], timedelta] = timedelta,
    ) -> None:
        self._directory, self._settings = directory, settings
        self._correction = correction
        self._process = to_ms(clock())
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._memories: dict[str, CameraMemory] = {}
        self._pictures: dict[str, Background] = {}
        self._writer: MemoryWriter | None = None
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="recollection", daemon=True)
        self._used_bytes = 0
        with contextlib.suppress(OSError):
            self._used_bytes = size_bytes(directory)
        self._refused = 0
        self.faults = 0
        self.written_bytes = 0

    @property
    def lost(self) -> int:
        """Blocks that found no room, in memory or on the disk."""
        with self._lock:
            lost = sum(memory.lost for memory in self._memories.values())
        return self._refused + lost + (0 if self._writer is None else self._writer.lost)

    def camera(self, name: str) -> CameraMemory | None:
        """The memory of a camera, the same whenever it is opened; None where nothing is to be remembered."""
        if not self._settings.quota_mib:
            return None
        with self._lock:
            if name not in self._memories:
                self._memories[name] = CameraMemory(
                    name, process=self._process, on_much=self._wake.set, on_background=self._take_picture
                )
            return self._memories[name]

    def start(self) -> None:
        """Begin to write."""
        if self._settings.quota_mib:
            self._thread.start()

    def stop(self) -> None:
        """Write what is left, once the cameras are closed."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(5.0)
        self.write()

    def write(self) -> None:
        """Write down what there is by now."""
        with self._writing:
            self._write()

    @property
    def figures(self) -> MemoryFigures:
        """How it stood when it was written last."""
        quota_bytes = self._settings.quota_mib * _MIB
        return MemoryFigures(self._used_bytes, quota_bytes, self.written_bytes, self.lost, self.faults)

    def _take_picture(self, picture: Background) -> None:
        with self._lock:
            self._pictures[picture.camera] = picture
        self._wake.set()

    def _write(self) -> None:
        with self._lock:
            memories = list(self._memories.values())
            pictures, self._pictures = self._pictures, {}
        blocks = [block for memory in memories for block in memory.take()]
        if not blocks and not pictures:
            return
        correction_ms = self._correction() // timedelta(milliseconds=1)
        blocks = [msgspec.structs.replace(block, correction_ms=correction_ms) for block in blocks]
        try:
            writer = self._writer = self._writer or MemoryWriter(
                self._directory, quota_bytes=self._settings.quota_mib * _MIB, keep_days=self._settings.keep_days
            )
            self.written_bytes += writer.append(blocks)
            for picture in pictures.values():
                at_ms = to_ms(picture.at) + correction_ms
                writer.keep_background(picture.camera, at_ms, picture.sha256, picture.jpeg)
            self._used_bytes = size_bytes(self._directory)
        except OSError as error:
            self._refused += 0 if self._writer is not None else len(blocks)
            _log.error("what the cameras saw is not remembered: the disk does not take it", reason=error.strerror)

    def _run(self) -> None:
        written_s = time.monotonic()
        while not self._stop.is_set():
            self._wake.wait(max(WRITE_EVERY_S - (time.monotonic() - written_s), 0.0))
            self._wake.clear()
            written_s = time.monotonic()
            try:
                self.write()
            except Exception:  # noqa: BLE001 (the top of the thread)
                self.faults += 1
                _log.exception("the memory of the cameras failed and goes on")
