"""The quarantine of cameras (隔离): after each start it looks at how the process before ended, and then at its orders.

`native.marks` and `native.report` in the data directory tell the next start what the threads did and where the signal came.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Final

import structlog

from edge.disk import ReservedFile
from edge.node.crashes import crash_of
from edge.node.ledger import Ledger, sources_of
from edge.node.ledger_file import keep_ledger, read_ledger, reserve_spare
from edge.node.marks import MarkSheet, SlotMark, read_marks
from edge.node.orders import Order, described, make_place, take_orders
from edge.settings import CameraSettings

MARKS = "native.marks"
REPORT = "native.report"

_REPORT_BYTES: Final = 64 << 10

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a look at the quarantine asks the node to do: cameras to open and to close."""

    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


class Quarantine:
    """Looks after the last end of the process when it is made, and says which cameras may be opened. One thread asks it."""

    def __init__(self, directory: Path, cameras: Sequence[CameraSettings], *, clock: Callable[[], datetime]) -> None:
        self._directory = directory
        self._sources = sources_of(cameras)
        self._clock = clock
        make_place(directory)
        reserve_spare(directory)
        before = read_ledger(directory)
        self._ledger = self._look_back(before.reconciled(self._sources, clock()))
        self._take_orders()
        if self._ledger != before:
            self._keep()
        self._begin_report()
        self._sheet = MarkSheet(directory / MARKS, list(self._sources))

    def open_report(self) -> IO[bytes] | None:
        """Where the interpreter writes of a crash; None without a place for it. The caller closes it."""
        try:
            return (self._directory / REPORT).open("r+b", buffering=0)
        except OSError:
            return None

    def _begin_report(self) -> None:
        """Empty it, now that what it told is kept. Its blocks stay: on a full disk a crash has to be told all the same."""
        report = self._directory / REPORT
        try:
            ReservedFile(report, _REPORT_BYTES).write(b"")
        except OSError as error:
            _log.warning("a crash of this process will tell nothing", reason=str(error))
            with contextlib.suppress(OSError):
                report.unlink(missing_ok=True)

    @property
    def ledger(self) -> Ledger:
        """The present ledger."""
        return self._ledger

    def adopt(self, cameras: Sequence[CameraSettings]) -> None:
        """Go on with other cameras: what is held against one that is gone, or is another one now, is forgotten."""
        self._sources = sources_of(cameras)
        self._sheet.adopt(list(self._sources))
        before = self._ledger
        self._ledger = before.reconciled(self._sources, self._clock())
        if self._ledger != before:
            self._keep()

    def mark(self, camera: str, role: str) -> SlotMark:
        """Where a thread of a camera tells what it does."""
        return self._sheet.mark(camera, role)

    def holds(self, camera: str) -> bool:
        """Whether the camera must not be opened."""
        return self._ledger.holds(camera)

    def detail(self, camera: str) -> str:
        """Why a camera is in quarantine and what ends it, for people."""
        record = self._ledger.record(camera)
        return "" if record is None else described(camera, record)

    def turn(self, shows_pictures: Callable[[str], bool]) -> Turn:
        """Take orders and see whose time has come; `shows_pictures` tells it of a camera that is open."""
        before = self._ledger
        self._take_orders()
        now = self._clock()
        for camera in self._ledger.on_trial(now):
            if shows_pictures(camera):
                _log.info("a camera has held out and is free", camera=camera)
                self._ledger = self._ledger.passed(camera)
        due = self._ledger.due(now)
        if due is not None:
            _log.warning("a camera gets a try after its quarantine", camera=due)
            self._ledger = self._ledger.tried(due, now)
        if self._ledger == before:
            return Turn()
        self._keep()
        return Turn(
            opened=tuple(name for name in self._sources if before.holds(name) and not self._ledger.holds(name)),
            closed=tuple(name for name in self._sources if self._ledger.holds(name) and not before.holds(name)),
        )

    def _look_back(self, ledger: Ledger) -> Ledger:
        """Count the crash of the process before, if it was one."""
        crash = crash_of(_report(self._directory / REPORT), read_marks(self._directory / MARKS))
        if crash is None:
            return ledger
        after = ledger.crashed(crash, self._sources, self._clock())
        held = [name for name in self._sources if after.holds(name) and not ledger.holds(name)]
        _log.error(
            "native code ended the process", signal=crash.signal, suspects=list(crash.cameras), certain=crash.certain
        )
        for name in held:
            _log.error("a camera is in quarantine", camera=name, detail=described(name, after.records[name]))
        return after

    def _take_orders(self) -> None:
        for camera, order in take_orders(self._directory):
            if camera not in self._sources:
                _log.warning("an order for a camera that is not there is left aside", camera=camera)
                continue
            _log.warning("an operator's order", camera=camera, order=order.value)
            self._ledger = (
                self._ledger.passed(camera)
                if order is Order.RELEASE
                else self._ledger.quarantined(camera, self._sources, self._clock())
            )

    def _keep(self) -> None:
        try:
            keep_ledger(self._directory, self._ledger)
        except OSError as error:
            _log.error("the quarantine can't be written and will not outlive this process", reason=str(error))


def _report(file: Path) -> bytes:
    try:
        return file.read_bytes()[:_REPORT_BYTES]
    except OSError:
        return b""
