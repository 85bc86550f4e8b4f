"""Migrations: plain SQL files, applied in the order of their numbers, each together with its note in one transaction."""

import contextlib
import functools
import io
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from psycopg import Connection
from yoyo import default_migration_table, internalmigrations, read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import parse_uri
from yoyo.migrations import topological_sort

from cloud.db.pool import open_session
from cloud.db.queries import load
from cloud.errors import SchemaTooNew

DIRECTORY = Path(__file__).with_name("migrations")

_LOCK = 0x6772_6964_0001  # the advisory lock under which one process migrates; any constant will do

_queries = load("cloud.db")


def known() -> list[str]:
    """The names of the migrations that this program has, in their order. Their last one names the schema."""
    return [migration.id for migration in _migrations()]


def applied(conn: Connection[Any]) -> list[str]:
    """The names of the migrations that were applied to a database, in their order."""
    return [row.name for row in _queries.applied_migrations(conn)] if _queries.migrations_noted(conn) else []


def pending(database_url: str) -> list[str]:
    """The migrations that this program has and the database does not.

    Raises SchemaTooNew when the database has some that this program does not know, psycopg.Error when it can't be reached.
    """
    with _connected(database_url) as conn:
        return _pending(conn)


def migrate(database_url: str, *, to: str | None = None) -> list[str]:
    """Apply what has not been applied yet, up to and with `to`; the names of the applied migrations come back.

    Several processes may call it at once: they take turns under an advisory lock, which ends with its holder. Raises
    SchemaTooNew; psycopg.Error when a statement fails; ValueError for an address that is not PostgreSQL's. A migration
    that failed or was killed leaves nothing behind, those before it stand.
    """
    with _connected(database_url) as conn:
        if not _pending(conn):  # nobody waits for a lock, such as a long backup's, to do nothing
            return []
        _queries.lock_migrations(conn, key=_LOCK)
        waiting = [name for name in _pending(conn) if to is None or name <= to]
        for name in waiting:
            with conn.transaction():
                apply(conn, {name})
    return waiting


def rollback(database_url: str, *, to: str | None = None) -> list[str]:
    """Take back applied migrations, newest first, down to and without `to` (all when it is None). Raises as `migrate` does."""
    with _connected(database_url) as conn:
        _queries.lock_migrations(conn, key=_LOCK)
        _pending(conn)
        names = [name for name in reversed(applied(conn)) if to is None or name > to]
        for name in names:
            with conn.transaction():
                take_back(conn, {name})
    return names


def apply(conn: Connection[Any], names: Collection[str]) -> None:
    """Apply these migrations within the transaction of the caller, who holds the lock."""
    with _told_nobody():
        _Transaction(conn).apply_migrations_only([migration for migration in _migrations() if migration.id in names])


def take_back(conn: Connection[Any], names: Collection[str]) -> None:
    """Take these migrations back within the transaction of the caller, who holds the lock."""
    with _told_nobody():
        _Transaction(conn).rollback_migrations([one for one in reversed(_migrations()) if one.id in names])


def lock(conn: Connection[Any]) -> None:
    """Let nobody else migrate as long as this session lasts; waits for whoever does, at most for its `lock_timeout`."""
    _queries.lock_migrations(conn, key=_LOCK)


def lock_out(conn: Connection[Any]) -> None:
    """Let nobody migrate as long as this session lasts; others may do the same meanwhile. Waits as `lock` does."""
    _queries.lock_out_migrations(conn, key=_LOCK)


class _Transaction(PostgresqlPsycopgBackend):  # type: ignore[misc]  # yoyo has no types
    """yoyo within the transaction of a given connection.

    Left to itself it commits the statements first and the note that they were applied second. Killed between the two, it
    would try the same statements again at the next start, and fail for ever.
    """

    def __init__(self, conn: Connection[Any]) -> None:
        self._given = conn
        super().__init__(parse_uri("postgresql+psycopg:///"), default_migration_table)
        self._in_transaction = True  # what yoyo calls a transaction is a savepoint from here on
        self.create_lock_table()  # programs of before look at it
        self.break_lock()
        if internalmigrations.needs_upgrading(self):
            internalmigrations.upgrade(self)
        self._internal_schema_updated = True

    def connect(self, _uri: object) -> Connection[Any]:
        return self._given

    def copy(self) -> "_Transaction":
        return self

    def __exit__(self, *_exception: object) -> None:
        """The connection stays open: it is the caller's."""


def _pending(conn: Connection[Any]) -> list[str]:
    names, there = known(), applied(conn)
    foreign = [name for name in there if name not in names]
    if foreign:
        raise SchemaTooNew(
            f"the database was made by a newer version of Gridward (it has {', '.join(foreign)}): update this program"
        )
    return [name for name in names if name not in there]


@functools.cache
def _migrations() -> Sequence[Any]:
    return tuple(topological_sort(read_migrations(str(DIRECTORY))))


def _connected(database_url: str) -> Connection[Any]:
    scheme, separator, _ = database_url.partition("://")
    if scheme not in {"postgresql", "postgres"} or not separator:
        raise ValueError("the database address must start with postgresql://")
    return open_session(database_url, "gridward-migrate")


@contextlib.contextmanager
def _told_nobody() -> Iterator[None]:
    """Yoyo prints what a statement answers."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
