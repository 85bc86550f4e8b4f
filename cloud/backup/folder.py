"""A backup as a folder: written beside its place and moved there whole; read with suspicion.

    manifest.json            what follows, with its hashes; written last
    tables/<table>.copy.gz   rows, in the text format of COPY
    evidence.tsv.gz          every file of evidence: hash, bytes, kept | missing | damaged
    evidence/ab/cd/<hash>    the files themselves

No file name is taken from the content of a backup, except table names, which are letters, and hashes.
"""

import fcntl
import gzip
import hashlib
import io
import itertools
import os
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from cloud.backup import model
from cloud.backup.model import HashedFile, Manifest
from cloud.errors import Conflict, UnusableBackup

MANIFEST = "manifest.json"
INDEX = "evidence.tsv.gz"
CHUNK_BYTES = 1 << 20
_UNFINISHED = ".unfinished"
_LOCK = "lock"
_LEVEL = 6


def table_file(name: str) -> str:
    """Where the rows of a table lie."""
    return f"tables/{name}.copy.gz"


def evidence_file(sha256: str) -> str:
    """Where a file of evidence lies."""
    return f"evidence/{sha256[:2]}/{sha256[2:4]}/{sha256}"


class BackupWriter:
    """Writes a backup to `<place>.unfinished`; `finish` moves it to its place. What is left without it goes."""

    def __init__(self, place: Path) -> None:
        self._place = place.absolute()
        self._scratch = self._place.parent / (self._place.name + _UNFINISHED)
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Raises Conflict when something is in the place, or another backup goes there; OSError."""
        if os.path.lexists(self._place) and not _is_empty_folder(self._place):
            raise Conflict(f"{self._place} is there already: a backup goes to a place of its own")
        if os.path.lexists(self._scratch) and not _is_own_folder(self._scratch):  # what is in it would be removed
            raise Conflict(f"{self._scratch} is in the way: it is no folder of an unfinished backup")
        self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(self._scratch / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._unlock()
            raise Conflict(f"another backup to {self._place} is under way") from error
        self._clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._unlock()

    def create(self, name: str) -> BinaryIO:
        """A new private file."""
        path = self._scratch / name
        for folder in reversed(Path(name).parents[:-1]):
            (self._scratch / folder).mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        return os.fdopen(descriptor, "wb")

    def compress(self, name: str) -> "CompressedFile":
        """A new compressed file that is hashed while it is written."""
        return CompressedFile(self.create(name))

    def scratch(self) -> BinaryIO:
        """A file without a name, which is gone when it is closed."""
        return cast("BinaryIO", tempfile.TemporaryFile(dir=self._scratch))

    def remove(self, name: str) -> None:
        """Take a file back."""
        (self._scratch / name).unlink()

    def finish(self, manifest: Manifest) -> str:
        """Write the manifest and move the backup to its place; the manifest's hash comes back."""
        text = model.encode(manifest)
        with self.create(MANIFEST) as file:
            file.write(text)
        (self._scratch / _LOCK).unlink()
        for path in itertools.chain(self._scratch.rglob("*"), [self._scratch]):
            _sync(path)
        self._scratch.rename(self._place)
        _sync(self._place.parent)
        self._unlock()
        return hashlib.sha256(text).hexdigest()

    def _clear(self) -> None:
        """Remove what a backup that was killed left here."""
        for entry in self._scratch.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != _LOCK:
                entry.unlink()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class CompressedFile:
    """A file that is compressed, hashed and counted on its way to the disk."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = _Hashing(file)
        self._gzip = gzip.GzipFile(fileobj=self._file, mode="wb", compresslevel=_LEVEL, filename="", mtime=0)
        self._text_bytes = 0

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes."""
        self._text_bytes += len(data)
        self._gzip.write(data)

    @property
    def text_bytes(self) -> int:
        """How much was written so far."""
        return self._text_bytes

    def close(self) -> HashedFile:
        """Write the end; what became of it comes back."""
        self._gzip.close()
        self._file.close()
        return HashedFile(self._file.digest.hexdigest(), self._file.size_bytes, self._text_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class _Hashing(io.RawIOBase):
    """Writes through to a file, or reads through from one, and hashes what passes."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._inner = file
        self.digest = hashlib.sha256()
        self.size_bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | memoryview", /) -> int:  # type: ignore[override]  # gzip hands in nothing else
        self._inner.write(data)
        self._note(data)
        return len(data)

    def read(self, size: int = -1, /) -> bytes:
        data = self._inner.read(size)
        self._note(data)
        return data

    def _note(self, data: "bytes | memoryview") -> None:
        self.digest.update(data)
        self.size_bytes += len(data)

    def close(self) -> None:
        self._inner.close()
        super().close()


class BackupReader:
    """Reads a backup. Links are not followed, and nothing is read further than the manifest promises."""

    def __init__(self, place: Path) -> None:
        """Raises UnusableBackup when there is no folder of a finished backup at `place`."""
        self._place = place
        if not place.is_dir():
            if place.with_name(place.name + _UNFINISHED).is_dir():
                raise UnusableBackup(f"the backup {place} was never finished: make another one")
            raise UnusableBackup(f"there is no backup at {place}")

    def manifest(self, *, sha256: str | None = None) -> Manifest:
        """What the backup says of itself. Raises UnusableBackup, also when it is not the one with the hash `sha256`."""
        with self.open(MANIFEST) as file:
            text = file.read(model.LONGEST_MANIFEST_BYTES + 1)
        if len(text) > model.LONGEST_MANIFEST_BYTES:
            raise UnusableBackup(f"{MANIFEST} is too long to be one")
        if sha256 is not None and hashlib.sha256(text).hexdigest() != sha256.strip().lower():
            raise UnusableBackup(f"{MANIFEST} is not the one with that hash")
        return model.decode(text)

    def open(self, name: str) -> BinaryIO:
        """An ordinary file of the backup. Raises UnusableBackup when it is missing or something else."""
        for folder in Path(name).parents:
            if (self._place / folder).is_symlink() and folder != Path():
                raise UnusableBackup(f"{folder} is a link")
        try:
            descriptor = os.open(self._place / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise UnusableBackup(f"{name} can't be read: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise UnusableBackup(f"{name} is no ordinary file")
        return os.fdopen(descriptor, "rb")

    def path(self, name: str) -> Path:
        """Where a file lies."""
        return self._place / name

    def unpack(self, name: str, promised: HashedFile) -> Iterator[bytes]:
        """The content of a compressed file, in pieces. Raises UnusableBackup where it is not what the manifest promises.

        The hash is known at the end only: what was read is not to be believed before the iterator has ended by itself.
        """
        with self.open(name) as file:
            if os.fstat(file.fileno()).st_size != promised.size_bytes:
                raise UnusableBackup(f"{name} has another length than the manifest says")
            hashing = _Hashing(file)
            packed = gzip.GzipFile(fileobj=hashing, mode="rb")
            text_bytes = 0
            try:
                while chunk := packed.read(CHUNK_BYTES):
                    text_bytes += len(chunk)
                    if text_bytes > promised.text_bytes:
                        break
                    yield chunk
            except (OSError, EOFError, zlib.error) as error:
                raise UnusableBackup(f"{name} is damaged: {error}") from error
            if text_bytes != promised.text_bytes or hashing.digest.hexdigest() != promised.sha256:
                raise UnusableBackup(f"{name} is not what the manifest says: its bytes were changed")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def _is_own_folder(path: Path) -> bool:
    """Not a link, and nobody else's, who could exchange what is written there."""
    status = path.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
