from pathlib import Path

import pytest

from cloud.demo.directory import DemoDirectory
from cloud.embedded.process import EmbeddedProblem


def test_one_demo_per_folder(tmp_path: Path) -> None:
    with DemoDirectory(tmp_path / "demo"):
        with pytest.raises(EmbeddedProblem, match="already"), DemoDirectory(tmp_path / "demo"):
            pass
        with DemoDirectory(tmp_path / "other"):
            pass
    with DemoDirectory(tmp_path / "demo"):
        pass


def test_addresses_of_a_crashed_run_are_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "access.json").write_text("{}")
    with DemoDirectory(tmp_path / "demo") as directory:
        assert not directory.access.exists()
        directory.write(directory.access.name, "{}")
    assert not directory.access.exists()


def test_passwords_are_random_kept_and_closed_to_others(tmp_path: Path) -> None:
    with DemoDirectory(tmp_path / "demo") as directory:
        first = directory.passwords(["chief", "worker"])
        assert first["chief"] != first["worker"]
        assert directory.passwords(["chief"])["chief"] == first["chief"]
        assert directory.passwords(["late"])["late"] not in first.values()
    with DemoDirectory(tmp_path / "demo") as directory:
        assert directory.passwords(["chief", "worker"]) == first
    assert all(file.stat().st_mode & 0o077 == 0 for file in (tmp_path / "demo").iterdir() if file.is_file())


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b"[1, 2]"])
def test_damaged_files_are_made_anew(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "demo").mkdir()
    for name in ("secrets.json", "state.json"):
        (tmp_path / "demo" / name).write_bytes(damage)
    with DemoDirectory(tmp_path / "demo") as directory:
        assert directory.passwords(["chief"])["chief"]
        directory.remember(http_port=1234)
        assert directory.remembered() == {"http_port": 1234}


def test_logs_are_those_of_this_run(tmp_path: Path) -> None:
    with DemoDirectory(tmp_path / "demo") as directory:
        directory.fresh_logs()
        directory.log("cloud").write_text("old")
        directory.fresh_logs()
        assert not directory.log("cloud").exists()
        assert directory.log("cloud").with_suffix(".log.1").read_text() == "old"
