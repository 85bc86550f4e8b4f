"""Evidence as files: partial uploads on a local disk, whole ones in an object store under their hash."""

import contextlib
import fcntl
import hashlib
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from cloud.errors import ConfigurationError, Conflict, EvidenceStoreAway, Invalid, NotFound
from cloud.evidence import formats

_NODE = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_HASH = re.compile(r"[0-9a-f]{64}")
_CHUNK_BYTES = 1 << 20
_LISTED = 1_000
_NODE_SHARE = 4  # a node has at most a quarter of the room, or one file
_SUFFIX_LENGTH = len(f".{'0' * 64}.part")


class EvidenceFiles:
    """Whole files by their hash: in a folder (`file://`) or an S3 bucket (`s3://`, credentials from its environment)."""

    def __init__(self, url: str) -> None:
        """Raises ConfigurationError when `url` can't be such a store."""
        parts = urlsplit(url)
        self._root: Path | None = None
        self._store: ObjectStore
        try:
            if parts.scheme == "file":
                self._root = Path(unquote(parts.path))
                self._root.mkdir(parents=True, exist_ok=True, mode=0o750)
                self._store = LocalStore(self._root)
            elif parts.scheme == "s3":
                self._store = from_url(url)
            else:
                raise ConfigurationError("GRIDWARD_EVIDENCE_URL begins with file:// or s3://")
        except (BaseError, OSError, ValueError) as error:
            raise ConfigurationError(f"the store of evidence can't be used: {error}") from error

    def put(self, sha256: str, source: Path) -> None:
        """Keep a file under its hash; it is on the disk when this returns. Raises EvidenceStoreAway."""
        key = _key(sha256)
        try:
            obstore.put(self._store, key, source)
            if self._root is not None:
                sync(self._root / key)
        except (BaseError, OSError) as error:
            raise EvidenceStoreAway("the store of evidence took no file") from error

    def read(self, sha256: str, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` up to `end` (exclusive) in chunks. Raises NotFound, EvidenceStoreAway before the first."""
        try:
            result = obstore.get(self._store, _key(sha256), options={"range": (start, end)})
        except FileNotFoundError as error:
            raise NotFound("the file is not kept any more") from error
        except (BaseError, OSError) as error:
            raise EvidenceStoreAway("the store of evidence does not answer") from error
        return (bytes(chunk) for chunk in result.stream(min_chunk_size=_CHUNK_BYTES))

    def read_all(self, sha256: str) -> Iterator[bytes]:
        """All bytes of a file, however many there are. Raises NotFound before the first, EvidenceStoreAway at any."""
        try:
            result = obstore.get(self._store, _key(sha256))
        except FileNotFoundError as error:
            raise NotFound("the file is not kept any more") from error
        except (BaseError, OSError) as error:
            raise EvidenceStoreAway("the store of evidence does not answer") from error
        try:
            for chunk in result.stream(min_chunk_size=_CHUNK_BYTES):
                yield bytes(chunk)
        except (BaseError, OSError) as error:
            raise EvidenceStoreAway("the store of evidence does not answer") from error

    def remove(self, sha256: str) -> None:
        """Delete a file; one that is not there is no mistake. Raises EvidenceStoreAway."""
        try:
            obstore.delete(self._store, _key(sha256))
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise EvidenceStoreAway("the store of evidence does not answer") from error

    def size(self, sha256: str) -> int | None:
        """How long a file is, None where it is not kept. Raises EvidenceStoreAway."""
        try:
            return int(obstore.head(self._store, _key(sha256))["size"])
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise EvidenceStoreAway("the store of evidence does not answer") from error

    def names(self) -> Iterator[list[str]]:
        """Whatever lies in the store, by name, some at a time: hashes, and what somebody else put there."""
        try:
            for batch in obstore.list(self._store, chunk_size=_LISTED):
                yield [_hash_of(item["path"]) for item in batch]
        except (BaseError, OSError) as error:
            raise EvidenceStoreAway("the store of evidence does not answer") from error


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Where partial uploads lie: on a local disk, bounded in size and age, one file per node and hash."""

    directory: Path
    quota_bytes: int
    longest_s: float

    def offset(self, node: str, sha256: str) -> int:
        """How many bytes of a file are here."""
        try:
            return self._path(node, sha256).stat().st_size
        except FileNotFoundError:
            return 0

    def open(self, node: str, sha256: str, size_bytes: int) -> "Partial":
        """Open a partial upload of a file that will have `size_bytes`.

        Raises Conflict while another upload of it runs, EvidenceStoreAway when there is no room.
        """
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(node, sha256)
        taken = self.sweep()
        here = self.offset(node, sha256)
        others_of_node = taken[node] - here
        # one node's unfinished uploads must not shut out all others
        is_greedy = others_of_node > 0 and others_of_node + size_bytes > self.quota_bytes // _NODE_SHARE
        if is_greedy or taken.total() - here + size_bytes > self.quota_bytes:
            raise EvidenceStoreAway("no room for more uploads now")
        return Partial(path)

    def sweep(self) -> Counter[str]:
        """Delete what nobody went on with; the bytes that are left come back, by node."""
        taken: Counter[str] = Counter()
        oldest = time.time() - self.longest_s
        for entry in os.scandir(self.directory) if self.directory.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                if status.st_mtime < oldest:
                    Path(entry.path).unlink(missing_ok=True)
                else:
                    taken[entry.name[:-_SUFFIX_LENGTH]] += status.st_size
        return taken

    def _path(self, node: str, sha256: str) -> Path:
        if _NODE.fullmatch(node) is None or _HASH.fullmatch(sha256) is None:
            raise Invalid("no such file name")
        return self.directory / f"{node}.{sha256}.part"


class Partial:
    """One partial upload, held by one request at a time."""

    def __init__(self, path: Path) -> None:
        """Raises Conflict while another request holds it."""
        self.path = path
        self._file: BinaryIO = path.open("ab")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise Conflict("another upload of this file is under way") from error
        if not self._is_in_place():  # whoever held it has thrown it away: these bytes would be nobody's
            self._file.close()
            raise Conflict("another upload of this file has just ended")

    def _is_in_place(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self.path.stat())
        except FileNotFoundError:
            return False

    @property
    def size_bytes(self) -> int:
        """How much is here."""
        return os.fstat(self._file.fileno()).st_size

    def restart(self) -> None:
        """Throw away what is here."""
        self._file.truncate(0)

    def append(self, chunk: bytes) -> None:
        """Add bytes. Raises EvidenceStoreAway when the disk takes no more."""
        try:
            self._file.write(chunk)
            self._file.flush()
        except OSError as error:
            raise EvidenceStoreAway("no room for more uploads now") from error

    def digest(self) -> str:
        """The SHA-256 of what is here."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def check(self, mime: str) -> None:
        """Pass it as a file of this kind; the bytes are looked at where they lie. Raises NotOfItsKind."""
        with self.path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            formats.check(mime, content)

    def discard(self) -> None:
        """Delete it."""
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _key(sha256: str) -> str:
    if _HASH.fullmatch(sha256) is None:
        raise Invalid("no such hash")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _hash_of(key: str) -> str:
    sha256 = key.rpartition("/")[2]
    return sha256 if _HASH.fullmatch(sha256) and _key(sha256) == key else key


def sync(path: Path) -> None:
    """A file and its name outlast a loss of power from here on. Raises OSError."""
    for place, flags in ((path, os.O_RDONLY), (path.parent, os.O_RDONLY | os.O_DIRECTORY)):
        descriptor = os.open(place, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
