"""Turns at the machine's cores: as many cameras are analysed at the same time as there are cores, the most urgent first.

Whoever has a turn has a core. Left to itself an operating system may put two that are woken by each other on the same core, to keep
the other one asleep: measured on two cores, a quarter of them lay idle while those who had a turn waited for a core.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from edge.perception.scheduler import Attention, FairSchedule

_LOOK_AROUND_S: Final = 0.5
"""So often one who waits looks whether he still has to, and whether a turn of someone else has become overdue."""


def cores() -> int:
    """How many cores this process may use."""
    return max(1, len(os.sched_getaffinity(0)))


class Cores:
    """The cores of this process, each given to one thread at a time. Who has none runs on any of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all = frozenset(os.sched_getaffinity(0))
        self._free = sorted(self._all) if len(self._all) > 1 else []
        self._mine = threading.local()

    def take(self) -> int | None:
        """Give the calling thread a core of its own, the one it had last if that is free; None where there is none, and nothing changes."""
        last: int | None = getattr(self._mine, "core", None)
        core: int | None
        with self._lock:
            if not self._free:
                return None
            core = last if last in self._free else self._free[0]
            self._free.remove(core)
        try:
            os.sched_setaffinity(0, {core})
        except OSError:  # it was taken from this process since: the system chooses
            core = None
        self._mine.core = core
        return core

    def give_back(self, core: int | None) -> None:
        """The core of the calling thread can be given to another one."""
        if core is None:
            return
        with suppress(OSError):
            os.sched_setaffinity(0, self._all)
        with self._lock:
            self._free.append(core)


class Turns:
    """A fair schedule that the threads of cameras wait at.

    Each camera's own thread does its work, with its own errors: no picture passes from one thread to another, and nothing
    has been paid for a frame that a newer one replaces while its camera waits.
    """

    def __init__(self, places: int | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Give out as many turns at a time as there are cores, or `places`."""
        self._schedule = FairSchedule(places or cores())
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[str, threading.Event] = {}
        self._cores = Cores()

    @contextmanager
    def turn(
        self, camera: str, *, period_s: float, attention: Attention, wanted: Callable[[], bool]
    ) -> Iterator[float | None]:
        """Wait for a camera's turn, and end it with the block; gives how long it waited, seconds.

        None, and no turn, when `wanted` says no while it waits.
        """
        waited_s = self._wait(camera, period_s, attention, wanted)
        core = None if waited_s is None else self._cores.take()
        try:
            yield waited_s
        finally:
            self._cores.give_back(core)
            if waited_s is not None:
                with self._lock:
                    self._schedule.done(camera)
                    self._give_out()

    @contextmanager
    def spare(self, camera: str) -> Iterator[bool]:
        """A turn for what is not urgent: given at once where a place is free that nobody waits for, else False. Until the end of the block."""
        name = f"{camera} (spare)"
        with self._lock:
            self._give_out()
            free = self._schedule.waiting == 0
            if free:
                self._schedule.ask(name, period_s=0.0, attention=Attention.QUIET)
                free = self._schedule.next(self._clock()) == name
                if not free:
                    self._schedule.withdraw(name)
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._schedule.done(name)
                    self._give_out()

    def _wait(self, camera: str, period_s: float, attention: Attention, wanted: Callable[[], bool]) -> float | None:
        asked_s = self._clock()
        granted = threading.Event()
        with self._lock:
            self._waiting[camera] = granted
            self._schedule.ask(camera, period_s=period_s, attention=attention)
            self._give_out()
        while not granted.wait(_LOOK_AROUND_S):
            with self._lock:
                self._give_out()
                if not wanted() and not granted.is_set():
                    self._withdraw(camera, granted)
                    return None
        return self._clock() - asked_s

    def _withdraw(self, camera: str, granted: threading.Event) -> None:
        """Wait no longer; a thread that took this one's place (a camera that was closed and opened again) waits on."""
        if self._waiting.get(camera) is granted:
            del self._waiting[camera]
            self._schedule.withdraw(camera)

    def _give_out(self) -> None:
        """Wake whoever has the next turns; the lock is held."""
        while (camera := self._schedule.next(self._clock())) is not None:
            self._waiting.pop(camera).set()
