"""Where stations call, whatever they speak (接入): a thread with a loop of its own, a thread that commits, and what the node sees of both.

What is said and how is a protocol's; that a port is tried for until it is to be had, who is there, what an order waits for and how all of
it ends is the same for all of them.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import structlog

from edge.errors import DeviceUnreachable
from edge.flow import Health, Parcel
from edge.sources.commits import Commits
from edge.sources.stations import GRACE_S, Presence

_STOP_S: Final = 5.0
_ANSWER_S: Final = 1.0
"""An order that gives up by itself says more than one that is given up on: so much longer is waited for it."""

_log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")


class Door(Protocol):
    """Where callers come in, as a protocol has it. All of it is asked in the loop."""

    async def open(self, host: str, port: int) -> int:
        """Take calls there; the port comes back. Raises OSError while it is not to be had."""
        ...

    async def close(self) -> None:
        """Take none any more, and end all conversations."""
        ...


class Address(Protocol):
    """Where a configuration has the node listen."""

    @property
    def host(self) -> str:
        """Of this machine."""
        ...

    @property
    def port(self) -> int:
        """0: any."""
        ...


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds; tests have less patience. `look_s`: how often it is looked who is there. `grace_s`: a station that is back by then was not
    away. `listen_s`: between tries to get the port.
    """

    look_s: float = 1.0
    grace_s: float = GRACE_S
    listen_s: float = 5.0


class Reception:
    """Both threads. `name` is theirs and that of the kept marks; `keep` returns once readings are kept, or raises Retryable.
    `on_status` hears who comes and goes, in the thread that commits. `look` is what a protocol does each time before that.
    """

    def __init__(
        self,
        name: str,
        keep: Callable[[Parcel], None],
        on_status: Callable[[str, Health, str | None], None],
        *,
        rhythm: Rhythm,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self.port: int | None = None
        """Where it listens, once it does."""
        self.presence = Presence(grace_s=rhythm.grace_s)
        self.commits = Commits(keep, source=name, name=f"{name}-commits")
        self._on_status, self._look, self._rhythm = on_status, look, rhythm
        self._address: Address | None = None
        self._door: Door | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None  # it holds sockets: not before it is used
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_running(self) -> bool:
        """Whether somebody is there; any thread."""
        return self._thread.is_alive()

    @property
    def is_stopping(self) -> bool:
        """Whether it ends."""
        return self._stopping.is_set()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """In which all of it lives, once it has begun. Raises DeviceUnreachable before."""
        if self._loop is None:
            raise DeviceUnreachable("nothing listens for piles at present")
        return self._loop

    def start(self, door: Door) -> None:
        """Begin to listen there."""
        self._door, self._loop = door, asyncio.new_event_loop()
        self.commits.start()
        self._thread.start()

    def stop(self) -> None:
        """End; what is not answered a station sends again."""
        if self._thread.is_alive():
            self.call(self._stopping.set)
            self._thread.join(_STOP_S)
        self.commits.stop()

    def adopt(self, address: Address, patience_s: Mapping[str, float]) -> None:
        """Listen there, as long as it does not yet, and look for these stations, each silent for so long at most. In the loop, or before
        the start.
        """
        self._address = address
        self.presence.adopt(patience_s, time.monotonic())

    def call(self, do: Callable[..., object], *arguments: Any) -> None:
        """Have this done in the loop, where there is one still. Any thread."""
        with contextlib.suppress(RuntimeError, DeviceUnreachable):  # it has ended meanwhile
            self.loop.call_soon_threadsafe(do, *arguments)

    def ask(self, device: str, order: Callable[[], Coroutine[Any, Any, Answer]], *, wait_s: float) -> Answer:
        """What an order to a device leads to. Any thread but the loop's. Raises DeviceUnreachable where nothing is heard in time, and what
        the order raises.
        """
        if not self._thread.is_alive():
            raise DeviceUnreachable("nothing listens for piles at present")
        asked = asyncio.run_coroutine_threadsafe(order(), self.loop)
        try:
            return asked.result(wait_s + _ANSWER_S)
        except FutureTimeout as late:
            asked.cancel()
            raise DeviceUnreachable(f"{device} did not answer within {wait_s:.0f} s") from late

    def spawn(self, doing: Coroutine[Any, Any, None]) -> None:
        """Do this beside everything else, until the end at most. In the loop."""
        task = self.loop.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def rest(self, wait_s: float) -> None:
        """Wait so long, or until it ends."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), wait_s)

    def heard(self, device: str) -> None:
        """It has called, or said something."""
        self.presence.heard(device, time.monotonic())

    # --- in the loop --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        loop = self.loop
        try:
            loop.run_until_complete(self._live())
        except Exception:
            _log.exception("the listener for piles failed")
            raise
        finally:
            loop.close()

    async def _live(self) -> None:
        await self._open()
        while not self._stopping.is_set():
            self._look()
            self._tell_presence()
            await self.rest(self._rhythm.look_s)
        if self._door is not None:
            await self._door.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _open(self) -> None:
        """Listen, as soon as the port is to be had."""
        while not self._stopping.is_set() and self._door is not None and self._address is not None:
            port = self._address.port
            try:
                self.port = await self._door.open(self._address.host, port)
            except OSError as error:
                _log.error("piles can't call: the port is not to be had", port=port, reason=str(error))
                self.presence.explain(f"nothing listens for it: port {port}: {error.strerror or error}")
                self._tell_presence()
                await self.rest(self._rhythm.listen_s)
            else:
                self.presence.explain(None)
                return

    def _tell_presence(self) -> None:
        for device, health, reason in self.presence.changes(time.monotonic()):
            if not self.commits.run(partial(self._on_status, device, health, reason)):
                self.presence.forget(device)


async def at_moments(moments_s: Sequence[float], do: Callable[[], Awaitable[None]]) -> None:
    """Do the same at each of these moments, seconds from now in order; its errors end it."""
    passed_s = 0.0
    for at_s in moments_s:
        await asyncio.sleep(at_s - passed_s)
        passed_s = at_s
        await do()
