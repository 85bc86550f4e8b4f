"""The newest lines of a node's log (日志尾部), kept beside its data for `gridward-edge logs`: two files of a bounded size, whole lines only."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import structlog

from edge.logs import escape_words, format_exception

FOLDER: Final = "log"
NOW: Final = "now.jsonl"
BEFORE: Final = "before.jsonl"
LARGEST_FILE_BYTES: Final = 512 << 10
LONGEST_LINE_BYTES: Final = 16 << 10


class KeptLog:
    """A processor of the log that writes each event down as a line of JSON. A disk that takes nothing costs the lines, no more."""

    def __init__(self, directory: Path, *, largest_bytes: int = LARGEST_FILE_BYTES) -> None:
        self._folder = directory / FOLDER
        self._largest_bytes = largest_bytes
        self._lock = threading.Lock()
        self.left_out = 0

    def __call__(
        self, logger: structlog.typing.WrappedLogger, method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        """Keep a copy; the event goes on as it is."""
        copy = escape_words(logger, method, format_exception(logger, method, dict(event)))
        line = json.dumps(dict(copy), ensure_ascii=False, default=str).encode("utf-8", "replace")
        if len(line) > LONGEST_LINE_BYTES:
            short = {key: copy[key] for key in ("timestamp", "level", "event") if key in copy}
            line = json.dumps({**short, "cut": True}, ensure_ascii=False, default=str).encode()[:LONGEST_LINE_BYTES]
        with self._lock:
            try:
                self._write(line + b"\n")
            except OSError:
                self.left_out += 1
        return event

    def _write(self, line: bytes) -> None:
        """Lines are few: the file is opened for each, and nothing has to be closed at the end."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        now = self._folder / NOW
        if now.exists() and now.stat().st_size + len(line) > self._largest_bytes:
            now.replace(self._folder / BEFORE)
        with now.open("ab", buffering=0) as opened:
            opened.write(line)


class LogTail:
    """Reads what a node keeps: first the newest lines, then whatever comes."""

    def __init__(self, directory: Path) -> None:
        self._folder = directory / FOLDER
        self._inode: int | None = None
        self._offset = 0

    def newest(self, count: int) -> list[str]:
        """At most so many lines, the newest last."""
        before, _ = _read(self._folder / BEFORE, 0)
        lines = [*_lines(before), *self.following()]
        return lines[-count:] if count > 0 else []

    def following(self) -> list[str]:
        """The whole lines that came since the last call."""
        found: list[str] = []
        inode = _inode(self._folder / NOW)
        if self._inode is not None and inode != self._inode:
            if _inode(self._folder / BEFORE) == self._inode:
                rest, _ = _read(self._folder / BEFORE, self._offset)
                found += _lines(rest)
            self._offset = 0
        self._inode = inode
        content, self._offset = _read(self._folder / NOW, self._offset)
        return [*found, *_lines(content)]


def in_words(line: str) -> Iterator[str]:
    """A kept line for people: time, level, what happened and its values; a traceback below."""
    try:
        event: dict[str, Any] = json.loads(line)
        at, level, what = event.pop("timestamp"), event.pop("level"), event.pop("event")
        exception = str(event.pop("exception", ""))
    except (ValueError, KeyError, AttributeError, TypeError):
        yield line
        return
    yield " ".join([str(at), f"[{level}]", str(what), *(f"{key}={value}" for key, value in event.items())])
    yield from (f"  | {each}" for each in exception.splitlines())


def _inode(file: Path) -> int | None:
    try:
        return file.stat().st_ino
    except OSError:
        return None


def _read(file: Path, offset: int) -> tuple[bytes, int]:
    """The whole lines from `offset` on, and where they end."""
    try:
        with file.open("rb") as opened:
            opened.seek(offset)
            content = opened.read(2 * LARGEST_FILE_BYTES)
    except OSError:
        return b"", offset
    whole = content[: content.rfind(b"\n") + 1]
    return whole, offset + len(whole)


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "replace").split("\n")[:-1]
