"""What somebody sent stands in the log as text, on its own line."""

import io
import json
import sys
from typing import Any

import pytest
import structlog

from edge.logs import escape_words, escaped, log_to_stderr, without_secrets, write_traceback

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


ADDRESSES = [
    f"rtsp://viewer:{PASSWORD}@192.0.2.1:554/live",
    f"rtsp://viewer:{PASSWORD}%2F@192.0.2.1/",
    f"rtsp://viewer:{PASSWORD}@home@192.0.2.1/",
    f"rtsp://viewer:a/{PASSWORD}@192.0.2.1/",
    f"mqtts://{PASSWORD}@broker",
    f"https://192.0.2.1/play?user=a&password={PASSWORD}&channel=3",
    f"https://192.0.2.1/play?token={PASSWORD}",
    f"refused: password: {PASSWORD}",
    f'{{"apiKey": "{PASSWORD}"}}',
]


def fail(reason: str) -> None:
    raise ValueError(reason)


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_password_of_an_address_is_written(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    kept = list[Any]()

    def keep(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        kept.append(dict(event))
        return event

    before = structlog.get_config()
    log_to_stderr(also=keep)
    log = structlog.get_logger()
    log.warning(
        "can't open", reason=address, problems=[f"node.yaml:3: {address}"], more={"url": address}, token=PASSWORD
    )
    log.info(address)
    try:
        fail(address)
    except ValueError:
        log.exception("failed")
    finally:
        structlog.configure(**before)
    written = capsys.readouterr().err
    assert PASSWORD not in written
    assert PASSWORD not in str([{**each, "exc_info": None} for each in kept])
    assert "***" in written
    assert "192.0.2.1" in written or "192.0.2.1" not in address


def test_what_is_no_secret_stays_as_it_is() -> None:
    for text in (
        "`gridward-cloud node add station-01` gives a token for cloud.token_file",
        "rtsp://192.0.2.1:554/live",
        "mail to keeper@example.org",
        "the password file can't be read: FileNotFoundError",
    ):
        assert without_secrets(text) == text
