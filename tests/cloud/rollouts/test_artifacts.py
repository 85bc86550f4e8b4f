"""What is registered: the profiles that come with the program, and what a maintainer adds at a terminal."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from cloud import cli
from cloud.errors import Conflict, Invalid
from cloud.evidence.files import EvidenceFiles
from cloud.rollouts import artifact_store, artifacts
from cloud.rollouts.model import Artifact
from firmware_configs import shipped
from firmware_configs.keyring import SHIPPED, Keyring
from firmware_configs.signature import ArtifactClass
from firmware_configs.signing import SigningKey, write_public
from tests.cloud.rollouts.simulated import Fleet
from tests.fakes.node import AT
from tests.firmware_configs.keys import made_key, put


def test_the_shipped_profiles_are_registered_once(fleet: Fleet, tmp_path: Path) -> None:
    files, keyring = EvidenceFiles(tmp_path.as_uri()), Keyring.of_folders(SHIPPED)
    count = artifacts.add_shipped(fleet.conn, files, keyring, now=AT)
    assert count == sum(len(shipped.versions(kind)) for kind in shipped.kinds())
    assert count >= 1
    assert artifacts.add_shipped(fleet.conn, files, keyring, now=AT) == 0
    for kind in shipped.kinds():
        newest = shipped.versions(kind)[-1]
        found = artifact_store.artifact_of_version(fleet.conn, "profile", kind, str(newest))
        assert found is not None
        assert b"".join(files.read_all(found.sha256)) == shipped.read(kind, newest, keyring).content


def test_a_file_without_a_true_signature_is_not_shipped(fleet: Fleet, tmp_path: Path) -> None:
    key, keyring = made_key()
    put(tmp_path / "profiles", key, "power_meter", "1.0.0")
    put(tmp_path / "profiles", SigningKey.make(), "power_meter", "1.1.0")
    broken = put(tmp_path / "profiles", key, "power_meter", "1.2.0")
    broken.write_bytes(broken.read_bytes() + b"\n")
    files = EvidenceFiles((tmp_path / "store").as_uri())
    assert artifacts.add_shipped(fleet.conn, files, keyring, now=AT, folder=tmp_path / "profiles") == 1
    assert artifacts.add_shipped(fleet.conn, files, keyring, now=AT, folder=tmp_path / "none") == 0


def test_a_version_has_one_content_for_ever(fleet: Fleet, tmp_path: Path) -> None:
    key, keyring = made_key()
    files = EvidenceFiles((tmp_path / "store").as_uri())
    first = put(tmp_path, key, "power_meter", "1.0.0")

    def add(path: Path) -> Artifact:
        signature = artifacts.read_signature(shipped.signature_file(path).read_bytes())
        return artifacts.add(fleet.conn, files, signature, path, keyring=keyring, added_by="x", now=AT)[0]

    kept = add(first)
    assert add(first).id == kept.id
    other = put(tmp_path / "other", key, "power_meter", "1.0.0", period_s=5)
    with pytest.raises(Conflict, match="never changes"):
        add(other)
    changed = put(tmp_path / "changed", key, "power_meter", "1.3.0")
    changed.write_bytes(changed.read_bytes() + b"# more\n")
    with pytest.raises(Invalid, match="bytes where"):
        add(changed)
    with pytest.raises(Invalid, match="can't be used"):
        artifacts.read_signature(b"[]")


def test_a_maintainer_adds_a_file_at_a_terminal(
    migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = SigningKey.make()
    valid_from = datetime.now(UTC) - timedelta(days=1_000)
    write_public(tmp_path / "keys", key.public("site", valid_from=valid_from, valid_until=None), by_fingerprint=True)
    monkeypatch.setenv("GRIDWARD_DATABASE_URL", migrated_url)
    monkeypatch.setenv("GRIDWARD_DATA_DIRECTORY", str(tmp_path / "data"))
    monkeypatch.setenv("GRIDWARD_CONFIGURATION_KEYS", str(tmp_path / "keys"))
    file = put(tmp_path / "profiles", key, "power_meter", "7.0.0")

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["gridward-cloud", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    status, out, _ = run("artifacts", "add", str(file), "--json")
    assert (status, json.loads(out)["new"]) == (0, True)
    assert run("artifacts", "add", str(file))[1] == "profile power_meter 7.0.0: was known, its bytes are kept\n"
    assert "7.0.0" in run("artifacts", "list", "--kind", ArtifactClass.PROFILE.value)[1]
    assert json.loads(run("artifacts", "list", "--kind", "model", "--json")[1]) == {"items": []}
    stranger = put(tmp_path / "strange", SigningKey.make(), "power_meter", "7.1.0")
    status, _, err = run("artifacts", "add", str(stranger))
    assert (status, "not among the trusted" in err) == (1, True)
    shipped.signature_file(stranger).unlink()
    status, _, err = run("artifacts", "add", str(stranger))
    assert (status, "with its signature" in err) == (1, True)
    with psycopg.connect(migrated_url) as conn:
        [action] = conn.execute("select action from audit").fetchone() or [None]
    assert action == "artifact.registered"
