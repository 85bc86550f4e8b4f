"""What the cloud asks of the node (命令), carried out on threads of its own.

A handler has the time until the deadline and looks at it itself: `Request.require_time`. What goes wrong in it is told in words
that are safe to show, and counted.
"""

import contextlib
import queue
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import structlog

from edge.contract.answer import AnswerOutcome
from edge.contract.downlink import Command
from edge.errors import CommandOverdue, CommandRefused, EdgeError
from edge.faults import FAULTS, Place
from edge.masking import without_secrets
from edge.uplink.downlink import Finish

WAITING: Final = 4
"""Commands that wait behind the one that a thread carries out; more are refused."""

AT_ONCE: Final = 4
"""Devices that are asked at the same time: one that does not answer must not keep another from being stopped."""

_STOP_S: Final = 2.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """A command as its handler sees it. `arguments` are as they came: the handler checks them. `left_s` tells the seconds until
    nobody waits for an answer any more, or the node stops; never less than 0.
    """

    name: str
    device: str | None
    arguments: Mapping[str, Any]
    deadline: datetime
    left_s: Callable[[], float]

    def require_time(self) -> None:
        """Raises CommandOverdue when nobody waits for the answer any more."""
        if self.left_s() <= 0:
            raise CommandOverdue("there was not enough time")


Handler = Callable[[Request], dict[str, Any]]
"""Carries out a request and gives its result, as JSON can hold it. Raises CommandRefused for what it does not do."""


class CommandWorker:
    """Carries out commands, one after the other. `handlers` is the registry: what stands there can be asked. Those in `lengthy`
    have a thread of their own, so that nobody waits for his log while zones are tried on a week; those `by_device` have several, and each
    waits for a device that may be slow.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        *,
        clock: Callable[[], datetime],
        lengthy: Collection[str] = (),
        by_device: Collection[str] = (),
    ) -> None:
        self._handlers = dict(handlers)
        self._clock = clock
        self._stopping = threading.Event()
        self._quick = _Lane("commands", self._serve, self._stopping)
        self._long = _Lane("commands-long", self._serve, self._stopping)
        self._devices = _Lane("commands-devices", self._serve, self._stopping, threads=AT_ONCE)
        self._lanes = dict.fromkeys(lengthy, self._long) | dict.fromkeys(by_device, self._devices)
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """How often, by name and outcome."""

    @property
    def names(self) -> frozenset[str]:
        """The commands that are known."""
        return frozenset(self._handlers)

    def start(self) -> None:
        """Begin to carry out what comes."""
        for lane in (self._quick, self._long, self._devices):
            lane.start()

    def stop(self) -> None:
        """End; what waits is not carried out."""
        self._stopping.set()
        for lane in (self._quick, self._long, self._devices):
            lane.stop()

    def submit(self, command: Command, finish: Finish) -> bool:
        """Take a command; False where as much waits as may."""
        return self._lanes.get(command.name, self._quick).put((command, finish))

    def _serve(self, command: Command, finish: Finish) -> None:
        outcome, reason, result = self._carry_out(command)
        self.outcomes[command.name, outcome.value] += 1
        finish(outcome, reason, result)

    def _carry_out(self, command: Command) -> tuple[AnswerOutcome, str | None, dict[str, Any] | None]:
        request = Request(command.name, command.device, command.arguments, command.deadline, self._left_s(command))
        try:
            request.require_time()
            result = self._handlers[command.name](request)
            msgspec.json.encode(result)  # what can't be told is this handler's mistake
        except CommandRefused as error:
            return AnswerOutcome.REFUSED, without_secrets(str(error)), None
        except EdgeError as error:
            _log.warning("a command failed", name=command.name, reason=str(error)[:300])
            return AnswerOutcome.FAILED, without_secrets(str(error)), None
        except Exception:  # noqa: BLE001 (the top of the thread)
            FAULTS.count(Place.COMMANDS)
            _log.exception("a command failed", name=command.name)
            return AnswerOutcome.FAILED, "a mistake of the node's; its log tells more", None
        return AnswerOutcome.DONE, None, result

    def _left_s(self, command: Command) -> Callable[[], float]:
        def left_s() -> float:
            if self._stopping.is_set():
                return 0.0
            return max(0.0, (command.deadline - self._clock()).total_seconds())

        return left_s


class _Lane:
    """Threads and the commands that wait for them."""

    def __init__(
        self, name: str, serve: Callable[[Command, Finish], None], stopping: threading.Event, *, threads: int = 1
    ) -> None:
        self._serve = serve
        self._stopping = stopping
        self._waiting: queue.Queue[tuple[Command, Finish] | None] = queue.Queue(WAITING * threads)
        self._threads = [
            threading.Thread(target=self._run, name=name if threads == 1 else f"{name}-{number}", daemon=True)
            for number in range(1, threads + 1)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """After `stopping` was set."""
        for _ in self._threads:
            with contextlib.suppress(queue.Full):  # a thread looks up at the next one that waits
                self._waiting.put_nowait(None)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_STOP_S / len(self._threads))

    def put(self, item: tuple[Command, Finish]) -> bool:
        if self._stopping.is_set():
            return False
        try:
            self._waiting.put_nowait(item)
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            item = self._waiting.get()
            if item is None or self._stopping.is_set():
                return
            self._serve(*item)
