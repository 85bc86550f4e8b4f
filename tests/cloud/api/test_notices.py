"""What a person was told and how, over HTTP: one's own alone."""

import threading
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from cloud.db.pool import open_pool
from cloud.notify.planner import Planner
from cloud.notify.web_push import encode
from edge.contract.incident import Severity
from tests.cloud.api.conftest import Cloud
from tests.cloud.notify.sinks import Phone
from tests.cloud.samples import incident, report
from tests.waiting import wait_until

PHONE = Phone()
BROWSER = {
    "label": "Phone",
    "endpoint": "https://push.example.org/abc",
    "p256dh": encode(PHONE.public_key),
    "auth": encode(PHONE.secret),
}


def person(cloud: Cloud, name: str) -> httpx.Client:
    """Somebody who is signed in; no password is hashed."""
    headers = {"Authorization": f"Bearer {cloud.session(name)}"}
    return httpx.Client(base_url=cloud.url, timeout=20, headers=headers)


def plan(cloud: Cloud) -> None:
    pool = open_pool(cloud.database_url, size=2)
    try:
        Planner(pool, ZoneInfo("Asia/Shanghai"), lambda _conn, _path, _at: ()).look(datetime.now(UTC))
    finally:
        pool.close()


@pytest.fixture
def told(cloud: Cloud) -> Cloud:
    """The worker of a grid and the chief were told of two cases; the worker of another grid of none."""
    cloud.receive(report(incident(1)), report(incident(2, device="cam-2", severity=Severity.HIGH)))
    plan(cloud)
    return cloud


def test_each_reads_his_own_threads(told: Cloud) -> None:
    with person(told, "worker") as worker, person(told, "elsewhere") as elsewhere:
        page = worker.get("/api/v1/notices").json()
        assert page["unseen"] == len(page["items"]) == 2
        assert [(each["word"], each["severity"], each["news"]) for each in page["items"]] == [
            ("opened", "high", 1),
            ("opened", "medium", 1),
        ]
        assert elsewhere.get("/api/v1/notices").json() == {"items": [], "unseen": 0, "next": None}
        first = worker.get("/api/v1/notices", params={"limit": 1}).json()
        rest = worker.get("/api/v1/notices", params={"limit": 1, "after": first["next"]}).json()
        assert [*first["items"], *rest["items"]] == page["items"]


def test_what_comes_after_one_looked_stays_new(told: Cloud) -> None:
    with person(told, "worker") as worker:
        newest, older = worker.get("/api/v1/notices").json()["items"]
        seen = worker.post("/api/v1/notices/seen", json={"upto": older["id"]}).json()
        assert seen["unseen"] == 1
        seen = worker.post("/api/v1/notices/seen", json={"upto": newest["id"], "case_id": newest["case_id"]}).json()
        assert seen["unseen"] == 0


def test_one_notice_is_seen_and_the_others_are_not(told: Cloud) -> None:
    with person(told, "worker") as worker:
        newest, _ = worker.get("/api/v1/notices").json()["items"]
        seen = worker.post("/api/v1/notices/seen", json={"upto": newest["id"], "alone": True}).json()
        assert [each["unseen"] for each in seen["items"]] == [0, 1]


def test_a_person_can_not_see_for_another(told: Cloud) -> None:
    with person(told, "elsewhere") as elsewhere, person(told, "worker") as worker:
        elsewhere.post("/api/v1/notices/seen", json={"upto": 10**9})
        assert worker.get("/api/v1/notices").json()["unseen"] == 2


def test_a_notice_reaches_the_open_page_of_that_person_alone(cloud: Cloud) -> None:
    heard: dict[str, list[str]] = {"worker": [], "chief": [], "admin": [], "elsewhere": []}
    done = threading.Event()

    def listen(name: str) -> None:
        with person(cloud, name) as client, client.stream("GET", "/api/v1/live") as stream:
            for line in stream.iter_lines():
                heard[name].append(line)
                if done.is_set():
                    return

    threads = [threading.Thread(target=listen, args=(name,), daemon=True) for name in heard]
    for thread in threads:
        thread.start()
    wait_until(lambda: all("event: hello" in lines for lines in heard.values()))
    cloud.receive(report(incident(1)))
    plan(cloud)
    wait_until(lambda: all("event: notice.new" in heard[name] for name in ("worker", "chief")))
    done.set()  # the next heartbeat ends each
    for thread in threads:
        thread.join(10)
    assert "event: notice.new" not in heard["admin"] + heard["elsewhere"]
    with person(cloud, "worker") as worker:
        me = worker.get("/api/v1/notices").json()["items"][0]["id"]
    (data,) = [heard["worker"][place + 1] for place, line in enumerate(heard["worker"]) if line == "event: notice.new"]
    assert f'"id":{me}' in data


def test_wishes_are_kept(cloud: Cloud) -> None:
    wanted = {"quiet_from": "22:00:00", "quiet_to": "06:30:00", "digest_min": 60, "language": "en"}
    with person(cloud, "worker") as worker:
        usual = {"quiet_from": None, "quiet_to": None, "digest_min": 30, "language": "zh"}
        assert worker.get("/api/v1/notice-preference").json() == usual
        assert worker.put("/api/v1/notice-preference", json=wanted).json() == wanted
        assert worker.get("/api/v1/notice-preference").json() == wanted


@pytest.mark.parametrize(
    "wrong",
    [
        {"quiet_from": "22:00:00"},
        {"quiet_from": "22:00:00", "quiet_to": "22:00:00"},
        {"quiet_from": "22:00:00+08:00", "quiet_to": "06:00:00+08:00"},
        {"digest_min": 241},
        {"digest_min": -1},
        {"language": "xx"},
        {"quiet": True},
    ],
)
def test_wishes_that_can_not_be_are_refused(shared_cloud: Cloud, wrong: dict[str, Any]) -> None:
    token = {"Authorization": f"Bearer {shared_cloud.session('worker')}"}
    with shared_cloud.anyone() as client:
        answer = client.put("/api/v1/notice-preference", json=wrong, headers=token)
    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY


def test_a_browser_subscribes_for_whoever_uses_it_now(cloud: Cloud) -> None:
    with person(cloud, "worker") as worker, person(cloud, "chief") as chief:
        assert len(worker.get("/api/v1/web-push").json()["public_key"]) == 87
        made = worker.post("/api/v1/web-push", json=BROWSER)
        assert made.status_code == httpx.codes.CREATED
        assert "push.example.org" not in made.text
        assert worker.post("/api/v1/web-push", json=BROWSER).status_code == httpx.codes.CREATED
        assert len(worker.get("/api/v1/notice-channels").json()["items"]) == 1, "twice is once"
        chief.post("/api/v1/web-push", json=BROWSER)
        assert worker.get("/api/v1/notice-channels").json()["items"] == []
        (channel,) = chief.get("/api/v1/notice-channels").json()["items"]
        assert worker.delete(f"/api/v1/notice-channels/{channel['id']}").status_code == httpx.codes.NOT_FOUND
        assert chief.delete(f"/api/v1/notice-channels/{channel['id']}").status_code == httpx.codes.NO_CONTENT
    row = cloud.conn.execute("select target from notice_channel where id = %s", [channel["id"]]).fetchone()
    assert row is not None
    assert bytes(row[0]) == b"", "what is removed is forgotten"


@pytest.fixture
def worker_id(cloud: Cloud) -> int:
    row = cloud.conn.execute("select id from account where name = 'worker'").fetchone()
    assert row is not None
    account_id: int = row[0]
    return account_id


def test_an_address_is_given_by_an_administrator_and_never_shown_again(cloud: Cloud, worker_id: int) -> None:
    wish = {"account_id": worker_id, "kind": "chat", "label": "Robot", "url": "feishu://tokenwithsecret"}
    with person(cloud, "admin") as admin, person(cloud, "worker") as worker:
        assert worker.post("/api/v1/notice-channels", json=wish).status_code == httpx.codes.FORBIDDEN
        made = admin.post("/api/v1/notice-channels", json=wish)
        assert made.status_code == httpx.codes.CREATED
        listed = admin.get("/api/v1/notice-channels", params={"account": worker_id})
        assert "secret" not in made.text + listed.text
        assert listed.json()["items"] == worker.get("/api/v1/notice-channels").json()["items"] == [made.json()]
        others = worker.get("/api/v1/notice-channels", params={"account": worker_id + 1})
        assert others.status_code == httpx.codes.NOT_FOUND
        assert worker.post(f"/api/v1/notice-channels/{made.json()['id']}/test").status_code == httpx.codes.ACCEPTED
        again = worker.post(f"/api/v1/notice-channels/{made.json()['id']}/test")
        assert again.status_code == httpx.codes.TOO_MANY_REQUESTS
        refused = admin.post("/api/v1/notice-channels", json=wish | {"url": "json://10.0.0.1/secretplace"})
        assert refused.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert "secretplace" not in refused.text
    audited = cloud.conn.execute("select string_agg(detail::text, '') from audit where action ~ 'notice'").fetchone()
    assert audited is not None
    assert "secret" not in audited[0]


def test_why_somebody_heard_or_would_hear_can_be_asked(told: Cloud, worker_id: int) -> None:
    with person(told, "admin") as admin, person(told, "chief") as chief:
        heard = chief.get("/api/v1/cases/1/notices").json()["items"]
        assert {(each["display_name"], each["word"], each["because"]) for each in heard} == {
            ("Worker", "opened", "news"),
            ("Chief", "opened", "news"),
        }
        again = admin.get("/api/v1/cases/1/would-be-told").json()
        assert {each["because"] for each in again["people"]} == {"no_news"}
        urged = admin.get("/api/v1/cases/1/would-be-told", params={"word": "urge"}).json()
        assert [each["account_id"] for each in urged["people"]] == [worker_id]
        assert urged["people"][0]["is_reachable"] is False
        assert "urge" in urged["words"]
        nonsense = admin.get("/api/v1/cases/1/would-be-told", params={"word": "nonsense"})
        assert nonsense.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert len(chief.get("/api/v1/cases/1/notices").json()["items"]) == len(heard), "nobody was told"
