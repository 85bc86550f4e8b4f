"""Deadlines and whistles over the API: what is due when, what an administrator sets, who is called and reports in."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from cloud.api.paging import encode_cursor
from cloud.deadlines import service as deadlines
from edge.contract.incident import Severity
from tests.cloud.api.conftest import Cloud
from tests.cloud.escalation.town import open_case


@pytest.fixture(scope="module")
def now() -> datetime:
    """When these tests begin: it may be long after they were collected."""
    return datetime.now(UTC)


ANSWERS = httpx.codes


@pytest.fixture(scope="module")
def case_ids(shared_cloud: Cloud, now: datetime) -> list[int]:
    """One that began an hour ago, one that began now, one that began in between."""
    with psycopg.connect(shared_cloud.database_url, options="-c timezone=UTC") as conn:
        return [
            open_case(conn, number, at=now - timedelta(minutes=ago), severity=Severity.HIGH)
            for number, ago in ((1, 60), (2, 0), (3, 26))
        ]


class Desk:
    """Asks as somebody."""

    def __init__(self, cloud: Cloud, client: httpx.Client) -> None:
        self._client = client
        self._tokens = {name: cloud.session(name) for name in ("admin", "chief", "worker", "elsewhere", "sanitation")}

    def ask(self, name: str, method: str, path: str, **given: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._tokens[name]}"}
        return self._client.request(method, f"/api/v1/{path}", headers=headers, **given)


@pytest.fixture(scope="module")
def desk(shared_cloud: Cloud, case_ids: list[int]) -> Iterator[Desk]:
    assert case_ids
    with shared_cloud.anyone() as client:
        yield Desk(shared_cloud, client)


def test_lights_of_a_list_and_of_a_case(desk: Desk, case_ids: list[int]) -> None:
    found = desk.ask("chief", "get", "clocks", params={"limit": 1}).json()
    assert (found["items"][0]["case_id"], found["items"][0]["light"]) == (case_ids[0], "red")
    rest = desk.ask("chief", "get", "clocks", params={"after": found["next"]}).json()
    assert [(item["case_id"], item["light"]) for item in rest["items"]] == [
        (case_ids[2], "amber"),
        (case_ids[1], "green"),
    ]
    amber = desk.ask("chief", "get", "clocks", params={"light": "amber"}).json()["items"]
    assert [item["case_id"] for item in amber] == [case_ids[2]]
    picked = desk.ask("chief", "get", "clocks", params={"case": [case_ids[1]]}).json()["items"]
    assert [item["case_id"] for item in picked] == [case_ids[1]]
    assert desk.ask("elsewhere", "get", "clocks").json()["items"] == []
    one = desk.ask("worker", "get", f"cases/{case_ids[0]}/clock").json()
    assert (one["current"]["stage"], one["current"]["light"]) == ("verifying", "red")
    assert one["current"]["remaining_s"] < 0
    assert desk.ask("chief", "get", "clocks", params={"after": "nonsense"}).status_code == ANSWERS.UNPROCESSABLE_ENTITY


def test_a_list_of_cases_by_when_they_are_due(desk: Desk, case_ids: list[int]) -> None:
    order = [case_ids[0], case_ids[2], case_ids[1]]
    seen: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while len(seen) < len(order):
        page = desk.ask("chief", "get", "cases", params={"order": "due", "limit": 1, "open": True} | cursor).json()
        seen += page["items"]
        cursor = {"after": page["next"]}
    assert page["next"] is None
    assert [case["id"] for case in seen] == order
    running = {clock["case_id"]: clock for clock in desk.ask("chief", "get", "clocks").json()["items"]}
    newest = {case["id"]: case for case in desk.ask("chief", "get", "cases").json()["items"]}
    for case in seen:
        assert case == newest[case["id"]]
        assert case["clock"].items() <= running[case["id"]].items()
    for light, lit in (("red", order[:1]), ("amber", order[1:2]), ("green", order[2:])):
        found = desk.ask("chief", "get", "cases", params={"order": "due", "light": light}).json()["items"]
        assert [case["id"] for case in found] == lit
    closed = desk.ask("chief", "get", "cases", params={"order": "due", "open": True, "status": "closed"}).json()
    assert closed == {"items": [], "next": None}
    assert desk.ask("elsewhere", "get", "cases", params={"order": "due"}).json()["items"] == []
    assert desk.ask("sanitation", "get", "cases", params={"order": "due"}).json()["items"] == []


@pytest.mark.parametrize(
    "asked",
    [
        {"light": "red"},
        {"light": "blue", "order": "due"},
        {"order": "oldest"},
        {"order": "due", "after": "nonsense"},
        {"order": "due", "after": encode_cursor(7)},
        {"order": "due", "after": encode_cursor(2**62, 1)},
        {"order": "due", "after": encode_cursor(-(2**62), 1)},
        {"order": "newest", "after": encode_cursor(1, 7)},
    ],
)
def test_an_order_that_makes_no_sense_is_refused(desk: Desk, asked: dict[str, Any]) -> None:
    assert desk.ask("chief", "get", "cases", params=asked).status_code == ANSWERS.UNPROCESSABLE_ENTITY


def test_what_is_due_when(desk: Desk) -> None:
    asked = {
        "stage": "verifying",
        "severity": "medium",
        "at": "2026-02-14T09:00:00Z",
    }  # 17:00, a Saturday that is worked
    found = desk.ask("worker", "get", "deadline-preview", params=asked).json()
    assert found["due_at"] == "2026-02-24T00:40:00Z", "thirty minutes on the eve of the festival, ten when it is over"
    assert [firing["level"] for firing in found["firings"]] == [None, None, "grid", "community", "street", "district"]


def test_a_limit_that_is_set_holds_for_what_began_since(
    desk: Desk, shared_cloud: Cloud, case_ids: list[int], now: datetime
) -> None:
    def due() -> str:
        value: str = desk.ask("chief", "get", f"cases/{case_ids[1]}/clock").json()["current"]["due_at"]
        return value

    before = due()
    body = {"stage": "verifying", "severity": "high", "amount": 45, "unit": "minutes", "area": "110105"}
    since = {"effective_from": (now - timedelta(minutes=1)).isoformat()}
    rules = desk.ask("admin", "post", "deadline-rules", json=body | since)
    assert rules.status_code == ANSWERS.CREATED, rules.text
    assert rules.json()["rules"][-1]["amount"] == body["amount"]
    assert due() == before, "until the next sweep"
    with psycopg.connect(shared_cloud.database_url) as conn:
        deadlines.recompute(conn, now=now)
    assert datetime.fromisoformat(due()) == datetime.fromisoformat(before) + timedelta(minutes=15)
    other = desk.ask("chief", "get", f"cases/{case_ids[0]}/clock").json()["current"]["due_at"]
    assert datetime.fromisoformat(other) == now - timedelta(minutes=30), "it had begun before"
    with psycopg.connect(shared_cloud.database_url) as conn:
        written = conn.execute("select actor_name, detail->>'amount' from audit where action = 'deadline_rule.added'")
        assert written.fetchall() == [("admin", "45")]


def test_what_a_limit_would_do_is_told_before_it_is_set(desk: Desk, case_ids: list[int], now: datetime) -> None:
    def due() -> list[str]:
        return [
            clock["due_at"] for clock in desk.ask("chief", "get", "clocks", params={"case": case_ids}).json()["items"]
        ]

    before = due()
    long_ago = (now - timedelta(days=1)).isoformat()
    body = {"stage": "verifying", "severity": "high", "amount": 10, "unit": "minutes", "effective_from": long_ago}
    told = desk.ask("admin", "post", "deadline-rules/try", json=body | {"area": "110105001"}).json()
    assert (told["examined"], told["later"], told["sooner"]) == (3, 0, 3)
    assert (told["overdue"], told["relieved"]) == (1, 0), "the one of twenty-six minutes ago would be late at once"
    assert [moved["case_id"] for moved in told["moved"]] == [case_ids[0], case_ids[2], case_ids[1]]
    first = told["moved"][0]
    assert first["simulated"] is False
    assert datetime.fromisoformat(first["would_be_due_at"]) == now - timedelta(minutes=50)
    longer = desk.ask("admin", "post", "deadline-rules/try", json=body | {"area": "110105001", "amount": 600}).json()
    assert (longer["later"], longer["overdue"], longer["relieved"]) == (3, 0, 1)
    whole = body | {"stage": "whole", "area": "110105001", "amount": 1}
    found = desk.ask("admin", "post", "deadline-rules/try", json=whole).json()
    assert (found["examined"], found["sooner"], {moved["stage"] for moved in found["moved"]}) == (3, 3, {"whole"})
    for reaches_none in ({"area": "110105003"}, {"stage": "arrival"}, {"effective_from": None}):
        found = desk.ask("admin", "post", "deadline-rules/try", json=body | reaches_none).json()
        assert (found["examined"], found["moved"]) == (0, [])
    assert due() == before
    rules = desk.ask("chief", "get", "deadline-rules").json()["rules"]
    assert not any(rule["amount"] in {10, 600} and rule["area"] == "110105001" for rule in rules)


def test_what_other_hours_and_days_would_do_is_told_too(desk: Desk, now: datetime) -> None:
    """Limits on the wall's clock care for no hours; a limit of working minutes does."""
    week = {"effective_from": "2026-01-01", "hours": ["00:00-24:00"] * 7, "makeup": "", "holidays": False}
    day = {"day": now.date().isoformat(), "worked": False, "name": "exercise"}
    for path, body in (("work-calendars/try", week), ("special-days/try", day)):
        told = desk.ask("admin", "post", path, json=body)
        assert told.status_code == ANSWERS.OK, told.text
        assert told.json()["examined"] >= 6, "the stages and the whole cases"
        assert desk.ask("chief", "post", path, json=body).status_code == ANSWERS.FORBIDDEN
    bad = week | {"hours": ["08:00-07:00"] * 7}
    assert desk.ask("admin", "post", "work-calendars/try", json=bad).status_code == ANSWERS.UNPROCESSABLE_ENTITY


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("post deadline-rules", {"stage": "handling", "amount": 0, "unit": "minutes"}),
        ("post deadline-rules", {"stage": "handling", "amount": 999_999, "unit": "working_days"}),
        ("post deadline-rules", {"stage": "lunch", "amount": 1, "unit": "minutes"}),
        (
            "post deadline-rules",
            {"stage": "handling", "amount": 1, "unit": "minutes", "effective_from": "9999-12-31T23:59:59-14:00"},
        ),
        ("put deadline-ladders", {"severity": "low", "rungs": []}),
        ("put deadline-ladders", {"severity": "low", "rungs": [{"level": "moon", "amount": 1, "unit": "minutes"}]}),
        ("put work-calendars", {"effective_from": "2026-01-01", "hours": [""] * 7, "makeup": ""}),
        ("put work-calendars", {"effective_from": "2026-01-01", "hours": ["22:00-06:00"] * 7, "makeup": ""}),
        ("put work-calendars", {"effective_from": "2026-01-01", "hours": ["08:00-12:00"] * 6, "makeup": ""}),
        (
            "put work-calendars",
            {"effective_from": "2026-01-01", "hours": ["08:00-12:00"] * 7, "makeup": "", "timezone": "Asia"},
        ),
        ("put special-days", {"day": "0001-01-01", "worked": True, "name": "x"}),
        ("put special-days", {"day": "2026-12-31", "worked": True, "name": "x" * 201}),
    ],
)
def test_what_can_not_be_is_refused(desk: Desk, path: str, body: dict[str, Any]) -> None:
    method, name = path.split()
    answer = desk.ask("admin", method, name, json=body)
    assert answer.status_code == ANSWERS.UNPROCESSABLE_ENTITY, answer.text


def test_hours_and_days_that_are_set_are_told(desk: Desk) -> None:
    week = {"area": "110105001", "effective_from": "2026-06-01", "hours": ["24:00"] * 7, "makeup": "09:00-12:00"}
    assert desk.ask("admin", "put", "work-calendars", json=week).status_code == ANSWERS.UNPROCESSABLE_ENTITY
    week["hours"] = [*["09:00-12:00, 13:00-18:00"] * 5, "", ""]
    told = desk.ask("admin", "put", "work-calendars", json=week).json()
    assert told["weeks"][-1]["hours"][0] == "09:00-12:00 13:00-18:00"
    day = {"day": "2027-02-05", "worked": False, "name": "春节"}
    assert desk.ask("admin", "put", "special-days", json=day).json()["days"][-1]["name"] == "春节"
    ladder = {
        "area": "110105001",
        "severity": "low",
        "rungs": [{"level": "street", "amount": 1, "unit": "working_days"}],
    }
    asked = {"stage": "handling", "severity": "low", "area": "110105001"}
    desk.ask("admin", "put", "deadline-ladders", json=ladder)
    found = desk.ask("chief", "get", "deadline-preview", params=asked).json()
    assert [firing["level"] for firing in found["firings"][2:]] == ["street"]


def test_a_whistle_from_the_blow_to_the_end(desk: Desk, case_ids: list[int]) -> None:
    place = f"cases/{case_ids[1]}/whistles"
    department = next(each["id"] for each in desk.ask("chief", "get", "departments").json()["items"])
    assert desk.ask("sanitation", "get", place).status_code == ANSWERS.NOT_FOUND
    blown = desk.ask("chief", "post", place, json={"level": "street", "departments": [department], "note": "come"})
    assert blown.status_code == ANSWERS.CREATED, blown.text
    whistle = desk.ask("sanitation", "get", place).json()["items"][0]
    call = next(each for each in whistle["calls"] if each["mine"])
    arrival = f"{place}/{whistle['id']}/calls/{call['id']}/arrival"
    assert [desk.ask("sanitation", "post", arrival, json={}).status_code for _ in range(2)] == [200, 409]
    assert desk.ask("worker", "post", f"{place}/{whistle['id']}/end", json={}).status_code == ANSWERS.FORBIDDEN
    assert desk.ask("chief", "post", f"{place}/{whistle['id']}/end", json={"note": "done"}).status_code == ANSWERS.OK
    words = [step["action"] for step in desk.ask("chief", "get", f"cases/{case_ids[1]}").json()["history"]]
    assert words == [*["whistle"] * len(whistle["calls"]), "whistle_answered", "whistle_ended"]
