"""From a running database into a backup: all tables as of one moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import Connection, IsolationLevel

from cloud.backup import store
from cloud.backup.folder import BackupWriter, table_file
from cloud.backup.model import SequenceState, TableDump
from cloud.db import migrate
from cloud.db.pool import open_session
from cloud.errors import Conflict, SchemaTooNew

NOT_KEPT = frozenset({"session"})
"""Who was signed in: a session that was ended since must not come back to life."""

FLEETING = frozenset({"wall_camera", "wall_lease", "worker_position"})
"""Our unlogged tables: what is in them lives for minutes, or for a shift."""

LEFT_OUT = NOT_KEPT | FLEETING

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DatabaseDump:
    """What was written of the database."""

    schema: tuple[str, ...]
    tables: tuple[TableDump, ...]
    sequences: tuple[SequenceState, ...]
    months: tuple[datetime, ...]


@contextmanager
def snapshot(database_url: str) -> Iterator[Connection[Any]]:
    """A connection that sees one moment of the database and changes nothing; nobody migrates meanwhile, everybody works on.

    Raises Conflict while the database is being migrated or one of its tables is locked for a minute.
    """
    with open_session(database_url, "gridward-backup") as conn:
        store.write_portably(conn)
        try:
            migrate.lock_out(conn)
            conn.isolation_level = IsolationLevel.REPEATABLE_READ
            conn.read_only = True
            with conn.transaction():
                yield conn
        except psycopg.errors.LockNotAvailable as error:
            raise Conflict("the database is being migrated, or locked otherwise: try again later") from error


def dump_database(conn: Connection[Any], writer: BackupWriter, say: Say) -> DatabaseDump:
    """Write every table, through a connection of `snapshot`. Raises SchemaTooNew, Conflict, psycopg.Error, OSError."""
    schema = tuple(migrate.applied(conn))
    if not schema:
        raise Conflict("there is nothing to back up: run `gridward-cloud migrate` first")
    if foreign := set(schema) - set(migrate.known()):
        raise SchemaTooNew(
            f"the database was made by a newer version of Gridward (it has {', '.join(sorted(foreign))})"
        )
    dumps = []
    for name, columns in store.tables(conn).items():
        if name not in LEFT_OUT:
            dumps.append(_dump_table(conn, writer, name, columns, say))
    return DatabaseDump(
        schema=schema,
        tables=tuple(dumps),
        sequences=tuple(SequenceState(name, last) for name, last in store.sequences(conn).items()),
        months=tuple(store.reading_months(conn)),
    )


def _dump_table(conn: Connection[Any], writer: BackupWriter, name: str, columns: store.Columns, say: Say) -> TableDump:
    with writer.compress(table_file(name)) as file, conn.cursor() as cursor:
        for piece in store.copy_out(cursor, name, columns):
            before = file.text_bytes >> 27
            file.write(piece)
            if file.text_bytes >> 27 != before:
                say(f"table {name}: {file.text_bytes >> 20} MiB so far")
        dumped = TableDump(name, columns, cursor.rowcount, file.close())
    say(f"table {name}: {dumped.rows} rows")
    return dumped
