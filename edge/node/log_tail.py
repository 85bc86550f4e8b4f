"""The newest lines of the node's log for whoever asks from afar (日志尾部): the command `log_tail`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from edge.contract.fields import Instant
from edge.contract.log_tail import LARGEST_BYTES, LogLevel, LogLine, LogTailArguments, LogTailResult
from edge.errors import CommandRefused
from edge.masking import shown, without_secrets
from edge.node.commands import Handler, Request
from edge.node.kept_log import LogTail

_ALL: Final = 1 << 30
_GRAVITY: Final = {level: place for place, level in enumerate(LogLevel)}


def log_tail_of(directory: Path) -> Handler:
    """The handler for the log that a node keeps beside its data."""

    def read(request: Request) -> dict[str, Any]:
        try:
            asked = msgspec.convert(dict(request.arguments), LogTailArguments)
        except (msgspec.ValidationError, ValueError) as error:
            raise CommandRefused(f"not understood: {error}") from error
        result: dict[str, Any] = msgspec.to_builtins(newest(LogTail(directory).newest(_ALL), asked))
        return result

    return read


def newest(kept: Iterable[str], asked: LogTailArguments) -> LogTailResult:
    """Of kept lines, the newest last, those that were asked for, without secrets: as many of the newest as fit."""
    found: list[LogLine] = []
    room_bytes = LARGEST_BYTES
    for text in reversed(list(kept)):
        line = read_line(text)
        if not _is_wanted(line, asked):
            continue
        room_bytes -= len(msgspec.json.encode(line)) + 1
        if len(found) == asked.lines or room_bytes < 0:
            return LogTailResult(lines=tuple(reversed(found)), cut=True)
        found.append(line)
    return LogTailResult(lines=tuple(reversed(found)))


def read_line(kept: str) -> LogLine:
    """A kept line for people. What is no event of the log is shown as it is."""
    try:
        event: dict[str, Any] = json.loads(kept)
        at, level = event.pop("timestamp"), event.pop("level")
        exception = str(event.pop("exception", ""))
        words = [str(event.pop("event")), *(f"{key}={shown(key, value)}" for key, value in event.items())]
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return LogLine(text=without_secrets(kept))
    text = without_secrets("\n".join([" ".join(words), *exception.splitlines()]))
    return LogLine(at=_converted(at, Instant), level=_converted(level, LogLevel), text=text)


def _is_wanted(line: LogLine, asked: LogTailArguments) -> bool:
    if _GRAVITY[line.level or LogLevel.INFO] < _GRAVITY[asked.level]:
        return False
    return asked.since is None or line.at is None or line.at >= asked.since


def _converted(value: object, shape: Any) -> Any:
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError:
        return None
