"""The ledger of cameras on the disk: what the node alone writes, and the command line reads.

`cameras.json` is replaced as a whole. On a full disk there is no room for that, and a camera whose stream ends the process
would do so for ever, its crashes never counted: there the ledger goes into `cameras.spare`, whose blocks were taken when there
was room. That one counts for the `cameras.json` that it was written beside, and for no later one.
"""

import contextlib
import zlib
from pathlib import Path
from typing import Final

import msgspec
import structlog

from edge.disk import ReservedFile, write_file
from edge.node.ledger import Ledger

LEDGER: Final = "cameras.json"
SPARE: Final = "cameras.spare"
SPARE_BYTES: Final = 64 << 10

_LARGEST_FILE_BYTES: Final = 1 << 20
_HEAD_BYTES: Final = 18
"""Two checksums as text: of the file that it stands for, and of its own content."""

_log = structlog.get_logger(__name__)


def read_ledger(directory: Path) -> Ledger:
    """The ledger of a data directory; an empty one where there is none, or none that can be read."""
    content = content_of(directory / LEDGER)
    content = _spare_for(content, content_of(directory / SPARE)) or content
    if not content:
        return Ledger()
    try:
        return msgspec.json.decode(content, type=Ledger)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        _log.error("the quarantine's file can't be read and begins anew", reason=str(error))
        return Ledger()


def keep_ledger(directory: Path, ledger: Ledger) -> None:
    """Replace the ledger. Raises OSError where neither place takes it."""
    content = msgspec.json.encode(ledger)
    try:
        write_file(directory / LEDGER, msgspec.json.format(content))
    except OSError as error:
        _log.warning("the quarantine is kept in its spare place", reason=str(error))
        _keep_spare(directory, content)
        return
    if content_of(directory / SPARE)[:_HEAD_BYTES].strip(b"\0"):
        with contextlib.suppress(OSError):
            ReservedFile(directory / SPARE, SPARE_BYTES).write(b"")


def reserve_spare(directory: Path) -> None:
    """Take the blocks of the spare place, while there is room."""
    try:
        ReservedFile(directory / SPARE, SPARE_BYTES)
    except OSError as error:
        _log.warning("there is no room in which crashes could be counted on a full disk", reason=str(error))


def content_of(file: Path) -> bytes:
    """What stands in a file, up to a megabyte; nothing where it can't be read."""
    if not file.is_file():
        return b""
    try:
        with file.open("rb") as opened:
            return opened.read(_LARGEST_FILE_BYTES)
    except OSError:
        return b""


def _keep_spare(directory: Path, content: bytes) -> None:
    head = f"{zlib.crc32(content_of(directory / LEDGER)):08x} {zlib.crc32(content):08x}\n".encode()
    try:
        ReservedFile(directory / SPARE, SPARE_BYTES).write(head + content)
    except ValueError as error:
        raise OSError(f"the spare place is too small: {error}") from error


def _spare_for(ledger: bytes, spare: bytes) -> bytes:
    """What the spare place holds for this ledger; nothing where it holds something older, or half of something."""
    head, content = spare[:_HEAD_BYTES], spare[_HEAD_BYTES:].rstrip(b"\0")
    return content if head == f"{zlib.crc32(ledger):08x} {zlib.crc32(content):08x}\n".encode() else b""
