"""The newest lines of the log: bounded on the disk, whole, read while they are written, and without secrets."""

import json
from pathlib import Path

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from edge.cli import app
from edge.logs import log_to_stderr
from edge.node.kept_log import BEFORE, FOLDER, LONGEST_LINE_BYTES, NOW, KeptLog, LogTail, in_words

SMALL = 2_000


def say(log: KeptLog, number: int, *, length: int = 0) -> None:
    log(None, "info", {"timestamp": "t", "level": "info", "event": f"event {number}", "more": "x" * length})


def fail(reason: str) -> None:
    raise ValueError(reason)


def numbers(lines: list[str]) -> list[int]:
    return [int(json.loads(line)["event"].split()[1]) for line in lines]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 300)), max_size=20))
def test_a_reader_that_keeps_up_sees_every_line_once(
    tmp_path_factory: pytest.TempPathFactory, turns: list[tuple[int, int]]
) -> None:
    directory = tmp_path_factory.mktemp("node")
    log, tail, seen, said = KeptLog(directory, largest_bytes=2 * SMALL), LogTail(directory), list[int](), 0
    for count, length in turns:
        for _ in range(min(count, SMALL // (length + 100))):  # not more than one file takes
            say(log, said, length=length)
            said += 1
        seen += numbers(tail.following())
        assert sum(file.stat().st_size for file in (directory / FOLDER).iterdir()) <= 4 * SMALL
    assert seen == list(range(said))


def test_the_newest_lines_are_whole_over_two_files(tmp_path: Path) -> None:
    log = KeptLog(tmp_path, largest_bytes=SMALL)
    for number in range(100):
        say(log, number)
    assert (tmp_path / FOLDER / BEFORE).exists()
    tail = LogTail(tmp_path)
    assert numbers(tail.newest(5)) == [95, 96, 97, 98, 99]
    assert tail.newest(0) == []
    assert tail.following() == []
    say(log, 100)
    assert numbers(tail.following()) == [100]
    with (tmp_path / FOLDER / NOW).open("ab") as half:
        half.write(b'{"event": "half')
    assert tail.following() == []


def test_a_line_that_is_too_long_is_cut_and_nothing_is_kept_where_the_disk_takes_nothing(tmp_path: Path) -> None:
    log = KeptLog(tmp_path)
    say(log, 1, length=2 * LONGEST_LINE_BYTES)
    [line] = LogTail(tmp_path).newest(10)
    assert json.loads(line)["cut"] is True
    (tmp_path / "file").write_text("")
    elsewhere = KeptLog(tmp_path / "file")
    say(elsewhere, 1)
    assert elsewhere.left_out == 1
    assert LogTail(tmp_path / "file").newest(10) == []


def test_a_kept_line_in_words(tmp_path: Path) -> None:
    before = structlog.get_config()
    log_to_stderr(also=KeptLog(tmp_path))
    try:
        fail("rtsp://viewer:correcthorse@192.0.2.1/")
    except ValueError:
        structlog.get_logger().exception("a camera failed", camera="gate")
    finally:
        structlog.configure(**before)
    [line] = LogTail(tmp_path).newest(10)
    head, *trace = in_words(line)
    assert head.endswith("[error] a camera failed camera=gate")
    assert all(each.startswith("  | ") for each in trace)
    assert any("***@192.0.2.1" in each for each in trace)
    assert "correcthorse" not in line
    assert list(in_words("no JSON")) == ["no JSON"]
    assert list(in_words("[]")) == ["[]"]


def test_the_command_prints_the_newest_lines(tmp_path: Path) -> None:
    log = KeptLog(tmp_path / "data")
    for number in range(3):
        say(log, number)
    file = tmp_path / "node.yaml"
    file.write_text(
        'node: {id: station-01, district: "110105", data_directory: data}\n'
        "cloud: {mqtt: mqtt://127.0.0.1, https: http://127.0.0.1}\n"
    )
    done = CliRunner().invoke(app, ["logs", "-c", str(file), "-n", "2"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == ["t [info] event 1 more=", "t [info] event 2 more="]
    told = CliRunner().invoke(app, ["logs", "-c", str(file), "-n", "1", "--json"])
    assert json.loads(told.output)["event"] == "event 2"
