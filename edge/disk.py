"""What a power cut leaves behind: bytes are on the disk (落盘) once their file was written through, a name once its folder was."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

UNFINISHED = "~"
"""The ending of a file that is being written."""


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that a power cut can't take them away again."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        sync_folder(made.parent)


def sync_folder(folder: Path) -> None:
    """Write through which names a folder holds."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(file: Path, content: bytes, *, private: bool = False) -> None:
    """Make or replace a file as a whole: whoever looks, also after a power cut, finds the old one or the new one, and from
    the return on the new one. A `private` one can be read by its owner alone, at any moment. Raises OSError; the old one stands
    then, and nothing else is left.
    """
    unfinished = file.with_name(f"{file.name}{UNFINISHED}")
    try:
        if private:
            unfinished.unlink(missing_ok=True)
        with open(unfinished, "xb" if private else "wb", opener=_owners_alone if private else None) as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        unfinished.rename(file)
    except OSError:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def _owners_alone(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def move_file(file: Path, place: Path) -> None:
    """Give a file that was written through another name, also after a power cut. Raises OSError."""
    file.rename(place)
    sync_folder(place.parent)


class ReservedFile:
    """A file whose blocks are taken when there is room, so that it can be written when there is none any more."""

    def __init__(self, file: Path, size_bytes: int) -> None:
        """Take the blocks that are missing; what stands in the file stays. Raises OSError."""
        self.file = file
        self.size_bytes = size_bytes
        made = not file.exists()
        with self._opened() as descriptor:
            os.posix_fallocate(descriptor, 0, size_bytes)
        if made:
            sync_folder(file.parent)

    def read(self) -> bytes:
        """All of it, up to its size. Raises OSError."""
        with self._opened() as descriptor:
            return os.pread(descriptor, self.size_bytes, 0)

    def write(self, content: bytes) -> None:
        """Overwrite it, zeros behind. A power cut may leave a mixture. Raises OSError, ValueError for too much."""
        if len(content) > self.size_bytes:
            raise ValueError(f"{len(content)} bytes do not fit into {self.size_bytes}")
        with self._opened() as descriptor:
            os.pwrite(descriptor, content.ljust(self.size_bytes, b"\0"), 0)
            os.fsync(descriptor)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
