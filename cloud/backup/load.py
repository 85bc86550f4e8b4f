"""From a backup into a database: old content out, schema and rows in, all of it in one transaction or nothing."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg import Connection

from cloud.backup import store
from cloud.backup.dump import LEFT_OUT, Say
from cloud.backup.folder import BackupReader, table_file
from cloud.backup.model import Manifest, TableDump
from cloud.db import migrate
from cloud.db.pool import open_session
from cloud.errors import Conflict, DatabaseNotEmpty, SchemaTooNew, UnusableBackup
from cloud.telemetry.partitions import Partitions

SEEDED = frozenset(
    {
        "area_level",
        "area_scheme",
        "area_scheme_level",
        "case_category",
        "deadline_rule",
        "escalation_rung",
        "presence_known",
        "rulebook_version",
        "work_calendar",
    }
)
"""Tables that a migration fills."""


def connect(database_url: str) -> Connection[Any]:
    """A session that alone may change the schema. Raises Conflict while somebody migrates, or is connected otherwise."""
    conn = open_session(database_url, "gridward-restore")
    try:
        _take_alone(conn)
    except BaseException:
        conn.close()
        raise
    return conn


def _take_alone(conn: Connection[Any]) -> None:
    store.write_portably(conn)
    try:
        migrate.lock(conn)
    except psycopg.errors.LockNotAvailable as error:
        raise Conflict("the database is being migrated or backed up: try again later") from error
    if others := store.others(conn):
        named = ", ".join(f"{count} of {name}" for name, count in others.items())
        raise Conflict(f"others are connected to the database ({named}): stop the services first")


def check_target(conn: Connection[Any], *, replace: bool) -> None:
    """Raises DatabaseNotEmpty where something would be overwritten without `replace`, SchemaTooNew where it can't be."""
    if foreign := set(migrate.applied(conn)) - set(migrate.known()):
        raise SchemaTooNew(
            f"the database was made by a newer version of Gridward (it has {', '.join(sorted(foreign))}): remove it first"
        )
    if not replace and any(name not in SEEDED and store.has_rows(conn, name) for name in store.tables(conn)):
        raise DatabaseNotEmpty("the database is not empty: --replace overwrites what is in it, for good")


def check_schema(manifest: Manifest) -> None:
    """Raises UnusableBackup for a backup with migrations that this program does not have."""
    if foreign := [name for name in manifest.schema if name not in migrate.known()]:
        raise UnusableBackup(
            f"the backup was made by a newer version of Gridward (its schema has {', '.join(foreign)}): update this program"
        )


def load_database(conn: Connection[Any], reader: BackupReader, manifest: Manifest, say: Say) -> list[str]:
    """Put the rows of a backup in place of what is there, then bring the schema up to this program's.

    In one transaction: killed or failed at any moment, the database is as it was. Tables that no migration made are left
    alone here, and left out where the backup has them; the names of those come back. Raises UnusableBackup, psycopg.Error.
    """
    with conn.transaction():
        migrate.take_back(conn, set(migrate.applied(conn)))
        strangers = store.tables(conn)
        migrate.apply(conn, set(manifest.schema))
        foreign = load_rows(conn, reader, manifest, say, besides=strangers)
        newer = [name for name in migrate.known() if name not in manifest.schema]
        if newer:
            say(f"migrating on from {manifest.schema[-1]} to {newer[-1]}")
            migrate.apply(conn, set(newer))
    store.refresh_statistics(conn)
    return foreign


def load_rows(
    conn: Connection[Any], reader: BackupReader, manifest: Manifest, say: Say, *, besides: Collection[str] = ()
) -> list[str]:
    """Fill the tables of the backup's own schema, but for those `besides`, within the caller's transaction.

    Answers and raises as `load_database`.
    """
    columns = {name: found for name, found in store.tables(conn).items() if name not in besides}
    kept, foreign = _match(columns, manifest)
    with store.without_triggers(conn):
        store.empty(conn, list(columns))
        _open_months(conn, manifest.months, manifest.created_at)
        for name in store.parents_first(conn, kept):
            _load_table(conn, reader, kept[name], say)
    there = store.all_sequences(conn)
    store.set_sequences(conn, {one.name: one.last_value for one in manifest.sequences if one.name in there})
    return foreign


def _match(columns: dict[str, store.Columns], manifest: Manifest) -> tuple[dict[str, TableDump], list[str]]:
    """The dumps of our tables by name, and the names of those that are not ours."""
    dumps = {table.name: table for table in manifest.tables}
    if missing := set(columns) - set(dumps) - LEFT_OUT:
        raise UnusableBackup(f"the backup lacks tables of its schema: {', '.join(sorted(missing))}")
    for name in columns.keys() & dumps.keys():
        if set(columns[name]) != set(dumps[name].columns):
            raise UnusableBackup(f"the backup has other columns of {name} than its schema")
    kept = {name: dump for name, dump in dumps.items() if name in columns and name not in LEFT_OUT}
    return kept, sorted(dumps.keys() - columns.keys())


def _open_months(conn: Connection[Any], months: Sequence[datetime], at: datetime) -> None:
    """Give the readings' months their partitions before the rows come, as ingest would have done by the time of the backup."""
    Partitions({(month.year, month.month) for month in months}).open(conn, at)


def _load_table(conn: Connection[Any], reader: BackupReader, dump: TableDump, say: Say) -> None:
    try:
        rows = store.copy_in(conn, dump.name, dump.columns, reader.unpack(table_file(dump.name), dump.file))
    except (psycopg.errors.DataError, psycopg.errors.IntegrityError) as error:
        raise UnusableBackup(f"table {dump.name} holds what the database refuses: {_printable(error)}") from error
    if rows != dump.rows:
        raise UnusableBackup(f"table {dump.name} has {rows} rows and not {dump.rows} as the manifest says")
    say(f"table {dump.name}: {rows} rows")


def _printable(error: psycopg.Error) -> str:
    """The server's words without what could be taken for commands by a terminal: they cite the backup."""
    words = error.diag.message_primary or type(error).__name__
    return "".join(letter if letter.isprintable() else "�" for letter in words[:200])
