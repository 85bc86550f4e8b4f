import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.edge.configuration.test_reading import MINIMAL, TEN_LINES, TEN_MISTAKES
from tests.fakes.footage import remuxed, write_clip


def gridward_edge(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_check_names_every_mistake_and_ends_with_two(tmp_path: Path) -> None:
    file = tmp_path / "node.yaml"
    file.write_text(TEN_MISTAKES)
    done = gridward_edge("config", "check", file)
    assert done.returncode == 2
    lines = done.stdout.splitlines()
    assert [line.removeprefix(f"{file}:").split(":")[0] for line in lines] == [str(line) for line, _, _ in TEN_LINES]
    as_json = gridward_edge("config", "check", file, "--json")
    assert as_json.returncode == 2
    answer = json.loads(as_json.stdout)
    assert [(each["line"], each["where"]) for each in answer["mistakes"]] == [
        (line, where) for line, where, _ in TEN_LINES
    ]


def test_the_example_passes_its_own_check(tmp_path: Path) -> None:
    file = tmp_path / "node.yaml"
    file.write_text(gridward_edge("config", "example").stdout)
    done = gridward_edge("config", "check", file)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("run", "--config", "none.yaml"), 2, "can't be read"),
        (("status", "--config", "none.yaml"), 2, "can't be read"),
        (("replay", __file__), 2, "--zone and --rule"),
        (("replay", __file__, "--zone", "a=0,0 1,0 1,1", "--rule", "intrusion:b"), 2, "`b`"),
        (("replay", __file__, "--zone", "a=0,0 1,0 1,1", "--rule", "intrusion:a"), 1, "test_cli.py: not a video"),
        (
            ("replay", __file__, "--zone", "a=0,0 1,0 1,1", "--rule", "intrusion:a", "--model", "none"),
            2,
            "--model none: ",
        ),
        (("replay", "none.mp4", "--zone", "a=0,0 1,0 1,1", "--rule", "intrusion:a"), 2, "none.mp4"),
        (("models", "verify", "none"), 2, "none"),
        (("nothing",), 2, "nothing"),
    ],
)
def test_errors_are_one_clear_line_and_no_traceback(arguments: tuple[str, ...], status: int, words: str) -> None:
    done = gridward_edge(*arguments)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == status


def test_one_mistake_is_not_many(tmp_path: Path) -> None:
    file = tmp_path / "node.yaml"
    file.write_text(MINIMAL + "outboks: {}\n")
    assert gridward_edge("config", "check", file).stderr.strip() == "1 mistake"
    file.write_text(TEN_MISTAKES)
    assert gridward_edge("config", "check", file).stderr.strip() == f"{len(TEN_LINES)} mistakes"


def test_a_warning_goes_to_standard_error_and_leaves_the_answer_alone(tmp_path: Path) -> None:
    whole = remuxed(write_clip(tmp_path / "whole.mp4", frames=200), tmp_path / "whole.mkv")
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    done = gridward_edge("replay", cut, "--zone", "a=0,0 1,0 1,1", "--json")
    assert done.returncode == 0
    assert done.stderr.startswith("warning: cut.mkv: breaks off at ")
    assert json.loads(done.stdout)["complete"] is False


def test_status_of_a_node_that_never_ran(tmp_path: Path) -> None:
    file = tmp_path / "node.yaml"
    file.write_text(MINIMAL)
    done = gridward_edge("status", "--config", file, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["running"] is False


def test_version() -> None:
    assert gridward_edge("version").stdout.startswith("gridward")
