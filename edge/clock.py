"""The node's time (时钟): it runs evenly, whatever is done to the wall clock, and what is wrong with it is put right on the way out.

A box without a battery wakes up in 1970, or a day late; later the network time arrives and the wall clock jumps. Were the
node to follow, a stay of five seconds would last for years, and what was recorded before the jump would keep its wrong time.
So the node's time is the time since the machine started plus an offset that was taken once per start of the machine, the
`Timebase`. How wrong that offset was is its `correction`: known sooner or later, from the kernel's own word that the
clock is synchronised, else from the cloud's acknowledgements, else from the wall clock. All that waits to be sent carries the
number of its timebase and is corrected when it leaves.
"""

import ctypes
import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

import structlog

from edge.disk import write_file

FILE = "clock.json"
STEP_US: Final = 500_000
"""A difference below this is not corrected: network time slews it away."""

CLOUD_TOLERANCE_US: Final = 2_000_000
"""So far the cloud's time has to differ before it is believed more than an unsynchronised clock of the node's own."""

REMEMBERED: Final = 64
"""Timebases whose records may still wait; older ones are forgotten and their records leave as they are."""

_TIME_ERROR: Final = 5
_CLOSE_US: Final = 1_000
_TRIES: Final = 5
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the machine's clocks: µs since it started, µs since 1970, and the kernel's word on the latter."""

    boot_us: int
    wall_us: int
    synchronised: bool


class Machine(Protocol):
    """The clocks that a node finds on its machine."""

    @property
    def boot(self) -> str:
        """Which start of the machine this is, or nothing where the system does not tell."""
        ...

    def boot_us(self) -> int:
        """Microseconds since that start; never stepped, and counted while the machine sleeps."""
        ...

    def look(self) -> Look:
        """All of them, read so close together that they can be compared."""
        ...


@dataclass(frozen=True, slots=True)
class Timebase:
    """Node time = time since the start `boot` of the machine + `offset_us`; the true time is `correction_us` later.

    `trusted`: the kernel has confirmed it. A step after that concerns what follows, not what was.
    """

    number: int
    boot: str
    offset_us: int
    correction_us: int = 0
    trusted: bool = False


def corrected_by(base: Timebase, look: Look, cloud_offset_us: int | None) -> Timebase:
    """The timebase after a look. `cloud_offset_us` is the cloud's time minus the time since the start, where it is known.

    Another `number` is a new timebase: records of the old one keep the correction that they had.
    """
    wall_offset_us = look.wall_us - look.boot_us
    known_us = base.offset_us + base.correction_us
    if look.synchronised:
        delta_us = wall_offset_us - known_us
        if abs(delta_us) < STEP_US:
            return replace(base, trusted=True)
        if not base.trusted:
            return replace(base, correction_us=base.correction_us + delta_us, trusted=True)
        # forwards: the machine stood still without counting it (a paused virtual machine); that time is real.
        # backwards: whoever keeps the network's time has changed his mind; the node's own time never runs back.
        if delta_us > 0:
            return replace(base, number=base.number + 1, offset_us=base.offset_us + delta_us)
        return replace(base, number=base.number + 1, correction_us=base.correction_us + delta_us)
    if base.trusted:
        return base
    if cloud_offset_us is not None:
        delta_us, least_us = cloud_offset_us - known_us, CLOUD_TOLERANCE_US
    else:
        delta_us, least_us = wall_offset_us - known_us, STEP_US
    return base if abs(delta_us) < least_us else replace(base, correction_us=base.correction_us + delta_us)


@dataclass(frozen=True, slots=True)
class ClockFigures:
    """What is known of the node's clock. `skew_s` is the machine's wall clock minus the cloud's, None before an answer."""

    correction_s: float
    synchronised: bool
    steps: int
    skew_s: float | None


class NodeClock:
    """The clock of a node; calling it tells node time. May be used from any thread."""

    def __init__(self, machine: Machine, *, path: Path | None = None, keeps: bool = True) -> None:
        """With `path` the timebases outlive the process: within one start of the machine, node time goes on as it was. One that
        does not keep them only reads: the file is another process's.
        """
        self._machine = machine
        self._path = path if keeps else None
        self._lock = threading.Lock()
        self._cloud_us: tuple[int, int] | None = None
        self._steps = 0
        now = machine.look()
        known = _read(path)
        base = known[-1] if known and known[-1].boot == machine.boot != "" else None
        if base is None:
            numbers = [each.number for each in known]
            number = max([now.wall_us // 1_000_000, *(number + 1 for number in numbers)])
            base = Timebase(number, machine.boot, now.wall_us - now.boot_us, trusted=now.synchronised)
            known = [*known, base]
        self._synchronised = now.synchronised
        self._base = base
        self._known = {each.number: each for each in known[-REMEMBERED:]}
        self._write()
        self.check()

    @classmethod
    def of_machine(cls, directory: Path) -> "NodeClock":
        """The clock of this machine, its timebases kept in `directory`."""
        return cls(Computer(), path=directory / FILE)

    @classmethod
    def of_node(cls, directory: Path) -> "NodeClock":
        """The clock of the node whose data lie in `directory`, for another process on its machine: read, never changed."""
        return cls(Computer(), path=directory / FILE, keeps=False)

    @classmethod
    def of(cls, now: Callable[[], datetime]) -> "NodeClock":
        """A clock that tells what `now` tells and needs no correction: for replay, benches and tests."""
        return cls(_Told(now))

    def __call__(self) -> datetime:
        """Node time: never stepped, for durations, ages and the order of events."""
        return _instant(self._machine.boot_us() + self._base.offset_us)

    def told(self) -> datetime:
        """The true time as well as the node knows it: for whatever is told to others now."""
        return self.corrected(self())

    def corrected(self, at: datetime) -> datetime:
        """The true time of a moment of the present timebase."""
        return at + timedelta(microseconds=self._base.correction_us)

    @property
    def correction(self) -> timedelta:
        """True time minus node time, as far as it is known."""
        return timedelta(microseconds=self._base.correction_us)

    @property
    def timebase(self) -> int:
        """The number of the present timebase."""
        return self._base.number

    def correction_us(self, timebase: int | None) -> int:
        """What to add to the times of a record of this timebase; nothing where it has none or is forgotten."""
        if timebase is None:
            return 0
        known = self._known.get(timebase)
        return 0 if known is None else known.correction_us

    def hear(self, sent_at: datetime, cloud_at: datetime, heard_at: datetime) -> None:
        """The cloud's time in an answer to what was sent at `sent_at` and heard at `heard_at` (both node time): the true
        offset lies between the two. The narrowest answer counts until one contradicts it.
        """
        with self._lock:
            offset_us = self._base.offset_us
            cloud_us = _microseconds(cloud_at)
            low = cloud_us - (_microseconds(heard_at) - offset_us)
            high = cloud_us - (_microseconds(sent_at) - offset_us)
            if low > high:
                return
            if self._cloud_us is not None:
                both = max(low, self._cloud_us[0]), min(high, self._cloud_us[1])
                low, high = both if both[0] <= both[1] else (low, high)
            self._cloud_us = low, high
        self.check()

    def check(self) -> bool:
        """Look whether the clock was set; True when the correction changed. To be called every few seconds."""
        look = self._machine.look()
        with self._lock:
            before, after = self._base, corrected_by(self._base, look, self._cloud_offset_us())
            self._synchronised = look.synchronised
            if after == before:
                return False
            self._base = after
            self._known[after.number] = after
            for number in sorted(self._known)[:-REMEMBERED]:
                del self._known[number]
            self._write()
            stepped = (after.number, after.correction_us) != (before.number, before.correction_us)
            self._steps += stepped
        if stepped:
            step_s = (after.correction_us + after.offset_us - before.correction_us - before.offset_us) / 1e6
            _log.warning("the node's clock is put right", by_s=round(step_s, 3), synchronised=look.synchronised)
        return stepped

    @property
    def figures(self) -> ClockFigures:
        """How the clock stands."""
        look, cloud_us = self._machine.look(), self._cloud_offset_us()
        skew_s = None if cloud_us is None else (look.wall_us - look.boot_us - cloud_us) / 1e6
        return ClockFigures(self._base.correction_us / 1e6, self._synchronised, self._steps, skew_s)

    def _cloud_offset_us(self) -> int | None:
        """The middle of what the cloud's answers leave possible, unless that is too wide to say anything."""
        if self._cloud_us is None or self._cloud_us[1] - self._cloud_us[0] > CLOUD_TOLERANCE_US:
            return None
        return sum(self._cloud_us) // 2

    def _write(self) -> None:
        if self._path is None:
            return
        kept = sorted(self._known.values(), key=lambda each: each.number)
        try:
            write_file(self._path, json.dumps([asdict(each) for each in kept], indent=1).encode())
        except OSError as error:
            _log.error("the timebase was not kept: a restart can't correct what waits", reason=str(error))


class Computer:
    """The clocks of the computer that this runs on."""

    def __init__(self) -> None:
        try:
            self.boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            self.boot = ""
        self._adjtimex: Callable[..., int] | None = getattr(ctypes.CDLL(None), "adjtimex", None)

    def boot_us(self) -> int:
        """As `Machine.boot_us` says."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000

    def look(self) -> Look:
        """As `Machine.look` says: of several tries the closest one."""
        best: tuple[int, int, int] | None = None
        for _ in range(_TRIES):
            before_us, wall_us, after_us = self.boot_us(), time.time_ns() // 1_000, self.boot_us()
            best = min(best or (after_us - before_us, before_us, wall_us), (after_us - before_us, before_us, wall_us))
            if best[0] <= _CLOSE_US:
                break
        assert best is not None  # noqa: S101 (there is at least one try)
        return Look(best[1] + best[0] // 2, best[2], self._synchronised())

    def _synchronised(self) -> bool:
        """`adjtimex(2)` without a change: the state of the kernel's clock. A kernel that does not answer confirms nothing."""
        if self._adjtimex is None:
            return False
        return 0 <= int(self._adjtimex(ctypes.create_string_buffer(512))) < _TIME_ERROR


class _Told:
    """One clock in the place of all: somebody else answers for it."""

    boot = ""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def boot_us(self) -> int:
        return _microseconds(self._now())

    def look(self) -> Look:
        at_us = self.boot_us()
        return Look(at_us, at_us, synchronised=True)


def _read(path: Path | None) -> list[Timebase]:
    """The timebases that are kept; a file that can't be read holds none."""
    if path is None:
        return []
    try:
        kept = [Timebase(**each) for each in json.loads(path.read_text(encoding="utf-8"))]
        return [each for each in kept if isinstance(each.number, int) and isinstance(each.correction_us, int)]
    except (OSError, ValueError, TypeError):
        return []


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _instant(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)
