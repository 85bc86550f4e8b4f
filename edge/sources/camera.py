"""A camera (摄像机): RTSP over TCP, a file played in real time, or a file played for ever.

One named thread owns the connection from opening to closing. It decodes everything, chooses frames by the camera's analysis
rate and leaves them in a mailbox. Whatever goes wrong, it tries again, at the latest `RETRY_CAP_S` later; a stream that ends
is a camera that went away.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Final
from urllib.parse import unquote, urlsplit

import structlog

from edge.errors import EdgeError, MediaUnusable, SourceLost
from edge.flow import Frame, Health
from edge.settings import CameraSettings
from edge.sources.mailbox import Mailbox
from edge.sources.timing import AnalysisGrid, EventClock
from edge.video import Decoded, Video, is_live, with_credentials

RETRY_CAP_S: Final = 5.0
_RETRY_FIRST_S: Final = 0.25
_STEADY_S: Final = 10.0
_STOP_PATIENCE_S: Final = 8.0

_log = structlog.get_logger(__name__)

StatusListener = Callable[[Health, str | None], None]


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class CameraCounters:
    """What the source did since the start. `due`: frames that the analysis rate asked for, fetched in time or not."""

    connections: int = 0
    losses: int = 0
    decoded: int = 0
    due: int = 0
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
    ) -> None:
        """Nothing is opened before `start`. `on_status` is called from the camera's thread, on changes only."""
        self.camera = camera
        self.counters = CameraCounters()
        self._mailbox, self._on_status, self._now = mailbox, on_status, now
        self._delay = delay or RetryDelay()
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
        address = _address(self.camera)
        live = is_live(address)
        clock = EventClock(not_before=self._last_at)
        grid = AnalysisGrid(self.camera.analysis_hz)
        pace = None if live else _Pace(self._stopping)
        offset_s = 0.0
        while not self._stopping.is_set():
            with Video(address) as video:
                self.counters.connections += 1
                end_s = self._play(video, clock, grid, pace, offset_s)
            if self._stopping.is_set():
                return
            if live:
                raise SourceLost("the camera closed the stream")
            if end_s is None:
                raise MediaUnusable("there is no frame in it that can be decoded")
            if not self.camera.loop:
                return
            offset_s = end_s

    def _play(
        self, video: Video, clock: EventClock, grid: AnalysisGrid, pace: "_Pace | None", offset_s: float
    ) -> float | None:
        """Hand over the frames of one pass; returns where on the stream's clock the next pass would begin."""
        first_s: float | None = None
        end_s: float | None = None
        for decoded in video.frames():
            if self._stopping.is_set():
                break
            pts_s = decoded.pts_s
            if pace is not None:
                position_s = decoded.pts_s if decoded.pts_s is not None else (end_s or offset_s) - offset_s
                first_s = position_s if first_s is None else first_s
                pts_s = position_s - first_s + offset_s
                end_s = pts_s + video.frame_period_s
                pace.wait(pts_s)
            self._hand_over(decoded, pts_s, clock, grid)
        return end_s

    def _hand_over(self, decoded: Decoded, pts_s: float | None, clock: EventClock, grid: AnalysisGrid) -> None:
        time = clock.time_of(pts_s, self._now())
        self._last_at = time.captured_at
        self.counters.decoded += 1
        if not grid.takes(time.media_s if pts_s is None else pts_s):
            return
        frame = Frame(self.camera.id, self.counters.due, time.captured_at, time.media_s, decoded.picture)
        self.counters.due += 1
        self._mailbox.put(frame)
        self._say(Health.OK, None)

    def _say(self, health: Health, reason: str | None) -> None:
        if (health, reason) != self._status:
            self._status = health, reason
            self._on_status(health, reason)


class _Pace:
    """Plays a file no faster than it was filmed."""

    def __init__(self, stopping: Event) -> None:
        self._stopping = stopping
        self._began_s: float | None = None

    def wait(self, position_s: float) -> None:
        """Wait until the moment of this position has come."""
        now_s = monotonic()
        if self._began_s is None:
            self._began_s = now_s - position_s
        ahead_s = self._began_s + position_s - now_s
        if ahead_s > 0:
            self._stopping.wait(ahead_s)


def _address(camera: CameraSettings) -> str:
    """The address to open, with the password where there is one. Raises SourceLost when its file can't be read."""
    if is_live(camera.url):
        if camera.password_file is None:
            return with_credentials(camera.url, camera.user, None)
        try:
            password = camera.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SourceLost(f"the password file can't be read: {type(error).__name__}") from error
        return with_credentials(camera.url, camera.user, password)
    parts = urlsplit(camera.url)
    return str(Path(unquote(parts.path))) if parts.scheme == "file" else camera.url
