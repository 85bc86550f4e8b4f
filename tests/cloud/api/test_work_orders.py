import httpx

from edge.contract.incident import IncidentState
from tests.cloud.api.conftest import Cloud
from tests.cloud.samples import incident, report


def fault(cloud: Cloud, number: int = 1, **fields: object) -> None:
    cloud.receive(report(incident(number, kind="camera_trouble", category="maintenance", **fields)))  # type: ignore[arg-type]


def test_an_order_is_found_given_to_somebody_and_ended(cloud: Cloud) -> None:
    fault(cloud)
    with cloud.client("maintainer") as maintainer:
        (listed,) = maintainer.get("/api/v1/work-orders", params={"running": True}).json()["items"]
        read = maintainer.get(f"/api/v1/work-orders/{listed['id']}").json()
        assert read["actions"] == ["assign", "cancel", "note"]
        assert {person["name"] for person in read["assignees"]} == {"maintainer", "admin"}
        for action in ("assign", "arrive", "fix", "verify"):
            answer = maintainer.post(
                f"/api/v1/work-orders/{listed['id']}/actions", json={"action": action, "version": read["version"]}
            )
            assert answer.status_code == httpx.codes.OK, answer.text
            read = answer.json()
        assert (read["status"], read["assigned_name"]) == ("verified", "Maintainer")
        assert maintainer.get("/api/v1/work-orders", params={"running": True}).json()["items"] == []
        assert maintainer.get("/api/v1/work-orders", params={"mine": True}).json()["items"][0]["id"] == listed["id"]
    lines = cloud.conn.execute("select action from audit where action like 'order.%' order by id").fetchall()
    assert [line[0] for line in lines] == ["order.assign", "order.arrive", "order.fix", "order.verify"]


def test_of_two_who_press_at_once_one_wins_and_the_other_is_told(cloud: Cloud) -> None:
    fault(cloud)
    with cloud.client("maintainer") as first, cloud.client("admin") as second:
        (order,) = first.get("/api/v1/work-orders").json()["items"]
        wanted = {"action": "assign", "version": order["version"]}
        assert first.post(f"/api/v1/work-orders/{order['id']}/actions", json=wanted).status_code == httpx.codes.OK
        late = second.post(f"/api/v1/work-orders/{order['id']}/actions", json=wanted)
        assert late.status_code == httpx.codes.CONFLICT
        assert "changed" in late.json()["detail"]


def test_orders_end_at_the_border_of_an_area(cloud: Cloud) -> None:
    fault(cloud)
    with cloud.client("elsewhere") as stranger, cloud.client("worker") as neighbour:
        assert stranger.get("/api/v1/work-orders").json()["items"] == []
        (order,) = neighbour.get("/api/v1/work-orders").json()["items"]
        assert stranger.get(f"/api/v1/work-orders/{order['id']}").status_code == httpx.codes.NOT_FOUND
        assert neighbour.get(f"/api/v1/work-orders/{order['id']}").json()["actions"] == []


def test_a_page_goes_on_where_the_one_before_ended(cloud: Cloud) -> None:
    for number in range(1, 6):
        fault(cloud, number, device=f"cam-{number}", state=IncidentState.ENDED)
    with cloud.client("chief") as chief:
        seen, after = [], None
        while True:
            page = chief.get("/api/v1/work-orders", params={"limit": 2} | ({"after": after} if after else {})).json()
            seen += [item["device"]["device"] for item in page["items"]]
            after = page["next"]
            if after is None:
                break
    assert seen == [f"cam-{number}" for number in range(5, 0, -1)]


def test_figures_are_for_those_who_may_see_the_area(cloud: Cloud) -> None:
    fault(cloud)
    with cloud.client("chief") as chief, cloud.client("elsewhere") as stranger:
        window = {"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}
        told = chief.get("/api/v1/maintenance/figures", params=window).json()
        assert (told["running"], told["worst"][0]["orders"], told["repair_p50_s"]) == ({"opened": 1}, 1, None)
        assert stranger.get("/api/v1/maintenance/figures", params=window).json()["worst"] == []
        backwards = {"from": window["to"], "to": window["from"]}
        assert (
            chief.get("/api/v1/maintenance/figures", params=backwards).status_code == httpx.codes.UNPROCESSABLE_ENTITY
        )
        for endless in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
            answer = chief.get("/api/v1/maintenance/figures", params={"to": endless})
            assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        unzoned = {"from": "2026-03-01T00:00:00"}
        assert chief.get("/api/v1/maintenance/figures", params=unzoned).status_code == httpx.codes.UNPROCESSABLE_ENTITY


def test_the_table_is_told_as_it_is(cloud: Cloud) -> None:
    with cloud.client("worker") as worker:
        told = worker.get("/api/v1/work-order-model").json()
    assert told["running"] == ["opened", "assigned", "on_site", "fixed"]
    assert {"action": "verify", "from": "fixed", "to": "verified"}.items() <= next(
        row for row in told["transitions"] if row["action"] == "verify"
    ).items()
