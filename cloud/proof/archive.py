"""The file that an export is: a ZIP archive in one single form, so that every byte of it is either content or known beforehand.

Members are stored, not compressed, one behind the other, with one fixed date and nothing between, before or behind them. A reader
that expects this form alone can't be given a member twice, a path outside, a small file that grows large, or bytes that are in no
member; any program for ZIP archives opens it (APPNOTE 6.3.10, §4.3). Without extensions: below 4 GiB and 65,535 members.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import BinaryIO, Final

MOST_MEMBERS: Final = 60_000
LARGEST_ARCHIVE_BYTES: Final = (1 << 32) - (1 << 26)
LONGEST_NAME: Final = 200

_CHUNK_BYTES: Final = 1 << 20
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_VERSION: Final = 20
_FLAGS: Final = 0
_DATE: Final = 0x21  # 1 January 1980, the first that the format has
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*")


class NoArchive(ValueError):
    """A file that is no archive of this form."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member: its name, its size, the check sum of the format, and where its content begins."""

    name: str
    size_bytes: int
    crc: int
    offset: int


def is_name(name: str) -> bool:
    """Whether a member may be called so: lower-case letters, digits, dots, dashes, and never out of the archive."""
    return len(name) <= LONGEST_NAME and ".." not in name and _NAME.fullmatch(name) is not None


def _local(member: Member) -> bytes:
    name = member.name.encode("ascii")
    header = _LOCAL.pack(
        b"PK\x03\x04", _VERSION, _FLAGS, 0, 0, _DATE, member.crc, member.size_bytes, member.size_bytes, len(name), 0
    )
    return header + name


def _tail(members: Iterable[Member], start: int) -> bytes:
    """The directory at the end, and its end."""
    entries = []
    for member in members:
        name = member.name.encode("ascii")
        size, begins = member.size_bytes, member.offset - _LOCAL.size - len(name)
        versions, times = (_VERSION, _VERSION, _FLAGS, 0), (0, _DATE)
        lengths, attributes = (len(name), 0, 0, 0, 0), 0
        entry = _CENTRAL.pack(b"PK\x01\x02", *versions, *times, member.crc, size, size, *lengths, attributes, begins)
        entries.append(entry + name)
    directory = b"".join(entries)
    end = _END.pack(b"PK\x05\x06", 0, 0, len(entries), len(entries), len(directory), start, 0)
    return directory + end


class ArchiveWriter:
    """Writes members behind each other into an empty file that can be sought in."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.members: list[Member] = []
        self._names: set[str] = set()

    def add(self, name: str, chunks: Iterable[bytes]) -> Member:
        """Write a member. Raises ValueError for a name that can't be or is there already, and where the archive becomes too large."""
        if not is_name(name) or name in self._names:
            raise ValueError(f"no name for a member: {name!r}")
        if len(self.members) >= MOST_MEMBERS:
            raise ValueError(f"an archive has at most {MOST_MEMBERS} members")
        begins = self._file.tell()
        offset = begins + _LOCAL.size + len(name)
        self._file.write(_local(Member(name, 0, 0, offset)))
        size_bytes = crc = 0
        for chunk in chunks:
            size_bytes, crc = size_bytes + len(chunk), zlib.crc32(chunk, crc)
            if offset + size_bytes > LARGEST_ARCHIVE_BYTES:
                raise ValueError(f"an archive has at most {LARGEST_ARCHIVE_BYTES} bytes")
            self._file.write(chunk)
        member = Member(name, size_bytes, crc, offset)
        self._file.seek(begins)
        self._file.write(_local(member))
        self._file.seek(offset + size_bytes)
        self.members.append(member)
        self._names.add(name)
        return member

    def close(self) -> None:
        """Write the directory. The file stays open."""
        self._file.write(_tail(self.members, self._file.tell()))


def read_archive(file: BinaryIO, size_bytes: int, take: Callable[[Member, Iterable[bytes]], None]) -> list[Member]:
    """Read all members in their order, each given to `take` in chunks that it has to read to the end.

    Raises NoArchive where any byte of the file is not as `ArchiveWriter` writes it. At most a chunk is held in memory.
    """
    if size_bytes > LARGEST_ARCHIVE_BYTES + (1 << 26):
        raise NoArchive("the file is too large")
    members: list[Member] = []
    names: set[str] = set()
    position = 0
    while (signature := _exactly(file, 4)) == b"PK\x03\x04":
        member = _member(signature + _exactly(file, _LOCAL.size - 4), file, position, size_bytes)
        if member.name in names or len(members) >= MOST_MEMBERS:
            raise NoArchive(f"{member.name} is there twice, or there are too many members")
        names.add(member.name)
        content = _Content(file, member.size_bytes)
        take(member, content)
        if content.left or content.crc != member.crc:
            raise NoArchive(f"{member.name} is changed: its check sum does not fit")
        members.append(member)
        position = member.offset + member.size_bytes
    tail = _tail(members, position)
    rest = signature + file.read(len(tail) - len(signature) + 1)
    if rest != tail:
        raise NoArchive("the directory at the end of the file is not that of its members")
    return members


def _exactly(file: BinaryIO, count: int) -> bytes:
    content = file.read(count)
    if len(content) != count:
        raise NoArchive("the file ends in the middle")
    return content


def _member(header: bytes, file: BinaryIO, position: int, size_bytes: int) -> Member:
    *_, crc, _compressed, size, name_length, _extra = _LOCAL.unpack(header)
    if name_length > LONGEST_NAME or size > size_bytes:
        raise NoArchive("a member is larger than the file, or its name is too long")
    raw = _exactly(file, name_length)
    name = raw.decode("ascii", errors="replace")
    if not is_name(name):
        raise NoArchive(f"no name for a member: {name[:60]!r}")
    member = Member(name, size, crc, position + _LOCAL.size + name_length)
    if _local(member) != header + raw:
        raise NoArchive(f"the header of {name} is not of this form")
    return member


class _Content:
    """The bytes of one member, once."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file = file
        self.left = size_bytes
        self.crc = 0

    def __iter__(self) -> "_Content":
        return self

    def __next__(self) -> bytes:
        if not self.left:
            raise StopIteration
        chunk = _exactly(self._file, min(self.left, _CHUNK_BYTES))
        self.left -= len(chunk)
        self.crc = zlib.crc32(chunk, self.crc)
        return chunk
