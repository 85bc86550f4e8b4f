import httpx

from tests.cloud.api.conftest import Cloud
from tests.cloud.samples import PASSWORD


def sign_in(client: httpx.Client, name: str = "chief", password: str = PASSWORD) -> httpx.Response:
    return client.post("/api/v1/session", json={"name": name, "password": password})


def test_signing_in_tells_who_one_is_and_gives_token_and_cookie(cloud: Cloud) -> None:
    with cloud.anyone() as client:
        answer = sign_in(client)
        assert answer.json()["user"] == {
            "id": answer.json()["user"]["id"],
            "name": "chief",
            "display_name": "Chief",
            "role": "duty_chief",
            "area": {"code": "110105", "name": "青岚区", "level": "district"},
        }
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert client.get("/api/v1/session").json()["user"]["name"] == "chief"


def test_a_cookie_alone_changes_nothing(cloud: Cloud) -> None:
    with cloud.anyone() as client:
        sign_in(client)
        assert client.delete("/api/v1/session").status_code == httpx.codes.FORBIDDEN
        assert client.delete("/api/v1/session", headers={"X-Gridward-CSRF": "1"}).status_code == httpx.codes.NO_CONTENT
        assert client.get("/api/v1/session").status_code == httpx.codes.UNAUTHORIZED


def test_signing_out_ends_the_token_too(cloud: Cloud) -> None:
    with cloud.client("chief") as client:
        assert client.delete("/api/v1/session").status_code == httpx.codes.NO_CONTENT
        assert client.get("/api/v1/session").status_code == httpx.codes.UNAUTHORIZED


def test_wrong_passwords_and_names_read_the_same_and_lock_out(cloud: Cloud) -> None:
    with cloud.anyone() as client:
        wrong = sign_in(client, password="wrong password")
        nobody = sign_in(client, name="nobody")
        assert wrong.status_code == nobody.status_code == httpx.codes.UNAUTHORIZED
        assert wrong.json() == nobody.json()
        assert wrong.headers["content-type"] == "application/problem+json"
        for _ in range(4):
            sign_in(client, password="wrong password")
        # the wait is a second, and a busy machine may take longer than that to come back: let it have begun just now
        cloud.conn.execute("update login_attempt set last_at = last_at + interval '10 minutes'")
        cloud.conn.commit()
        locked = sign_in(client)
        assert locked.status_code == httpx.codes.TOO_MANY_REQUESTS
        assert int(locked.headers["retry-after"]) >= 1


def test_a_refused_attempt_stands_in_the_audit_log(cloud: Cloud) -> None:
    with cloud.anyone() as client:
        sign_in(client, password="wrong password")
    row = cloud.conn.execute("select subject, address from audit where action = 'session.refused'").fetchone()
    assert row == ("account:chief", "127.0.0.1")


NO_LOG_IN = [
    b"",
    b"null",
    b"[]",
    b'{"name": "chief"}',
    b'{"name": "chief", "password": ["x"]}',
    b'{"name": "chief", "password": "\\u0000"}',
    b'{"name": "\\u0000", "password": "x"}',
    b'{"name": "\\ud800", "password": "\\ud800"}',
    b"\xff\xfe",
    b'{"name": "chief", "password": "x", "more": 1}',
    b"[" * 10_000,
    b"x" * (2 << 20),
]


def test_what_is_no_log_in_is_refused(cloud: Cloud) -> None:
    with cloud.anyone() as client:
        for body in NO_LOG_IN:
            answer = client.post("/api/v1/session", content=body, headers={"Content-Type": "application/json"})
            assert 400 <= answer.status_code < 500, body[:60]


def test_a_password_is_not_told_back(cloud: Cloud) -> None:
    with cloud.anyone() as client:
        answer = client.post("/api/v1/session", json={"name": 5, "password": "hunter2 hunter2"})
    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert "hunter2" not in answer.text
