"""`gridward-cloud drill`, as its entry point runs it."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from cloud import cli
from tests.cloud.samples import GRID
from tests.databases import DatabaseServer


@pytest.fixture(scope="session")
def commanded_url(postgres_server: DatabaseServer, exercised_template: str) -> Iterator[str]:
    """A database of its own: what a command does is kept."""
    name = f"test_{uuid.uuid4().hex}"
    yield postgres_server.create_database(name, template=exercised_template)
    postgres_server.drop_database(name)


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    commanded_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", commanded_url)
    monkeypatch.setenv("GRIDWARD_DATA_DIRECTORY", str(tmp_path_factory.mktemp("data")))

    def call(*words: str) -> tuple[int, Any]:
        monkeypatch.setattr("sys.argv", ["gridward-cloud", *words, "--json"])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = int(end.code or 0)
        told = capsys.readouterr()
        return status, json.loads(told.out or told.err)

    return call


def test_a_drill_is_started_listed_and_ended(run: Any) -> None:
    words = (
        "drill",
        "start",
        "Fire",
        "--by",
        "chief",
        "--area",
        GRID,
        "--purpose",
        "spring",
        "--source",
        "node-1/cam-3",
    )
    status, started = run(*words)
    assert (status, started["name"], started["running"]) == (0, "Fire", True)
    assert run(*words)[0] == 1, "its sources take part already"
    assert [each["id"] for each in run("drill", "list", "--by", "worker", "--running")[1]["items"]] == [started["id"]]
    assert run("drill", "end", str(started["id"]), "--by", "worker")[0] == 1
    status, ended = run("drill", "end", str(started["id"]), "--by", "chief")
    assert (status, ended["running"]) == (0, False)
    assert run("drill", "list", "--by", "chief", "--running")[1]["items"] == []


@pytest.mark.parametrize("source", ["", "/", "node-1//x", "a/b/c/d", "node-9"])
def test_what_is_no_source_is_said(run: Any, source: str) -> None:
    status, told = run("drill", "start", "x", "--by", "chief", "--area", GRID, "--purpose", "x", "--source", source)
    assert status == 1
    assert "error" in told
