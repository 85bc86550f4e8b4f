import os
import subprocess
from pathlib import Path

import pytest

from cloud.embedded import nodejs


@pytest.mark.parametrize(
    ("text", "numbers"), [("v20.19.1\n", (20, 19, 1)), ("24.0.0", (24, 0, 0)), ("", ()), ("not found", ())]
)
def test_versions_are_compared_as_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert nodejs.version(text) == numbers
    assert (numbers >= nodejs.LEAST_VERSION) == (nodejs.version(text) >= (20, 19))


def test_an_old_or_missing_node_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert nodejs.machine_folder() is None
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho v18.0.0\n")
        (tmp_path / name).chmod(0o755)
    assert nodejs.machine_folder() is None
    (tmp_path / "node").write_text("#!/bin/sh\necho v22.1.0\n")
    assert nodejs.machine_folder() == tmp_path


@pytest.mark.system
def test_the_wheels_node_and_npm_run(tmp_path: Path) -> None:
    folder = nodejs.wheel_folder(tmp_path / "a folder")
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin"}
    for program in ("node", "npm"):
        said = subprocess.run(
            [folder / program, "--version"], env=environment, capture_output=True, text=True, check=True
        )
        assert nodejs.version(said.stdout) > (10,)


def test_the_command_prints_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert nodejs.main([str(tmp_path / "node")]) == 0
    assert Path(capsys.readouterr().out.strip()).is_dir()
