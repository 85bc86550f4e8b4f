from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cloud.db import migrate as migrations
from cloud.db.leader import Duty, Leadership
from cloud.db.migrate import applied, known, migrate, pending, rollback
from cloud.db.queries import load
from cloud.errors import SchemaTooNew
from tests.databases import DatabaseServer
from tests.waiting import wait_until


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as conn:
        rows = conn.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    return {row[0] for row in rows if "yoyo" not in row[0]}


def test_up_down_and_up_again(postgres_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = pending(postgres_url)
    assert names == sorted(names)
    assert migrate(postgres_url) == names
    assert (migrate(postgres_url), pending(postgres_url)) == ([], [])
    before = tables(postgres_url)
    assert {"node", "reading", "receipt"} <= before
    assert rollback(postgres_url) == names[::-1]
    assert tables(postgres_url) == set()
    migrate(postgres_url)
    assert tables(postgres_url) == before
    assert capsys.readouterr().out == ""


def test_processes_that_start_together_take_turns(postgres_url: str) -> None:
    with ThreadPoolExecutor(3) as threads:
        done = list(threads.map(migrate, [postgres_url] * 3))
    assert sorted(map(len, done))[:2] == [0, 0]


def test_a_migration_that_was_killed_blocks_nobody(postgres_url: str) -> None:
    migrate(postgres_url)
    with psycopg.connect(postgres_url) as conn:
        conn.execute("insert into yoyo_lock (locked, ctime, pid) values (1, now(), 1)")
    assert migrate(postgres_url) == []


class _Killed(BaseException):
    """The end of a process: nothing of ours runs after it."""


@pytest.fixture
def mortal(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A list with the number of statements that are left to a process that migrates, before it is killed."""
    left = [0]

    def cursor(self: Any) -> Any:  # yoyo asks for one before every statement
        left[0] -= 1
        if left[0] < 0:
            self.connection.pgconn.finish()
            raise _Killed
        return self.connection.cursor()

    monkeypatch.setattr(migrations._Transaction, "cursor", cursor)
    yield left
    monkeypatch.undo()


def _until_it_ends(run: Any, left: list[int]) -> int:
    """Start again and again, each time killed one statement later than the time before; how often it was killed."""
    for statements in range(10_000):
        left[0] = statements
        try:
            run()
        except _Killed:
            continue
        return statements
    raise AssertionError


def test_killed_at_any_statement_it_is_started_again(postgres_url: str, mortal: list[int]) -> None:
    assert _until_it_ends(lambda: migrate(postgres_url), mortal) > 50
    mortal[0] = 10_000
    with psycopg.connect(postgres_url) as conn:
        assert applied(conn) == known()
    assert pending(postgres_url) == []
    assert _until_it_ends(lambda: rollback(postgres_url), mortal) > 20
    assert tables(postgres_url) == set()
    mortal[0] = 10_000
    assert migrate(postgres_url) == known()


def test_a_statement_that_fails_leaves_nothing_of_its_migration(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute("create table grid_case ()")  # in the way of the fifth
        with pytest.raises(psycopg.errors.DuplicateTable):
            migrate(postgres_url)
        assert applied(conn) == known()[:4]
        assert "case_counter" not in tables(postgres_url)
        conn.execute("drop table grid_case")
    assert migrate(postgres_url) == known()[4:]


def test_a_database_of_a_newer_version_is_left_alone(migrated_url: str) -> None:
    with psycopg.connect(migrated_url) as conn:
        conn.execute(
            "insert into _yoyo_migration (migration_hash, migration_id, applied_at_utc) values ('x', '9999_later', now())"
        )
    for use in (migrate, pending, rollback):
        with pytest.raises(SchemaTooNew, match=r"newer version of Gridward \(it has 9999_later\): update this program"):
            use(migrated_url)


def test_nobody_waits_for_the_lock_to_do_nothing(migrated_url: str) -> None:
    with psycopg.connect(migrated_url, autocommit=True) as conn:
        migrations.lock_out(conn)
        assert migrate(migrated_url) == []


def test_up_to_a_version(postgres_url: str) -> None:
    assert migrate(postgres_url, to="0003_telemetry") == known()[:3]
    assert rollback(postgres_url, to="0002_fleet") == ["0003_telemetry"]
    assert pending(postgres_url) == known()[2:]


def test_timescaledb_may_live_in_any_schema(postgres_server: DatabaseServer, postgres_url: str) -> None:
    own = make_conninfo(postgres_server.superuser_url(), dbname=conninfo_to_dict(postgres_url)["dbname"])
    with psycopg.connect(own, autocommit=True) as conn:
        if conn.execute("select from pg_settings where name = 'timescaledb.disable_load'").fetchone() is None:
            pytest.skip("this server has no TimescaleDB")
        conn.execute("drop extension if exists timescaledb")
    with psycopg.connect(own, autocommit=True) as conn:
        conn.execute('create schema "time series"')
        conn.execute('grant usage on schema "time series" to public')
        conn.execute('create extension timescaledb schema "time series"')
    migrate(postgres_url)
    with psycopg.connect(postgres_url) as conn:
        found = conn.execute("select hypertable_name from timescaledb_information.hypertables").fetchall()
    assert found == [("reading",)]


def test_other_databases_are_refused() -> None:
    with pytest.raises(ValueError, match="postgresql://"):
        migrate("sqlite:///x.db")


def test_one_process_leads_and_the_next_follows_when_it_goes(postgres_url: str) -> None:
    first, second = (Leadership(postgres_url, Duty.JOBS) for _ in range(2))
    other = Leadership(postgres_url, Duty.PRESENCE)
    assert (first.held(), second.held(), other.held()) == (True, False, True)
    assert (first.held(), second.held()) == (True, False)
    first.release()
    wait_until(second.held, timeout_s=30, what="the server to end the first one's connection, and its lock")
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(
            "select pg_terminate_backend(pid) from pg_locks join pg_database on pg_database.oid = database"
            " where locktype = 'advisory' and granted and datname = current_database()"
        )
    assert not second.held()
    wait_until(first.held, timeout_s=30, what="the lock of a connection that the server has ended")
    for leadership in (first, second, other):
        leadership.release()


def test_leadership_without_a_database_is_none() -> None:
    assert not Leadership("postgresql://nobody@127.0.0.1:1/none", Duty.JOBS).held()


def test_array_parameters_travel_in_binary() -> None:
    queries = load("cloud.telemetry")
    assert "%(value)b::double precision[]" in queries.add_readings.sql
    assert "%(received_at)s" in queries.add_changes.sql
