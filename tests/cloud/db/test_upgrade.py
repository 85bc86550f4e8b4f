"""From each released schema, with data in every table, to the present one and back.

`released/<schema>` is a backup that the released program wrote of a cloud that `tests.cloud.populated` filled. Each release
adds its own: `python -m tests.cloud.db.release DIRECTORY`, and a line in `RELEASED`.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from cloud.backup import load, service
from cloud.backup.folder import BackupReader
from cloud.backup.model import Manifest
from cloud.db.migrate import applied, known, migrate, pending, rollback
from cloud.db.pool import open_pool
from cloud.errors import ConfigurationError, SchemaTooNew
from cloud.evidence.files import EvidenceFiles
from cloud.ingest.writer import Writer
from cloud.main import Part, running
from cloud.settings import CloudSettings
from edge.contract.downlink import Outcome
from tests.cloud.populated import columns_of, rows_of
from tests.fakes.node import AT, FakeNode, batch, birth, column, sensor
from tests.waiting import wait_until

FOLDER = Path(__file__).with_name("released")
RELEASED = ("0006_live", "0019_views")
"""The last migration of each release."""

released = pytest.mark.parametrize("schema", RELEASED)


def connect(url: str) -> Connection[Any]:
    return psycopg.connect(url, options="-c timezone=UTC")


def manifest_of(schema: str) -> Manifest:
    return BackupReader(FOLDER / schema).manifest()


@pytest.fixture
def old_database(postgres_url: str) -> Callable[[str], str]:
    """Makes the database of a release, as that release left it."""

    def make(schema: str) -> str:
        migrate(postgres_url, to=schema)
        with psycopg.connect(postgres_url) as conn:
            load.load_rows(conn, BackupReader(FOLDER / schema), manifest_of(schema), service.say_nothing)
        return postgres_url

    return make


@released
def test_a_release_is_kept_whole(schema: str) -> None:
    manifest = service.verify(FOLDER / schema)
    assert manifest.complete
    assert manifest.schema == tuple(known()[: len(manifest.schema)])
    assert manifest.schema[-1] == schema
    assert {table.name for table in manifest.tables if not table.rows} == set()


@released
def test_data_of_a_release_survive_the_way_up_and_down(schema: str, old_database: Callable[[str], str]) -> None:
    url = old_database(schema)
    with connect(url) as conn:
        columns, before = columns_of(conn), rows_of(conn)
    assert migrate(url) == [name for name in known() if name > schema]
    with connect(url) as conn:
        assert rows_of(conn, columns) == before
    rollback(url, to=schema)
    with connect(url) as conn:
        assert columns_of(conn) == columns
        assert rows_of(conn) == before
    migrate(url)
    with connect(url) as conn:
        assert rows_of(conn, columns) == before


@released
def test_the_present_program_goes_on_where_a_release_stopped(schema: str, old_database: Callable[[str], str]) -> None:
    url = old_database(schema)
    migrate(url)
    pool = open_pool(url, size=2)
    node = FakeNode()
    try:
        writer = Writer(pool, lambda _: False, clock=lambda: AT)
        verdicts = writer.settle(
            [node.item(birth(sensor("sensor-01", "temperature"))), node.item(batch(column([1.0])))]
        )
    finally:
        pool.close()
    assert [verdict.outcome for verdict in verdicts] == [Outcome.ACCEPTED] * 2


@released
def test_the_backup_of_a_release_is_restored(schema: str, postgres_url: str, tmp_path: Path) -> None:
    files = EvidenceFiles((tmp_path / "store").as_uri())
    restored = service.restore(postgres_url, files, FOLDER / schema)
    assert restored.evidence_put == restored.manifest.evidence.files > 0
    with connect(postgres_url) as conn:
        assert applied(conn) == known()
        counted = {table.name: table.rows for table in manifest_of(schema).tables}
        assert {name: len(rows) for name, rows in rows_of(conn).items() if name in counted} == counted


@released
def test_a_service_does_not_start_on_an_older_schema(
    schema: str, old_database: Callable[[str], str], tmp_path: Path
) -> None:
    url = old_database(schema)
    migrate(url)
    rollback(url, to=known()[-2])
    settings = CloudSettings.model_validate({"database_url": url, "data_directory": tmp_path})
    with pytest.raises(ConfigurationError, match="run `gridward-cloud migrate`"), running(settings, Part.API):
        pass


@pytest.mark.parametrize("part", list(Part))
def test_a_service_does_not_start_on_a_newer_schema(part: Part, migrated_url: str, tmp_path: Path) -> None:
    with psycopg.connect(migrated_url) as conn:
        conn.execute(
            "insert into _yoyo_migration (migration_hash, migration_id, applied_at_utc) values ('x', '9999_later', now())"
        )
    settings = CloudSettings.model_validate({"database_url": migrated_url, "data_directory": tmp_path})
    with pytest.raises(SchemaTooNew, match="9999_later"), running(settings, part):
        pass


def test_a_process_that_is_killed_while_it_migrates_blocks_nobody(old_database: Callable[[str], str]) -> None:
    """Another transaction holds what the migration needs; the process dies while it waits."""
    url = old_database(RELEASED[0])
    rollback(url, to=known()[3])
    program = "import sys; from cloud.db.migrate import migrate; migrate(sys.argv[1])"
    with psycopg.connect(url, autocommit=True) as watching, psycopg.connect(url) as holding:
        holding.execute("lock table _yoyo_migration in share row exclusive mode")
        with subprocess.Popen([sys.executable, "-c", program, url], stderr=subprocess.DEVNULL) as process:
            wait_until(
                lambda: (
                    watching.execute(
                        "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
                    ).rowcount
                    > 0
                )
            )
            process.kill()
        holding.rollback()
    assert migrate(url) == known()[4:]
    assert pending(url) == []
