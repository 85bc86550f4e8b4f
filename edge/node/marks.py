"""Which camera's thread is inside of a foreign library: told in mapped memory, which outlives a crash of the process.

A thread writes one byte; nothing goes to the disk because of it. The file is read once, at the next start.
"""

import mmap
import os
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog

from edge.flow import NativeStep

ROLES: Final = ("source", "analysis", "clips")
"""The threads that call foreign libraries for a camera: the one that reads and decodes, the one that looks, and the one of all cameras that
makes their films.
"""

CAMERAS: Final = 128
"""So many cameras have a place at least: those of two configurations, while one takes over from the other."""

_SLOT: Final = struct.Struct("<64s8sQB7x")
_STEP_AT: Final = 80
_MOST_BYTES: Final = 1 << 20
_STEPS: Final = {int(step): step for step in NativeStep}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Marked:
    """What a camera's thread did last. `thread` is its identity (`threading.get_ident`) in the process that wrote it."""

    camera: str
    role: str
    thread: int
    step: NativeStep


class _Bytes(Protocol):
    def __setitem__(self, key: slice, value: bytes, /) -> None: ...


class SlotMark:
    """The place of one thread in the sheet."""

    __slots__ = ("_begin", "_memory", "_thread")

    def __init__(self, memory: _Bytes, begin: int) -> None:
        self._memory = memory
        self._begin = begin
        self._thread: int | None = None

    def tell(self, step: NativeStep) -> None:
        """From now on the calling thread does this."""
        thread = threading.get_ident()
        if thread != self._thread:
            self._thread = thread
            place = self._begin + _STEP_AT - 8
            self._memory[place : place + 8] = thread.to_bytes(8, "little")
        place = self._begin + _STEP_AT
        self._memory[place : place + 1] = bytes((step,))


class MarkSheet:
    """A slot for each thread of each camera. Without room on the disk it lives in memory alone, and tells nothing later."""

    def __init__(self, file: Path, cameras: Sequence[str]) -> None:
        """Begin a new sheet; what the file told is gone."""
        room = max(CAMERAS, len(cameras))
        self._memory = _mapped(file, bytes(room * len(ROLES) * _SLOT.size))
        self._free = [place * len(ROLES) * _SLOT.size for place in reversed(range(room))]
        self._begins: dict[str, int] = {}
        self.adopt(cameras)

    def adopt(self, cameras: Sequence[str]) -> None:
        """Give places to cameras that have none; the place of one that is gone is given away when there is no other."""
        gone = [camera for camera in self._begins if camera not in cameras]
        for camera in cameras:
            if camera not in self._begins:
                begin = self._free.pop() if self._free else self._begins.pop(gone.pop(0))
                content = b"".join(_SLOT.pack(camera.encode(), role.encode(), 0, 0) for role in ROLES)
                self._memory[begin : begin + len(content)] = content
                self._begins[camera] = begin

    def mark(self, camera: str, role: str) -> SlotMark:
        """Where a thread of a camera tells what it does."""
        return SlotMark(self._memory, self._begins[camera] + ROLES.index(role) * _SLOT.size)


def read_marks(file: Path) -> tuple[Marked, ...]:
    """What the threads of the process before did last. What can't be read tells nothing."""
    try:
        content = file.read_bytes()[:_MOST_BYTES]
    except OSError:
        return ()
    whole = len(content) // _SLOT.size * _SLOT.size
    found = []
    for camera, role, thread, step in _SLOT.iter_unpack(content[:whole]):
        name = camera.rstrip(b"\0").decode("ascii", "replace")
        if not name:
            continue  # a place that nobody has
        known = _STEPS.get(step, NativeStep.NONE)
        found.append(Marked(name, role.rstrip(b"\0").decode("ascii", "replace"), thread, known))
    return tuple(found)


def _mapped(file: Path, content: bytes) -> mmap.mmap:
    """Memory with this content, in the file where possible: its blocks are there before it is mapped, for a write to a
    mapped hole on a full disk ends the process; and those that it has from before are never given away.
    """
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.posix_fallocate(descriptor, 0, len(content))
            os.ftruncate(descriptor, len(content))
            os.pwrite(descriptor, content, 0)
            return mmap.mmap(descriptor, len(content))
        finally:
            os.close(descriptor)
    except OSError as error:
        _log.warning("after a crash nothing will tell which camera it was", reason=str(error))
        memory = mmap.mmap(-1, len(content))
        memory[:] = content
        return memory
