"""The commands as an operator types them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cloud import cli
from tests.cloud.populated import STORED_FILES, Populated, picture, rows_of

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], populated: Populated) -> Run:
    """Run the command line on the populated cloud: exit status, stdout, stderr."""
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", populated.url)
    monkeypatch.setenv("GRIDWARD_EVIDENCE_URL", populated.store.as_uri())

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


def refusal(told: tuple[int, str, str]) -> str:
    status, out, err = told
    assert (status, out) == (1, "")
    return str(json.loads(err.splitlines()[-1])["error"])


def test_there_and_back(
    run: Run, populated: Populated, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = str(tmp_path / "backup")
    made = answer(run("backup", place, "--json"))
    assert made["complete"]
    assert run("restore", place, "--verify", "--sha256", made["manifest_sha256"])[0] == 0
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", postgres_url)
    monkeypatch.setenv("GRIDWARD_EVIDENCE_URL", (tmp_path / "another").as_uri())
    restored = answer(run("restore", place, "--json"))
    assert (restored["rows"], restored["evidence_put"]) == (made["rows"], made["evidence_files"])
    assert answer(run("evidence", "check", "--read", "--json"))["in_order"]
    with psycopg.connect(populated.url) as before, psycopg.connect(postgres_url) as after:
        assert rows_of(after)["incident_revision"] == rows_of(before)["incident_revision"]


def test_progress_goes_to_stderr_and_the_answer_to_stdout(run: Run, tmp_path: Path) -> None:
    status, out, err = run("backup", str(tmp_path / "backup"))
    assert status == 0
    assert "manifest sha256" in out
    assert "table reading: " in err
    assert f"{STORED_FILES} files" in err


def test_verification_needs_no_database(run: Run, backup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRIDWARD_DATABASE_URL")
    assert answer(run("restore", str(backup), "--verify", "--json"))["complete"]
    (backup / "tables" / "gap.copy.gz").write_bytes(b"")
    assert "another length" in refusal(run("restore", str(backup), "--verify", "--json"))


def test_overwriting_is_said_twice(run: Run, backup: Path) -> None:
    assert "--replace" in refusal(run("restore", str(backup), "--json"))
    assert "--yes" in refusal(run("restore", str(backup), "--replace", "--json"))
    assert run("restore", str(backup), "--replace", "--yes")[0] == 0


def test_what_the_store_lacks_shows_in_the_status(run: Run, populated: Populated, tmp_path: Path) -> None:
    sha256 = picture(0).sha256
    (populated.store / sha256[:2] / sha256[2:4] / sha256).unlink()
    status, out, _ = run("backup", str(tmp_path / "backup"), "--json")
    told = json.loads(out)
    assert (status, told["complete"], told["evidence_missing"]) == (1, False, 1)
    status, out, _ = run("backup", str(tmp_path / "again"))
    assert status == 1
    assert "NOT COMPLETE" in out
    status, out, _ = run("evidence", "check")
    assert status == 1
    assert f"1 missing:\n  {sha256}" in out


def test_a_place_that_can_not_be_written_to_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert "can't be written to" in refusal(run("backup", str(tmp_path / "file" / "backup"), "--json"))
    assert "is there already" in refusal(run("backup", str(tmp_path / "file"), "--json"))
    assert "is there already" in refusal(run("backup", "/", "--json"))


def test_what_is_no_unfinished_backup_is_left_alone(run: Run, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter").write_bytes(b"dear")
    (tmp_path / "backup.unfinished").symlink_to(mine)
    assert "is in the way" in refusal(run("backup", str(tmp_path / "backup"), "--json"))
    assert (mine / "letter").read_bytes() == b"dear"
