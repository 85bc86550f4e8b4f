"""Accounts over HTTP: a password for one log-in opens nothing but its change, and sessions are seen and ended."""

import httpx

from cloud.access.policy import PER_ACCOUNT_AND_ADDRESS
from tests.cloud.api.conftest import Cloud
from tests.cloud.samples import GRID, PASSWORD

ACCOUNTS, SESSION = "/api/v1/accounts", "/api/v1/session"
OWN = "a password of my own"
NEW = {"name": "wang", "display_name": "王", "role": "grid_worker", "area_code": GRID}


def sign_in(cloud: Cloud, name: str, password: str) -> httpx.Client:
    with cloud.anyone() as door:
        answer = door.post(SESSION, json={"name": name, "password": password})
    assert answer.status_code == httpx.codes.OK, answer.text
    client = cloud.anyone()
    client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
    return client


def test_a_password_that_was_made_for_somebody_is_good_for_one_log_in(cloud: Cloud) -> None:
    with cloud.client("admin") as admin:
        made = admin.post(ACCOUNTS, json=NEW)
        assert made.status_code == httpx.codes.CREATED, made.text
        password = made.json()["password"]
        assert "password" not in admin.get(f"{ACCOUNTS}/{made.json()['id']}").json()
    with sign_in(cloud, "wang", password) as wang:
        assert wang.get(SESSION).json()["must_change_password"] is True
        for path in ("/api/v1/cases", "/api/v1/live", "/api/v1/areas", "/api/v1/session/all", "/metrics"):
            refused = wang.get(path)
            assert refused.status_code == httpx.codes.FORBIDDEN, path
            assert refused.json()["type"].endswith("PasswordToChange"), path
        for wrong in ({"current": "x", "password": OWN}, {"current": password, "password": "short"}):
            assert wang.post(f"{SESSION}/password", json=wrong).status_code in {403, 422}
        same = wang.post(f"{SESSION}/password", json={"current": password, "password": password})
        assert same.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        changed = wang.post(f"{SESSION}/password", json={"current": password, "password": OWN})
        assert changed.status_code == httpx.codes.NO_CONTENT, changed.text
        assert wang.get("/api/v1/cases").status_code == httpx.codes.OK
    sign_in(cloud, "wang", OWN).close()


def test_changing_a_password_ends_the_other_sessions_and_guessing_it_is_slow(cloud: Cloud) -> None:
    with sign_in(cloud, "chief", PASSWORD) as here, sign_in(cloud, "chief", PASSWORD) as there:
        assert len(here.get(f"{SESSION}/all").json()["items"]) == 2
        assert [item["current"] for item in here.get(f"{SESSION}/all").json()["items"]] == [False, True]
        body = {"current": PASSWORD, "password": OWN}
        assert here.post(f"{SESSION}/password", json=body).status_code == httpx.codes.NO_CONTENT
        assert here.get(SESSION).status_code == httpx.codes.OK
        assert there.get(SESSION).status_code == httpx.codes.UNAUTHORIZED
        for _ in range(PER_ACCOUNT_AND_ADDRESS.free):
            wrong = here.post(f"{SESSION}/password", json={"current": "wrong", "password": OWN})
            assert wrong.status_code == httpx.codes.FORBIDDEN
        cloud.conn.execute("update login_attempt set last_at = last_at + interval '10 minutes'")
        cloud.conn.commit()
        locked = here.post(f"{SESSION}/password", json={"current": OWN, "password": OWN + "2"})
        assert locked.status_code == httpx.codes.TOO_MANY_REQUESTS


def test_one_ends_ones_own_sessions_and_nobody_elses(cloud: Cloud) -> None:
    lost = cloud.session("chief")
    with cloud.client("chief") as chief, cloud.client("worker") as worker, cloud.client("admin") as admin:
        sessions = {item["current"]: item["id"] for item in chief.get(f"{SESSION}/all").json()["items"]}
        foreign = worker.delete(f"{SESSION}/all/{sessions[False]}")
        assert foreign.status_code == httpx.codes.NOT_FOUND
        assert foreign.json() == worker.delete(f"{SESSION}/all/99999").json()
        assert chief.delete(f"{SESSION}/all/{sessions[False]}").status_code == httpx.codes.NO_CONTENT
        chief.headers["X-Test"] = "still here"
        assert chief.get(SESSION).status_code == httpx.codes.OK
        with cloud.anyone() as thief:
            thief.headers["Authorization"] = f"Bearer {lost}"
            assert thief.get(SESSION).status_code == httpx.codes.UNAUTHORIZED
        [found] = admin.get(ACCOUNTS, params={"text": "worker"}).json()["items"]
        path = f"{ACCOUNTS}/{found['id']}/sessions"
        assert len(admin.get(path).json()["items"]) == 1
        assert admin.delete(path).status_code == httpx.codes.NO_CONTENT
        assert worker.get(SESSION).status_code == httpx.codes.UNAUTHORIZED


def test_an_account_is_changed_closed_and_opened_again(cloud: Cloud) -> None:
    with cloud.client("admin") as admin, cloud.client("worker") as worker:
        [found] = admin.get(ACCOUNTS, params={"text": "worker"}).json()["items"]
        path = f"{ACCOUNTS}/{found['id']}"
        lead = {"display_name": "Lead", "role": "grid_lead", "area_code": GRID}
        assert admin.put(path, json=lead).json()["role"] == "grid_lead"
        assert worker.get(SESSION).json()["user"]["role"] == "grid_lead"
        order = f"{path}/actions"
        assert admin.post(order, json={"action": "close"}).json()["disabled_at"] is not None
        assert worker.get(SESSION).status_code == httpx.codes.UNAUTHORIZED
        assert admin.post(order, json={"action": "close"}).status_code == httpx.codes.CONFLICT
        assert admin.post(order, json={"action": "reopen"}).json()["disabled_at"] is None
        reset = admin.post(order, json={"action": "reset_password"}).json()
        assert reset["must_change_password"] is True
        sign_in(cloud, "worker", reset["password"]).close()
        own = admin.get(SESSION).json()["user"]["id"]
        assert admin.post(f"{ACCOUNTS}/{own}/actions", json={"action": "close"}).status_code == httpx.codes.CONFLICT
