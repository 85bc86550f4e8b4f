"""Leased lines (专线) on watch: all of them are asked in one thread with a loop of its own, and kept by another, which may wait."""

import asyncio
import random
import threading
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from edge.errors import Retryable
from edge.flow import DeviceControl, Health, Parcel, Reading
from edge.settings import LeasedLineSettings, NodeConfiguration
from edge.settings.leased_lines import DOWN
from edge.sources.line_quality import LineQuality, Outcome
from edge.sources.probe import ask

TRY_AGAIN_S: Final = 1.0
MOST_WAITING: Final = 5_000
"""Readings that wait to be kept; while there are more, nothing is asked."""

_STOP_S: Final = 2.0

_log = structlog.get_logger(__name__)

Ask = Callable[[LeasedLineSettings], Awaitable[float | None]]
StatusListener = Callable[[str, Health, str | None], None]


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class LineFigures:
    """What was done since the start; bounded by the number of lines."""

    asked: int = 0
    unanswered: Counter[str] = field(default_factory=Counter)
    readings: int = 0
    forbidden: int = 0
    """Questions that the kernel does not let an ordinary user ask."""
    faults: int = 0


@dataclass(slots=True)
class _Watched:
    settings: LeasedLineSettings
    quality: LineQuality
    task: "asyncio.Task[None]"


class LeasedLineSource:
    """The threads `leased-lines` (keeps) and `leased-lines-ask`."""

    def __init__(
        self,
        lines: Sequence[LeasedLineSettings],
        keep: Callable[[Parcel], None],
        on_status: StatusListener,
        *,
        clock: Callable[[], datetime] = _utc_now,
        question: Ask = ask,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.figures = LineFigures()
        self._wanted = tuple(lines)
        self._keep = keep
        self._on_status = on_status
        self._clock = clock
        self._ask = question
        self._jitter = jitter
        self._watched: dict[str, _Watched] = {}
        self._told: dict[str, Health] = {}
        self._waiting: deque[Reading | tuple[str, Health, str | None]] = deque()
        self._stop, self._wake = threading.Event(), threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asker = threading.Thread(target=self._run_loop, name="leased-lines-ask", daemon=True)
        self._keeper = threading.Thread(target=self._run, name="leased-lines", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._loop = asyncio.new_event_loop()
        self._asker.start()
        self._keeper.start()

    def adopt(self, configuration: NodeConfiguration) -> None:
        """Watch other lines; what is known of one whose far end stays the same stays known. Any thread."""
        self._wanted = configuration.leased_lines
        if self._loop is not None and not self._stop.is_set():
            self._loop.call_soon_threadsafe(self._take_over, self._loop)

    def stop(self) -> None:
        """End; a question that waits for its answer is given up."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._wake.set()
        if self._loop is not None and self._asker.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._asker.join(_STOP_S)
        if self._keeper.is_alive():
            self._keeper.join(_STOP_S)

    def control(self, device: str) -> DeviceControl | None:  # noqa: ARG002 (asked of every source)
        """A line takes no orders."""
        return None

    def tally(self) -> Mapping[str, Any]:
        """What was done since the start, ready for JSON."""
        figures = self.figures
        return {
            "asked": figures.asked,
            "unanswered": dict(figures.unanswered),
            "readings": figures.readings,
            "forbidden": figures.forbidden,
            "faults": figures.faults,
            "refused": {},
            "clamped": {},
            "replayed": 0,
        }

    # --- the thread that asks

    def _run_loop(self) -> None:
        loop = self._loop
        if loop is None:
            return
        asyncio.set_event_loop(loop)
        self._take_over(loop)
        try:
            loop.run_forever()
        finally:
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.close()

    def _take_over(self, loop: asyncio.AbstractEventLoop) -> None:
        wanted = {line.id: line for line in self._wanted}
        for name in [name for name in self._watched if name not in wanted]:
            self._watched.pop(name).task.cancel()
            self._told.pop(name, None)
        for line in wanted.values():
            known = self._watched.get(line.id)
            if known is not None and known.settings == line:
                continue
            quality = LineQuality(line)
            if known is not None:
                known.task.cancel()
                if _far_end(known.settings) == _far_end(line):
                    quality = known.quality
                    quality.adopt(line)
            self._watched[line.id] = _Watched(line, quality, loop.create_task(self._watch(line, quality)))

    async def _watch(self, line: LeasedLineSettings, quality: LineQuality) -> None:
        """Ask at an even pace, from a moment on that lies elsewhere for each line."""
        loop = asyncio.get_running_loop()
        due_s = loop.time() + self._jitter() * line.period_s
        while True:
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            due_s = max(due_s + line.period_s, loop.time())
            if len(self._waiting) >= MOST_WAITING:
                continue
            try:
                await self._ask_once(line, quality)
            except Exception:  # noqa: BLE001 (the top of the line's own task: the others go on)
                self.figures.faults += 1
                _log.exception("a leased line could not be asked", line=line.id)

    async def _ask_once(self, line: LeasedLineSettings, quality: LineQuality) -> None:
        asked_at = self._clock()
        try:
            latency_ms = await self._ask(line)
        except PermissionError as error:
            self.figures.forbidden += 1
            self._tell(
                line.id, Health.LOST, f"the kernel does not let this be asked: {error.strerror or 'not permitted'}"
            )
            return
        self.figures.asked += 1
        self.figures.unanswered[line.id] += latency_ms is None
        readings = quality.take(Outcome(asked_at, self._clock(), latency_ms))
        self._waiting.extend(readings)
        if quality.state is not None:
            down = quality.state == DOWN
            self._tell(line.id, Health.LOST if down else Health.OK, "its far end does not answer" if down else None)
        if readings:
            self._wake.set()

    def _tell(self, line: str, health: Health, reason: str | None) -> None:
        if self._told.get(line) is not health:
            self._told[line] = health
            self._waiting.append((line, health, reason))
            self._wake.set()

    # --- the thread that keeps

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait()
            self._wake.clear()
            try:
                self._hand_over()
            except Exception:  # noqa: BLE001 (the top of the thread)
                self.figures.faults += 1
                _log.exception("the watch on leased lines failed and goes on")
                self._stop.wait(TRY_AGAIN_S)

    def _hand_over(self) -> None:
        """All that waits, in the order in which it was found; what can't be kept yet stays first in the row."""
        while self._waiting and not self._stop.is_set():
            found = tuple(self._waiting)  # in one step of the interpreter: the other thread only appends
            readings = [each for each in found if isinstance(each, Reading)]
            if readings and not self._keep_until_kept(Parcel(readings)):
                return
            self.figures.readings += len(readings)
            for each in found:
                self._waiting.popleft()
                if not isinstance(each, Reading):
                    self._on_status(*each)

    def _keep_until_kept(self, parcel: Parcel) -> bool:
        while not self._stop.is_set():
            try:
                self._keep(parcel)
            except Retryable as error:
                _log.error("readings wait for room", reason=str(error), readings=len(parcel.readings))
                self._stop.wait(TRY_AGAIN_S)
            else:
                return True
        return False


def _far_end(line: LeasedLineSettings) -> tuple[Any, ...]:
    """What the line's quality is known of."""
    return line.target, line.method, line.port
