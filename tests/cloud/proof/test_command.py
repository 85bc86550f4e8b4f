"""At a terminal: export, verify offline, fingerprints, checkpoints; exit statuses that programs read."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloud.cli import app
from cloud.errors import Invalid
from cloud.evidence import formats
from cloud.proof import command, originals
from tests.cloud.proof.conftest import NODE_FINGERPRINT, Export, Proving
from tests.cloud.proof.test_film import filmed
from tests.cloud.proof.test_originals import allowed, asked, sealed_case
from tests.fakes.node import AT

runner = CliRunner()


@pytest.fixture
def environment(proving: Proving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Proving:
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", proving.url)
    monkeypatch.setenv("GRIDWARD_DATA_DIRECTORY", str(tmp_path / "data"))
    monkeypatch.setenv("GRIDWARD_EVIDENCE_URL", (tmp_path / "store").as_uri())
    return proving


def run(*words: str, status: int = 0) -> dict[str, Any]:
    result = runner.invoke(app, ["evidence", *words, "--json"])
    assert result.exit_code == status, result.output
    told: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    return told


def test_a_case_goes_out_and_is_verified_with_the_fingerprint_that_is_told(
    environment: Proving, tmp_path: Path
) -> None:
    out = tmp_path / "case.zip"
    case = environment.number()
    made = run("export", case, "--out", str(out), "--purpose", "for the court")
    assert out.stat().st_mode & 0o077 == 0
    (key,) = run("fingerprints")["cloud"]
    assert (key["fingerprint"], key["in_use"]) == (made["signer"], True)
    assert run("verify", str(out), "--trust", key["fingerprint"])["valid"]
    (bound,) = run("fingerprints")["nodes"]
    node = f"{bound['node']}={bound['fingerprint']}"
    assert node in runner.invoke(app, ["evidence", "fingerprints"]).output.splitlines()
    strict = ("verify", str(out), "--every-node", "--trust", key["fingerprint"])
    assert run(*strict, "--trust-node", node)["valid"]
    assert not run(*strict, status=1)["valid"]
    assert not run("verify", str(out), "--trust", "0" * 64, status=1)["valid"]
    old = key["fingerprint"]
    assert run("rotate-key")["fingerprint"] != old
    later = tmp_path / "later.zip"
    run("export", case, "--out", str(later), "--purpose", "for the court")
    assert run("verify", str(later), "--trust", old)["valid"]  # the new key follows the one that is trusted
    noted = run("checkpoint")
    checked = run("check-chain", "--noted", f"{noted['position']}:{noted['ledger']}")
    assert (checked["holds"], checked["waiting"]) == (True, 0)
    assert not run("check-chain", "--noted", f"{noted['position'] + 1}:{noted['ledger']}", status=1)["holds"]


def test_what_can_not_be_exported_leaves_no_file(environment: Proving, tmp_path: Path) -> None:
    for case, purpose in (("110105-20200101-0001", "for the court"), (environment.number(), " x ")):
        out = tmp_path / "case.zip"
        result = runner.invoke(app, ["evidence", "export", case, "--out", str(out), "--purpose", purpose])
        assert result.exit_code != 0
        assert not out.exists()


def test_verifying_needs_no_settings(exported: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", "postgresql://nobody@192.0.2.1:1/none")
    file = tmp_path / "case.zip"
    file.write_bytes(exported.content)
    trusted = ":".join(exported.fingerprint[place : place + 2].upper() for place in range(0, 64, 2))
    told = run("verify", str(file), "--trust", trusted)
    assert (told["valid"], told["case"]) == (True, exported.case)
    result = runner.invoke(app, ["evidence", "verify", str(file), "--trust", exported.fingerprint])
    assert result.output.splitlines()[-1] == "VALID"
    file.write_bytes(exported.content[:-1])
    result = runner.invoke(app, ["evidence", "verify", str(file), "--trust", exported.fingerprint])
    assert (result.exit_code, result.output.splitlines()[-1]) == (1, "NOT VALID")
    for wrong in (
        ("verify", str(tmp_path / "none"), "--trust", exported.fingerprint),
        ("verify", str(file), "--trust", "x"),
        ("verify", str(file), "--trust", exported.fingerprint, "--trust-node", NODE_FINGERPRINT),
        ("verify", str(file), "--trust", exported.fingerprint, "--trust-node", f"station-01={exported.fingerprint}"),
    ):
        run(*wrong, status=2)


def test_a_film_is_given_out_with_the_mark_of_who_sees_it(
    environment: Proving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "now", lambda: AT)
    request, key = sealed_case(environment, filmed(), tmp_path)
    out = tmp_path / "shown.webm"
    told = run("unseal", str(request), "--key", str(key), "--out", str(out))
    assert (told["marked"], told["for"]) == (True, "chief")
    formats.check("video/webm", out.read_bytes())
    assert out.stat().st_mode & 0o077 == 0


def test_what_can_not_be_marked_is_not_given_unless_it_was_asked_for_and_allowed_so(
    environment: Proving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "now", lambda: AT)
    content = b"no film that anybody here can read"
    request, key = sealed_case(environment, content, tmp_path)
    out = tmp_path / "shown"
    refused = runner.invoke(app, ["evidence", "unseal", str(request), "--key", str(key), "--out", str(out)])
    assert isinstance(refused.exception, Invalid)
    assert "second person" in str(refused.exception)
    assert not out.exists()
    with environment.connect() as conn:
        assert originals.find(conn, environment.chief, request).handed_at is None  # nothing is spent
        conn.execute("update unseal_request set allowed = false where id = %s", [request])
    sha256 = hashlib.sha256((tmp_path / "sealed").read_bytes()).hexdigest()
    again = asked(environment, case_id=environment.case_id("sos"), sha256=sha256, unmarked=True)
    allowed(environment, again)
    assert not run("unseal", str(again), "--key", str(key), "--out", str(out))["marked"]
    assert out.read_bytes() == content
    with environment.connect() as conn:
        rows = conn.execute(
            "select detail->'unmarked' from audit where detail->>'request' = %s", [str(again)]
        ).fetchall()
        notes = conn.execute("select note from case_event where action = 'unsealed'").fetchall()
    assert [row[0] for row in rows] == [True] * 3
    assert [note[0].startswith(f"#{again} (unmarked): ") for note in notes] == [True]
