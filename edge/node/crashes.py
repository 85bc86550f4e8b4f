"""What a crash inside of native code says: which camera's stream may have caused it. Pure.

The interpreter writes down in which thread the signal came (`faulthandler`), and each camera's threads tell what they do
(`edge.node.marks`). A thread that was inside of a decoder names its camera. Where the signal came elsewhere, in a thread
that belongs to no camera or with broken memory noticed too late, all cameras are suspects that were in a decoder just then.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge.flow import NativeStep
from edge.node.marks import Marked

_HEAD: Final = re.compile(rb"Fatal Python error: ([^\r\n\0]{1,80})")
_THREAD: Final = re.compile(rb"Current thread 0x([0-9a-fA-F]{1,16})\b")

_AT_WORK: Final = frozenset({NativeStep.OPENING, NativeStep.DECODING, NativeStep.ANALYSING})
"""In these a thread runs foreign code; one that waits for a packet does not, unless the signal came in it."""


@dataclass(frozen=True, slots=True)
class Crash:
    """A crash of the process before. `certain`: the signal came in the only camera's own thread, inside of foreign code."""

    signal: str
    cameras: tuple[str, ...]
    certain: bool


def crash_of(report: bytes, marks: Sequence[Marked]) -> Crash | None:
    """The crash that a report tells of, with the cameras that may have caused it; None for a process that did not crash.

    A process that was killed or lost its power writes no report: nobody is suspected.
    """
    head = _HEAD.search(report)
    if head is None:
        return None
    signal = head[1].decode("ascii", "replace")
    found = _THREAD.search(report)
    if found is not None:
        thread = int(found[1], 16)
        inside = {mark.camera for mark in marks if mark.thread == thread and mark.step is not NativeStep.NONE}
        if len(inside) == 1:
            return Crash(signal, tuple(inside), certain=True)
    suspects = sorted({mark.camera for mark in marks if mark.step in _AT_WORK})
    return Crash(signal, tuple(suspects), certain=False)
