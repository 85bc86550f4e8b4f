"""`gridward-cloud figures`, run as its entry point does."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cloud import cli
from tests.cloud.figures.town import Founded, Town
from tests.cloud.samples import GRID

Run = Callable[..., tuple[int, str, str]]
MARCH = ("--from", "2026-03-01", "--to", "2026-03-31")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], migrated_url: str, tmp_path: Path) -> Run:
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", migrated_url)
    monkeypatch.setenv("GRIDWARD_DATA_DIRECTORY", str(tmp_path / "data"))
    with psycopg.connect(migrated_url, options="-c timezone=UTC") as conn:
        town = Town(conn, Founded.in_database(conn))
        town.do(town.found(), "confirm")
        town.passes(timedelta(days=2))
        town.found()

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["gridward-cloud", "figures", *words])
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


def test_recompute_show_definitions_and_weights(run: Run) -> None:
    assert answer(run("show", *MARCH, "--json"))["waiting"] > 0
    first = answer(run("recompute", "--json"))
    assert first["days"] >= 3
    assert first["different"] > 0
    status, out, err = run("recompute")
    assert (status, out.split(", ")[1].strip()) == (0, "0 rows were different")
    assert "2026-03: " in err
    told = answer(run("show", *MARCH, "--area", GRID, "--by", "severity", "--json"))
    assert {each["name"]: each["value"] for each in told["figures"]}["opened"] == 2.0
    assert [each["key"] for each in told["groups"]] == ["medium"]
    assert "opened                              2            0" in run("show", *MARCH)[1]
    assert "按期结案率" in run("definitions")[1]
    assert answer(run("definitions", "--json"))["figures"]
    assert answer(run("weights", "--json"))["current"]["since"] is None
    assert "as delivered: closed 20%" in run("weights")[1]


def test_what_is_not_there_is_said(run: Run) -> None:
    assert "there is no area" in run("show", "--area", "999")[2]
    assert "lies before" in run("recompute", "--from", "2026-03-02", "--to", "2026-03-01")[2]
    assert "lies" in run("show", "--from", "2024-01-01", "--to", "2026-03-01")[2]
