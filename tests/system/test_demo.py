"""The whole path on real input: footage → incident → case → verdict, readings → chart, evidence masked and kept."""

import hashlib
import json
import signal
import socket
import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np
import psycopg
import pytest

from cloud.access.model import Role
from tests.system.site import Site, first_case, wait_for

pytestmark = pytest.mark.system


def test_access_file_says_where_and_who(site: Site) -> None:
    access = site.access
    assert set(access) >= {"url", "users", "database_url", "mqtt_url"}
    assert {user["role"] for user in access["users"]} == set(Role)
    assert all(set(user) >= {"role", "name", "password"} and len(user["password"]) >= 12 for user in access["users"])
    assert stat.S_IMODE((site.directory / "access.json").stat().st_mode) == 0o600
    with psycopg.connect(access["database_url"]) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_it_says_that_it_is_well(site: Site, path: str) -> None:
    wait_for(path, lambda: httpx.get(site.url + path).is_success or None, timeout_s=30)


def test_footage_becomes_an_incident_a_case_and_a_masked_picture(site: Site) -> None:
    with site.client() as client:
        case = first_case(client, kind="intrusion")
        assert case["grid"]["code"].isdigit()
        assert len(case["grid"]["code"]) == 15
        assert case["device"]["kind"] == "camera"
        pictured = wait_for(
            "picture", lambda: (now := client.get(f"/api/v1/cases/{case['id']}").json())["picture"] and now
        )
        evidence = pictured["incidents"][0]["evidence"][0]
        answer = client.get(pictured["picture"])
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert hashlib.sha256(answer.content).hexdigest() in {
            each["sha256"] for incident in pictured["incidents"] for each in incident["evidence"]
        }
        assert evidence["mime"] == "image/jpeg"
        picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert min(picture.shape[:2]) >= 200


def test_readings_arrive_and_are_drawn(site: Site) -> None:
    with site.client("maintainer") as client:

        def look() -> dict[str, Any] | None:
            for device in client.get("/api/v1/devices", params={"limit": 100}).json()["items"]:
                # a node is a device too, but its queue is told once a minute
                if device["kind"] != "node" and any(
                    point["kind"] == "number" and point["latest"] for point in device["points"]
                ):
                    return dict(device)
            return None

        device = wait_for("device with readings", look)
        point = next(point for point in device["points"] if point["kind"] == "number" and point["latest"])

        def series() -> dict[str, Any] | None:
            answer = client.get(f"/api/v1/devices/{device['id']}/points/{point['name']}/series")
            answer.raise_for_status()
            return dict(answer.json()) if len(answer.json()["observed_at"]) >= 3 else None

        drawn = wait_for("series of three readings", series)
        assert drawn["observed_at"] == sorted(drawn["observed_at"])
        assert len(drawn["mean"]) == len(drawn["observed_at"])


def test_a_sensor_that_crosses_its_threshold_becomes_a_case(site: Site) -> None:
    with site.client() as client:
        case = first_case(client, kind="threshold", timeout_s=180)
        assert case["simulated"] is True
        incident = client.get(f"/api/v1/cases/{case['id']}").json()["incidents"][0]
        assert incident["value"] is not None
        assert incident["unit"]


def test_its_people_have_been_at_work(site: Site) -> None:
    """A patrol report that was worked on, a request that waits for somebody, a whistle that was answered, a hold, a rule, shifts."""
    with site.client() as client, site.client("administrator") as administrator:

        def look(origin: str, status: str) -> dict[str, Any] | None:
            for case in client.get("/api/v1/cases", params={"limit": 50}).json()["items"]:
                if (case["origin"], case["status"]) == (origin, status):
                    return dict(client.get(f"/api/v1/cases/{case['id']}").json())
            return None

        patrol = wait_for("patrol report that is handled", lambda: look("patrol", "in_progress"))
        assert len(patrol["pictures"]) == 1
        assert client.get(patrol["pictures"][0]["url"]).headers["content-type"] == "image/jpeg"
        assert client.get(f"/api/v1/cases/{patrol['id']}/clock").json()["current"]["stage"] == "handling"
        assert wait_for("request that is offered", lambda: look("request", "filed"))["published_at"] is not None

        def held() -> bool | None:
            whistles = client.get(f"/api/v1/cases/{patrol['id']}/whistles").json()["items"]
            came = [call for whistle in whistles for call in whistle["calls"] if call["arrived_at"] is not None]
            return bool(came and client.get(f"/api/v1/cases/{patrol['id']}/holds").json()["items"]) or None

        wait_for("whistle that was answered, and a hold", held)
        assert client.get("/api/v1/duty/now").json()["items"]
        assert administrator.get("/api/v1/admission-rules").json()["items"]


def test_its_sites_have_an_index_of_popularity(site: Site) -> None:
    """Machines that count stand there, and weeks that were to measure them against."""
    with site.client() as client:

        def indices() -> dict[str, float] | None:
            stations = client.get("/api/v1/figures/popularity").json()["stations"]
            found = {each["name"]: each["index"] for each in stations}
            return found if found and None not in found.values() else None

        found = wait_for("index of each site", indices)
        assert found["朝阳驿站"] > 100 > found["东门门房"] > 0


def test_the_live_stream_tells_of_a_verdict_and_resumes_where_it_was_left(site: Site) -> None:
    with site.client() as client:
        case = first_case(client, kind="intrusion")
        with client.stream("GET", "/api/v1/live", timeout=30.0) as stream:
            events = _events(stream)
            cursor, kind, _ = next(events)
            assert kind == "hello"
            detail = client.get(f"/api/v1/cases/{case['id']}").json()
            action = {"reported": "confirm", "filed": "reopen", "rejected": "reopen"}[detail["status"]]
            answer = client.post(
                f"/api/v1/cases/{case['id']}/actions", json={"action": action, "version": detail["version"]}
            )
            assert answer.status_code == 200
            told = next(data for _, kind, data in events if kind == "case.updated" and data["id"] == case["id"])
            assert told["status"] == answer.json()["status"]
        with client.stream("GET", "/api/v1/live", headers={"Last-Event-ID": cursor}, timeout=30.0) as stream:
            assert any(
                kind == "case.updated" and data["id"] == case["id"] and data["version"] == told["version"]
                for _, kind, data in _events(stream)
            )


def test_the_slower_of_two_is_told(site: Site) -> None:
    with site.client() as client:
        case = first_case(client, kind="intrusion")
        detail = client.get(f"/api/v1/cases/{case['id']}").json()
        action = {"reported": "confirm", "filed": "reopen", "rejected": "reopen"}[detail["status"]]
        pressed = {"action": action, "version": detail["version"]}
        first, answer = (client.post(f"/api/v1/cases/{case['id']}/actions", json=pressed) for _ in range(2))
        assert first.status_code == 200
        assert answer.status_code == 409
        assert answer.headers["content-type"].startswith("application/problem+json")


def test_nobody_gets_in_without_a_log_in(site: Site) -> None:
    for path in ("/api/v1/cases", "/api/v1/devices", "/api/v1/live", "/api/v1/nodes", "/api/v1/evidence/" + "a" * 64):
        assert httpx.get(site.url + path).status_code == 401, path


def test_a_second_start_finds_all_of_it_and_stopping_leaves_nothing(passable_directory: Path) -> None:
    site = Site(passable_directory / "demo", passable_directory / "demo.log")
    for number in (signal.SIGTERM, signal.SIGINT):
        site.start()
        ports = _ports(site)
        assert site.processes()
        with site.client() as client:
            case = first_case(client, kind="intrusion")
            if number is signal.SIGTERM:
                answer = client.post(
                    f"/api/v1/cases/{case['id']}/actions",
                    json={
                        "action": "dismiss",
                        "reason": "test",
                        "version": client.get(f"/api/v1/cases/{case['id']}").json()["version"],
                    },
                )
                assert answer.status_code == 200, answer.text
                judged = case["id"]
            else:
                kept = client.get(f"/api/v1/cases/{judged}").json()
                assert kept["status"] == "rejected"
        assert site.stop(number) in {0, 130, 143}
        assert site.left_behind() == []
        for port in ports:
            with socket.socket() as knock:
                assert knock.connect_ex(("127.0.0.1", port)) != 0, f"port {port} is still open"


def test_a_killed_database_comes_back_and_the_path_goes_on(site: Site) -> None:
    database = next(
        process for process in site.processes() if "postgres" in process.name() and "-D" in process.cmdline()
    )
    with site.client() as client:
        before = {device["id"]: device["last_seen_at"] for device in _devices(client)}
        database.kill()

        def look() -> bool | None:
            try:
                after = {device["id"]: device["last_seen_at"] for device in _devices(client)}
            except (httpx.HTTPError, KeyError):
                return None
            return all(after.get(number, "") > seen for number, seen in before.items() if seen) or None

        wait_for("news of every device after the database was killed", look, timeout_s=60)


def _devices(client: httpx.Client) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/devices", params={"limit": 100})
    answer.raise_for_status()
    return list(answer.json()["items"])


def _ports(site: Site) -> set[int]:
    addresses = (site.access[name] for name in ("url", "database_url", "mqtt_url"))
    return {port for address in addresses if (port := urlsplit(address).port)}


def _events(stream: httpx.Response) -> Any:
    cursor, kind, data = "", "", ""
    for line in stream.iter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            cursor = value
        elif name == "event":
            kind = value
        elif name == "data":
            data = value
        elif not line and kind:
            yield cursor, kind, json.loads(data or "null")
            kind, data = "", ""


def test_logs_hold_no_secret(site: Site) -> None:
    secrets = [user["password"] for user in site.access["users"]]
    logs = [path for path in Path(site.directory).rglob("*.log") if path.is_file()]
    for path in logs:
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not any(secret in text for secret in secrets), path
