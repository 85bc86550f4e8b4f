"""The mark (水位) beside the store: how much it had accepted at its last commit.

A disk that loses what it said to have written, or somebody who puts an older copy in its place, leaves a store that is in
order and knows nothing of what is missing. The mark is overwritten after each commit and never written through by itself, so
it costs microseconds and is never ahead of an honest disk; a store that is behind its mark has lost something.
"""

import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import structlog

from edge.disk import make_folder, sync_folder

MARK = "outbox.mark"
_BYTES = 256

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Mark:
    """Readings and revisions of incidents accepted since the store was made; when the oldest of what waited then had been
    accepted, None when nothing waited; and when the mark was made. Times in microseconds since 1970. `readings_gone` and
    `incidents_gone` say what had become of those that did not wait any more, in the order of the counters in `losses`;
    nothing in a mark of an earlier version.
    """

    readings: int
    incidents: int
    oldest_us: int | None
    at_us: int
    readings_gone: tuple[int, ...] = ()
    incidents_gone: tuple[int, ...] = ()


class MarkFile:
    """The file. For the thread that commits."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it where there is none. Raises OSError."""
        made = not path.exists()
        make_folder(path.parent)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if made:
            sync_folder(path.parent)

    def read(self) -> Mark | None:
        """The mark, None where there is none yet or a power cut left half of one. Raises OSError."""
        return _decoded(os.pread(self._descriptor, _BYTES, 0))

    def write(self, mark: Mark) -> None:
        """Overwrite it. Raises OSError."""
        os.pwrite(self._descriptor, _encoded(mark), 0)

    def close(self) -> None:
        """Let the file go. May be called again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _encoded(mark: Mark) -> bytes:
    gone = (",".join(map(str, each)) for each in (mark.readings_gone, mark.incidents_gone))
    words = " ".join([f"{mark.readings} {mark.incidents} {mark.oldest_us or 0} {mark.at_us}", *gone])
    return f"{words} {zlib.crc32(words.encode()):08x}".encode().ljust(_BYTES - 1) + b"\n"


def _decoded(line: bytes) -> Mark | None:
    words, _, check = line.decode("ascii", errors="replace").rstrip().rpartition(" ")
    if not words or check != f"{zlib.crc32(words.encode()):08x}":
        return None
    readings, incidents, oldest_us, at_us = (int(word) for word in words.split(" ")[:4])
    gone = [tuple(int(count) for count in word.split(",")) for word in words.split(" ")[4:6] if word]
    return Mark(readings, incidents, oldest_us or None, at_us, *gone)
