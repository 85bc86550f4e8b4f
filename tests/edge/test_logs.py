"""What somebody sent stands in the log as text, on its own line."""

import io
import json
import sys

from edge.logs import escape_words, escaped, write_traceback

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
