"""Saving what can be read of a damaged store into a new one that takes its place.

The new store is finished, written through and closed before the damaged one is moved away; a crash at any moment leaves
either the damaged store where it was, or a finished new one whose last steps the next start takes.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import structlog

from edge.contract.envelope import Lane
from edge.contract.incident import SEALED_MIME, Incident
from edge.contract.telemetry import GapReason
from edge.contract.topics import Channel
from edge.disk import sync_folder

LOSS = "loss"
"""A fact in a store that was saved from a damaged one, until what was lost with it is declared."""

KEPT_ASIDE = 2
"""Damaged stores that are kept to be looked at; older ones are removed."""

SAVED_TABLES = (
    "series",
    "counter",
    "fact",
    "receipt",
    "gap",
    "evidence",
    "naming",
    "named",
    "ongoing",
    "record",
    "dead_letter",
    "reading",
)
_FILES = ("", "-wal", "-shm")

_log = structlog.get_logger(__name__)


def replace(path: Path, at: datetime, *, make: Callable[[sqlite3.Connection], None]) -> tuple[Path, int]:
    """Put a new store with what can be saved in the place of the damaged one at `path`. Where that one lies now, and how many
    rows were saved, come back. `make` brings an empty database to the present schema. Raises sqlite3.Error, OSError.
    """
    new = _new(path)
    _remove(new)
    since = _last_write(path, at)
    connection = sqlite3.connect(new, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        make(connection)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute("PRAGMA user_version = 0")
        connection.execute("BEGIN IMMEDIATE")
        saved = _save(path, connection)
        connection.execute("INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", (LOSS, since.isoformat()))
        connection.execute(f"PRAGMA user_version = {int(version)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        _remove(new)
        raise
    connection.close()
    aside = finish_replacing(path, at)
    if aside is None:
        raise sqlite3.DatabaseError("the new store can't be read again")
    return aside, saved


def finish_replacing(path: Path, at: datetime) -> Path | None:
    """Move a finished new store to its place, and what lies there aside; where that is. None when there is none."""
    new = _new(path)
    if not new.exists():
        return None
    if not _is_finished(new):
        _remove(new)
        return None
    aside = path.with_name(f"{path.name}.damaged-{at:%Y%m%dT%H%M%S%f}")
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    sync_folder(path.parent)
    new.rename(path)
    sync_folder(path.parent)
    _forget_oldest(path)
    return aside


def _last_write(path: Path, at: datetime) -> datetime:
    try:
        return min(at, datetime.fromtimestamp(path.stat().st_mtime, UTC))
    except OSError:
        return at


def _new(path: Path) -> Path:
    return path.with_name(f"{path.name}.saved")


def _is_finished(new: Path) -> bool:
    """Whether the version, which is set in the transaction of all the rows, stands there; its log is merged on the way."""
    with contextlib.closing(sqlite3.connect(new)) as connection:
        try:
            return bool(connection.execute("PRAGMA user_version").fetchone()[0])
        except sqlite3.Error:
            return False


def _remove(new: Path) -> None:
    for suffix in (*_FILES, "-journal"):
        new.with_name(new.name + suffix).unlink(missing_ok=True)


def _forget_oldest(path: Path) -> None:
    kept = sorted(each for each in path.parent.glob(f"{path.name}.damaged-*") if not each.name.endswith(_FILES[1:]))
    for aside in kept[:-KEPT_ASIDE]:
        with contextlib.suppress(OSError):
            _remove(aside)


def _save(damaged: Path, target: sqlite3.Connection) -> int:
    """Copy whatever rows can still be read."""
    if not damaged.exists() or damaged.stat().st_size == 0:
        with damaged.open("ab") as hollow:
            hollow.truncate(4096)  # SQLite would remove the log of an empty file, and the log may hold every page
    with contextlib.closing(sqlite3.connect(damaged, isolation_level=None)) as source:
        source.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
        saved = sum(_save_table(source, target, table) for table in SAVED_TABLES)
    # a store of an earlier version does not say so
    target.execute("UPDATE evidence SET original = 1 WHERE mime = ?", (SEALED_MIME,))
    return saved


def _save_table(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> int:
    """The rows before the first page that can't be read, and those behind the last one."""
    saved, last = 0, None
    columns = sorted(_columns(source, table) & _columns(target, table))
    try:
        for rowid, row in _rows(source, table, columns, f"ORDER BY {table}.rowid"):
            saved += _put(target, table, columns, row)
            last = rowid
    except sqlite3.Error as error:
        _log.warning("a table of the damaged outbox can't be read to its end", table=table, reason=str(error))
    else:
        return saved
    with contextlib.suppress(sqlite3.Error):
        beyond = "" if last is None else f"WHERE {table}.rowid > {int(last)} "
        for _, row in _rows(source, table, columns, f"{beyond}ORDER BY {table}.rowid DESC"):
            saved += _put(target, table, columns, row)
    return saved


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    try:
        return {column[1] for column in connection.execute(f"PRAGMA table_info({table})")}
    except sqlite3.Error:
        return set()


def _rows(
    source: sqlite3.Connection, table: str, columns: Collection[str], which: str
) -> Iterator[tuple[int, tuple[Any, ...]]]:
    names = ", ".join(f"{table}.{column}" for column in columns) or "null"
    for row in source.execute(f"SELECT {table}.rowid, {names} FROM {table} NOT INDEXED {which}"):  # noqa: S608
        yield row[0], row[1:]


def _put(target: sqlite3.Connection, table: str, columns: Collection[str], row: tuple[Any, ...]) -> int:
    """Add a row, unless it makes no sense any more: a page of a damaged file may hold anything."""
    if not _is_sound(table, dict(zip(columns, row, strict=True))):
        _log.warning("a row of the damaged outbox makes no sense", table=table)
        return 0
    names, places = ", ".join(columns), ", ".join("?" for _ in columns)
    insert = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})"  # noqa: S608 (names of the list above)
    return target.execute(insert, row).rowcount


def _is_sound(table: str, row: dict[str, Any]) -> bool:
    sound = _SOUND.get(table)
    try:
        return sound is None or sound(row)
    except (ValueError, TypeError, LookupError):
        return False


def _is_message(row: dict[str, Any]) -> bool:
    Lane(row["lane"])
    msgspec.json.decode(row["body"], type=Incident if Channel(row["channel"]) is Channel.INCIDENT else dict)
    return len(row["message_id"]) == 16 and isinstance(row["accepted_at_us"], int) and isinstance(row["readings"], int)


def _is_ongoing(row: dict[str, Any]) -> bool:
    return bool(msgspec.json.decode(row["body"], type=Incident).incident_id.bytes == row["incident_id"])


def _is_reading(row: dict[str, Any]) -> bool:
    numbers = (row["observed_at_us"], row["accepted_at_us"], row["flag"], row["replayed"], row["series"])
    return all(isinstance(each, int) for each in numbers) and isinstance(row["value"], int | float | str)


def _is_evidence(row: dict[str, Any]) -> bool:
    return len(row["sha256"]) == 64 and len(row["message_id"]) == 16 and isinstance(row["bytes"], int)


def _is_gap(row: dict[str, Any]) -> bool:
    GapReason(row["reason"])
    return all(isinstance(row[name], int) for name in ("from_us", "to_us", "count"))


_SOUND: Mapping[str, Callable[[dict[str, Any]], bool]] = {
    "record": _is_message,
    "ongoing": _is_ongoing,
    "named": _is_ongoing,
    "naming": lambda row: len(row["sha256"]) == 64 and len(row["incident_id"]) == 16,
    "reading": _is_reading,
    "evidence": _is_evidence,
    "gap": _is_gap,
    "counter": lambda row: isinstance(row["value"], int),
    "receipt": lambda row: isinstance(row["source"], str) and isinstance(row["mark"], bytes),
}
