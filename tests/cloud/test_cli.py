import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from cloud import cli
from cloud.access import sample
from cloud.correlate import service as correlate
from tests.cloud.samples import GRID, PASSWORD, incident, report

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], migrated_url: str, tmp_path: Path) -> Run:
    """Run the command line as its entry point does: exit status, stdout, stderr."""
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", migrated_url)
    monkeypatch.setenv("GRIDWARD_DATA_DIRECTORY", str(tmp_path))

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["gridward-cloud", *words])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = int(end.code or 0)
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def answer(told: tuple[int, str, str]) -> Any:
    status, out, err = told
    assert status == 0, err
    return json.loads(out)


def test_areas_then_people_then_a_node(run: Run, migrated_url: str) -> None:
    assert len(answer(run("area", "import", str(sample.DOCUMENT), "--json"))["added"]) == 70
    made = answer(run("user", "add", "chief", "--role", "duty_chief", "--area", "110105", "--generate", "--json"))
    assert len(made["password"]) >= 12
    node = answer(run("node", "add", "station-1", "--district", "110105", "--area", GRID, "--json"))
    assert set(node) == {"node", "mqtt_password", "token"}
    (listed,) = answer(run("user", "list", "--json"))["items"]
    assert listed["name"] == "chief"
    assert "password_hash" not in listed
    assert run("user", "disable", "chief")[0] == 0
    with psycopg.connect(migrated_url) as conn:
        assert conn.execute("select count(*) from audit where action like 'account.%%'", []).fetchone() == (2,)


def test_what_goes_wrong_is_one_line_and_a_status(run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"type": "FeatureCollection", "features": [{}]}', encoding="utf-8")
    status, out, _ = run("area", "import", str(bad), "--json")
    assert (status, len(json.loads(out)["problems"])) == (1, 1)
    bad.write_text("{", encoding="utf-8")
    assert run("area", "import", str(bad))[0] == 1
    status, _, err = run("user", "disable", "nobody", "--json")
    assert (status, json.loads(err)) == (1, {"error": "there is no account 'nobody'"})
    assert run("node", "add", "x", "--district", "110105", "--area", "1")[0] == 1


def test_a_password_comes_by_stdin_not_by_argument(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert run("user", "add", "admin", "--role", "administrator", "--password-stdin")[0] == 0


def test_a_setting_that_is_missing_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRIDWARD_DATABASE_URL")
    status, _, err = run("user", "list")
    assert status == 1
    assert "GRIDWARD_DATABASE_URL" in err


def test_no_secret_shows_in_an_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", "postgresql://u:topsecret@127.0.0.1:1/x")
    for words in (("user", "list"), ("migrate",), ("serve",)):
        status, out, err = run(*words)
        assert status == 1
        assert "topsecret" not in out + err


def test_health_says_when_nobody_answers(run: Run) -> None:
    assert run("health", "--url", "http://127.0.0.1:1")[0] == 1


def test_the_open_api_document_is_written(run: Run) -> None:
    assert answer(run("openapi"))["info"]["title"] == "Gridward"


def test_a_database_that_refuses_is_not_called_away(
    run: Run, migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(migrated_url) as conn:
        (name,) = conn.execute("select current_database()").fetchone() or ("",)
        conn.execute(sql.SQL("alter database {} set lock_timeout = '20ms'").format(sql.Identifier(name)))
        conn.commit()
        conn.execute("lock table dead_letter in access exclusive mode")
        status, _, err = run("deadletters", "list")
    assert (status, err) == (1, "error: the database refuses: canceling statement due to lock timeout\n")
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert "can't be reached" in run("deadletters", "list")[2]


@pytest.mark.parametrize("url", ["foo", "mysql://u:geheim@host/name", "postgresql://u:geheim@[::1/name"])
def test_an_address_of_no_database_is_named_without_its_password(
    run: Run, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", url)
    for words in (["migrate"], ["deadletters", "list"]):
        status, _, err = run(*words)
        assert status == 1
        assert err.startswith("error: GRIDWARD_DATABASE_URL: ")
        assert "geheim" not in err


def test_a_districts_key_is_made_once_and_opens_nothing_that_is_not_there(run: Run, tmp_path: Path) -> None:
    key = tmp_path / "district.key"
    made = answer(run("evidence", "make-key", "--out", str(key), "--json"))
    assert made["public_key"].startswith("age1")
    assert key.stat().st_mode & 0o777 == 0o600
    assert run("evidence", "make-key", "--out", str(key))[0] == 1
    assert answer(run("evidence", "prune", "--dry-run", "--json")) == {
        "dry_run": True,
        "files": 0,
        "bytes": 0,
        "items": [],
    }
    assert answer(run("evidence", "prune", "--json"))["files"] == 0
    out = tmp_path / "original"
    status, _, err = run("evidence", "unseal", "1", "--key", str(key), "--out", str(out))
    assert (status, "no such request" in err, out.exists()) == (1, True, False)
    assert run("evidence", "unseal", "1", "--key", str(tmp_path / "none"), "--out", str(out))[0] == 1


def test_work_orders_and_figures_are_told(run: Run, migrated_url: str) -> None:
    answer(run("area", "import", str(sample.DOCUMENT), "--json"))
    assert run("maintenance", "orders")[1] == "no work order is running\n"
    with psycopg.connect(migrated_url) as conn:
        correlate.receive(conn, report(incident(category="maintenance", kind="camera_trouble")))
    (order,) = answer(run("maintenance", "orders", "--json"))["items"]
    assert (order["status"], order["device"]["device"]) == ("opened", "cam-1")
    assert "node-1/cam-1: camera_trouble, fails, nobody sent yet" in run("maintenance", "orders", "--area", "110105")[1]
    assert run("maintenance", "orders", "--area", "110199")[0] == 1
    figures = answer(run("maintenance", "figures", "--days", "366", "--json"))
    assert (figures["running"], figures["repaired"]) == ({"opened": 1}, 0)
