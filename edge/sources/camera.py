"""A camera (摄像机): RTSP over TCP, a file played in real time, or a file played for ever.

One named thread owns the connection from opening to closing. It decodes everything, chooses frames by the camera's analysis
rate and leaves them in a mailbox. Whatever goes wrong, it tries again, at the latest `RETRY_CAP_S` later; a stream that ends
is a camera that went away.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Thread
from time import monotonic
from typing import Final

import structlog

from edge.errors import EdgeError, MediaUnusable, SourceLost
from edge.flow import Frame, Health, NativeMark
from edge.settings import CameraSettings
from edge.sources.address import AddressProvider, ConfiguredAddress
from edge.sources.mailbox import Mailbox
from edge.sources.timing import AnalysisGrid, EventClock
from edge.video import UNMARKED, Decoded, Video, is_live

RETRY_CAP_S: Final = 5.0
_RETRY_FIRST_S: Final = 0.25
_STEADY_S: Final = 10.0
_STOP_PATIENCE_S: Final = 8.0
_JUMP_S: Final = 5.0
LONGEST_STILL_S: Final = 60.0
"""A picture of a file stands for a minute at most."""

_QUALITY_WINDOW_S: Final = 10.0
_DAMAGED_SHARE: Final = 0.1

_log = structlog.get_logger(__name__)

StatusListener = Callable[[Health, str | None], None]


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class CameraCounters:
    """What the source did since the start. `due`: frames that the analysis rate asked for, fetched in time or not.

    `damaged`: packets that could not be decoded; `changes`: of the picture's size; `jumps`: of the stream's clock.
    """

    connections: int = 0
    losses: int = 0
    decoded: int = 0
    due: int = 0
    damaged: int = 0
    changes: int = 0
    jumps: int = 0
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
    ) -> None:
        """Nothing is opened before `start`. `on_status` is called from the camera's thread, on changes only; `mark` is told
        what the thread does, for those who look into a crash. `addresses` is asked before each connection; without it the
        configured address is opened.
        """
        self.camera = camera
        self.counters = CameraCounters()
        self._mailbox, self._on_status, self._now = mailbox, on_status, now
        self._delay = delay or RetryDelay()
        self._mark = mark
        self._addresses = addresses or ConfiguredAddress(camera)
        self._stopping = Event()
        self._thread = Thread(target=self._run, name=f"camera-{camera.id}", daemon=True)
        self._status: tuple[Health, str | None] | None = None
        self._last_at: datetime | None = None

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, and wait: a silent camera is left within its read time-out."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_PATIENCE_S)

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
        began_s = monotonic()
        try:
            self._read()
        except EdgeError as error:
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
        if monotonic() - began_s >= _STEADY_S:
            self._delay.reset()
        return False

    def _read(self) -> None:
        address = self._addresses.obtain(self._stopping)
        live = is_live(address)
        clock = EventClock(not_before=self._last_at)
        grid = AnalysisGrid(self.camera.analysis_hz)
        reel = None if live else _Reel(self._stopping)
        while not self._stopping.is_set():
            before = self.counters.decoded
            with Video(address, mark=self._mark) as video:
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

    def _play(self, video: Video, clock: EventClock, grid: AnalysisGrid, reel: "_Reel | None") -> None:
        """Hand over the frames of one pass."""
        quality = _Quality()
        before = _Passed(self.counters.damaged, self.counters.changes, self.counters.jumps)
        steps = _Steps()
        if reel is not None:
            reel.rewind()
        try:
            for decoded in video.frames():
                if self._stopping.is_set():
                    break
                steps.take(decoded.pts_s)
                pts_s = decoded.pts_s if reel is None else reel.wait(decoded.pts_s, video.frame_period_s)
                flaw = quality.flaw(video.damaged_packets, monotonic())
                self._count(before, video, steps)
                self._hand_over(decoded, pts_s, clock, grid, flaw)
        finally:
            self._count(before, video, steps)

    def _count(self, before: "_Passed", video: Video, steps: "_Steps") -> None:
        self.counters.damaged = before.damaged + video.damaged_packets
        self.counters.changes = before.changes + video.changes
        self.counters.jumps = before.jumps + steps.jumps

    def _hand_over(
        self, decoded: Decoded, pts_s: float | None, clock: EventClock, grid: AnalysisGrid, flaw: str | None
    ) -> None:
        time = clock.time_of(pts_s, self._now())
        self._last_at = time.captured_at
        self.counters.decoded += 1
        if not grid.takes(time.media_s if pts_s is None else pts_s):
            return
        frame = Frame(self.camera.id, self.counters.due, time.captured_at, time.media_s, decoded.picture)
        self.counters.due += 1
        self._mailbox.put(frame)
        self._say(Health.OK if flaw is None else Health.DEGRADED, flaw)

    def _say(self, health: Health, reason: str | None) -> None:
        if (health, reason) != self._status:
            self._status = health, reason
            self._on_status(health, reason)


@dataclass(frozen=True, slots=True)
class _Passed:
    """The counters before a pass."""

    damaged: int
    changes: int
    jumps: int


class _Steps:
    """Counts the jumps of a stream's clock: backwards, standing still, or further ahead than a pause."""

    def __init__(self) -> None:
        self.jumps = 0
        self._pts_s: float | None = None

    def take(self, pts_s: float | None) -> None:
        """The next frame's time."""
        if pts_s is None:
            return
        if self._pts_s is not None and not 0 < pts_s - self._pts_s <= _JUMP_S:
            self.jumps += 1
        self._pts_s = pts_s


class _Quality:
    """How much of what comes is damaged, told once per window so that a picture's health does not flicker."""

    def __init__(self) -> None:
        self._from_s: float | None = None
        self._frames = self._damaged_before = 0
        self._flaw: str | None = None

    def flaw(self, damaged: int, now_s: float) -> str | None:
        """With one more frame, and `damaged` packets since the beginning: what is wrong, or None."""
        self._frames += 1
        if self._from_s is None:
            self._from_s = now_s
        if now_s - self._from_s >= _QUALITY_WINDOW_S:
            share = (damaged - self._damaged_before) / (self._frames + damaged - self._damaged_before)
            self._flaw = "a part of the stream is damaged and can't be decoded" if share >= _DAMAGED_SHARE else None
            self._from_s, self._frames, self._damaged_before = now_s, 0, damaged
        return self._flaw


class _Reel:
    """A film that is played in its own time, again and again on one clock, whatever its file says of time.

    A time that is missing, that goes back or leaps ahead is replaced by the frame before plus one period: no file can make
    its camera stand still.
    """

    def __init__(self, stopping: Event) -> None:
        self._stopping = stopping
        self._position_s = 0.0
        self._pts_s: float | None = None
        self._period_s = 0.0
        self._began_s: float | None = None

    def rewind(self) -> None:
        """The next frame is the first of a pass: it stands where the last one ended."""
        self._pts_s = None

    def wait(self, pts_s: float | None, period_s: float) -> float:
        """Wait until the moment of the next frame has come; its place on the reel's own clock, seconds."""
        now_s = monotonic()
        if self._began_s is None:
            self._began_s = now_s
        else:
            step_s = pts_s - self._pts_s if pts_s is not None and self._pts_s is not None else self._period_s
            self._position_s += step_s if 0 < step_s <= LONGEST_STILL_S else self._period_s
        self._pts_s, self._period_s = pts_s, period_s
        ahead_s = self._began_s + self._position_s - now_s
        if ahead_s > 0:
            self._stopping.wait(ahead_s)
        return self._position_s
