"""The memory on the disk (回溯存储): blocks one behind the other in files that are only ever appended to, the oldest file goes first.

Each start of the node begins a new file, so that nothing has to be mended behind a power cut: a block that was not written whole ends
its file, and what is missing shows as a hole. Blocks are written a batch at a time and left to the system to write through: flash is
spared, and a power cut costs the last minute or two.

    magic  length  checksum  camera  from_ms  to_ms  | deflated block
"""

import errno
import os
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from edge.disk import make_folder, write_file
from edge.recollection.block import LARGEST_BLOCK_BYTES, MAGIC, Block, deflated, inflated

FOLDER: Final = "memory"
LARGEST_FILE_BYTES: Final = 4 << 20
FILES_MOST: Final = 4_096
BACKGROUND_SHARE: Final = 8
"""One part in so many of the quota is for pictures of the background."""

_HEADER: Final = struct.Struct("<4sIIIqq")
_CHECKED_FROM: Final = 12
_NAME: Final = re.compile(r"[0-9]{10}\.blocks")
_PICTURE: Final = re.compile(r"(?P<camera>[a-z0-9._-]{1,64})@(?P<at_ms>[0-9]{1,16})@(?P<sha256>[0-9a-f]{64})\.jpg")
_DAY_MS: Final = 86_400_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StoredBackground:
    """A picture of a camera in which nobody can be recognised; `at_ms` as the node's clock told it."""

    camera: str
    at_ms: int
    sha256: str
    file: Path


def _write_whole(file: Path, content: bytes) -> None:
    """Append all of it in one write. Raises OSError, also where there was room for a part alone."""
    with file.open("ab", buffering=0) as opened:
        if opened.write(content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class MemoryWriter:
    """The one that writes. `lost` counts blocks that the disk did not take."""

    def __init__(self, directory: Path, *, quota_bytes: int, keep_days: int) -> None:
        """Raises OSError where the folder can't be made."""
        self.folder = directory / FOLDER
        make_folder(self.folder)
        self.lost = 0
        self._block_quota = quota_bytes - quota_bytes // BACKGROUND_SHARE
        self._picture_quota = quota_bytes // BACKGROUND_SHARE
        self._keep_ms = keep_days * _DAY_MS
        self._file_bytes = min(LARGEST_FILE_BYTES, max(self._block_quota // 8, 1))
        self._present: Path | None = None
        self._newest: dict[Path, int] = {}

    def append(self, blocks: Iterable[Block]) -> int:
        """Write a batch, and let go of what is too old or too much; how many bytes were written. What the disk does not take is
        counted and left out.
        """
        records = [(block, _record(block)) for block in blocks]
        if not records:
            return 0
        content = b"".join(record for _, record in records)
        try:
            file = self._file()
            _write_whole(file, content)
        except OSError as error:
            self.lost += len(records)
            self._present = None  # what stands there may be half a block: what follows gets a file of its own
            _log.error("what the cameras saw is not remembered: the disk does not take it", reason=error.strerror)
            return 0
        newest = max(block.to_ms + block.correction_ms for block, _ in records)
        self._newest[file] = max(newest, self._newest.get(file, newest))
        self._prune(newest)
        return len(content)

    def keep_background(self, camera: str, at_ms: int, sha256: str, content: bytes) -> None:
        """Keep a picture of a camera; the oldest of all give way. Raises OSError."""
        write_file(self.folder / f"{camera}@{at_ms}@{sha256}.jpg", content)
        kept = sorted(backgrounds(self.folder.parent), key=lambda each: each.at_ms)
        sizes = {each.file: _size(each.file) for each in kept}
        total = sum(sizes.values())
        for each in kept[:-1]:
            if total <= self._picture_quota and each.at_ms > at_ms - self._keep_ms:
                break
            each.file.unlink(missing_ok=True)
            total -= sizes[each.file]

    def _file(self) -> Path:
        """The file that is written to: what was written before this start is not touched."""
        present = self._present
        if present is None or _size(present) >= self._file_bytes:
            last = max((int(each.stem) for each in files(self.folder)), default=0)
            present = self._present = self.folder / f"{last + 1:010}.blocks"
        return present

    def _prune(self, now_ms: int) -> None:
        kept = files(self.folder)
        sizes = {each: _size(each) for each in kept}
        total = sum(sizes.values())
        for each in kept[:-1]:
            known = self._newest.get(each)
            if known is None:
                known = self._newest[each] = max((header.to_ms for header in _headers(each)), default=0)
            if total <= self._block_quota and len(sizes) <= FILES_MOST and known > now_ms - self._keep_ms:
                break
            each.unlink(missing_ok=True)
            self._newest.pop(each, None)
            total -= sizes.pop(each)


@dataclass(frozen=True, slots=True)
class _Header:
    camera: int
    from_ms: int
    to_ms: int
    length: int
    checksum: int
    offset: int


class MemoryReader:
    """Reads what a node remembers, also while it runs. `damaged` counts files that end in something else than a block."""

    def __init__(self, directory: Path) -> None:
        self._folder = directory / FOLDER
        self.damaged = 0

    def blocks(self, camera: str, *, from_ms: int = 0, to_ms: int = 1 << 62) -> Iterator[Block]:
        """The blocks of a camera that overlap a span, in the order in which they were written."""
        wanted = zlib.crc32(camera.encode())
        for file in files(self._folder):
            for header in self._whole(file):
                if header.camera != wanted or header.to_ms < from_ms or header.from_ms > to_ms:
                    continue
                block = self._block(file, header)
                if block is not None and block.camera == camera:
                    yield block

    def span_ms(self, cameras: Iterable[str]) -> tuple[int, int] | None:
        """From when to when anything is remembered of these cameras; None where nothing is."""
        wanted = {zlib.crc32(camera.encode()) for camera in cameras}
        found = [each for file in files(self._folder) for each in _headers(file) if each.camera in wanted]
        if not found:
            return None
        return min(each.from_ms for each in found), max(each.to_ms for each in found)

    def _whole(self, file: Path) -> Iterator[_Header]:
        end = 0
        for header in _headers(file):
            end = header.offset + header.length
            yield header
        if end < _size(file):
            self.damaged += 1

    def _block(self, file: Path, header: _Header) -> Block | None:
        try:
            with file.open("rb") as opened:
                opened.seek(header.offset - _HEADER.size)
                record = opened.read(_HEADER.size + header.length)
            return _checked(record, header)
        except FileNotFoundError:  # it was let go of meanwhile
            return None
        except (OSError, ValueError) as error:
            self.damaged += 1
            _log.warning("a part of the memory can't be read and is left out", file=file.name, reason=str(error))
            return None


def files(folder: Path) -> list[Path]:
    """The files of blocks, oldest first."""
    try:
        return sorted(each for each in folder.iterdir() if _NAME.fullmatch(each.name))
    except (FileNotFoundError, NotADirectoryError):
        return []


def backgrounds(directory: Path, camera: str | None = None) -> list[StoredBackground]:
    """The pictures that are kept, of one camera or of all, oldest first."""
    found = []
    try:
        names = list((directory / FOLDER).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    for file in names:
        match = _PICTURE.fullmatch(file.name)
        if match is not None and camera in {None, match["camera"]}:
            found.append(StoredBackground(match["camera"], int(match["at_ms"]), match["sha256"], file))
    return sorted(found, key=lambda each: (each.at_ms, each.camera))


def size_bytes(directory: Path) -> int:
    """What the memory takes on the disk."""
    folder = directory / FOLDER
    return sum(_size(each) for each in (*files(folder), *(each.file for each in backgrounds(directory))))


def _record(block: Block) -> bytes:
    content = deflated(block)
    shift = block.correction_ms
    rest = (zlib.crc32(block.camera.encode()), block.from_ms + shift, block.to_ms + shift)
    checked = _HEADER.pack(MAGIC, len(content), 0, *rest)[_CHECKED_FROM:] + content
    return _HEADER.pack(MAGIC, len(content), zlib.crc32(checked), *rest) + content


def _checked(record: bytes, header: _Header) -> Block:
    if zlib.crc32(record[_CHECKED_FROM:]) != header.checksum:
        raise ValueError("another checksum")
    return inflated(record[_HEADER.size :])


def _headers(file: Path) -> Iterator[_Header]:
    """Of all blocks up to the first that is not whole."""
    try:
        with file.open("rb") as opened:
            size, offset = os.fstat(opened.fileno()).st_size, 0
            while offset + _HEADER.size <= size:
                opened.seek(offset)
                magic, length, checksum, camera, from_ms, to_ms = _HEADER.unpack(opened.read(_HEADER.size))
                offset += _HEADER.size
                if magic != MAGIC or length > LARGEST_BLOCK_BYTES or offset + length > size:
                    return
                yield _Header(camera, from_ms, to_ms, length, checksum, offset)
                offset += length
    except (OSError, struct.error):  # it was let go of, or cut, while it was read, or the disk does not give it back
        return


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
