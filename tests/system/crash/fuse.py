"""A fuse that ends the process at its n-th step, from outside of the program: around SQLite, the file system and the link.

A step is anything after which the disk, the source or the cloud knows more than before. A scenario is run once to count its
steps, and then once for each of them.
"""

import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any


class Point(StrEnum):
    """Where a life may end."""

    BEGIN = "begin"
    STATEMENT = "statement"
    COMMIT = "commit"
    COMMITTED = "committed"
    FILE_SYNC = "file_sync"
    FILE_SYNCED = "file_synced"
    RENAME = "rename"
    RENAMED = "renamed"
    REMOVE = "remove"
    REMOVED = "removed"
    MARK = "mark"
    SOURCE_ACK = "source_ack"
    SOURCE_ACKED = "source_acked"
    PUBLISH = "publish"
    PUBLISHED = "published"
    ACKNOWLEDGED = "acknowledged"
    SETTLED = "settled"
    UPLOAD = "upload"
    UPLOADED = "uploaded"


class Fuse:
    """Counts the steps; at the `end_at`-th one the process is gone, as if its power had been cut."""

    def __init__(self, end_at: int | None = None, *, on_end: Callable[[], None] = lambda: None) -> None:
        self.passed: Counter[Point] = Counter()
        self._end_at = end_at
        self._on_end = on_end

    @property
    def steps(self) -> int:
        """How many were passed."""
        return self.passed.total()

    def burn(self, point: Point) -> None:
        """Pass a step, or end here."""
        self.passed[point] += 1
        if self.steps == self._end_at:
            self._on_end()
            os.kill(os.getpid(), signal.SIGKILL)


_WRITES = ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER")


def lay(fuse: Fuse, directory: Path) -> None:
    """Lead every write of this process below `directory` through the fuse. For a process that ends with it."""
    inside = os.fspath(directory)

    class FusedConnection(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            _before(fuse, statement)
            cursor = super().execute(statement, *values)
            _after(fuse, statement)
            return cursor

        def executemany(self, statement: str, rows: Any) -> sqlite3.Cursor:
            _before(fuse, statement)
            return super().executemany(statement, rows)

        def executescript(self, script: str) -> sqlite3.Cursor:
            fuse.burn(Point.COMMIT)
            cursor = super().executescript(script)
            fuse.burn(Point.COMMITTED)
            return cursor

    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def fused_connect(database: Any, *values: Any, **options: Any) -> sqlite3.Connection:
        if os.fspath(database).startswith(inside):
            options["factory"] = FusedConnection
        return connect(database, *values, **options)

    sqlite3.connect = fused_connect  # type: ignore[assignment]
    _wrap(fuse, "fsync", Point.FILE_SYNC, Point.FILE_SYNCED)
    _wrap(fuse, "rename", Point.RENAME, Point.RENAMED)
    _wrap(fuse, "replace", Point.RENAME, Point.RENAMED)
    _wrap(fuse, "unlink", Point.REMOVE, Point.REMOVED)
    _wrap(fuse, "pwrite", Point.MARK, None)


def _before(fuse: Fuse, statement: str) -> None:
    if statement.startswith("BEGIN"):
        fuse.burn(Point.BEGIN)
    elif statement == "COMMIT":
        fuse.burn(Point.COMMIT)
    elif statement.lstrip().startswith(_WRITES):
        fuse.burn(Point.STATEMENT)


def _after(fuse: Fuse, statement: str) -> None:
    if statement == "COMMIT":
        fuse.burn(Point.COMMITTED)


def _wrap(fuse: Fuse, name: str, before: Point, after: Point | None) -> None:
    inner = getattr(os, name)

    def fused(*values: Any, **options: Any) -> Any:
        fuse.burn(before)
        result = inner(*values, **options)
        if after is not None:
            fuse.burn(after)
        return result

    setattr(os, name, fused)
