"""Use cases: take a backup of a running cloud, check one, put one back."""

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cloud.backup import load
from cloud.backup.dump import Say, dump_database, snapshot
from cloud.backup.evidence import dump_evidence, load_evidence, note_named, verify_evidence
from cloud.backup.folder import BackupReader, BackupWriter, table_file
from cloud.backup.model import FORMAT, Manifest
from cloud.evidence.files import EvidenceFiles
from cloud.evidence.store import stored_files


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def say_nothing(_line: str) -> None:
    """For callers who want no progress."""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was taken. `sha256` is the hash of its manifest, which stands for all of it."""

    manifest: Manifest
    sha256: str


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back: `evidence_put` files were not in the store before, tables of strangers were left out."""

    manifest: Manifest
    evidence_put: int
    left_out: tuple[str, ...]


def back_up(
    database_url: str,
    files: EvidenceFiles,
    place: Path,
    *,
    say: Say = say_nothing,
    clock: Callable[[], datetime] = utc_now,
) -> Made:
    """Take a backup of a cloud that may go on working.

    The database is read as of one moment; the evidence that it knows of then is copied afterwards, which is never less:
    evidence is stored before the database says so, and its files never change. Raises Conflict, SchemaTooNew,
    EvidenceStoreAway, psycopg.Error, OSError; nothing is at `place` then.
    """
    with BackupWriter(place) as writer, writer.scratch() as named:
        with snapshot(database_url) as conn:
            created_at = clock()
            database = dump_database(conn, writer, say)
            note_named(stored_files(conn), named)
        evidence = dump_evidence(files, named, writer, say)
        manifest = Manifest(
            format=FORMAT,
            created_at=created_at,
            software=importlib.metadata.version("gridward"),
            schema=database.schema,
            tables=database.tables,
            sequences=database.sequences,
            months=database.months,
            evidence=evidence,
        )
        return Made(manifest, writer.finish(manifest))


def verify(place: Path, *, sha256: str | None = None, say: Say = say_nothing) -> Manifest:
    """Read a whole backup and compare each byte with its hash. `sha256` is the one that was told when it was taken.

    Without it damage is found, forgery is not: whoever can change a file can change the manifest too. Raises
    UnusableBackup.
    """
    reader = BackupReader(place)
    manifest = reader.manifest(sha256=sha256)
    for table in manifest.tables:
        for _ in reader.unpack(table_file(table.name), table.file):
            pass
        say(f"table {table.name}: in order")
    verify_evidence(reader, manifest, say)
    return manifest


def restore(
    database_url: str,
    files: EvidenceFiles,
    place: Path,
    *,
    replace: bool = False,
    sha256: str | None = None,
    say: Say = say_nothing,
) -> Restored:
    """Put a backup in the place of an empty database, or with `replace` of any; its evidence into the store.

    All of the backup is verified before anything is changed; then the evidence comes first, so that nothing is ever said to
    be stored that is not; the database changes in one transaction. Raises UnusableBackup, DatabaseNotEmpty, Conflict,
    SchemaTooNew, EvidenceStoreAway, psycopg.Error.
    """
    with load.connect(database_url) as conn:
        load.check_target(conn, replace=replace)
        manifest = verify(place, sha256=sha256, say=say)
        load.check_schema(manifest)
        reader = BackupReader(place)
        put = load_evidence(reader, manifest, files, say)
        left_out = load.load_database(conn, reader, manifest, say)
    return Restored(manifest, put, tuple(left_out))
