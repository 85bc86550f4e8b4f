import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.benches import idle
from edge.benches.films import AS_A_CAMERA, Kind
from edge.benches.machine import kept_to, usable_cores
from edge.cli import app
from edge.errors import ConfigurationError
from tests.fakes.footage import write_clip


@pytest.fixture
def weights(model: Callable[[str], Path]) -> Path:
    return model("yolox_nano_416")


@pytest.fixture
def film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRIDWARD_CACHE", str(tmp_path / "cache"))
    return write_clip(tmp_path / "own.mp4", frames=30)


def bench_cameras(*arguments: str | Path, status: int = 0) -> tuple[str, str]:
    done = CliRunner().invoke(app, ["bench", "cameras", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == status, done.output
    return done.stdout, done.stderr


def test_a_film_of_ones_own_has_to_be_told_for_what_it_is(film: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"empty scene \(--idle\)"):
        bench_cameras("--film", film)


@pytest.mark.parametrize("options", [["--scenes"], ["--scenes", "--idle"], ["--scenes", "--busy", "--film", "x.mp4"]])
def test_scenes_are_for_busy_cameras_and_no_film(options: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="give it with --busy, and no --film"):
        bench_cameras(*options)


def test_more_cores_than_there_are_can_not_be_given(film: Path) -> None:
    with pytest.raises(ConfigurationError, match="choose fewer --cores"):
        bench_cameras("--idle", "--film", film, "--cores", str(len(usable_cores()) + 1))


def test_cores_are_given_back() -> None:
    before = usable_cores()
    with kept_to(1) as others:
        assert usable_cores() == before[:1]
        assert others == (before[1:] or before)
    assert usable_cores() == before


@pytest.mark.system
def test_a_tiny_run_measures_and_says_what_it_does(
    weights: Path, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / weights.parent.name).symlink_to(weights.parent)
    tiny = replace(idle.SITUATIONS[idle.PLAIN], kind=Kind(320, 192, 5, AS_A_CAMERA))
    monkeypatch.setattr(idle, "SITUATIONS", {idle.PLAIN: tiny})
    said, progress = bench_cameras(
        "--idle",
        "--film",
        film,
        "--cameras",
        "1",
        "--cores",
        "1",
        "--seconds",
        "1",
        "--settling",
        "1",
        "--json",
        status=1,
    )
    answer = json.loads(said)
    assert answer["idle_core_share_32"] > 0
    assert answer["idle_core_share_1080p_each"] is None
    assert answer["busy_cameras"] is None
    row = answer["idle"][0]
    assert (row["cameras"], row["whole_cameras"], sum(row["gates"].values()), row["lost"]) == (1, 1, 1, 0)
    assert answer["bars"]["idle_core_share_1080p_each"]["met"] is False
    assert "1 cameras" in progress
    assert "own.mp4" in progress


def test_no_other_command_loads_simulated_cameras() -> None:
    loaded = (
        "import sys, edge.cli; print([name for name in sys.modules if name.startswith(('edge.simulators', 'psutil'))])"
    )
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
