"""A process that lives faster: its clocks run `speed` times as fast, and its waits are as much shorter.

`python -m tests.system.endurance.tempo --speed 20 --origin 1767225600.0 edge.cli run-node --config FILE` runs the real program
that way. Hastened are the wall clock and the monotonic clock of Python, waits on events, conditions and queues, sleeps, and the
time-outs of selectors (with them asyncio's timers). Not hastened: work itself, the time-outs of sockets (connecting, reading,
HTTP, RTSP) and of locks, the joining of threads, and other programs (broker, database).
"""

import argparse
import ctypes
import importlib
import queue
import select
import selectors
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

_PR_SET_NAME = 15
_NAME_BYTES = 15

OURS = ("edge", "cloud", "apscheduler")
"""Whose `datetime` is replaced: our own packages and the scheduler."""

GROWING = tuple(
    getattr(time, name) for name in ("CLOCK_MONOTONIC", "CLOCK_MONOTONIC_RAW", "CLOCK_BOOTTIME") if hasattr(time, name)
)
"""Clocks that count seconds since some moment; those of the processor's time stay as they are."""


@dataclass(frozen=True, slots=True)
class Tempo:
    """The hastened time of a group of processes: at `origin_s` (seconds since 1970) it is the same as the real one."""

    speed: float
    origin_s: float

    def wall_s(self, real_s: float) -> float:
        """Hastened seconds since 1970."""
        return self.origin_s + (real_s - self.origin_s) * self.speed

    def shorter(self, wait_s: float | None) -> float | None:
        """How long to wait really; None and what is no wait stay as they are."""
        return wait_s if wait_s is None or wait_s <= 0 else wait_s / self.speed

    def arguments(self, program: Sequence[str]) -> list[str]:
        """The command line that runs a module of ours at this tempo."""
        own = ["--speed", str(self.speed), "--origin", repr(self.origin_s)]
        return [sys.executable, "-m", __spec__.name, *own, *program]


def hasten_clocks(tempo: Tempo) -> None:
    """Replace the clocks and waits of this process. Call it before anything else is imported."""
    real_wall, real_monotonic, real_clock, real_sleep = time.time, time.monotonic, time.clock_gettime, time.sleep

    def wall() -> float:
        return tempo.wall_s(real_wall())

    def monotonic() -> float:
        return real_monotonic() * tempo.speed

    def clock(which: int) -> float:
        if which == time.CLOCK_REALTIME:
            return wall()
        return real_clock(which) * (tempo.speed if which in GROWING else 1.0)

    def sleep(wait_s: Any) -> None:
        real_sleep(wait_s / tempo.speed)

    for name, hastened in (("time", wall), ("monotonic", monotonic), ("clock_gettime", clock)):
        setattr(time, name, hastened)
        setattr(time, f"{name}_ns", _in_nanoseconds(hastened))
    time.sleep = sleep
    for module, name in ((threading, "_time"), (queue, "time")):
        setattr(module, name, monotonic)
    _shorten(tempo, threading.Condition, "wait", place=1)
    for selector in ("SelectSelector", "PollSelector", "EpollSelector"):
        if hasattr(selectors, selector):
            _shorten(tempo, getattr(selectors, selector), "select", place=1)
    _shorten(tempo, select, "select", place=3)


def _in_nanoseconds(clock: Callable[..., float]) -> Callable[..., int]:
    return lambda *given: round(clock(*given) * 1e9)


def _shorten(tempo: Tempo, owner: Any, name: str, *, place: int) -> None:
    """Divide the argument `timeout` of a function, wherever it stands."""
    real: Callable[..., Any] = getattr(owner, name)

    def hastened(*given: Any, **named: Any) -> Any:
        if "timeout" in named:
            named["timeout"] = tempo.shorter(named["timeout"])
        elif len(given) > place:
            given = (*given[:place], tempo.shorter(given[place]), *given[place + 1 :])
        return real(*given, **named)

    setattr(owner, name, hastened)


def name_threads() -> None:
    """Let the system know threads by their names, so that who counts them from outside can tell what they are."""
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return  # not Linux: they stay unnamed
    run: Callable[[threading.Thread], None] = vars(threading.Thread)["_bootstrap_inner"]

    def named(self: threading.Thread) -> None:
        prctl(_PR_SET_NAME, self.name.encode()[:_NAME_BYTES], 0, 0, 0)
        run(self)

    threading.Thread._bootstrap_inner = named  # type: ignore[attr-defined]  # `run` is overridden, by timers for one


def hasten_dates() -> None:
    """Replace `datetime` in what has been imported of `OURS`: `now` follows the hastened clock, every value stays plain."""
    hastened = _hastened_datetime()
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in OURS and getattr(module, "datetime", None) is datetime:
            vars(module)["datetime"] = hastened


def _hastened_datetime() -> type[datetime]:
    class Kind(type):
        """Every datetime is one: values are made by the real class."""

        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, datetime)

    class Hastened(datetime, metaclass=Kind):
        """The real class but for `now`."""

        def __new__(cls, *given: Any, **named: Any) -> Any:
            return datetime.__new__(datetime, *given, **named)

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(time.time(), tz)

    return Hastened


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the `main` of a module at the tempo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speed", type=float, required=True)
    parser.add_argument("--origin", type=float, required=True)
    parser.add_argument("module")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    tempo = Tempo(options.speed, options.origin)
    hasten_clocks(tempo)
    name_threads()
    program = importlib.import_module(options.module)
    hasten_dates()
    sys.argv = [options.module, *options.arguments]
    sys.exit(program.main())


if __name__ == "__main__":
    main()
