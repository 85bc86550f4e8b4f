"""What somebody sent stands in the log as text, on its own line."""

import io
import json
import sys
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from edge.logs import escape_words, escaped, hide_secrets, log_to_stderr, write_traceback
from edge.masking import without_secrets, without_userinfo

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
    f"rtsp://192.0.2.1:554/user=admin_password={PASSWORD}_channel=1_stream=0.sdp",
    f"https://192.0.2.1/?access_token={PASSWORD}",
    f"client_secret={PASSWORD}",
    f"mqtt_password: {PASSWORD}",
    f'{{"accessToken": "{PASSWORD}"}}',
    f'{{\\"accessToken\\": \\"a {PASSWORD}\\"}}',
    f"{{'url': 'x', 'password': 'it\\'s {PASSWORD}', 'port': 3}}",
    f"Authorization: Bearer {PASSWORD}",
    f"authorization: Basic {PASSWORD}==",
    f'Authorization: Digest username="admin", response="{PASSWORD}"',
    f"refused for Bearer {PASSWORD}",
    f'password="a {PASSWORD}" for 192.0.2.1',
    f"pwd=pa;{PASSWORD}",
    f"pwd=pa,'{PASSWORD}",
    f"rtsp://viewer:a'{PASSWORD}@192.0.2.1",
    f'rtsp://viewer:a"{PASSWORD}@192.0.2.1',
    f"rtsp://viewer:a {PASSWORD}@192.0.2.1/live",
    f"rtsp://viewer:{PASSWORD} a b@192.0.2.1/live",
    f"viewer:{PASSWORD}@192.0.2.1",
    f"`rtsp:/viewer:{PASSWORD}@192.0.2.1/live`",
    f"AGE-SECRET-KEY-1{PASSWORD.upper()}",
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
        "can't open",
        reason=address,
        problems=[f"node.yaml:3: {address}"],
        more={"url": address},
        error=ValueError(address),
        raw=address.encode(),
        several={address},
        token=PASSWORD,
        mqtt_password=PASSWORD,
        headers={"Authorization": PASSWORD, "accessToken": PASSWORD},
    )
    log.info(address)
    try:
        fail(address)
    except ValueError:
        log.exception("failed")
    finally:
        structlog.configure(**before)
    written = capsys.readouterr().err
    assert PASSWORD not in written.lower()
    assert PASSWORD.upper() not in written
    assert PASSWORD not in str([{**each, "exc_info": None} for each in kept])
    assert "***" in written
    assert "192.0.2.1" in written or "192.0.2.1" not in address


def test_what_is_no_secret_stays_as_it_is() -> None:
    for text in (
        "`gridward-cloud node add station-01` gives a token for cloud.token_file",
        "rtsp://192.0.2.1:554/live",
        "mail to keeper@example.org",
        "the password file can't be read: FileNotFoundError",
        "rtsp://192.0.2.1:554/live is away, mail to keeper@example.org",
        "cameras[0].password_file: there is no file /etc/gridward/camera",
        "basic checks are done: 3",
    ):
        assert without_secrets(text) == text
        assert hide_secrets(None, "info", {"event": text, "password_file": text, "count": 3, "share": 0.5}) == {
            "event": text,
            "password_file": text,
            "count": 3,
            "share": 0.5,
        }


@given(st.text("pw:/@ '\"\\=x", max_size=30), st.text("pw:/ '=x", max_size=30))
def test_nothing_is_left_before_the_last_at_sign_of_an_address(before: str, after: str) -> None:
    assert PASSWORD not in without_userinfo(f"{before}{PASSWORD}@{after}")


@pytest.mark.parametrize(
    "part",
    [
        "://",
        "a://b:c ",
        "a:@",
        "@",
        "password",
        "password ",
        "password=",
        "token\\",
        '"',
        'secret=\\"',
        "secret='\\",
        " ",
        "\\",
        "Basic ",
        "Bearer a",
        "AGE-SECRET-KEY-",
        "authorization:",
        "access_",
        "access-key",
        "x",
        "://x:y ",
        "=",
        "pw",
    ],
)
def test_no_text_is_masked_slowly(part: str) -> None:
    """Where the time grew with the square of the length this would take many minutes."""
    length = 300_000
    assert without_secrets(part * (length // len(part)) + "@")
    assert without_secrets("password=" + part * (length // len(part)))
