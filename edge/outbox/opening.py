"""Opening the store: made where there is none, set aside and saved from where it is damaged."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from edge.errors import OutboxDamaged, Permanent
from edge.outbox.statements import SCHEMA

SCHEMA_VERSION = 1
CHECKED = "outbox.checked"
"""Beside the store: the start of the machine in which the whole store was last found in order. A killed process can't damage
it, a power cut might; reading hundreds of megabytes at every start would keep a crashed node away for seconds.
"""

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SAVED_TABLES = ("series", "reading", "gap", "record", "evidence", "ongoing", "dead_letter", "counter", "fact")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """A store ready for use. `set_aside` is the damaged one that it replaces, `saved` the rows that could be read from it."""

    connection: sqlite3.Connection
    set_aside: Path | None = None
    saved: int = 0


def open_store(path: Path, *, now: Callable[[], datetime]) -> Opened:
    """Open or make the store at `path`. Raises OutboxDamaged when it can't be used and can't be set aside either."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        try:
            return Opened(_open(path))
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            _log.error("the outbox is damaged", path=str(path), reason=str(error))
        aside = _set_aside(path, now())
        connection = _open(path)
        saved = _save(connection, aside)
    except (sqlite3.Error, OSError) as error:
        raise OutboxDamaged(
            f"the outbox {path} can't be opened ({error}); check the disk and the rights of its folder"
        ) from error
    _log.error("a new outbox was started; the damaged one is kept", kept=str(aside), saved_rows=saved)
    return Opened(connection, set_aside=aside, saved=saved)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken (and not, say, the disk full)."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGE


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    try:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "cache_size = -8000",
            "journal_size_limit = 16777216",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    checked = path.with_name(CHECKED)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise Permanent(
            f"the outbox {path} was written by a newer version of this software: update it, or move it away"
        )
    if version == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    boot = _boot()
    if boot and checked.exists() and checked.read_text(encoding="ascii", errors="replace") == boot:
        return
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        broken = sqlite3.DatabaseError(verdict)
        broken.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise broken
    checked.write_text(boot, encoding="ascii")


def suspect(path: Path) -> None:
    """Something in the store at `path` could not be read: the next opening looks at all of it."""
    path.with_name(CHECKED).unlink(missing_ok=True)


def _boot() -> str:
    """Which start of the machine this is, or nothing where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _set_aside(path: Path, at: datetime) -> Path:
    aside = path.with_name(f"{path.name}.damaged-{at:%Y%m%dT%H%M%S%f}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _save(connection: sqlite3.Connection, damaged: Path) -> int:
    """Copy whatever rows can still be read; each table up to the first page that can't."""
    saved = 0
    try:
        source = sqlite3.connect(f"file:{damaged}?mode=ro", uri=True)
    except sqlite3.Error:
        return 0
    try:
        connection.execute("BEGIN IMMEDIATE")
        for table in _SAVED_TABLES:
            saved += _save_table(source, connection, table)
        connection.execute("COMMIT")
    finally:
        source.close()
    return saved


def _save_table(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> int:
    saved = 0
    try:
        rows = source.execute(f"SELECT * FROM {table} NOT INDEXED")  # noqa: S608 (a name of the list above)
        places = ", ".join("?" for _ in rows.description)
        for row in rows:
            saved += target.execute(f"INSERT OR IGNORE INTO {table} VALUES ({places})", row).rowcount  # noqa: S608
    except sqlite3.Error as error:
        _log.warning("a table of the damaged outbox can't be read to its end", table=table, reason=str(error))
    return saved
