"""Drills over the API: started, seen, reported into, prolonged, ended, and what came of one."""

import csv
import io
from datetime import UTC, datetime, timedelta

import httpx

from tests.cloud.api.conftest import NODE, Cloud
from tests.cloud.samples import GRID


def until(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def body(**more: object) -> dict[str, object]:
    return {"name": "Fire", "purpose": "spring", "area_code": GRID, "planned_end_at": until(2), "reports": True} | more


def test_a_drill_from_its_start_to_its_report(cloud: Cloud) -> None:
    with cloud.client("chief") as chief, cloud.client("worker") as worker:
        started = chief.post("/api/v1/drills", json=body())
        assert started.status_code == httpx.codes.CREATED, started.text
        drill = started.json()
        assert (drill["running"], drill["may_end"]) == (True, True)
        (seen,) = worker.get("/api/v1/drills/current").json()["items"]
        assert (seen["id"], seen["may_end"]) == (drill["id"], False)
        path = f"/api/v1/drills/{drill['id']}"
        assert worker.post(f"{path}/end").status_code == httpx.codes.FORBIDDEN
        report = {"origin": "patrol", "category": "E0101", "title": "=smoke", "area": GRID, "drill": True}
        made = worker.post("/api/v1/reports", json=report, headers={"Idempotency-Key": "drill-report-1"})
        assert made.status_code == httpx.codes.CREATED, made.text
        case = chief.get(f"/api/v1/cases/{made.json()['case_id']}").json()
        assert case["drill"] is True
        acted = chief.post(
            f"/api/v1/cases/{case['id']}/actions", json={"action": "confirm", "version": case["version"]}
        )
        assert acted.status_code == httpx.codes.OK, acted.text
        assert chief.post(f"{path}/prolong", json={"until": until(30)}).status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert chief.post(f"{path}/prolong", json={"until": until(20)}).json()["running"] is True
        ended = chief.post(f"{path}/end").json()
        assert (ended["running"], ended["cases"]) == (False, 1)
        assert worker.get("/api/v1/drills/current").json()["items"] == []
        assert chief.post(f"{path}/end").status_code == httpx.codes.CONFLICT
        told = chief.get(f"{path}/report").json()
        assert [step["action"] for step in told["steps"]] == ["started", "prolonged", "ended"]
        assert told["counts"]["cases"] == 1
        stages = {stage["stage"]: (stage["cases"], stage["waiting"]) for stage in told["stages"]}
        assert (stages["verify"], stages["dispatch"]) == ((1, 0), (0, 1))
        assert [(each["role"], each["steps"]) for each in told["reactions"]] == [("duty_chief", 1)]
        table = list(csv.DictReader(io.StringIO(chief.get(f"{path}/report?format=csv").text.lstrip("\ufeff"))))
        assert [row["number"] for row in table] == [case["number"]]
        assert not table[0]["title"].startswith("=")


def test_no_report_goes_into_a_drill_that_is_over(cloud: Cloud) -> None:
    with cloud.client("chief") as chief, cloud.client("worker") as worker:
        drill = chief.post("/api/v1/drills", json=body()).json()
        chief.post(f"/api/v1/drills/{drill['id']}/end")
        report = {"origin": "patrol", "category": "E0101", "title": "smoke", "area": GRID, "drill": True}
        made = worker.post("/api/v1/reports", json=report, headers={"Idempotency-Key": "drill-report-2"})
        assert made.status_code == httpx.codes.FORBIDDEN


def test_with_one_click_a_case_is_real(cloud: Cloud) -> None:
    with cloud.client("chief") as chief, cloud.client("worker") as worker:
        drill = chief.post("/api/v1/drills", json=body()).json()
        report = {"origin": "patrol", "category": "E0101", "title": "smoke", "area": GRID, "drill": True}
        made = worker.post("/api/v1/reports", json=report, headers={"Idempotency-Key": "drill-report-3"}).json()
        before = chief.get("/api/v1/figures").json()["open_cases"]
        case = worker.post(f"/api/v1/cases/{made['case_id']}/real", json={"note": "it burns"}).json()
        assert (case["drill"], case["history"][-1]["action"], case["history"][-1]["note"]) == (
            False,
            "made_real",
            "it burns",
        )
        assert chief.get("/api/v1/figures").json()["open_cases"] == before + 1
        again = worker.post(f"/api/v1/cases/{made['case_id']}/real", json={})
        assert again.status_code == httpx.codes.CONFLICT
        assert chief.get(f"/api/v1/drills/{drill['id']}/report").json()["counts"] | {"notices": 0} == {
            "incidents": 0,
            "cases": 0,
            "simulated_cases": 0,
            "work_orders": 0,
            "commands": 0,
            "notices": 0,
            "made_real": 1,
        }


def test_what_does_not_exist_is_not_started(cloud: Cloud) -> None:
    with cloud.client("chief") as chief:
        for wrong in (
            {"reports": False},
            {"sources": [{"node": NODE, "device": "cam-none"}]},
            {"planned_end_at": until(-1)},
        ):
            answer = chief.post("/api/v1/drills", json=body(**wrong))
            assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY, answer.text
