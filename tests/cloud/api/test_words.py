"""Words that break other systems, in every parameter and every text of every route: never a 500, and told back as the text they are."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from cloud.api.app import openapi
from edge.contract.incident import Severity
from tests.cloud.api.conftest import Cloud
from tests.cloud.samples import incident, report

WORDS = {
    "sql": "' or 1=1; drop table account; --",
    "a comment": "x'/**/union/**/select/**/null--",
    "a path": "../../../../etc/passwd",
    "another path": "..\\..\\windows\\win.ini",
    "right to left": "\u202egnp.exe",
    "NUL": "a\x00b",
    "line breaks": "a\r\nSet-Cookie: gridward_session=x\r\n\r\n",
    "a terminal's": "\x1b[2J\x1b]0;x\x07",
    "markup": "<script>alert(1)</script>",
    "a template": "${jndi:ldap://x}{{7*7}}%s%n",
    "a pattern": "(a+)+$" * 20,
    "a wildcard": "%_*",
    "long": "x" * 10_000,
    "digits": "9" * 400,
    "a negative number": "-1",
    "no number": "NaN",
    "infinity": "1e999",
    "2^63": str(2**63),
    "blank": " ",
    "nothing": "",
    "emoji": "👩‍👩‍👧" * 50,
    "combining": "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢",
    "a lone surrogate": "\ud800",
    "a list": "[]",
    "an object": "{}",
    "truth": "true",
    "a far time": "9999-12-31T23:59:59-14:00",
    "an old time": "0001-01-01T00:00:00+14:00",
}
GOOD = {
    "link": "xxxxxxxxxxxxxxxxxxxxxx",
    "report_id": "019530b4-0000-4000-8000-00000000000e",
    "channel_id": "1",
    "call_id": "1",
    "admission_id": "1",
    "case_id": "1",
    "whistle_id": "1",
    "code": "110105001",
    "device_id": "1",
    "cover_id": "1",
    "handover_id": "1",
    "key": "0" * 64,
    "key_id": "1",
    "hold_id": "1",
    "request_id": "1",
    "account_id": "999",
    "session_id": "999",
    "kind": "sites",
    "pattern_id": "1",
    "shift_id": "1",
    "swap_id": "1",
    "rule_id": "1",
    "point": "temperature",
    "node": "node-9",
    "sha256": "0" * 64,
    "command_id": "019530b4-0000-7000-8000-00000000000c",
    "claim_id": "1",
    "order_id": "1",
    "proposal_id": "1",
    "token": "xxxxxxxxxxxxxxxxxxxxxx",
    "rollout_id": "019530b4-0000-7000-8000-00000000000d",
    "camera": "camera-1",
    "drill_id": "1",
    "record_id": "1",
}
BODIES: dict[str, dict[str, Any]] = {
    "/api/v1/drills": {
        "name": "Fire",
        "purpose": "spring",
        "area_code": "110105",
        "planned_end_at": "2999-01-01T00:00:00Z",
        "sources": [],
        "reports": True,
        "channels": False,
        "departments": [],
    },
    "/api/v1/duty/records/{record_id}/given": {"words": "all quiet"},
    "/api/v1/duty/records/{record_id}/taken": {"sha256": "0" * 64},
    "/api/v1/duty/records/{record_id}/remarks": {"note": "x"},
    "/api/v1/drills/{drill_id}/prolong": {"until": "2999-01-01T00:00:00Z"},
    "/api/v1/cases/{case_id}/real": {"note": "smoke"},
    "/api/v1/cases/{case_id}/export": {"purpose": "for the court"},
    "/api/v1/cases/{case_id}/holds": {"reason": "for the court", "until": "2999-01-01T00:00:00Z"},
    "/api/v1/holds/{hold_id}/end": {"note": "the court is done"},
    "/api/v1/cases/{case_id}/originals": {"sha256": "0" * 64, "purpose": "for the court"},
    "/api/v1/unsealings/{request_id}/decision": {"allowed": True},
    "/api/v1/reports": {
        "origin": "patrol",
        "category": "E0101",
        "title": "Rubbish",
        "description": "by the gate",
        "severity": "low",
        "area": "110105001001003",
        "longitude": 116.4,
        "latitude": 39.9,
        "address": "Gate 7",
        "occurred_at": "2026-03-17T08:00:00Z",
        "sent_at": "2026-03-17T08:00:00Z",
        "external_id": "7",
        "drill": False,
    },
    "/api/v1/intake/reports": {
        "source": "hotline",
        "service_code": "E0101",
        "title": "Rubbish",
        "description": "by the gate",
        "severity": "low",
        "lat": 39.9,
        "long": 116.4,
        "address_string": "Gate 7",
        "address_id": "110105001001003",
        "requested_datetime": "2026-03-17T08:00:00Z",
        "external_id": "7",
    },
    "/api/v1/public/requests/{link}/rating": {"rating": 5},
    "/api/v1/figures/weights": {"weights": {"closed": 1.0}, "least_cases": 10, "note": "quality first"},
    "/api/v1/notices/seen": {"upto": 1, "case_id": 1},
    "/api/v1/notice-preference": {"quiet_from": "22:00", "quiet_to": "06:00", "digest_min": 10, "language": "zh"},
    "/api/v1/notice-channels": {
        "account_id": 1,
        "kind": "gateway",
        "label": "SMS",
        "place": 1,
        "url": "https://sms.example.org/send",
        "to": "13800138000",
        "token": "secret",
    },
    "/api/v1/web-push": {
        "label": "Phone",
        "endpoint": "https://push.example.org/x",
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    },
    "/api/v1/rule-proposals": {
        "node": "node-9",
        "device": "camera-1",
        "rule": "loitering-floor",
        "threshold": 9.5,
        "side": "above",
        "days": 30,
        "note": "headlights",
    },
    "/api/v1/rule-proposals/{proposal_id}/answer": {"state": "declined", "note": "no"},
    "/api/v1/verdicts/export": {
        "purpose": "training",
        "days": 30,
        "area": None,
        "node": None,
        "device": None,
        "rule": None,
        "kind": None,
        "verdicts": ["true"],
        "most": 10,
    },
    "/api/v1/organisation/tables/{kind}": {"csv": "code,kind,name,area\nS1,station,x,110105\n", "skip_bad": False},
    "/api/v1/duty/shifts": {
        "account_id": 1,
        "area_code": "110105001001003",
        "kind": "grid_worker",
        "from_at": "2026-03-17T08:00:00Z",
        "until_at": "2026-03-17T16:00:00Z",
    },
    "/api/v1/duty/patterns": {
        "account_id": 1,
        "area_code": "110105001001003",
        "kind": "grid_worker",
        "weekdays": [1],
        "begins_at": "08:00",
        "lasts_min": 480,
        "first_day": "2026-03-17",
        "last_day": None,
        "every_weeks": 1,
    },
    "/api/v1/duty/covers": {"area_code": "110105", "level": "grid", "kind": "site_keeper", "hours": "24/7"},
    "/api/v1/duty/shifts/{shift_id}/swaps": {"asked_of": 1, "return_shift_id": None, "note": "x"},
    "/api/v1/duty/swaps/{swap_id}/actions": {"action": "accept"},
    "/api/v1/duty/shifts/{shift_id}/handover": {"handed_to": 1, "note": "x"},
    "/api/v1/me/position": {
        "longitude": 116.4,
        "latitude": 39.9,
        "accuracy_m": None,
        "measured_at": "2026-03-17T08:00:00Z",
    },
    "/api/v1/session": {"name": "worker", "password": "wrong password"},
    "/api/v1/cases/{case_id}/actions": {"action": "confirm", "version": 1, "reason": None, "note": "seen"},
    "/api/v1/cases/{case_id}/whistles": {"level": "grid", "departments": [1], "note": "come"},
    "/api/v1/cases/{case_id}/whistles/{whistle_id}/end": {"note": "enough"},
    "/api/v1/cases/{case_id}/whistles/{whistle_id}/calls/{call_id}/arrival": {"note": "here"},
    "/api/v1/admission-rules": {
        "area_code": "110105",
        "level": "grid",
        "category": "public_order",
        "kind": "crowd",
        "admitted_from": "high",
        "note": "by the street",
    },
    "/api/v1/deadline-rules": {
        "area": "110105",
        "category": "fire_safety",
        "severity": "high",
        "stage": "handling",
        "amount": 60,
        "unit": "minutes",
        "amber_percent": 80,
        "effective_from": "2026-03-01T08:00:00Z",
    },
    "/api/v1/deadline-ladders": {
        "area": None,
        "severity": "low",
        "rungs": [{"level": "district", "amount": 1, "unit": "working_days"}],
    },
    "/api/v1/work-calendars": {
        "area": None,
        "timezone": "Asia/Shanghai",
        "effective_from": "2026-01-01",
        "hours": [*(["08:30-12:00 14:00-17:30"] * 5), "", ""],
        "makeup": "09:00-12:00",
        "holidays": True,
    },
    "/api/v1/admission-rules/try": {
        "rule": {"area_code": "110105", "kind": "crowd", "admitted_from": "high", "note": "by the street"},
        "ends": 1,
        "days": 7,
    },
    "/api/v1/deadline-rules/try": {
        "area": "110105",
        "category": "fire_safety",
        "severity": "high",
        "stage": "handling",
        "amount": 60,
        "unit": "minutes",
        "amber_percent": 80,
        "effective_from": "2026-03-01T08:00:00Z",
    },
    "/api/v1/work-calendars/try": {
        "area": None,
        "timezone": "Asia/Shanghai",
        "effective_from": "2026-01-01",
        "hours": [*(["08:30-12:00 14:00-17:30"] * 5), "", ""],
        "makeup": "09:00-12:00",
        "holidays": True,
    },
    "/api/v1/special-days/try": {"area": None, "day": "2026-12-31", "worked": True, "name": "exercise"},
    "/api/v1/special-days": {"area": None, "day": "2026-12-31", "worked": True, "name": "exercise"},
    "/api/v1/nodes/{node}/accept": {"area_code": "110105001001003"},
    "/api/v1/nodes/{node}/held-messages/vouch": {"upto": 1},
    "/api/v1/nodes/{node}/log-tail": {"lines": 5, "level": "info", "since": None},
    "/api/v1/wall/leases": {"cameras": [], "purpose": "evening rounds"},
    "/api/v1/artifacts": {
        "artifact": "profile",
        "name": "ocpp16_pile",
        "version": "1.0.0",
        "sha256": "0" * 64,
        "size_bytes": 1,
        "signed_at": "2026-03-01T08:00:00Z",
        "key": "0" * 64,
        "sig": "",
    },
    "/api/v1/rollouts": {
        "title": "x",
        "artifact_id": 1,
        "area_code": None,
        "plan": {"stages": [{"name": "all", "percent": 100}]},
    },
    "/api/v1/rollouts/{rollout_id}/actions": {"action": "start", "reason": None},
    "/api/v1/nodes/{node}/ring": {"ring": "early"},
    "/api/v1/accounts": {"name": "new", "display_name": "New", "role": "grid_worker", "area_code": "110105"},
    "/api/v1/accounts/{account_id}": {"display_name": "New", "role": "grid_worker", "area_code": "110105"},
    "/api/v1/accounts/{account_id}/actions": {"action": "unlock"},
    "/api/v1/camera-access": {"owner": "traffic", "allowed": True, "role": "auditor"},
    "/api/v1/api-keys": {"name": "hotline", "scopes": ["intake"], "area_code": None, "days": 3, "per_minute": 9},
}
DOCUMENT = openapi()
ROUTES = [
    (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if path != "/api/v1/live"
]


def encoded(word: str) -> str:
    return quote(word.encode("utf-8", "surrogatepass"), safe="")


def requests(method: str, path: str, operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(what is wrong, address, options) for a word in each place of a route."""
    good = path.format(**GOOD)
    for parameter in operation.get("parameters", []):
        name = parameter["name"]
        for kind, word in WORDS.items():
            what = f"{method} {path}: {kind} as {name}"
            if parameter["in"] == "path":
                yield what, path.format(**GOOD | {name: encoded(word)}), {"json": BODIES.get(path)}
            elif parameter["in"] == "query":
                yield what, f"{good}?{name}={encoded(word)}", {}
            elif parameter["in"] == "header" and word.strip() == word and word.isprintable() and word.isascii():
                yield what, good, {"headers": {name: word}}
    for kind, word in WORDS.items():
        yield f"{method} {path}: {kind} as an unknown parameter", f"{good}?{encoded(word)}={encoded(word)}", {}
        for field in BODIES.get(path, {}):
            body = json.dumps(BODIES[path] | {field: word})
            yield (
                f"{method} {path}: {kind} as {field}",
                good,
                {"content": body, "headers": {"Content-Type": "application/json"}},
            )


@pytest.fixture(scope="module")
def client(shared_cloud: Cloud) -> Iterator[httpx.Client]:
    """Somebody who may do anything, with a case there."""
    shared_cloud.receive(report(incident(severity=Severity.HIGH)))
    with shared_cloud.anyone() as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "operation"), ROUTES, ids=[f"{method} {path}" for method, path, _ in ROUTES]
)
def test_no_word_anywhere_is_a_mistake_of_ours(
    client: httpx.Client, shared_cloud: Cloud, method: str, path: str, operation: dict[str, Any]
) -> None:
    is_for_nodes = {"node": []} in operation.get("security", [])
    client.headers["Authorization"] = (
        f"Bearer {shared_cloud.node_token if is_for_nodes else shared_cloud.session('admin')}"
    )
    for what, address, options in requests(method, path, operation):
        if method == "post" and path == "/api/v1/session" and "password" in what:
            continue  # each costs a password hash; test_session.py has them
        answer = client.request(
            method, address, **{name: value for name, value in options.items() if value is not None}
        )
        assert answer.status_code < 500, (what, answer.text)
        assert "Set-Cookie" not in answer.headers or path == "/api/v1/session", what
        if answer.status_code >= 400 and method != "head":
            assert answer.headers["content-type"] == "application/problem+json", what
        if method == "delete":
            client.headers["Authorization"] = f"Bearer {shared_cloud.session('admin')}"


def test_no_word_makes_the_stream_fail(client: httpx.Client, shared_cloud: Cloud) -> None:
    client.headers["Authorization"] = f"Bearer {shared_cloud.session('admin')}"
    for kind, word in WORDS.items():
        with client.stream("GET", f"/api/v1/live?after={encoded(word)}") as answer:
            assert answer.status_code in {200, 422}, kind
        with client.stream("GET", "/api/v1/live", headers={"Last-Event-ID": encoded(word)[:200]}) as answer:
            assert answer.status_code in {200, 422}, kind


def test_a_note_is_told_back_as_it_was_written(client: httpx.Client, shared_cloud: Cloud) -> None:
    client.headers["Authorization"] = f"Bearer {shared_cloud.session('admin')}"
    for number, (kind, word) in enumerate(WORDS.items(), start=100):
        shared_cloud.receive(report(incident(number, device=f"cam-{number}")))
        case_id = client.get("/api/v1/cases", params={"limit": 1}).json()["items"][0]["id"]
        body = json.dumps({"action": "confirm", "version": 1, "note": word})
        answer = client.post(
            f"/api/v1/cases/{case_id}/actions", content=body, headers={"Content-Type": "application/json"}
        )
        taken = len(word.strip()) <= 1_000 and "\x00" not in word and "\ud800" not in word
        assert (answer.status_code == httpx.codes.OK) == taken, (kind, answer.text)
        if taken:
            notes = [event["note"] for event in answer.json()["history"] if event["action"] == "confirm"]
            assert notes == [word.strip() or None], kind


def test_what_a_node_wrote_is_told_as_text(client: httpx.Client, shared_cloud: Cloud) -> None:
    client.headers["Authorization"] = f"Bearer {shared_cloud.session('admin')}"
    for number, (kind, word) in enumerate(WORDS.items(), start=500):
        if "\ud800" in word:
            continue  # no decoder of the wire lets it through
        shared_cloud.receive(report(incident(number, device=f"cam-{number}", note=word[:500], unit=word[:500])))
        case_id = client.get("/api/v1/cases", params={"limit": 1}).json()["items"][0]["id"]
        answer = client.get(f"/api/v1/cases/{case_id}")
        assert answer.status_code == httpx.codes.OK, (kind, answer.text)
        assert answer.json()["incidents"][0]["note"] == word[:500].replace("\x00", "\ufffd"), kind
