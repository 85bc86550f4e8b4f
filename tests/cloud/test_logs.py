"""What somebody sent stands in the log as text, on its own line."""

import contextlib
import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from cloud.logs import escape_words, escaped, log_to_stderr, write_traceback

PASSWORD = "correcthorse"
HOSTILE = "a\n2026-01-01 [error] forged \x1b[2J\x9b31m \u202egnp\u2028.\x00\ud800"


def test_what_does_not_print_is_escaped() -> None:
    event = escape_words(None, "info", {"event": HOSTILE, "count": 3, "word": "徘徊", "exception": "one\n two\x1b"})
    assert str(event["event"]).isprintable()
    assert event["event"] == (r"a\n2026-01-01 [error] forged \x1b[2J\x9b31m \u202egnp\u2028.\x00\ud800")
    assert (event["count"], event["word"], event["exception"]) == (3, "徘徊", "one\n two\\x1b")
    assert json.dumps(event)


def refuse(password: str) -> None:
    raise ValueError(HOSTILE, len(password))


def test_a_traceback_shows_no_values_and_forges_no_line() -> None:
    stream = io.StringIO()
    try:
        refuse(PASSWORD)
    except ValueError:
        write_traceback(stream, sys.exc_info())  # type: ignore[arg-type]
    lines = stream.getvalue().splitlines()
    assert all(line.startswith("  | ") and line.isprintable() for line in lines)
    assert PASSWORD not in stream.getvalue()
    assert escaped("fine") == "fine"


def connect(target: str) -> None:
    raise ConnectionError(f"no way to {target}")


@contextlib.contextmanager
def logging_as(*, json_lines: bool) -> Iterator[None]:
    before, configuration = logging.getLogger().handlers[:], structlog.get_config()
    try:
        log_to_stderr(as_json=json_lines)
        yield
    finally:
        logging.basicConfig(handlers=before, force=True)
        structlog.configure(**configuration)


def test_lines_of_the_service_are_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_as(json_lines=False):
        structlog.get_logger("cloud.test").warning("refused", topic=HOSTILE)
        logging.getLogger("uvicorn.error").warning("Invalid %s", HOSTILE)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)


def test_a_stream_that_was_put_in_the_place_of_stderr_is_not_held_on_to(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_as(json_lines=False):
        with contextlib.redirect_stderr(io.StringIO()) as meanwhile:
            logging.getLogger("cloud.test").warning("first")
        meanwhile.close()
        logging.getLogger("cloud.test").warning("second")
    written = capsys.readouterr().err
    assert "second" in written
    assert "first" not in written
    assert "Logging error" not in written


@pytest.mark.parametrize("json_lines", [True, False])
def test_no_secret_is_written(capsys: pytest.CaptureFixture[str], json_lines: bool) -> None:
    """Neither of ours nor of a library, in words, under a key or in a traceback."""
    dsn = f"postgresql://gridward:{PASSWORD}@db/gridward"
    with logging_as(json_lines=json_lines):
        log = structlog.get_logger("cloud.test")
        words = f"no answer from {dsn}"
        log.warning(words, database=dsn, password=PASSWORD, nested={"access_token": PASSWORD})
        logging.getLogger("uvicorn.access").warning('"GET /live?token=%s HTTP/1.1" 200', PASSWORD)
        try:
            connect(f"host=db user=gridward password={PASSWORD}")
        except ConnectionError:
            log.exception("lost")
    written = capsys.readouterr().err
    assert PASSWORD not in written
    assert "@db/gridward" in written
    assert "ConnectionError" in written
