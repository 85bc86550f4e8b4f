"""The machine that is measured: its cores, what it was busy with before, and which cores the watching gets."""

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

CALM_LOAD_PER_CORE: Final = 0.5
"""A machine that was busier than this before the start tells more of its other work than of the cameras."""


@dataclass(frozen=True, slots=True)
class Machine:
    """`cores` it has for this process, `cores_used` by what is measured; `load_before`: the average of the last minute."""

    cores: int
    cores_used: int
    load_before: float
    processor: str

    @property
    def loaded(self) -> bool:
        """Whether it was busy with something else before the measurement began."""
        return self.load_before > CALM_LOAD_PER_CORE * self.cores


@dataclass(frozen=True, slots=True)
class Place:
    """Where a measurement may write, on which cores simulated cameras run, and who is told what is going on."""

    folder: Path
    other_cores: Sequence[int]
    say: Callable[[str], None] = lambda _line: None


def usable_cores() -> list[int]:
    """The numbers of the cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def this_machine(cores_used: int) -> Machine:
    """What is measured on, before anything has begun."""
    return Machine(len(usable_cores()), cores_used, round(os.getloadavg()[0], 2), _processor())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.machine()


@contextmanager
def kept_to(cores: int) -> Iterator[list[int]]:
    """Let this process and those that it starts have that many cores; gives the others, all where there are no others."""
    usable = usable_cores()
    os.sched_setaffinity(0, usable[:cores])
    try:
        yield usable[cores:] or usable
    finally:
        os.sched_setaffinity(0, usable)


def keep_to(pid: int, cores: Sequence[int]) -> None:
    """Let a process that runs already have these cores."""
    os.sched_setaffinity(pid, cores)


def cpu_s(pids: Sequence[int]) -> float:
    """Processor seconds that some processes have used so far, their own and the kernel's for them."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(each.user + each.system for each in times)
