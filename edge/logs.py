"""How the programs of the edge write their log: lines for people on a terminal, JSON elsewhere, without secrets."""

import logging
import sys
import traceback
from typing import Any, TextIO

import structlog

from edge.masking import shown, without_secrets


def log_to_stderr(*, also: "structlog.typing.Processor | None" = None) -> None:
    """Lines for people on a terminal, JSON elsewhere; tracebacks without the values of variables. `also` sees each event before
    it is written, as whoever keeps the newest lines does.
    """
    final: list[Any] = (
        [escape_words, structlog.dev.ConsoleRenderer(exception_formatter=write_traceback)]
        if sys.stderr.isatty()
        else [format_exception, escape_words, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            hide_secrets,
            *(() if also is None else (also,)),
            *final,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def hide_secrets(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A processor: no log-in of an address and nothing that is called a password is written."""
    for key, value in event.items():
        if key != "exc_info":  # the error itself: its text is masked where it is written
            event[key] = shown(key, value)
    return event


def format_exception(
    logger: structlog.typing.WrappedLogger, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """A processor: the traceback as text; what a library wrote into its error may hold an address."""
    event = structlog.processors.format_exc_info(logger, method, event)
    if isinstance(event.get("exception"), str):
        event["exception"] = without_secrets(event["exception"])
    return event


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
    text = without_secrets("".join(traceback.format_exception(*error)))
    stream.writelines(f"  | {escaped(line)}\n" for line in text.splitlines())
