"""A camera (摄像机): RTSP over TCP, a file played in real time, or a file played for ever.

One named thread owns the connection from opening to closing. It chooses frames by the camera's analysis rate and leaves them in a
mailbox: of everything that it decodes, or, with a gate, of what the gate lets it decode. Whatever goes wrong, it tries again, at the
latest `RETRY_CAP_S` later; a stream that ends is a camera that went away.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Thread
from time import monotonic
from typing import Final

import structlog

from edge.errors import EdgeError, MediaUnusable, SourceLost, SourceSilent
from edge.flow import Encoded, Frame, Gate, Health, NativeMark, Packet, Scene
from edge.settings import CameraSettings
from edge.sources.address import AddressProvider, ConfiguredAddress
from edge.sources.deferral import Deferral
from edge.sources.intake import Intake, Taken
from edge.sources.mailbox import Mailbox
from edge.sources.packets import PacketRing
from edge.sources.quality import Quality, Steps
from edge.sources.reel import Reel
from edge.sources.timing import AnalysisGrid, EventClock, PacketClock
from edge.video import UNMARKED, Video, is_live

RETRY_CAP_S: Final = 5.0
_RETRY_FIRST_S: Final = 0.25
_STEADY_S: Final = 3.0
"""A connection that stood for so long was none that fails at once: the next wait is a short one again."""
_STOP_PATIENCE_S: Final = 8.0
_WAITED_S: Final = 0.002
_CATCH_UP_S: Final = 2.0
"""So long the analysis may hold up the reading when pictures of the recent past come at once."""

_MOST_ATTENDED: Final = 64
_MOST_ASKED: Final = 8

_log = structlog.get_logger(__name__)

StatusListener = Callable[[Health, str | None], None]


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class CameraCounters:
    """What the source did since the start. `due`: frames that the analysis rate asked for, fetched in time or not.
    `stalls`: those of the losses in which the connection stood and no picture came.

    `damaged`: packets that could not be decoded; `changes`: of the picture's size; `jumps`: of the stream's clock; `dropped`:
    packets that were left out undecoded since the node could not keep up.
    """

    connections: int = 0
    losses: int = 0
    stalls: int = 0
    decoded: int = 0
    due: int = 0
    damaged: int = 0
    changes: int = 0
    jumps: int = 0
    dropped: int = 0
    faults: int = 0


class RetryDelay:
    """Growing, random waits: the first is short, none is longer than `RETRY_CAP_S`, and nodes do not march in step."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._attempts = 0

    def next_s(self) -> float:
        """How long to wait before the next attempt: half to all of the doubled time."""
        longest_s = min(_RETRY_FIRST_S * 2.0**self._attempts, RETRY_CAP_S)
        self._attempts = min(self._attempts + 1, 16)
        return longest_s * (0.5 + self._chance() / 2)

    def reset(self) -> None:
        """The connection was steady: begin with short waits again."""
        self._attempts = 0


class CameraSource:
    """Reads one camera in a thread of its own and leaves its newest due frame in `mailbox`."""

    def __init__(
        self,
        camera: CameraSettings,
        mailbox: Mailbox,
        on_status: StatusListener,
        *,
        now: Callable[[], datetime] = _utc_now,
        delay: RetryDelay | None = None,
        mark: NativeMark = UNMARKED,
        addresses: AddressProvider | None = None,
        gate: Gate | None = None,
        defers: bool = False,
    ) -> None:
        """Nothing is opened before `start`. `on_status` is called from the camera's thread, on changes only; `mark` is told
        what the thread does, for those who look into a crash. `addresses` is asked before each connection; without it the
        configured address is opened. The packets of a live camera go into `ring`, and with a `gate` only those are decoded
        that it asks for; a file is decoded whole. Who `defers` decodes what only goes on in the thread that analyses: the mailbox then
        says that there is something, and `fetch` gives it.
        """
        self.camera = camera
        self.counters = CameraCounters()
        self._mailbox, self._on_status, self._now = mailbox, on_status, now
        self._delay = delay or RetryDelay()
        self._mark = mark
        self._addresses = addresses or ConfiguredAddress(camera)
        self.gate = gate
        self._defers = defers
        self._deferral: Deferral | None = None
        self.ring = PacketRing()
        self._attended: deque[tuple[Scene, bool]] = deque(maxlen=_MOST_ATTENDED)
        self._asked: deque[datetime] = deque(maxlen=_MOST_ASKED)
        self._held_up_s = 0.0
        self._stopping = Event()
        self._thread = Thread(target=self._run, name=f"camera-{camera.id}", daemon=True)
        self._status: tuple[Health, str | None] | None = None
        self._last_at: datetime | None = None
        self._opened_s = float("inf")

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, and wait: a silent camera is left within its read time-out."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_PATIENCE_S)

    def attend(self, scene: Scene, *, followed: bool) -> None:
        """What the analysis made of a frame of this camera, and whether it follows anything: the gate goes by it. Any thread."""
        if self.gate is not None:
            self._attended.append((scene, followed))

    def ask(self, at: datetime) -> None:
        """Somebody wants to see what there is from this moment on: the gate opens for it, with the next packet. Any thread."""
        if self.gate is not None:
            self._asked.append(at)

    def fetch(self, mark: NativeMark) -> Frame | None:
        """The newest due frame of what was put off, decoded in the calling thread, which tells `mark` so; None where there is none yet.

        One thread may call it. What goes wrong is told to the reading thread, which ends the connection.
        """
        deferral = self._deferral
        return None if deferral is None else deferral.fetch(mark)

    def _run(self) -> None:
        self._say(Health.STARTING, None)
        try:
            while not self._stopping.is_set():
                if self._connect_once():
                    break
                self._stopping.wait(self._delay.next_s())
        finally:
            self._mailbox.close()

    def _connect_once(self) -> bool:
        """Read one connection to its end; whether the source is over for good (a file that is not looped has ended)."""
        self._opened_s = float("inf")
        try:
            self._read()
        except EdgeError as error:
            self.counters.stalls += isinstance(error, SourceSilent)
            reason = str(error)
        except Exception:  # noqa: BLE001 - the top of a thread: counted, logged, tried again
            self.counters.faults += 1
            _log.exception("camera fault", camera=self.camera.id)
            reason = "an internal fault; see the node's log"
        else:
            if self._stopping.is_set():
                return True
            self._say(Health.LOST, "the file has ended")
            return True
        self.counters.losses += 1
        self._say(Health.LOST, reason)
        if monotonic() - self._opened_s >= _STEADY_S:
            self._delay.reset()
        return False

    def _read(self) -> None:
        address = self._addresses.obtain(self._stopping)
        live = is_live(address)
        clock = EventClock(not_before=self._last_at)
        grid = AnalysisGrid(self.camera.analysis_hz)
        reel = None if live else Reel(self._stopping)
        while not self._stopping.is_set():
            before = self.counters.decoded
            with Video(address, mark=self._mark) as video:
                self._opened_s = monotonic()
                self.counters.connections += 1
                self._addresses.opened()
                self._play(video, clock, grid, reel)
            if self._stopping.is_set():
                return
            if live:
                raise SourceLost("the camera closed the stream")
            if self.counters.decoded == before:
                raise MediaUnusable("there is no frame in it that can be decoded")
            if not self.camera.loop:
                return

    def _play(self, video: Video, clock: EventClock, grid: AnalysisGrid, reel: Reel | None) -> None:
        """Hand over the frames of one pass."""
        counters = self.counters
        passed = _Pass(video, Steps(), Quality(), counters.damaged, counters.changes, counters.jumps)
        try:
            if reel is None:
                self._play_packets(passed, PacketClock(clock), grid)
            else:
                self._play_film(passed, clock, grid, reel)
        finally:
            self._count(passed)

    def _play_film(self, passed: "_Pass", clock: EventClock, grid: AnalysisGrid, reel: Reel) -> None:
        """Decode everything, in its own time."""
        video = passed.video
        reel.rewind()
        for decoded in video.frames():
            if self._stopping.is_set():
                break
            passed.steps.take(decoded.pts_s)
            pts_s = reel.wait(decoded.pts_s, video.frame_period_s)
            flaw = self._count(passed)
            time = clock.time_of(pts_s, self._now())
            self._last_at = time.captured_at if self._last_at is None else max(self._last_at, time.captured_at)
            taken = Taken(time.captured_at, time.media_s, pts_s, late=False, picture=decoded.picture)
            self._hand_over(self._due(taken, grid), flaw)

    def _play_packets(self, passed: "_Pass", clock: PacketClock, grid: AnalysisGrid) -> None:
        """Keep every packet, and decode what the gate asks for; without one all of it."""
        dropped = self.counters.dropped
        self.ring.begin(passed.video.format)
        if self.gate is not None:
            self.gate.begin()
        intake = Intake(self.gate, self.ring, passed.video)
        deferral = Deferral(
            intake, lambda taken: self._due(taken, grid), self._mailbox, analysis_hz=self.camera.analysis_hz
        )
        self._deferral = deferral
        packets = passed.video.packets()
        catching_up = False
        asked_s = waited_s = monotonic()
        try:
            while not self._stopping.is_set() and (encoded := next(packets, None)) is not None:
                got_s = monotonic()
                if got_s - asked_s >= _WAITED_S:
                    waited_s, catching_up = got_s, False
                packet = self._packet(encoded, clock, passed.steps)
                flaw = self._count(passed)
                self._tell_gate()
                later = self._defers and not catching_up
                for taken in intake.take(packet, hurried_s=got_s - waited_s, later=later):
                    if taken.late and not catching_up:
                        catching_up, self._held_up_s = True, 0.0
                    self._hand_over(self._due(taken, grid), flaw, patient=catching_up)
                deferral.tell(packet)
                self._hear(deferral, flaw)
                self.counters.dropped = dropped + intake.counters.dropped
                asked_s = monotonic()
        finally:
            self._deferral = None
            self._hand_over_rest(intake, grid)

    def _hear(self, deferral: Deferral, flaw: str | None) -> None:
        """What came of decoding in the thread that analyses."""
        if deferral.failure is not None:
            raise deferral.failure
        if deferral.delivered:
            deferral.delivered = False
            self._say(Health.OK if flaw is None else Health.DEGRADED, flaw)

    def _hand_over_rest(self, intake: Intake, grid: AnalysisGrid) -> None:
        """The connection is over: what was put off, if it can be decoded, and nobody decodes any more."""
        try:
            for taken in intake.end():
                frame = self._due(taken, grid)
                if frame is not None:
                    self._mailbox.put(frame)
        except EdgeError:
            pass  # why the connection is over is told already, or is this

    def _tell_gate(self) -> None:
        while self.gate is not None and self._attended:
            scene, followed = self._attended.popleft()
            self.gate.attend(scene, followed=followed)
        while self.gate is not None and self._asked:
            self.gate.asked(self._asked.popleft())

    def _packet(self, encoded: Encoded, clock: PacketClock, steps: Steps) -> Packet:
        time = clock.time_of(encoded.pts_s, self._now())
        if not clock.reordered:
            steps.take(encoded.pts_s)
            self._last_at = time.captured_at
        return Packet(encoded, time.captured_at, time.media_s)

    def _count(self, passed: "_Pass") -> str | None:
        """Bring the counters up to date; what is wrong with the stream, or None."""
        self.counters.damaged = passed.damaged + passed.video.damaged_packets
        self.counters.changes = passed.changes + passed.video.changes
        self.counters.jumps = passed.jumps + passed.steps.jumps
        return passed.quality.flaw(passed.video.damaged_packets, monotonic())

    def _due(self, taken: Taken, grid: AnalysisGrid) -> Frame | None:
        """A picture as a frame, if the analysis rate asks for it."""
        self.counters.decoded += 1
        if not grid.takes(taken.media_s if taken.pts_s is None else taken.pts_s):
            return None
        self.counters.due += 1
        return Frame(self.camera.id, self.counters.due - 1, taken.captured_at, taken.media_s, taken.picture)

    def _hand_over(self, frame: Frame | None, flaw: str | None, *, patient: bool = False) -> None:
        """To the mailbox. `patient`: wait until the one before was fetched, for it is as new as this one."""
        if frame is None:
            return
        if patient and self._held_up_s < _CATCH_UP_S:
            self._held_up_s += self._mailbox.offer(frame, _CATCH_UP_S - self._held_up_s)
        else:
            self._mailbox.put(frame)
        self._say(Health.OK if flaw is None else Health.DEGRADED, flaw)

    def _say(self, health: Health, reason: str | None) -> None:
        if (health, reason) != self._status:
            self._status = health, reason
            self._on_status(health, reason)


@dataclass(frozen=True, slots=True)
class _Pass:
    """One connection, or one playing of a film, and the counters before it."""

    video: Video
    steps: Steps
    quality: Quality
    damaged: int
    changes: int
    jumps: int
