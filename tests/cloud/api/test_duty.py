"""Duty over the API: planning, where workers are, who is near a case, swaps; tables in and out."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from edge.contract.incident import Severity
from tests.cloud.api.conftest import Cloud
from tests.cloud.samples import GRID, incident, report


def now() -> datetime:
    """The clock of the cloud that these tests ask."""
    return datetime.now(UTC)


@pytest.fixture
def people(cloud: Cloud) -> Iterator[dict[str, httpx.Client]]:
    """Clients by the names of people, without a password hashed."""
    clients = {name: cloud.anyone() for name in ("lead", "worker", "dispatcher", "elsewhere", "admin")}
    for name, client in clients.items():
        client.headers["Authorization"] = f"Bearer {cloud.session(name)}"
    yield clients
    for client in clients.values():
        client.close()


def account(cloud: Cloud, name: str) -> int:
    row = cloud.conn.execute("select id from account where name = %s", [name]).fetchone()
    assert row is not None
    return int(row[0])


def shift(cloud: Cloud, name: str, begin_h: float = -1, end_h: float = 7) -> dict[str, Any]:
    return {
        "account_id": account(cloud, name),
        "area_code": GRID,
        "kind": "grid_worker",
        "from_at": (now() + timedelta(hours=begin_h)).isoformat(),
        "until_at": (now() + timedelta(hours=end_h)).isoformat(),
    }


def test_who_is_on_duty_is_found_near_a_case_and_forgotten_with_the_shift(
    cloud: Cloud, people: dict[str, httpx.Client]
) -> None:
    cloud.receive(report(incident(severity=Severity.HIGH)))
    case_id = people["dispatcher"].get("/api/v1/cases").json()["items"][0]["id"]
    near = f"/api/v1/cases/{case_id}/nearest-workers"
    here = {"longitude": 116.4431, "latitude": 39.9215, "accuracy_m": 6.5, "measured_at": now().isoformat()}
    refused = people["worker"].post("/api/v1/me/position", json=here)
    assert refused.status_code == httpx.codes.CONFLICT
    planned = people["lead"].post("/api/v1/duty/shifts", json=shift(cloud, "worker"))
    assert planned.status_code == httpx.codes.CREATED, planned.text
    assert people["lead"].post("/api/v1/duty/shifts", json=shift(cloud, "worker")).status_code == httpx.codes.CONFLICT
    kept = people["worker"].post("/api/v1/me/position", json=here)
    assert kept.status_code == httpx.codes.OK, kept.text
    assert kept.json()["kept_until"] == planned.json()["until_at"]
    [worker] = people["dispatcher"].get(near).json()["items"]
    assert (worker["display_name"], worker["area_code"]) == ("Worker", GRID)
    assert 0 < worker["distance_m"] < 50_000
    assert people["elsewhere"].get(near).status_code == httpx.codes.FORBIDDEN
    assert [each["display_name"] for each in people["lead"].get("/api/v1/duty/now").json()["items"]] == ["Worker"]
    assert people["elsewhere"].get("/api/v1/duty/now").json() == {"items": [], "above": []}
    ended = people["lead"].delete(f"/api/v1/duty/shifts/{planned.json()['id']}")
    assert ended.json()["ended_at"] is not None
    assert people["dispatcher"].get(near).json() == {"items": []}
    assert cloud.conn.execute("select count(*) from worker_position").fetchone() == (0,)
    told = cloud.conn.execute("select detail::text || subject from audit").fetchall()
    assert not [row for row in told if "116.44" in row[0]]


WRONG: tuple[dict[str, Any], ...] = (
    {"longitude": 181},
    {"latitude": "NaN"},
    {"accuracy_m": -1},
    {"measured_at": "9999-12-31T23:59:59Z"},
    {"speed": 3},
)


def test_a_position_that_can_not_be(people: dict[str, httpx.Client]) -> None:
    for wrong in WRONG:
        body = {"longitude": 116.4, "latitude": 39.9, "measured_at": now().isoformat()} | wrong
        answer = people["worker"].post("/api/v1/me/position", json=body)
        assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY, wrong


def test_a_swap_goes_its_way(cloud: Cloud, people: dict[str, httpx.Client]) -> None:
    tables = "/api/v1/organisation/tables/shifts"
    cloud.conn.execute("update account set area_code = '110105' where name = 'elsewhere'")
    cloud.conn.commit()
    mine = people["lead"].post("/api/v1/duty/shifts", json=shift(cloud, "worker", 24, 32)).json()["id"]
    wish = {"asked_of": account(cloud, "elsewhere"), "note": "看病"}
    asked = people["worker"].post(f"/api/v1/duty/shifts/{mine}/swaps", json=wish)
    assert asked.status_code == httpx.codes.CREATED, asked.text
    actions = f"/api/v1/duty/swaps/{asked.json()['id']}/actions"
    assert people["lead"].post(actions, json={"action": "approve"}).status_code == httpx.codes.CONFLICT
    assert people["elsewhere"].post(actions, json={"action": "accept"}).json()["status"] == "accepted"
    assert people["lead"].post(actions, json={"action": "approve"}).json()["shift"]["display_name"] == "Elsewhere"
    assert [each["status"] for each in people["worker"].get("/api/v1/duty/swaps").json()["items"]] == ["approved"]
    assert "elsewhere" in people["admin"].get(tables).json()["csv"]
    assert people["elsewhere"].get("/api/v1/duty/shifts?mine=true&limit=1").json()["items"][0]["id"] == mine


def test_pages_of_shifts_follow_each_other(cloud: Cloud, people: dict[str, httpx.Client]) -> None:
    for begin in (24, 48, 72):
        people["lead"].post("/api/v1/duty/shifts", json=shift(cloud, "worker", begin, begin + 4))
    seen, cursor = [], ""
    while True:
        page = people["lead"].get(f"/api/v1/duty/shifts?limit=1{cursor}").json()
        seen += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&after={page['next']}"
    assert len(set(seen)) == len(seen) == 3


def test_a_table_is_taken_in_whole_or_not_at_all(people: dict[str, httpx.Client]) -> None:
    path = "/api/v1/organisation/tables/sites"
    good = f"code,kind,name,area\nS1,station,东门驿站,{GRID}\n"
    bad = people["admin"].post(path, json={"csv": f"{good}S2,kiosk,x,{GRID}\n"}).json()
    assert (bad["taken"], bad["problems"][0]["line"], bad["problems"][0]["column"]) == (False, 3, "kind")
    assert people["lead"].get("/api/v1/sites").json() == {"items": []}
    assert people["admin"].post(path, json={"csv": good}).json()["outcomes"] == {"added": 1}
    assert [each["name"] for each in people["lead"].get("/api/v1/sites").json()["items"]] == ["东门驿站"]
    assert people["elsewhere"].get("/api/v1/sites").json() == {"items": []}
    assert people["lead"].get(f"/api/v1/areas/{GRID}/team").json()["missing"][0] == "lead"
    assert len(people["lead"].get(f"/api/v1/areas/{GRID}/versions").json()["items"]) == 1
