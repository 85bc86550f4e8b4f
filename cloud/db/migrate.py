"""Migrations: plain SQL files, applied in the order of their numbers, each in its own transaction."""

import contextlib
import io
from pathlib import Path

import psycopg
from yoyo import get_backend, read_migrations

DIRECTORY = Path(__file__).with_name("migrations")

_LOCK = 0x6772_6964_0001  # the advisory lock under which one process migrates; any constant will do


def migrate(database_url: str) -> list[str]:
    """Apply what has not been applied yet; the names of the applied migrations come back.

    Several processes may call it at once: they take turns under an advisory lock, which ends with its holder, so the lock
    row of a migration that was killed is cleared here. Raises psycopg.Error when a statement fails; the migration that
    failed leaves nothing behind; ValueError for an address that is not PostgreSQL's.
    """
    yoyo_url = _yoyo_url(database_url)
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        backend = get_backend(yoyo_url)
        try:
            backend.break_lock()
            with backend.lock():
                waiting = backend.to_apply(read_migrations(str(DIRECTORY)))
                names = [migration.id for migration in waiting]
                with contextlib.redirect_stdout(io.StringIO()):  # yoyo prints what a statement answers
                    backend.apply_migrations(waiting)
        finally:
            backend.connection.close()
    return names


def pending(database_url: str) -> list[str]:
    """The migrations that this code has and the database does not. Raises psycopg.Error when it can't be reached."""
    backend = get_backend(_yoyo_url(database_url))
    try:
        return [migration.id for migration in backend.to_apply(read_migrations(str(DIRECTORY)))]
    finally:
        backend.connection.close()


def rollback(database_url: str, *, to: str | None = None) -> list[str]:
    """Take back applied migrations, newest first, down to and without `to` (all when it is None)."""
    backend = get_backend(_yoyo_url(database_url))
    try:
        with backend.lock():
            applied = backend.to_rollback(read_migrations(str(DIRECTORY)))
            if to is not None:
                applied = applied.filter(lambda migration: migration.id > to)
            names = [migration.id for migration in applied]
            backend.rollback_migrations(applied)
    finally:
        backend.connection.close()
    return names


def _yoyo_url(database_url: str) -> str:
    scheme, separator, rest = database_url.partition("://")
    if scheme not in {"postgresql", "postgres"} or not separator:
        raise ValueError("the database address must start with postgresql://")
    return f"postgresql+psycopg://{rest}"
