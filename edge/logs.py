"""How the programs of the edge write their log: lines for people on a terminal, JSON elsewhere."""

import logging
import sys
import traceback
from typing import Any, TextIO

import structlog


def log_to_stderr() -> None:
    """Lines for people on a terminal, JSON elsewhere; tracebacks without the values of variables."""
    final: list[Any] = (
        [escape_words, structlog.dev.ConsoleRenderer(exception_formatter=write_traceback)]
        if sys.stderr.isatty()
        else [structlog.processors.format_exc_info, escape_words, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *final,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def escape_words(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A processor: nothing that somebody sent begins a line, moves a cursor or turns the direction of writing around."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[key] = (
                "\n".join(escaped(line) for line in value.splitlines()) if key == "exception" else escaped(value)
            )
    return event


def escaped(text: str) -> str:
    """The text with each character that does not print as its escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def write_traceback(stream: TextIO, error: structlog.typing.ExcInfo) -> None:
    """A traceback without the values of variables, each line set in: none can pass for a line of the log."""
    stream.writelines(f"  | {escaped(line)}\n" for line in "".join(traceback.format_exception(*error)).splitlines())
