"""`gridward-cloud verdicts`, run as its entry point does."""

import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cloud import cli
from cloud.access.model import Role
from cloud.cases.model import DismissalReason
from tests.cloud.samples import add_person, principal, take_in_areas
from tests.cloud.verdicts.judged import JudgedCamera
from tests.fakes.pictures import jpeg

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], migrated_url: str, tmp_path: Path) -> Run:
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", migrated_url)
    monkeypatch.setenv("GRIDWARD_DATA_DIRECTORY", str(tmp_path / "data"))
    with psycopg.connect(migrated_url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        camera = JudgedCamera(conn, principal(conn, "chief", Role.DUTY_CHIEF), at=datetime.now(UTC) - timedelta(days=9))
        camera.case(9.0, DismissalReason.ANIMAL, picture=jpeg(900))
        camera.case(90.0)
        add_person(conn, "mender", Role.MAINTAINER)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["gridward-cloud", "verdicts", *words])
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


def test_table_recompute_and_export(run: Run, tmp_path: Path) -> None:
    assert answer(run("recompute", "--json")) == {"verdicts": 2, "different": 2}
    assert answer(run("recompute", "--json")) == {"verdicts": 2, "different": 0}
    (cell,) = answer(run("table", "--area", "110105", "--json"))["cells"]
    assert (cell["device"], cell["precision"]["part"], cell["precision"]["whole"]) == ("cam-1", 1, 2)
    assert "1 of 2" in run("table", "--by", "kind")[1]
    assert answer(run("table", "--area", "110105003", "--json"))["cells"] == []
    out = tmp_path / "set.zip"
    words = ("export", "--out", str(out), "--purpose", "training", "--json")
    status, _, err = run(*words, "--by", "chief")
    assert (status, "neither a maintainer" in err) == (1, True)
    made = answer(run(*words, "--by", "mender"))
    assert made["bytes"] == out.stat().st_size
    with zipfile.ZipFile(out) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    assert (manifest["exported_by"], manifest["left_out"]) == ("mender", {"gone": 1}), "the file never came"
    assert run(*words, "--by", "mender")[0] == 1, "a set that is there is not written over"
