import base64
import hashlib

import pytest

from edge.simulators.rtsp_login import Login, Scheme

BASIC = Login("user", "pass:word", Scheme.BASIC)
DIGEST = Login("user", "secret", nonce="abc")


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def digest(password: str, *, nonce: str = "abc", qop: bool = False, method: str = "DESCRIBE") -> str:
    middle = "1:xyz:auth:" if qop else ""
    response = md5(f"{md5(f'user:gridward:{password}')}:{nonce}:{middle}{md5(f'{method}:rtsp://h/live')}")
    extra = ', qop=auth, nc=1, cnonce="xyz"' if qop else ""
    return (
        f'Digest username="user", realm="gridward", nonce="{nonce}", uri="rtsp://h/live", response="{response}"{extra}'
    )


def test_basic_takes_the_right_password_alone() -> None:
    right = base64.b64encode(b"user:pass:word").decode()
    wrong = base64.b64encode(b"user:password").decode()
    assert BASIC.accepts(f"Basic {right}", "DESCRIBE")
    assert not BASIC.accepts(f"Basic {wrong}", "DESCRIBE")


@pytest.mark.parametrize("qop", [False, True])
def test_digest_takes_the_right_password_alone(qop: bool) -> None:
    assert DIGEST.accepts(digest("secret", qop=qop), "DESCRIBE")
    assert not DIGEST.accepts(digest("wrong", qop=qop), "DESCRIBE")
    assert not DIGEST.accepts(digest("secret", nonce="old", qop=qop), "DESCRIBE")
    assert not DIGEST.accepts(digest("secret", qop=qop), "SETUP")


@pytest.mark.parametrize("header", [None, "", "Basic", "Basic &&&", "Digest", 'Digest username="user"', "Bearer x"])
def test_anything_else_is_refused(header: str | None) -> None:
    assert not BASIC.accepts(header, "DESCRIBE")
    assert not DIGEST.accepts(header, "DESCRIBE")
