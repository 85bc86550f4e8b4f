"""The newest lines of the log as an answer: bounded, filtered, without secrets, whatever stands in the file."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contract.log_tail import LARGEST_BYTES, LogLevel, LogTailArguments, LogTailResult
from edge.errors import CommandRefused
from edge.node.commands import Request
from edge.node.kept_log import FOLDER, NOW, KeptLog
from edge.node.log_tail import log_tail_of, newest, read_line

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def line(number: int, level: str = "info", **more: Any) -> str:
    at = (AT + timedelta(seconds=number)).isoformat()
    return json.dumps({"timestamp": at, "level": level, "event": f"event {number}", **more})


def texts(result: LogTailResult) -> list[str]:
    return [each.text for each in result.lines]


def test_the_newest_of_a_level_and_a_time_come_in_their_order() -> None:
    kept = [line(number, "warning" if number % 2 else "info", camera="cam-1") for number in range(10)]
    assert texts(newest(kept, LogTailArguments(lines=2))) == ["event 8 camera=cam-1", "event 9 camera=cam-1"]
    graver = newest(kept, LogTailArguments(lines=2, level=LogLevel.WARNING))
    assert (texts(graver), graver.cut) == (["event 7 camera=cam-1", "event 9 camera=cam-1"], True)
    late = newest(kept, LogTailArguments(since=AT + timedelta(seconds=8)))
    assert (texts(late), late.cut) == (["event 8 camera=cam-1", "event 9 camera=cam-1"], False)


@given(st.lists(st.integers(0, 16_000), max_size=40), st.integers(1, 40))
def test_the_answer_is_as_long_as_it_may_be_and_no_longer(lengths: list[int], count: int) -> None:
    kept = [line(number, more="徘" * length) for number, length in enumerate(lengths)]
    result = newest(kept, LogTailArguments(lines=count))
    assert len(msgspec.json.encode(result)) <= LARGEST_BYTES + 100
    assert texts(result) == [read_line(each).text for each in kept[len(kept) - len(result.lines) :]]
    assert result.cut == (len(result.lines) < len(kept))


@given(st.text(max_size=200) | st.sampled_from(["[1]", '{"event": 1}', "null", "[" * 5_000, '{"timestamp": {}}']))
def test_whatever_stands_in_the_file_is_a_line(kept: str) -> None:
    assert read_line(kept).level is None
    assert len(newest([kept], LogTailArguments()).lines) == 1


def test_nothing_that_is_called_a_secret_leaves() -> None:
    kept = [
        line(1, password="sesame", url="rtsp://user:sesame@camera/1"),
        line(2, exception="ValueError: token=sesame\n  at line 3"),
        "rtsp://user:sesame@camera/2",
    ]
    result = newest(kept, LogTailArguments())
    assert "sesame" not in str(result)
    assert "camera/1" in result.lines[0].text
    assert result.lines[1].text.splitlines()[-1] == "  at line 3"


def test_the_handler_reads_what_the_node_keeps(tmp_path: Path) -> None:
    log = KeptLog(tmp_path)
    log(None, "info", {"timestamp": AT.isoformat(), "level": "info", "event": "begun"})
    read = log_tail_of(tmp_path)
    assert read(Request("log_tail", None, {"lines": 5}, AT, lambda: 1.0)) == {
        "lines": ({"at": "2026-03-01T12:00:00Z", "level": "info", "text": "begun"},),
        "cut": False,
    }
    (tmp_path / FOLDER / NOW).unlink()
    assert read(Request("log_tail", None, {}, AT, lambda: 1.0)) == {"lines": (), "cut": False}


@pytest.mark.parametrize(
    "arguments", [{"lines": 0}, {"lines": 10**9}, {"level": "loud"}, {"since": "yesterday"}, {"path": "/etc/passwd"}]
)
def test_what_can_not_be_meant_is_refused(tmp_path: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(CommandRefused):
        log_tail_of(tmp_path)(Request("log_tail", None, arguments, AT, lambda: 1.0))
