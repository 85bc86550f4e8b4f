"""What may become a case, what became none, and what a case is made of, as people read it."""

from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest

from cloud.access.model import Role
from edge.contract.incident import IncidentState, Severity
from tests.cloud.api.conftest import Cloud
from tests.cloud.samples import GRID, NOW, OTHER_GRID, add_person, incident, report

RULES = "/api/v1/admission-rules"


def add(cloud: Cloud, person: str = "admin", **wish: Any) -> httpx.Response:
    with cloud.client(person) as client:
        return client.post(RULES, json={"admitted_from": "high", **wish})


def read(cloud: Cloud, path: str, person: str = "admin") -> Any:
    with cloud.client(person) as client:
        answer = client.get(path)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()


def test_without_rules_everything_is_admitted(cloud: Cloud) -> None:
    cloud.receive(report(incident(severity=Severity.LOW)))
    assert len(read(cloud, "/api/v1/cases")["items"]) == 1
    assert read(cloud, "/api/v1/unadmitted-incidents") == {"items": [], "next": None}


def test_what_is_not_admitted_is_kept_counted_and_listed(cloud: Cloud) -> None:
    rule = add(cloud, kind="loitering", area_code="110105001", note="by the street itself").json()
    found = [incident(number, kind="loitering", device=f"cam-{number}") for number in range(3)]
    cloud.receive(*map(report, found))
    cloud.receive(report(incident(7, kind="intrusion")), report(incident(8, kind="loitering"), grid_code=OTHER_GRID))
    assert sorted(case["kind"] for case in read(cloud, "/api/v1/cases")["items"]) == ["intrusion", "loitering"]
    listed = read(cloud, "/api/v1/unadmitted-incidents?limit=2")
    assert len(listed["items"]) == 2
    rest = read(cloud, f"/api/v1/unadmitted-incidents?limit=2&after={listed['next']}&rule={rule['rule_id']}")
    assert [item["device"] for item in listed["items"] + rest["items"]] == ["cam-2", "cam-1", "cam-0"]
    assert read(cloud, RULES)["items"][0]["incidents"] == 3


def test_what_gets_worse_is_admitted_and_so_is_what_is_told_after_the_rule_ended(cloud: Cloud) -> None:
    rule = add(cloud, kind="loitering").json()
    cloud.receive(report(incident(1, kind="loitering")), report(incident(2, kind="loitering", device="cam-2")))
    assert read(cloud, "/api/v1/cases")["items"] == []
    worse = incident(1, revision=2, kind="loitering", update_s=5, state=IncidentState.UPDATE, severity=Severity.HIGH)
    cloud.receive(report(worse))
    (case,) = read(cloud, "/api/v1/cases")["items"]
    assert (case["severity"], case["incident_count"]) == ("high", 1)
    with cloud.client("admin") as client:
        assert client.delete(f"{RULES}/{rule['rule_id']}").status_code == httpx.codes.NO_CONTENT
        assert client.delete(f"{RULES}/{rule['rule_id']}").status_code == httpx.codes.NOT_FOUND
    ended = incident(2, revision=2, kind="loitering", device="cam-2", update_s=9, state=IncidentState.ENDED)
    cloud.receive(report(ended))
    assert len(read(cloud, "/api/v1/cases")["items"]) == 2
    assert read(cloud, "/api/v1/unadmitted-incidents")["items"] == []


def test_what_is_critical_always_becomes_a_case(cloud: Cloud) -> None:
    assert add(cloud, admitted_from="critical").status_code == httpx.codes.CREATED
    cloud.receive(
        report(incident(1, severity=Severity.HIGH)), report(incident(2, severity=Severity.CRITICAL, device="cam-2"))
    )
    assert [case["severity"] for case in read(cloud, "/api/v1/cases")["items"]] == ["critical"]


def test_the_narrowest_rule_decides(cloud: Cloud) -> None:
    add(cloud, admitted_from="critical")
    add(cloud, area_code=GRID, kind="crowd", admitted_from="medium")
    add(cloud, level="grid", admitted_from="high")
    cloud.receive(
        report(incident(1, kind="crowd")),
        report(incident(2, kind="loitering")),
        report(incident(3, kind="loitering", severity=Severity.HIGH)),
        report(incident(4, kind="crowd"), grid_code="110105"),
    )
    assert sorted(case["kind"] for case in read(cloud, "/api/v1/cases")["items"]) == ["crowd", "loitering"]


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"admitted_from": "low"}, httpx.codes.UNPROCESSABLE_ENTITY),
        ({"level": "planet"}, httpx.codes.UNPROCESSABLE_ENTITY),
        ({"area_code": "110105999"}, httpx.codes.NOT_FOUND),
        ({"kind": "Not a kind"}, httpx.codes.UNPROCESSABLE_ENTITY),
        ({"whatever": 1}, httpx.codes.UNPROCESSABLE_ENTITY),
    ],
)
def test_rules_that_make_no_sense_are_refused(cloud: Cloud, wish: dict[str, Any], status: int) -> None:
    assert add(cloud, **wish).status_code == status


def test_two_rules_for_just_the_same_are_refused(cloud: Cloud) -> None:
    assert add(cloud, kind="crowd").status_code == httpx.codes.CREATED
    assert add(cloud, kind="crowd", admitted_from="medium").status_code == httpx.codes.CONFLICT


def test_who_lies_below_a_rule_reads_it_and_does_not_end_it(cloud: Cloud) -> None:
    with psycopg.connect(cloud.database_url) as conn:
        add_person(conn, "street-admin", Role.ADMINISTRATOR, "110105001")
        add_person(conn, "next-door", Role.ADMINISTRATOR, "110105003")
    everywhere = add(cloud, kind="loitering", note="everywhere").json()
    here = add(cloud, kind="loitering", area_code=GRID, note="here").json()
    cloud.receive(report(incident(1, kind="loitering")), report(incident(2, kind="loitering", device="cam-2")))
    listed = {rule["rule_id"]: rule["incidents"] for rule in read(cloud, RULES, "street-admin")["items"]}
    assert listed == {everywhere["rule_id"]: 0, here["rule_id"]: 2}
    assert [rule["rule_id"] for rule in read(cloud, RULES, "next-door")["items"]] == [everywhere["rule_id"]]
    with cloud.client("street-admin") as client:
        assert client.delete(f"{RULES}/{everywhere['rule_id']}").status_code == httpx.codes.FORBIDDEN
        assert client.delete(f"{RULES}/{here['rule_id']}").status_code == httpx.codes.NO_CONTENT


def test_a_case_tells_what_it_is_made_of_and_what_broke_out_of_it(cloud: Cloud) -> None:
    cloud.receive(*(report(incident(number, zone="yard", start_s=10.0 * number)) for number in range(6)))
    cloud.receive(report(incident(50, start_s=70, severity=Severity.HIGH, zone="yard")))
    new, flooded = read(cloud, "/api/v1/cases")["items"]
    told = read(cloud, f"/api/v1/cases/{flooded['id']}/folding", "chief")
    assert (told["incidents"], told["sources"], told["flooded"], told["repeats_until"]) == (6, 1, True, None)
    (source,) = told["by_source"]
    assert (source["device"], source["zone"], source["incidents"]) == ("cam-1", "yard", 6)
    assert source["by_severity"] == {"low": 0, "medium": 6, "high": 0, "critical": 0}
    assert [(case["id"], case["simulated"]) for case in told["linked"]] == [(new["id"], False)]
    back = read(cloud, f"/api/v1/cases/{new['id']}/folding", "chief")
    assert [case["number"] for case in back["linked"]] == [flooded["number"]]
    assert back["flooded"] is False


def test_a_repeated_false_alarm_says_until_when_it_is_counted(cloud: Cloud) -> None:
    cloud.receive(*(report(incident(number, start_s=10.0 * number)) for number in range(4)))
    (case,) = read(cloud, "/api/v1/cases")["items"]
    with cloud.client("chief") as client:
        body = {"action": "dismiss", "version": case["version"], "reason": "weather"}
        assert client.post(f"/api/v1/cases/{case['id']}/actions", json=body).status_code == httpx.codes.OK
    cloud.conn.execute("update grid_case set ended_at = %s", [NOW])  # the cloud's clock tells another day
    cloud.conn.commit()
    again = incident(9, start_s=timedelta(hours=1).total_seconds())
    cloud.receive(report(again))
    echo, _ = read(cloud, "/api/v1/cases")["items"]
    told = read(cloud, f"/api/v1/cases/{echo['id']}/folding")
    assert told["repeats_up_to"] == "medium"
    assert told["repeats_until"] is not None
    assert [linked["id"] for linked in told["linked"]] == [case["id"]]


def try_out(cloud: Cloud, person: str = "admin", **asked: Any) -> Any:
    with cloud.client(person) as client:
        answer = client.post(f"{RULES}/try", json=asked)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()


def test_a_rule_is_tried_on_what_was_found_before_it_is_made(cloud: Cloud) -> None:
    cloud.receive(
        report(incident(1, kind="loitering")),
        report(incident(2, kind="loitering", severity=Severity.HIGH, device="cam-2")),
        report(incident(3, kind="crowd", device="cam-3")),
        report(incident(4, kind="loitering", device="cam-4"), grid_code=OTHER_GRID),
    )
    cloud.conn.execute(
        "update incident set received_at = now() - interval '1 day'"
    )  # the cloud's clock tells another day
    cloud.conn.execute("update grid_case set opened_at = now() - interval '1 day'")
    cloud.conn.commit()
    rule = {"kind": "loitering", "area_code": GRID, "admitted_from": "high"}
    told = try_out(cloud, rule=rule)
    assert (told["incidents"], told["admitted"], told["would_be_admitted"]) == (4, 4, 3)
    assert (told["cases"], told["would_be_cases"]) == (4, 3)
    (line,) = told["lines"]
    assert (line["kind"], line["severity"], line["admitted"], line["would_be_admitted"]) == (
        "loitering",
        "medium",
        2,
        1,
    )
    assert read(cloud, RULES)["items"] == [], "nothing is made"
    made = add(cloud, kind="loitering", admitted_from="critical").json()
    without = try_out(cloud, "chief", ends=made["rule_id"])
    assert (without["admitted"], without["would_be_admitted"]) == (1, 4)
    with cloud.client("admin") as client:
        assert client.post(f"{RULES}/try", json={"ends": 9_999}).status_code == httpx.codes.NOT_FOUND
        assert client.post(f"{RULES}/try", json={"rule": rule | {"level": "moon"}}).status_code == 422
