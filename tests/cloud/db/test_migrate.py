from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cloud.db.leader import Duty, Leadership
from cloud.db.migrate import migrate, pending, rollback
from cloud.db.queries import load
from tests.databases import DatabaseServer


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
    assert second.held()
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(
            "select pg_terminate_backend(pid) from pg_locks join pg_database on pg_database.oid = database"
            " where locktype = 'advisory' and granted and datname = current_database()"
        )
    assert not second.held()
    assert first.held()
    for leadership in (first, second, other):
        leadership.release()


def test_leadership_without_a_database_is_none() -> None:
    assert not Leadership("postgresql://nobody@127.0.0.1:1/none", Duty.JOBS).held()


def test_array_parameters_travel_in_binary() -> None:
    queries = load("cloud.telemetry")
    assert "%(value)b::double precision[]" in queries.add_readings.sql
    assert "%(received_at)s" in queries.add_changes.sql
