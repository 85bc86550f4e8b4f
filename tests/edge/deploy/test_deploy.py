"""How a node is put into service: the unit, read by systemd itself where the machine has it, and the file of the image."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from edge.cli import app

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "edge" / "deploy"
UNIT = (FOLDER / "gridward-edge.service").read_text(encoding="utf-8")
CONTAINER = (FOLDER / "Containerfile").read_text(encoding="utf-8")
LINES = [line for line in CONTAINER.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]
SYSTEMD = shutil.which("systemd-analyze")
MOST_EXPOSED = 20
"""Of 100, as systemd counts it: a daemon that opens the network and a camera is below."""


def keys() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in UNIT.splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def on_this_machine(folder: Path) -> Path:
    """The unit with a program that is there."""
    file = folder / "gridward-edge.service"
    text = UNIT.replace("/opt/gridward/venv/bin/gridward-edge", sys.executable)
    file.write_text(text)
    return file


@pytest.mark.skipif(SYSTEMD is None, reason="systemd-analyze is not on this machine")
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    assert SYSTEMD is not None
    done = subprocess.run(
        [SYSTEMD, "verify", "--man=no", str(on_this_machine(tmp_path))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if "gridward" in line]
    assert said == [], done.stderr


@pytest.mark.skipif(SYSTEMD is None, reason="systemd-analyze is not on this machine")
def test_systemd_finds_it_well_shut_off(tmp_path: Path) -> None:
    assert SYSTEMD is not None
    done = subprocess.run(
        [SYSTEMD, "security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(on_this_machine(tmp_path))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd can't judge a unit that is not installed")
    assert done.returncode == 0, done.stdout[-400:] + done.stderr


def test_the_unit_starts_anew_what_can_be_and_leaves_what_can_not() -> None:
    told = keys()
    assert told["Restart"] == ["always"]
    assert told["RestartPreventExitStatus"] == ["2"]
    for key in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "RestrictNamespaces", "LockPersonality"):
        assert told[key] == ["yes"], key
    assert told["ProtectSystem"] == ["strict"]
    assert told["CapabilityBoundingSet"] == [""]


def test_the_commands_of_both_files_are_there() -> None:
    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    named = re.findall(r"bin/gridward-edge (\S+)", UNIT) + re.findall(r'"gridward-edge", "(\S+?)"', CONTAINER) + ["run"]
    assert set(named) <= commands


def test_the_image_is_pinned_hashed_and_runs_as_nobody_in_particular() -> None:
    bases = [line.split()[1] for line in LINES if line.startswith("FROM")]
    assert bases == ["${BASE}", "${BASE}"]
    assert re.search(r"^ARG BASE=python:3\.\d+\.\d+-slim-[a-z]+$", CONTAINER, re.MULTILINE)
    last = CONTAINER.rpartition("FROM")[2]
    assert re.search(r"^USER [1-9]\d+:[1-9]\d+$", last, re.MULTILINE)
    assert "HEALTHCHECK" in last
    installs = re.findall(r"pip install [^&]*", "\n".join(LINES))
    assert installs
    for line in installs:
        assert "--require-hashes" in line or "--no-index" in line
    assert not any(line.startswith("ADD") or "curl" in line or "://" in line for line in LINES)


def test_what_the_image_copies_is_there() -> None:
    for line in LINES:
        if line.startswith("COPY") and "--from" not in line:
            for name in line.split()[1:-1]:
                assert (ROOT / name).exists(), name
