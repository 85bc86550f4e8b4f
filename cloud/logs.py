"""Where the log goes: stderr, one line for each event, for people or for programs, without secrets."""

import logging
import sys
import traceback
from typing import TextIO

import structlog

from edge.contract.secrets import shown, without_secrets


def log_to_stderr(*, as_json: bool) -> None:
    """One format for all: what libraries log through `logging` goes the same way."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer = structlog.processors.JSONRenderer() if as_json else console_renderer()
    last: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if as_json:
        last.append(structlog.processors.format_exc_info)
    last += [hide_secrets, escape_words]
    handler = _ToStderr()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*last, renderer]))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("cloud").setLevel(logging.INFO)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


class _ToStderr(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is when it writes, so a stream that was put in its place and closed is not held on to."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        raise AttributeError("it goes to sys.stderr")


def console_renderer(*, colors: bool = False) -> structlog.dev.ConsoleRenderer:
    """Lines for people."""
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=write_traceback)


def hide_secrets(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A processor: no log-in of an address and nothing that is called a password is written; a library's error may hold either."""
    for key, value in event.items():
        if key != "exc_info":  # the error itself: its text is masked where it is written
            event[key] = shown(key, value)
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
