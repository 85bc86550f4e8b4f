import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cloud.embedded.postgres import EmbeddedPostgres
from cloud.embedded.process import EmbeddedProblem
from tests.waiting import wait_until

pytestmark = pytest.mark.system


@pytest.fixture
def directory(server_directory: Path, request: pytest.FixtureRequest) -> Path:
    return server_directory / str(request.node.name)


@pytest.fixture
def server(directory: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(directory, durable=False) as running:
        yield running


def test_a_wrong_password_is_refused(server: EmbeddedPostgres) -> None:
    url = server.url("postgres").replace(server._passwords["gridward"], "wrong")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(url)


def test_no_line_of_its_rules_trusts_anyone(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.superuser_url()) as connection:
        rows = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
        assert rows == [("scram-sha-256",)]
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("SHOW unix_socket_directories").fetchone() == ("",)


def test_the_application_owns_its_database_and_nothing_else(server: EmbeddedPostgres) -> None:
    url = server.create_database("app")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE things (id int)")
        flags = connection.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert flags == (False, False, False, False)


def test_what_was_committed_survives_a_restart_and_a_kill(directory: Path) -> None:
    server = EmbeddedPostgres(directory)
    with server:
        with psycopg.connect(server.create_database()) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
            connection.execute("CREATE TABLE things (id int)")
        server.kill()
    with server, psycopg.connect(server.create_database()) as connection:
        connection.execute("INSERT INTO things VALUES (1)")
    with EmbeddedPostgres(directory) as again, psycopg.connect(again.url()) as connection:
        assert connection.execute("SELECT id FROM things").fetchall() == [(1,)]


def test_it_comes_back_at_the_same_address_after_it_was_killed(server: EmbeddedPostgres) -> None:
    url = server.url("postgres")
    server.kill()
    wait_until(lambda: not server.running)
    server.restart()
    assert server.url("postgres") == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_one_owner_per_folder(server: EmbeddedPostgres, directory: Path) -> None:
    with pytest.raises(EmbeddedProblem, match="another process"):
        EmbeddedPostgres(directory).start()
    assert server.running


def test_a_stale_process_id_file_that_names_a_stranger_is_no_hindrance(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False) as server:
        data = Path(f"/proc/{server.pid}/cwd").resolve()
    (data / "postmaster.pid").write_text(f"{os.getppid()}\n{data}\n1\n5432\n\n127.0.0.1\n")
    with EmbeddedPostgres(directory, durable=False) as server:
        assert server.running


def test_a_start_that_was_cut_is_made_again(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False) as server:
        data = Path(f"/proc/{server.pid}/cwd").resolve()
    (data / "PG_VERSION").unlink()
    (data.parent / "data.new").mkdir()
    with EmbeddedPostgres(directory, durable=False) as server:
        assert server.running
    assert not (data.parent / "data.new").exists()


def test_lost_passwords_are_said_in_words(directory: Path) -> None:
    with EmbeddedPostgres(directory, durable=False):
        pass
    (directory / "postgres.password").unlink()
    with pytest.raises(EmbeddedProblem, match="remove the folder"):
        EmbeddedPostgres(directory, durable=False).start()


def test_it_stops_with_a_client_connected(directory: Path) -> None:
    server = EmbeddedPostgres(directory, durable=False).start()
    pid = server.pid
    connection = psycopg.connect(server.superuser_url())
    server.stop()
    connection.close()
    wait_until(lambda: not Path(f"/proc/{pid}").exists())


def test_secrets_are_closed_to_others(server: EmbeddedPostgres, directory: Path) -> None:
    assert server.running
    for name in ("postgres.password", "gridward.password", "lock", "postgres.log"):
        assert (directory / name).stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers under another account")
def test_programs_that_the_account_cannot_read_are_copied_once(
    directory: Path, server_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = server_directory / "cache"
    monkeypatch.setattr("cloud.embedded.postgres._readable", lambda *_: False)
    monkeypatch.setattr("cloud.embedded.postgres._ROOT_CACHE", cache)
    with EmbeddedPostgres(directory, durable=False) as server:
        program = Path(f"/proc/{server.pid}/exe").resolve()
    (copy,) = cache.iterdir()
    assert copy in program.parents
    made = copy.stat().st_ctime_ns
    with EmbeddedPostgres(directory, durable=False) as server:
        assert server.running
    assert [(each, each.stat().st_ctime_ns) for each in cache.iterdir()] == [(copy, made)]


def test_it_runs_by_itself_for_as_long_as_one_likes(server_directory: Path) -> None:
    """For a restore while whatever usually starts it is stopped."""
    place = server_directory / "alone"
    command = [sys.executable, "-m", "cloud.embedded", str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with psycopg.connect(url) as conn:
            assert conn.execute("select 1").fetchone() == (1,)
        process.terminate()
        assert process.wait(60) == 0
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=5)
