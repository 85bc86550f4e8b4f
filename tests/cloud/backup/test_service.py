"""Backups of a populated cloud, with a real server and a real store."""

import gzip
import hashlib
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from cloud.access import accounts
from cloud.backup import dump, load, service, store
from cloud.backup.dump import FLEETING, NOT_KEPT
from cloud.backup.folder import BackupReader, evidence_file, table_file
from cloud.db import migrate
from cloud.db.migrate import known
from cloud.db.pool import open_pool
from cloud.embedded.postgres import EmbeddedPostgres
from cloud.errors import Conflict, DatabaseNotEmpty, SchemaTooNew, UnusableBackup
from cloud.evidence.files import EvidenceFiles
from cloud.ingest import store as ingest
from cloud.ingest.model import Item
from cloud.ingest.writer import Writer
from cloud.telemetry import service as telemetry
from edge.contract.downlink import Outcome
from tests.cloud.populated import PICTURES, STORED_FILES, Populated, has_password, picture, rows_of
from tests.databases import has_timescaledb
from tests.fakes.node import AT, batch, column, incident
from tests.waiting import wait_until


def connect(url: str) -> Connection[Any]:
    return psycopg.connect(url, options="-c timezone=UTC")


def rows_in(url: str) -> dict[str, list[str]]:
    with connect(url) as conn:
        return rows_of(conn)


def test_every_row_and_file_comes_back(
    populated: Populated, postgres_url: str, tmp_path: Path, empty_store: EvidenceFiles
) -> None:
    made = service.back_up(populated.url, populated.files, tmp_path / "backup")
    restored = service.restore(postgres_url, empty_store, tmp_path / "backup")
    assert restored.manifest == made.manifest
    assert restored.left_out == ()
    before = rows_in(populated.url)
    assert {name for name, rows in before.items() if not rows} == set()
    assert rows_in(postgres_url) == before | {name: [] for name in NOT_KEPT}
    for number, content in enumerate(PICTURES[:-1]):
        assert b"".join(empty_store.read_all(picture(number).sha256)) == content
    assert made.manifest.evidence.files == STORED_FILES
    with connect(populated.url) as old, connect(postgres_url) as new:
        assert store.sequences(new) == store.sequences(old)


@pytest.mark.usefixtures("native_partitions")
def test_each_month_has_its_partition_again(populated: Populated, postgres_url: str, backup: Path) -> None:
    service.restore(postgres_url, populated.files, backup)
    with connect(populated.url) as old, connect(postgres_url) as new:
        question = "select tableoid::regclass::text, count(*) from reading group by 1 order by 1"
        found = new.execute(question).fetchall()
        assert found == old.execute(question).fetchall()
    assert len(found) >= 3


def test_life_goes_on_after_a_restore(
    populated: Populated, postgres_url: str, tmp_path: Path, empty_store: EvidenceFiles
) -> None:
    """Nothing counts twice, new rows get numbers of their own, people sign in anew."""
    before = [
        populated.node.item(batch(column([float(n)], begin=AT - timedelta(hours=3, seconds=n)))) for n in range(3)
    ]
    since = [populated.node.item(batch(column([float(n)], begin=AT - timedelta(hours=4, seconds=n)))) for n in range(3)]
    settle(populated.url, before)
    service.back_up(populated.url, populated.files, tmp_path / "backup")
    settle(populated.url, since)
    service.restore(postgres_url, empty_store, tmp_path / "backup")
    assert settle(postgres_url, before) == [Outcome.DUPLICATE] * 3
    assert settle(postgres_url, since) == [Outcome.ACCEPTED] * 3
    assert settle(postgres_url, since) == [Outcome.DUPLICATE] * 3
    assert settle(postgres_url, [populated.node.item(incident(device="cam-1", kind="other"))]) == [Outcome.ACCEPTED]
    assert_rollups_right(postgres_url)
    own = open_pool(postgres_url, size=2)
    try:
        assert accounts.sign_in(own, has_password("chief"), clock=lambda: AT, lasts_s=60).token
    finally:
        own.close()


def test_what_the_cloud_took_after_the_backup_shows_as_missing(
    populated: Populated, postgres_url: str, backup: Path, empty_store: EvidenceFiles
) -> None:
    """The nodes have let go of it, so it is gone with the old database; their numbers tell how much it was."""
    since = [populated.node.item(batch(column([float(n)], begin=AT - timedelta(hours=4, seconds=n)))) for n in range(3)]
    settle(populated.url, since)
    service.restore(postgres_url, empty_store, backup)
    before = missing(postgres_url)
    settle(postgres_url, [populated.node.item(batch(column([1.0], begin=AT - timedelta(hours=6))))])
    assert missing(postgres_url) - before >= 3


def missing(url: str) -> int:
    with connect(url) as conn:
        return sum(ingest.missing_messages(conn).values())


def settle(url: str, items: list[Item]) -> list[Outcome]:
    pool = open_pool(url, size=2)
    try:
        writer = Writer(pool, lambda _: False, clock=lambda: AT + timedelta(hours=5))
        return [verdict.outcome for verdict in writer.settle(items)]
    finally:
        pool.close()


def assert_rollups_right(url: str) -> None:
    pool = open_pool(url, size=2)
    try:
        telemetry.roll_up(pool)
    finally:
        pool.close()
    with connect(url) as conn:
        recounted = conn.execute(
            "select series_id, date_trunc('minute', observed_at), count(*), min(value), max(value)"
            " from reading group by 1, 2 order by 1, 2"
        ).fetchall()
        assert (
            recounted
            == conn.execute(
                "select series_id, bucket_at, count, minimum, maximum from rollup_minute order by 1, 2"
            ).fetchall()
        )


def test_a_backup_under_load_is_of_one_moment(
    populated: Populated, postgres_url: str, tmp_path: Path, empty_store: EvidenceFiles
) -> None:
    """While messages are settled: each is in the backup with all that it brought, or with nothing."""
    stop, settled = threading.Event(), threading.Event()
    sent: list[Item] = []

    def report() -> None:
        pool = open_pool(populated.url, size=2)
        writer = Writer(pool, lambda _: False, clock=lambda: AT + timedelta(hours=5))
        for number in range(10_000):
            if stop.is_set():
                break
            at = AT - timedelta(days=1, seconds=number * 10)
            item = populated.node.item(batch(column([1234.5] * 5, begin=at)))
            writer.settle([item])
            sent.append(item)
            if number > 5:
                settled.set()
        pool.close()

    thread = threading.Thread(target=report)
    thread.start()
    try:
        assert settled.wait(200)
        service.back_up(populated.url, populated.files, tmp_path / "backup")
    finally:
        stop.set()
        thread.join()
    service.restore(postgres_url, empty_store, tmp_path / "backup")
    outcomes = settle(postgres_url, sent)
    kept = outcomes.count(Outcome.DUPLICATE)
    assert kept >= 6
    assert outcomes == [Outcome.DUPLICATE] * kept + [Outcome.ACCEPTED] * (len(sent) - kept)
    with connect(postgres_url) as conn:
        assert conn.execute("select count(*) from reading where value = 1234.5").fetchone() == (5 * len(sent),)
    assert_rollups_right(postgres_url)


def test_files_that_the_store_lacks_are_told(
    populated: Populated, postgres_url: str, tmp_path: Path, empty_store: EvidenceFiles
) -> None:
    missing, damaged = (populated.store / evidence_file(picture(n).sha256).removeprefix("evidence/") for n in (0, 1))
    missing.unlink()
    damaged.write_bytes(b"something else")
    made = service.back_up(populated.url, populated.files, tmp_path / "backup")
    evidence = made.manifest.evidence
    assert (evidence.missing, evidence.damaged, evidence.files) == (1, 1, STORED_FILES - 2)
    assert not made.manifest.complete
    assert service.verify(tmp_path / "backup") == made.manifest
    assert service.restore(postgres_url, empty_store, tmp_path / "backup").evidence_put == STORED_FILES - 2


def test_nobody_else_reads_a_backup(populated: Populated, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    service.back_up(populated.url, populated.files, backup)
    for path in (backup, *backup.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_who_was_signed_in_is_not_kept(backup: Path) -> None:
    assert not (backup / table_file("session")).exists()
    assert "session" not in {table.name for table in service.verify(backup).tables}


def test_a_backup_does_not_overwrite(populated: Populated, backup: Path) -> None:
    with pytest.raises(Conflict, match="is there already"):
        service.back_up(populated.url, populated.files, backup)


def test_one_that_fails_leaves_nothing(populated: Populated, tmp_path: Path) -> None:
    url = populated.url.replace(populated.url.rpartition("/")[2], "no_such_database")
    with pytest.raises(psycopg.OperationalError):
        service.back_up(url, populated.files, tmp_path / "backup")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


def test_one_that_was_killed_is_known_as_unfinished_and_made_anew(populated: Populated, tmp_path: Path) -> None:
    place = tmp_path / "backup"
    program = (
        "import os, sys; from pathlib import Path; from cloud.backup import service;"
        "from cloud.evidence.files import EvidenceFiles;"
        "service.back_up(sys.argv[1], EvidenceFiles(sys.argv[2]), Path(sys.argv[3]),"
        "  say=lambda line: os._exit(9) if line.startswith('table incident:') else None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, populated.url, populated.store.as_uri(), str(place)], check=False, timeout=120
    )
    assert done.returncode == 9
    assert not place.exists()
    with pytest.raises(UnusableBackup, match="never finished"):
        service.verify(place)
    service.back_up(populated.url, populated.files, place)
    assert service.verify(place).complete
    assert not place.with_name("backup.unfinished").exists()


def test_a_restore_that_is_killed_changes_nothing(
    populated: Populated, backup: Path, empty_store: EvidenceFiles
) -> None:
    settle(populated.url, [populated.node.item(batch(column([5.0], begin=AT - timedelta(hours=1))))])
    before = rows_in(populated.url)
    program = (
        "import os, sys; from pathlib import Path; from cloud.backup import service;"
        "from cloud.evidence.files import EvidenceFiles;"
        "loaded = lambda line: line.startswith('table series') and line.endswith('rows');"
        "service.restore(sys.argv[1], EvidenceFiles(sys.argv[2]), Path(sys.argv[3]), replace=True,"
        "  say=lambda line: os._exit(9) if loaded(line) else None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, populated.url, populated.store.as_uri(), str(backup)], check=False, timeout=120
    )
    assert done.returncode == 9
    wait_until(lambda: not _others(populated.url), timeout_s=60.0)
    assert rows_in(populated.url) == before
    service.restore(populated.url, empty_store, backup, replace=True)
    assert rows_in(populated.url)["reading"] != before["reading"]


def _others(url: str) -> dict[str, int]:
    with connect(url) as conn:
        return store.others(conn)


def test_a_database_that_holds_something_is_kept(populated: Populated, backup: Path) -> None:
    before = rows_in(populated.url)
    with pytest.raises(DatabaseNotEmpty, match="--replace"):
        service.restore(populated.url, populated.files, backup)
    assert rows_in(populated.url) == before
    service.restore(populated.url, populated.files, backup, replace=True)
    assert rows_in(populated.url) == before | {name: [] for name in NOT_KEPT}


def test_a_schema_without_anything_in_it_counts_as_empty(migrated_url: str, populated: Populated, backup: Path) -> None:
    service.restore(migrated_url, populated.files, backup)
    assert rows_in(migrated_url) == rows_in(populated.url) | {name: [] for name in NOT_KEPT}


def test_nobody_else_may_be_connected_to_a_restore(postgres_url: str, populated: Populated, backup: Path) -> None:
    with (
        psycopg.connect(postgres_url, application_name="gridward"),
        pytest.raises(Conflict, match=r"1 of gridward\): stop the services"),
    ):
        service.restore(postgres_url, populated.files, backup)


def test_nobody_migrates_under_a_backup(populated: Populated, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(store, "write_portably", lambda conn: conn.execute("set lock_timeout = '50ms'"))
    with psycopg.connect(populated.url, autocommit=True) as migrating:
        migrate.lock(migrating)
        with pytest.raises(Conflict, match="being migrated"):
            service.back_up(populated.url, populated.files, tmp_path / "backup")
        with pytest.raises(Conflict, match="being migrated or backed up"):
            service.restore(populated.url, populated.files, tmp_path / "backup")
    with psycopg.connect(populated.url) as locking:
        locking.execute("lock table grid_case in access exclusive mode")
        with pytest.raises(Conflict, match="locked otherwise"):
            service.back_up(populated.url, populated.files, tmp_path / "backup")
    with dump.snapshot(populated.url), dump.snapshot(populated.url):
        pass  # two backups do not mind each other


def test_tables_of_strangers_stay_out_and_are_named(populated: Populated, postgres_url: str, tmp_path: Path) -> None:
    with connect(populated.url) as conn:
        conn.execute("create table somebody_else (what text)")
        conn.execute("insert into somebody_else values ('x')")
    service.back_up(populated.url, populated.files, tmp_path / "backup")
    restored = service.restore(postgres_url, populated.files, tmp_path / "backup")
    assert restored.left_out == ("somebody_else",)
    assert "somebody_else" not in rows_in(postgres_url)
    with connect(populated.url) as conn:
        conn.execute("insert into somebody_else values ('y')")
    restored = service.restore(populated.url, populated.files, tmp_path / "backup", replace=True)
    assert restored.left_out == ("somebody_else",)
    assert rows_in(populated.url)["somebody_else"] == ["(x)", "(y)"]


def test_unlogged_tables_of_strangers_are_spared_and_seen_too(
    populated: Populated, migrated_url: str, tmp_path: Path
) -> None:
    service.back_up(populated.url, populated.files, tmp_path / "backup")
    with connect(migrated_url) as conn:
        conn.execute("create unlogged table cache_of_others (what text)")
        conn.execute("insert into cache_of_others values ('x')")
    with pytest.raises(DatabaseNotEmpty):
        service.restore(migrated_url, populated.files, tmp_path / "backup")
    service.restore(migrated_url, populated.files, tmp_path / "backup", replace=True)
    with connect(migrated_url) as conn:
        assert conn.execute("select what from cache_of_others").fetchall() == [("x",)]
    made = service.back_up(migrated_url, populated.files, tmp_path / "another").manifest
    names = {table.name for table in made.tables}
    assert "cache_of_others" in names
    assert names.isdisjoint(FLEETING | NOT_KEPT)


def test_what_of_ours_is_unlogged_is_in_no_backup_and_gone_after_a_restore(
    populated: Populated, backup: Path, migrated_url: str
) -> None:
    with connect(migrated_url) as conn:
        unlogged = conn.execute("select relname from pg_class where relkind = 'r' and relpersistence = 'u'").fetchall()
        assert {name for (name,) in unlogged} == FLEETING
    with connect(populated.url) as conn:
        conn.execute("insert into wall_camera (device_id, asked_at) select id, now() from device")
    service.restore(populated.url, populated.files, backup, replace=True)
    with connect(populated.url) as conn:
        assert conn.execute("select count(*) from wall_camera").fetchone() == (0,)


def test_a_newer_schema_is_neither_backed_up_nor_overwritten(
    populated: Populated, backup: Path, tmp_path: Path
) -> None:
    with connect(populated.url) as conn:
        conn.execute(
            "insert into _yoyo_migration (migration_hash, migration_id, applied_at_utc) values ('x', '9999_later', now())"
        )
    with pytest.raises(SchemaTooNew, match="9999_later"):
        service.back_up(populated.url, populated.files, tmp_path / "another")
    with pytest.raises(SchemaTooNew, match="9999_later"):
        service.restore(populated.url, populated.files, backup, replace=True)


# --- backups that are not what they should be ------------------------------------------------------------------------


def edited(backup: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The backup with another manifest."""
    file = backup / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    change(manifest)
    file.write_text(json.dumps(manifest), encoding="utf-8")
    return backup


def refused(url: str, files: EvidenceFiles, backup: Path, match: str, **options: Any) -> None:
    """It is refused, and neither the database nor the store has changed."""
    with pytest.raises(UnusableBackup, match=match):
        service.restore(url, files, backup, **options)
    assert rows_in(url) == {}
    assert list(files.names()) == []


def test_one_changed_byte_anywhere_is_found(backup: Path, postgres_url: str, empty_store: EvidenceFiles) -> None:
    files = [path for path in sorted(backup.rglob("*")) if path.is_file() and path.name != "manifest.json"]
    assert len(files) > 25
    for number, path in enumerate(files):
        content = path.read_bytes()
        place = (number * 7919) % len(content)
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << number % 8]) + content[place + 1 :])
        with pytest.raises(UnusableBackup):
            service.verify(backup)
        path.write_bytes(content)
    service.verify(backup)
    damaged = backup / evidence_file(picture(0).sha256)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    refused(postgres_url, empty_store, backup, "is damaged")


@pytest.mark.parametrize("left_bytes", [0, 1, 20, -1])
def test_a_cut_file_is_found(backup: Path, postgres_url: str, empty_store: EvidenceFiles, left_bytes: int) -> None:
    path = backup / table_file("reading")
    path.write_bytes(path.read_bytes()[:left_bytes])
    refused(postgres_url, empty_store, backup, "another length")


def test_a_missing_file_is_found(backup: Path, postgres_url: str, empty_store: EvidenceFiles) -> None:
    (backup / table_file("gap")).unlink()
    refused(postgres_url, empty_store, backup, "gap.copy.gz can't be read")


def test_a_manifest_of_somebody_else_is_found_by_its_hash(
    backup: Path, postgres_url: str, empty_store: EvidenceFiles
) -> None:
    sha256 = hashlib.sha256((backup / "manifest.json").read_bytes()).hexdigest()
    service.verify(backup, sha256=sha256.upper())
    edited(backup, lambda manifest: manifest.update(software="0.0.1"))
    refused(postgres_url, empty_store, backup, "not the one with that hash", sha256=sha256)


def test_versions_to_come_are_refused(backup: Path, postgres_url: str, empty_store: EvidenceFiles) -> None:
    edited(backup, lambda manifest: manifest.update(format=2, more="unknown"))
    refused(postgres_url, empty_store, backup, "format 2, made by a newer version")
    edited(backup, lambda manifest: manifest.update(format=1) or manifest.pop("more"))
    edited(backup, lambda manifest: manifest["schema"].append("9999_later"))
    refused(postgres_url, empty_store, backup, "newer version of Gridward.*9999_later")


def rename_first_table(manifest: dict[str, Any], name: str) -> None:
    manifest["tables"][0]["name"] = name


def test_names_lead_nowhere_else(backup: Path, postgres_url: str, empty_store: EvidenceFiles) -> None:
    for name in ("../../../etc/passwd", "/etc/passwd", 'x"; drop table node; --', "reading\n", "", "x" * 64):
        edited(backup, partial(rename_first_table, name=name))
        refused(postgres_url, empty_store, backup, "manifest.json can't be read")
    edited(backup, lambda manifest: manifest["tables"][0].update(name="area"))
    refused(postgres_url, empty_store, backup, "names something twice")


def test_links_and_pipes_are_not_followed(
    backup: Path, postgres_url: str, empty_store: EvidenceFiles, tmp_path: Path
) -> None:
    gap, away = backup / table_file("gap"), tmp_path / "away"
    gap.rename(away)
    gap.symlink_to(away)
    refused(postgres_url, empty_store, backup, "can't be read")
    gap.unlink()
    os.mkfifo(gap)
    refused(postgres_url, empty_store, backup, "no ordinary file")
    gap.unlink()
    away.rename(gap)
    (backup / "tables").rename(tmp_path / "tables")
    (backup / "tables").symlink_to(tmp_path / "tables")
    refused(postgres_url, empty_store, backup, "tables is a link")


def test_a_bomb_is_not_unpacked(backup: Path, postgres_url: str, empty_store: EvidenceFiles) -> None:
    bomb = gzip.compress(bytes(64 << 20), mtime=0)
    (backup / table_file("gap")).write_bytes(bomb)

    def promise(text_bytes: int) -> Callable[[dict[str, Any]], Any]:
        def change(manifest: dict[str, Any]) -> None:
            (table,) = (one for one in manifest["tables"] if one["name"] == "gap")
            table["file"] = {
                "sha256": hashlib.sha256(bomb).hexdigest(),
                "size_bytes": len(bomb),
                "text_bytes": text_bytes,
            }

        return change

    refused(postgres_url, empty_store, edited(backup, promise(100)), "its bytes were changed")
    refused(postgres_url, empty_store, edited(backup, promise(1 << 50)), "more than its files can hold")
    manifest = BackupReader(edited(backup, promise(100))).manifest()
    (table,) = (one for one in manifest.tables if one.name == "gap")
    pieces = BackupReader(backup).unpack(table_file("gap"), table.file)
    with pytest.raises(UnusableBackup):
        next(pieces)


def test_rows_that_the_schema_refuses_leave_the_database_as_it_was(
    backup: Path, populated: Populated, empty_store: EvidenceFiles
) -> None:
    """Whoever can write the manifest too gets no further than the checks of the schema."""
    before = rows_in(populated.url)
    for text, match in (
        (b"no json\t1\n", "refuses"),
        (b"\\.\n", "rows and not"),
        (b"", "rows and not"),
    ):
        packed = gzip.compress(text, mtime=0)
        (backup / table_file("gap")).write_bytes(packed)

        def change(manifest: dict[str, Any], text: bytes = text, packed: bytes = packed) -> None:
            (table,) = (one for one in manifest["tables"] if one["name"] == "gap")
            table["file"] = {
                "sha256": hashlib.sha256(packed).hexdigest(),
                "size_bytes": len(packed),
                "text_bytes": len(text),
            }

        edited(backup, change)
        with pytest.raises(UnusableBackup, match=match):
            service.restore(populated.url, empty_store, backup, replace=True)
        assert rows_in(populated.url) == before


def test_columns_and_tables_must_be_those_of_the_schema(
    backup: Path, postgres_url: str, empty_store: EvidenceFiles
) -> None:
    original = (backup / "manifest.json").read_bytes()
    edited(backup, lambda manifest: manifest["tables"][0]["columns"].append("password"))
    refused_late(postgres_url, empty_store, backup, "other columns of account")
    (backup / "manifest.json").write_bytes(original)
    edited(backup, lambda manifest: manifest["tables"].pop(0))
    refused_late(postgres_url, empty_store, backup, "lacks tables of its schema: account")
    (backup / "manifest.json").write_bytes(original)


def refused_late(url: str, files: EvidenceFiles, backup: Path, match: str) -> None:
    """Refused when its schema was made to compare it with: the database is as it was, files may lie in the store."""
    with pytest.raises(UnusableBackup, match=match):
        service.restore(url, files, backup)
    assert rows_in(url) == {}


def test_what_is_no_backup(tmp_path: Path, postgres_url: str, empty_store: EvidenceFiles) -> None:
    refused(postgres_url, empty_store, tmp_path / "nowhere", "there is no backup")
    (tmp_path / "folder").mkdir()
    refused(postgres_url, empty_store, tmp_path / "folder", "manifest.json can't be read")
    manifest = tmp_path / "folder" / "manifest.json"
    for text in (
        b"",
        b"[]",
        b"{}",
        b'{"format": 0}',
        b'{"format": 1}',
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"format": 1' * 9,
    ):
        manifest.write_bytes(text)
        refused(postgres_url, empty_store, tmp_path / "folder", "manifest.json can't be read")
    with manifest.open("wb") as file:
        file.truncate(9 << 20)
    refused(postgres_url, empty_store, tmp_path / "folder", "too long to be one")


def test_seeds_are_known(migrated_url: str) -> None:
    with connect(migrated_url) as conn:
        assert {name for name, rows in rows_of(conn).items() if rows} == set(load.SEEDED)
        assert set(store.parents_first(conn, store.tables(conn))) == set(store.tables(conn))
    assert known()[0] == "0001_access"


@pytest.mark.system
@pytest.mark.usefixtures("hypertable")
def test_from_hypertables_to_plain_partitions_and_back(
    populated: Populated, postgres_url: str, backup: Path, server_directory: Path, tmp_path: Path
) -> None:
    """Where the tests run on a TimescaleDB, the embedded server is the other kind."""
    with EmbeddedPostgres(server_directory / "plain", durable=False) as plain:
        url = plain.create_database()
        service.restore(url, populated.files, backup)
        assert not has_timescaledb(url)
        service.back_up(url, populated.files, tmp_path / "back")
        expected = rows_in(populated.url) | {name: [] for name in NOT_KEPT}
        assert rows_in(url) == expected
    service.restore(postgres_url, populated.files, tmp_path / "back")
    assert has_timescaledb(postgres_url)
    assert rows_in(postgres_url) == expected
