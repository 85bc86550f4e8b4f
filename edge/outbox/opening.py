"""Opening the store: made where there is none, replaced by what can be saved of it where it is damaged."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from edge.disk import make_folder
from edge.errors import OutboxDamaged, OutboxTooNew
from edge.outbox.mark import MARK
from edge.outbox.salvage import finish_replacing, replace
from edge.outbox.statements import SCHEMA

STORE = "outbox.db"
SCHEMA_VERSION = 5
_UPGRADES = {
    1: "ALTER TABLE reading ADD COLUMN timebase INTEGER;"
    " ALTER TABLE record ADD COLUMN timebase INTEGER;"
    " ALTER TABLE ongoing ADD COLUMN timebase INTEGER;"
    " ALTER TABLE dead_letter ADD COLUMN timebase INTEGER;",
    2: "CREATE TABLE receipt (row INTEGER PRIMARY KEY, source TEXT NOT NULL, mark BLOB NOT NULL);"
    " INSERT INTO receipt (source, mark)"
    " SELECT substr(fact.name, length('receipts of ') + 1), CAST(each.value AS BLOB)"
    " FROM fact, json_each(fact.value) AS each WHERE fact.name LIKE 'receipts of %' ORDER BY fact.name, each.key;"
    " DELETE FROM fact WHERE name LIKE 'receipts of %';",
    3: "ALTER TABLE evidence ADD COLUMN severity INTEGER NOT NULL DEFAULT 0;"
    " ALTER TABLE evidence ADD COLUMN kind TEXT NOT NULL DEFAULT '';"
    " CREATE TABLE naming (sha256 TEXT NOT NULL, incident_id BLOB NOT NULL, PRIMARY KEY (sha256, incident_id));"
    " CREATE INDEX naming_by_incident ON naming (incident_id);"
    " CREATE TABLE named (incident_id BLOB PRIMARY KEY, body BLOB NOT NULL, timebase INTEGER,"
    " dropped INTEGER NOT NULL DEFAULT 0);",
    4: "ALTER TABLE evidence ADD COLUMN original INTEGER NOT NULL DEFAULT 0;"
    " ALTER TABLE evidence ADD COLUMN wanted_until_us INTEGER NOT NULL DEFAULT 0;"
    " ALTER TABLE evidence ADD COLUMN held_until_us INTEGER NOT NULL DEFAULT 0;"
    # what waited to go unasked stays here from now on: the cloud lets its copies go, for it takes them to be here
    " UPDATE evidence SET original = 1 WHERE mime = 'application/x-age';",
}
"""What makes the next version out of one: columns that may be empty and new tables, which costs nothing however much waits."""

CHECKED = "outbox.checked"
"""Beside the store: the start of the machine in which the whole store was last found in order. A killed process can't damage
it, a power cut might; reading hundreds of megabytes at every start would keep a crashed node away for seconds.
"""

SUSPECT = "suspect"
"""Stands there instead when something in the store could not be read: then it is replaced by what can be, whatever a look at
its structure says; a text that is none any more is found by no such look.
"""

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "cache_size = -8000",
    "journal_size_limit = 16777216",
    "temp_store = MEMORY",
)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """A store ready for use. `set_aside` is the damaged one that it replaces, `saved` the rows that could be read from it.
    `looked_through` says that all of it was read just now, as it is once per start of the machine.
    """

    connection: sqlite3.Connection
    looked_through: bool
    set_aside: Path | None = None
    saved: int = 0


def open_store(path: Path, *, now: Callable[[], datetime]) -> Opened:
    """Open or make the store at `path`. Raises OutboxDamaged when it can't be used and can't be set aside either, OutboxTooNew
    when a newer version of the software has written it.
    """
    try:
        make_folder(path.parent)
        aside = finish_replacing(path, now())
        if aside is not None:
            path.with_name(CHECKED).unlink(missing_ok=True)
            return Opened(*_open(path), set_aside=aside)
        try:
            _refuse_suspect(path)
            _refuse_hollow(path)
            return Opened(*_open(path))
        except sqlite3.DatabaseError as error:
            if not (is_damage(error) or _is_header_damage(error, path)):
                raise
            _log.error("the outbox is damaged", path=str(path), reason=str(error))
        aside, saved = replace(path, now(), make=lambda empty: _prepare_schema(empty, path))
        path.with_name(CHECKED).unlink(missing_ok=True)
        connection, looked_through = _open(path)
    except (sqlite3.Error, OSError) as error:
        raise OutboxDamaged(
            f"the outbox {path} can't be opened ({error}); check the disk and the rights of its folder"
        ) from error
    _log.error("a new outbox was started; the damaged one is kept", kept=str(aside), saved_rows=saved)
    return Opened(connection, looked_through, set_aside=aside, saved=saved)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken (and not, say, the disk full)."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return "UTF-8" in str(error)  # Python's own error about a text that is none
    return code & 0xFF in _DAMAGE


def _is_header_damage(error: sqlite3.Error, path: Path) -> bool:
    """A changed byte in the head of the file can make it one of another format, or one that may only be read."""
    match getattr(error, "sqlite_errorcode", None):
        case sqlite3.SQLITE_ERROR:
            return True  # our statements have no mistakes, so it is the file
        case sqlite3.SQLITE_READONLY:
            return path.is_file() and os.access(path, os.W_OK)
        case _:
            return False


def _refuse_suspect(path: Path) -> None:
    if path.exists() and _noted(path) == SUSPECT:
        raise _damaged("something in it could not be read")


def _noted(path: Path) -> str:
    checked = path.with_name(CHECKED)
    return checked.read_text(encoding="ascii", errors="replace") if checked.exists() else ""


def _refuse_hollow(path: Path) -> None:
    """SQLite takes an empty file for a new database and throws the log beside it away, with all that was committed there."""
    log = path.with_name(path.name + "-wal")
    size_bytes = path.stat().st_size if path.exists() else 0
    if size_bytes == 0 and log.exists() and log.stat().st_size > 0:
        raise _damaged("the file is empty, and its log is not")


def _open(path: Path) -> tuple[sqlite3.Connection, bool]:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        _prepare_schema(connection, path)
        return connection, _check(connection, path)
    except BaseException:
        connection.close()
        raise


def _prepare_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables, or bring those of an earlier version up to this one."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise OutboxTooNew(
            f"the outbox {path} was written by a newer version of this software: update it, or move it away with `{MARK}`"
        )
    if version == 0:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise _damaged("there are tables of no version")
        connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    while 0 < version < SCHEMA_VERSION:
        upgrade, version = _UPGRADES[version], version + 1
        connection.executescript(f"BEGIN IMMEDIATE; {upgrade} PRAGMA user_version = {version}; COMMIT;")
    if _tables(connection) != _wanted_tables():
        raise _damaged("tables or columns are missing")


def _check(connection: sqlite3.Connection, path: Path) -> bool:
    """Read the store through, unless that was done since the machine started and nothing speaks against it; whether it was."""
    checked, boot = path.with_name(CHECKED), _boot()
    if boot and _noted(path) == boot:
        return False
    # not `quick_check`: an index that does not agree with its table hides rows, which then wait for ever
    verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        raise _damaged(verdict)
    try:
        checked.write_text(boot, encoding="ascii")
    except OSError as error:
        _log.warning("the outbox will be read through at the next start again", reason=str(error))
    return True


def suspect(path: Path) -> None:
    """Something in the store at `path` could not be read: the next opening saves what can be."""
    checked = path.with_name(CHECKED)
    try:
        checked.write_text(SUSPECT, encoding="ascii")
    except OSError:
        checked.unlink(missing_ok=True)


def _tables(connection: sqlite3.Connection) -> dict[str, set[str]]:
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        name: {column[1] for column in connection.execute(f"PRAGMA table_info({name})")}
        for name in names
        if not name.startswith("sqlite_")
    }


def _wanted_tables() -> dict[str, set[str]]:
    with sqlite3.connect(":memory:") as pattern:
        pattern.executescript(SCHEMA)
        tables = _tables(pattern)
    pattern.close()
    return tables


def _damaged(reason: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(reason)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _boot() -> str:
    """Which start of the machine this is, or nothing where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
