"""Reports of people and other programs, over the API."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from cloud.access import api_keys, departments
from cloud.access.api_keys import KeyScope, KeyWish
from cloud.access.departments import DepartmentKind
from cloud.db.pool import open_pool
from cloud.evidence.files import EvidenceFiles
from cloud.intake import requests, retention
from tests.cloud.api.conftest import Cloud
from tests.cloud.api.things import add_people
from tests.cloud.samples import GRID, OTHER_GRID
from tests.fakes.pictures import END, HEAD, frame, scan, segment

SECRET = b"39.9042N 116.4074E Phone X"
PICTURE = HEAD + segment(0xE1, b"Exif\x00\x00" + SECRET) + frame(640, 480) + scan() + END
NOW = datetime.now(UTC)


class Desk:
    """Clients of people by their names, and of a hotline."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.numbers = iter(range(1_000_000))
        with psycopg.connect(cloud.database_url) as conn:
            departments.add(conn, code="volunteers", name="Volunteers", kind=DepartmentKind.TEAM, now=NOW)
            add_people(conn, "team", GRID, department="volunteers")
            keys = [
                api_keys.make(
                    conn, KeyWish(name=name, scopes=frozenset({KeyScope.INTAKE}), area_code=area), now=NOW
                ).secret
                for name, area in (("hotline", "110105"), ("elsewhere", OTHER_GRID))
            ]
        self.hotline, self.elsewhere = keys

    def ask(self, who: str, method: str, path: str, **given: Any) -> httpx.Response:
        token = {"hotline": self.hotline, "elsewhere-key": self.elsewhere}.get(who) or self.cloud.session(who)
        headers = {"Authorization": f"Bearer {token}"} | given.pop("headers", {})
        with self.cloud.anyone() as client:
            return client.request(method, f"/api/v1{path}", headers=headers, **given)

    def report(self, who: str = "worker", *, key: str | None = None, **fields: Any) -> httpx.Response:
        body = {"origin": "patrol", "category": "E0101", "title": "Rubbish", "area": GRID} | fields
        return self.ask(who, "POST", "/reports", json=body, headers=self.key(key))

    def hand_in(self, who: str = "hotline", *, key: str | None = None, **fields: Any) -> httpx.Response:
        body = {"service_code": "E0601", "description": "help", "address_id": GRID} | fields
        return self.ask(who, "POST", "/intake/reports", json=body, headers=self.key(key))

    def key(self, key: str | None) -> dict[str, str]:
        return {"Idempotency-Key": key or f"key-{next(self.numbers)}"}

    def act(self, who: str, case_id: int, action: str, **given: Any) -> httpx.Response:
        version = self.ask("admin", "GET", f"/cases/{case_id}").json()["version"]
        body = {"action": action, "version": version} | given
        return self.ask(who, "POST", f"/cases/{case_id}/actions", json=body)


@pytest.fixture(scope="module")
def desk(shared_cloud: Cloud) -> Desk:
    return Desk(shared_cloud)


def test_a_phone_that_sends_twice_makes_one_case(desk: Desk) -> None:
    said = {
        "occurred_at": (NOW - timedelta(hours=1)).isoformat(),
        "description": "Call 13800138000",
        "severity": "high",
    }
    first = desk.report(key="phone-1", sent_at=NOW.isoformat(), **said)
    again = desk.report(key="phone-1", sent_at=(NOW + timedelta(minutes=5)).isoformat(), **said)
    assert (first.status_code, again.status_code) == (201, 200), (first.text, again.text)
    assert first.json()["id"] == again.json()["id"]
    assert desk.report(key="phone-1", title="Something else").status_code == 409
    assert desk.report("lead", key="phone-1", title="Of another person").status_code == 201
    case = desk.ask("chief", "GET", f"/cases/{first.json()['case_id']}").json()
    assert (case["origin"], case["title"], case["description"]) == ("patrol", "Rubbish", "Call ***")
    assert (case["case_category"]["code"], case["category"], case["device"]) == ("E0101", "environment", None)
    assert case["history"][0]["actor"]["name"] == "worker"
    assert "confirm" in case["actions"]


def test_two_that_come_at_once_with_one_key_are_one(desk: Desk) -> None:
    together = threading.Barrier(2)

    def send(_number: int) -> httpx.Response:
        together.wait()
        return desk.report(key="at-once")

    with ThreadPoolExecutor(2) as hands:
        answers = list(hands.map(send, range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 201]
    assert len({answer.json()["case_id"] for answer in answers}) == 1


def test_what_lies_elsewhere_or_is_not_ones_to_report_is_refused(desk: Desk) -> None:
    assert desk.report(area=OTHER_GRID).status_code == 404
    assert desk.report(area=None, longitude=0.0, latitude=0.0).status_code == 404
    assert desk.report(area=None).status_code == 422
    assert desk.report(category="E9999").status_code == 422
    assert desk.report(origin="request").status_code == 403
    assert desk.report("clerk").status_code == 403
    assert desk.report(drill=True).status_code == 403
    assert desk.report("chief", drill=True).status_code == 403, "also of who may start one"
    assert desk.report("sanitation").status_code == 403
    missing = desk.ask(
        "worker", "POST", "/reports", json={"origin": "patrol", "category": "E0101", "title": "x", "area": GRID}
    )
    assert missing.status_code == 422


def test_what_may_be_the_same_is_offered_and_never_swallowed(desk: Desk) -> None:
    place: dict[str, Any] = {"category": "E0503", "longitude": 116.4501, "latitude": 39.9201}
    first = desk.report(**place).json()
    near = desk.report(**(place | {"latitude": 39.9203})).json()
    far = desk.report(**(place | {"latitude": 39.93})).json()
    other = desk.report(**(place | {"category": "E0102"})).json()
    exercise = {
        "name": "Fire",
        "purpose": "spring",
        "area_code": "110105",
        "planned_end_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
        "reports": True,
    }
    started = desk.ask("chief", "POST", "/drills", json=exercise)
    assert started.status_code == 201, started.text
    drill = desk.report("chief", drill=True, **place).json()
    desk.ask("chief", "POST", f"/drills/{started.json()['id']}/end")
    assert [each["id"] for each in near["near"]] == [first["case_id"]]
    assert near["near"][0]["distance_m"] == pytest.approx(22.2, abs=0.5)
    assert (far["near"], other["near"], drill["near"]) == ([], [], [])
    merged = desk.act("clerk", near["case_id"], "merge", target=first["case_id"])
    assert merged.status_code == 200, merged.text
    listed = desk.ask("worker", "GET", f"/cases/{first['case_id']}/near").json()["items"]
    assert near["case_id"] not in [each["id"] for each in listed]


def test_what_is_simulated_is_not_offered_for_what_is_real(desk: Desk) -> None:
    place: dict[str, Any] = {"category": "E0503", "longitude": 116.4601, "latitude": 39.9401}
    first = desk.report(**place).json()
    with psycopg.connect(desk.cloud.database_url) as conn:
        conn.execute("update grid_case set simulated = true where id = %s", [first["case_id"]])
    second = desk.report(**place).json()
    assert second["near"] == []
    assert desk.ask("worker", "GET", f"/cases/{first['case_id']}/near").json()["items"] == []


def test_a_place_finds_its_grid(desk: Desk) -> None:
    with psycopg.connect(desk.cloud.database_url) as conn:
        row = conn.execute("select boundary from area where code = %s", [GRID]).fetchone()
    assert row is not None
    [boundary] = row
    ring = boundary["coordinates"][0] if boundary["type"] == "Polygon" else boundary["coordinates"][0][0]
    longitude = sum(point[0] for point in ring[:-1]) / (len(ring) - 1)
    latitude = sum(point[1] for point in ring[:-1]) / (len(ring) - 1)
    taken = desk.report(area=None, longitude=longitude, latitude=latitude)
    assert taken.status_code == 201, taken.text
    case = desk.ask("chief", "GET", f"/cases/{taken.json()['case_id']}").json()
    assert case["grid"]["code"] == GRID


def test_pictures_are_kept_without_what_the_phone_wrote(desk: Desk) -> None:
    made = desk.report().json()
    sent = hashlib.sha256(PICTURE).hexdigest()
    path = f"/reports/{made['id']}/pictures/{sent}"
    for _ in range(2):
        kept = desk.ask("worker", "PUT", path, content=PICTURE, headers={"Content-Type": "image/jpeg"})
        assert kept.status_code == 200, kept.text
    [picture] = desk.ask("chief", "GET", f"/cases/{made['case_id']}").json()["pictures"]
    assert (picture["width"], picture["height"], picture["sha256"]) == (640, 480, kept.json()["sha256"])
    seen = desk.ask("chief", "GET", picture["url"].removeprefix("/api/v1"))
    assert SECRET not in seen.content
    assert hashlib.sha256(seen.content).hexdigest() == picture["sha256"]
    assert desk.ask("elsewhere", "GET", picture["url"].removeprefix("/api/v1")).status_code == 404
    with psycopg.connect(desk.cloud.database_url) as conn:
        views = conn.execute("select count(*) from audit where action = 'evidence.viewed'").fetchone()
    assert views == (1,)


def test_pictures_that_are_none_or_not_ones_own_are_refused(desk: Desk) -> None:
    made = desk.report().json()
    path, jpeg = f"/reports/{made['id']}/pictures/", {"Content-Type": "image/jpeg"}
    for content, name, status in (
        (b"GIF89a", hashlib.sha256(b"GIF89a").hexdigest(), 415),
        (PICTURE, "0" * 64, 422),
        (PICTURE + b"PK", hashlib.sha256(PICTURE + b"PK").hexdigest(), 415),
        (bytes(13 << 20), "0" * 64, 413),
    ):
        assert desk.ask("worker", "PUT", path + name, content=content, headers=jpeg).status_code == status
    name = hashlib.sha256(PICTURE).hexdigest()
    assert desk.ask("lead", "PUT", path + name, content=PICTURE, headers=jpeg).status_code == 404
    assert desk.ask("sanitation", "PUT", path + name, content=PICTURE, headers=jpeg).status_code == 403
    assert (
        desk.ask("worker", "PUT", path + name, content=PICTURE, headers={"Content-Type": "text/html"}).status_code
        == 415
    )


def test_a_hotline_hands_in_and_asks_what_became_of_it(desk: Desk) -> None:
    first, again = desk.hand_in(key="h-1", external_id="12345-7"), desk.hand_in(key="h-1", external_id="12345-7")
    assert (first.status_code, again.status_code, first.json()) == (201, 200, again.json())
    assert desk.hand_in(key="h-1", external_id="12345-8").status_code == 409
    path = f"/intake/reports/{first.json()['service_request_id']}"
    told = desk.ask("hotline", "GET", path).json()
    assert (told["status"], told["status_notes"], told["service_code"]) == ("open", "received", "E0601")
    assert told["expected_datetime"] is not None
    assert desk.ask("elsewhere-key", "GET", path).status_code == 404
    assert desk.hand_in("elsewhere-key").status_code == 422
    assert desk.hand_in(phone="13800138000").status_code == 422
    assert desk.ask("hotline", "GET", "/intake/services").json()["items"][0]["code"] == "E01"
    assert desk.ask("chief", "POST", "/intake/reports", json={}).status_code == 401


def test_what_a_resident_asks_for_is_published_claimed_by_one_done_and_rated(desk: Desk) -> None:
    made = desk.report("clerk", origin="request", category="E0602", title="A tap drips").json()
    case_id, public = made["case_id"], f"/public/requests{made['link'].removeprefix('/r')}"
    assert desk.ask("team-department", "GET", f"/cases/{case_id}").status_code == 404
    assert desk.act("clerk", case_id, "publish").status_code == 200
    assert desk.ask("sanitation", "GET", f"/cases/{case_id}").status_code == 404
    version = desk.ask("team-department", "GET", f"/cases/{case_id}").json()["version"]
    claims = [
        (who, {"action": action, "version": version})
        for who, action in (("team-department", "claim"), ("worker", "take"))
    ]
    with ThreadPoolExecutor(2) as hands:
        answers = list(
            hands.map(lambda each: desk.ask(each[0], "POST", f"/cases/{case_id}/actions", json=each[1]), claims)
        )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    who = claims[0 if answers[0].status_code == httpx.codes.OK else 1][0]
    with desk.cloud.anyone() as anyone:
        told = anyone.get(f"/api/v1{public}").json()
        assert (told["progress"], told["ratable"]) == ("in_progress", False)
        assert "tap" not in str(told)
        assert anyone.post(f"/api/v1{public}/rating", json={"rating": 5}).status_code == 409
        assert desk.act(who, case_id, "resolve").status_code == 200
        assert desk.act("chief", case_id, "close").status_code == 200
        assert anyone.get(f"/api/v1{public}").json()["ratable"] is True
        assert anyone.post(f"/api/v1{public}/rating", json={"rating": 1}).json()["progress"] == "received"
        assert anyone.post(f"/api/v1{public}/rating", json={"rating": 5}).status_code == 409
        assert anyone.get(f"/api/v1{public}x").status_code == 404
    history = desk.ask("chief", "GET", f"/cases/{case_id}").json()["history"]
    assert [step["action"] for step in history[-2:]] == ["request_rated", "reopened"]


def test_who_reported_what_was_merged_is_told_nothing_of_what_others_said(desk: Desk) -> None:
    theirs = desk.report("clerk", origin="request", category="E0602", title="Tap", address="Door 7").json()
    mine = desk.hand_in(service_code="E0601", address_string="Door 8", lat=39.9201, long=116.4501).json()
    case_id = next(
        each["id"]
        for each in desk.ask("chief", "GET", "/cases?limit=50").json()["items"]
        if each["number"] == mine["number"]
    )
    assert desk.act("clerk", case_id, "merge", target=theirs["case_id"]).status_code == 200
    told = desk.ask("hotline", "GET", f"/intake/reports/{mine['service_request_id']}").json()
    assert (told["number"], told["address"], told["service_code"]) == (theirs["number"], "Door 8", "E0601")
    assert (told["lat"], told["long"]) == (39.9201, 116.4501)
    assert told["updated_datetime"] >= told["requested_datetime"]
    for action in ("confirm", "resolve"):
        assert desk.act("worker", theirs["case_id"], action).status_code == 200
    assert desk.act("chief", theirs["case_id"], "close").status_code == 200
    assert desk.act("chief", theirs["case_id"], "rate", rating=3).status_code == 200
    public = f"/api/v1/public/requests{theirs['link'].removeprefix('/r')}"
    other = f"/api/v1/public/requests{mine['link'].removeprefix('/r')}"
    with desk.cloud.anyone() as anyone:
        seen = anyone.get(public).json()
        assert (seen["rating"], seen["ratable"]) == (None, True), "the desk's own rating is not this person's"
        assert anyone.post(f"{public}/rating", json={"rating": 5}).json()["rating"] == 5
        assert anyone.post(f"{public}/rating", json={"rating": 4}).status_code == 409
        seen = anyone.get(other).json()
        assert (seen["rating"], seen["ratable"]) == (None, True), "each rates for himself"
        assert anyone.post(f"{other}/rating", json={"rating": 4}).json()["rating"] == 4
    assert desk.ask("hotline", "GET", f"/intake/reports/{mine['service_request_id']}").json()["rating"] == 4
    case = desk.ask("chief", "GET", f"/cases/{theirs['case_id']}").json()
    assert (case["status"], case["rating"]) == ("closed", 4), "of those who asked the one who is least content counts"
    assert desk.act("chief", theirs["case_id"], "rate", rating=5).status_code == 409


def test_links_end_and_words_are_forgotten(desk: Desk) -> None:
    made = desk.report("clerk", origin="request", category="E0604", title="A wish", address="Door 7").json()
    desk.act("chief", made["case_id"], "void", note="by mistake")
    with psycopg.connect(desk.cloud.database_url) as conn:
        for days, links, words in ((1, 1, 1), (31, 0, 1), (366, 0, 0)):
            requests.forget(conn, now=NOW + timedelta(days=days), count=100)
            row = conn.execute(
                "select count(r.link), count(c.title) + 0 * count(c.address) from intake_report r"
                " join grid_case c on c.id = r.case_id where c.id = %s",
                [made["case_id"]],
            ).fetchone()
            assert row == (links, words)
        conn.rollback()


def test_what_was_reported_stays_while_a_case_runs_that_took_it_in_or_is_held_and_goes_with_a_record(
    desk: Desk, tmp_path: Path
) -> None:
    first, second = (desk.report(title=f"Kept {number}").json() for number in range(2))
    wish = desk.report("clerk", origin="request", category="E0604", title="A wish to keep").json()
    path = f"/reports/{second['id']}/pictures/{hashlib.sha256(PICTURE).hexdigest()}"
    assert desk.ask("worker", "PUT", path, content=PICTURE, headers={"Content-Type": "image/jpeg"}).status_code == 200
    for each in (second, wish):
        merged = desk.act("clerk", each["case_id"], "merge", target=first["case_id"])
        assert merged.status_code == 200, merged.text
    pool, files = open_pool(desk.cloud.database_url, size=2), EvidenceFiles(tmp_path.as_uri())
    cases = [first["case_id"], second["case_id"], wish["case_id"]]

    def left(days: int = 2_000) -> tuple[int, int]:
        """Words and pictures that are left of these cases."""
        now = NOW + timedelta(days=days)
        with pool.connection() as conn:
            retention.forget_words(conn, now=now, count=100)
        retention.prune_pictures(pool, files, now=now, count=100)
        with pool.connection() as conn:
            row = conn.execute(
                "select (select count(title) from grid_case where id = any(%(ids)s) and origin = 'request'),"
                " (select count(*) from report_picture where case_id = any(%(ids)s) and deleted_at is null)",
                {"ids": cases},
            ).fetchone()
        assert row is not None
        return int(row[0]), int(row[1])

    assert left() == (1, 1)
    voided = desk.act("chief", first["case_id"], "void", note="by mistake")
    assert voided.status_code == 200, voided.text
    with pool.connection() as conn:
        conn.execute(
            "insert into legal_hold (case_id, reason, set_by, set_at, set_in) select %s, 'court', min(id), %s, '' from account",
            [first["case_id"], NOW],
        )
    assert left() == (1, 1)
    with pool.connection() as conn:
        conn.execute("update legal_hold set lifted_by = set_by, lifted_at = set_at where case_id = %s", cases[:1])
    assert left(days=100) == (1, 1)
    assert left() == (0, 0)
    assert desk.ask("chief", "GET", f"/cases/{first['case_id']}").json()["pictures"] == []
    with pool.connection() as conn:
        rows = conn.execute(
            "select action from audit where actor_name = 'retention' and (detail->>'case')::bigint = any(%s) order by id",
            [cases],
        ).fetchall()
    pool.close()
    assert [row[0] for row in rows] == ["case.words_forgotten", "evidence.pruned"]


def test_who_may_be_named_is_listed_by_name_alone(desk: Desk) -> None:
    made = desk.report().json()
    people = desk.ask("clerk", "GET", f"/people?role=grid_worker&case={made['case_id']}").json()["items"]
    assert {"Worker"} <= {each["display_name"] for each in people}
    assert "Elsewhere" not in {each["display_name"] for each in people}
    assert set(people[0]) == {"id", "display_name", "role", "area"}
    inside = desk.ask("worker", "GET", "/people?role=grid_worker").json()["items"]
    assert "Elsewhere" not in {each["display_name"] for each in inside}
    assert desk.ask("sanitation", "GET", "/people").status_code == 403
    listed = desk.ask("dispatcher", "GET", f"/departments?case={made['case_id']}").json()["items"]
    assert {"sanitation", "volunteers"} <= {each["code"] for each in listed}
    assert desk.ask("elsewhere", "GET", f"/departments?case={made['case_id']}").status_code == 404
