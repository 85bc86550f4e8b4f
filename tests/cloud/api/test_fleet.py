from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from cloud.api.paging import encode_cursor
from cloud.db.pool import open_pool
from cloud.fleet import service as fleet
from cloud.ingest.writer import Writer
from cloud.telemetry import service as telemetry
from edge.contract.birth import Degradation, Device, ModelVersion, PresenceState
from edge.contract.health import CameraLink, GateRecall, Level
from edge.contract.telemetry import Gap, GapReason
from tests.cloud.api.conftest import NODE, Cloud
from tests.cloud.samples import GRID, OTHER_GRID
from tests.fakes.node import AT, FakeNode, batch, birth, column, gap, itself, new_id, sensor

OK, NOT_FOUND = httpx.codes.OK, httpx.codes.NOT_FOUND


@pytest.fixture
def node(cloud: Cloud) -> FakeNode:
    """A node with two devices, of which one stands elsewhere and one has readings over three hours; and a stranger."""
    node = FakeNode(NODE)
    devices = (sensor(), sensor("sensor-02", "humidity"), Device(id="camera-01", kind="camera", name="Gate"))
    pool = open_pool(cloud.database_url, size=2)
    writer = Writer(pool, lambda _: False, clock=lambda: AT)
    writer.settle(
        [
            node.status(PresenceState.ONLINE),
            node.item(
                birth(
                    *devices,
                    models=(ModelVersion(id="yolox", version="1", sha256="ab" * 32),),
                    degraded=(Degradation(subject="camera-01", reason="lost", detail="no stream", since=AT),),
                )
            ),
        ]
    )
    values = [float(second % 60) for second in range(3 * 3_600)]
    for start in range(0, len(values), 3_600):
        begin = AT - timedelta(hours=3) + timedelta(seconds=start)
        writer.settle([node.item(batch(column(values[start : start + 3_600], begin=begin)))])
    writer.settle([node.item(gap()), FakeNode("stranger").item(birth())])
    telemetry.roll_up(pool)
    with pool.connection() as conn:
        fleet.place_device(conn, NODE, "sensor-02", grid_code=OTHER_GRID, longitude=116.4, latitude=39.9)
    pool.close()
    return node


def read(cloud: Cloud, name: str, path: str, **query: Any) -> Any:
    with cloud.client(name) as client:
        answer = client.get(path, params=query)
    assert answer.status_code == OK, answer.text
    return answer.json()


def devices(cloud: Cloud, name: str, **query: Any) -> list[str]:
    return [item["device"] for item in read(cloud, name, "/api/v1/devices", **query)["items"]]


@pytest.mark.usefixtures("node")
def test_devices_show_presence_points_and_newest_values(cloud: Cloud) -> None:
    items = {item["device"]: item for item in read(cloud, "chief", "/api/v1/devices")["items"]}
    first = items["sensor-01"]
    assert (first["node"], first["kind"], first["spot"], first["presence"]) == (NODE, "sensor", "pump-room", "online")
    assert first["grid"]["code"] == GRID
    (point,) = first["points"]
    assert (point["name"], point["kind"], point["unit"]) == ("temperature", "number", "°C")
    assert point["latest"] == {"observed_at": "2026-03-01T07:59:59Z", "value": 59.0}
    assert items["sensor-02"]["grid"]["code"] == OTHER_GRID
    assert (items["sensor-02"]["longitude"], items["sensor-02"]["presence"]) == (116.4, "unknown")
    assert items["camera-01"]["points"] == []


def test_a_camera_shows_whose_it_is_and_how_steady_its_connection_was(cloud: Cloud, node: FakeNode) -> None:
    def camera() -> Any:
        return {item["device"]: item for item in read(cloud, "chief", "/api/v1/devices")["items"]}["camera-01"]

    assert (camera()["department"], camera()["link"]) == (None, None)
    gate = Device(id="camera-01", kind="camera", name="Gate", department="urban_management", simulated=True)
    recall = GateRecall(state="watching", reason="still", audited_s=864, found=5, missed=1)
    links = (
        CameraLink(camera="camera-01", reconnects_per_hour=3, stalls_per_hour=2, gate=recall),
        CameraLink(camera="never-declared", reconnects_per_hour=1, stalls_per_hour=0),
    )
    tell(cloud, node.item(birth(sensor(), gate)), node.health(1, cameras=links))
    shown = camera()
    assert shown["department"] == "urban_management"
    told = {"state": "watching", "reason": "still", "audited_s": 864, "found": 5, "missed": 1}
    assert shown["link"] == {
        "told_at": "2026-03-01T08:00:00Z",
        "reconnects_per_hour": 3,
        "stalls_per_hour": 2,
        "gate": told,
    }
    steadiness = {"reconnects_per_hour": 3, "stalls_per_hour": 2}
    assert read(cloud, "chief", f"/api/v1/nodes/{NODE}")["health"]["cameras"] == [
        {
            "device_id": shown["id"],
            "camera": "camera-01",
            "name": "Gate",
            "simulated": True,
            "presence": shown["presence"],
            **steadiness,
        }
    ]
    fleet.place_device(cloud.conn, NODE, "camera-01", grid_code=OTHER_GRID, longitude=None, latitude=None)
    cloud.conn.commit()
    assert read(cloud, "worker", f"/api/v1/nodes/{NODE}")["health"]["cameras"] == []
    assert len(read(cloud, "chief", f"/api/v1/nodes/{NODE}")["health"]["cameras"]) == 1
    tell(cloud, node.item(birth(sensor(), Device(id="camera-01", kind="camera"))), node.health(2))
    assert (camera()["department"], camera()["link"]) == (None, None)


@pytest.mark.usefixtures("node")
def test_devices_are_seen_only_within_ones_area(cloud: Cloud) -> None:
    assert devices(cloud, "worker") == ["camera-01", "sensor-01"]
    assert devices(cloud, "elsewhere") == ["sensor-02"]
    assert devices(cloud, "chief", kind="camera") == ["camera-01"]
    assert devices(cloud, "chief", presence="online") == ["sensor-01"]
    assert devices(cloud, "chief", area="110105003") == ["sensor-02"]
    hidden = read(cloud, "elsewhere", "/api/v1/devices")["items"][0]["id"]
    with cloud.client("worker") as client:
        assert client.get(f"/api/v1/devices/{hidden}").status_code == NOT_FOUND
        assert client.get(f"/api/v1/devices/{2**62}").status_code == NOT_FOUND
        assert client.get("/api/v1/devices", params={"area": "110105003"}).status_code == NOT_FOUND


@pytest.mark.usefixtures("node")
def test_pages_follow_each_other_without_a_hole(cloud: Cloud) -> None:
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = read(cloud, "chief", "/api/v1/devices", limit=1, **after)
        seen += [item["device"] for item in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert sorted(seen) == ["camera-01", "sensor-01", "sensor-02"]


@pytest.mark.usefixtures("node")
def test_a_series_comes_raw_by_minute_or_by_hour_with_its_gaps(cloud: Cloud) -> None:
    device = read(cloud, "worker", "/api/v1/devices", kind="sensor")["items"][0]["id"]
    path = f"/api/v1/devices/{device}/points/temperature/series"
    span = {"from": (AT - timedelta(minutes=10)).isoformat(), "to": (AT + timedelta(minutes=1)).isoformat()}
    raw = read(cloud, "worker", path, **span)
    assert (raw["step"], raw["unit"], len(raw["observed_at"])) == ("raw", "°C", 600)
    assert raw["mean"] == raw["minimum"] == raw["maximum"]
    assert [(found["count"], found["reason"]) for found in raw["gaps"]] == [(300, "quota")]
    span["from"] = (AT - timedelta(hours=3)).isoformat()
    minutes = read(cloud, "worker", path, **span)
    assert (minutes["step"], len(minutes["mean"]), minutes["mean"][0], minutes["maximum"][0]) == (
        "minute",
        180,
        29.5,
        59,
    )
    hours = read(cloud, "worker", path, **span, step="hour")
    assert (len(hours["mean"]), hours["mean"][0]) == (3, 29.5)
    first = read(cloud, "worker", path, **span, step="raw")
    assert len(first["mean"]) == 2_000
    span["from"] = first["next_from"]
    assert read(cloud, "worker", path, **span, step="raw")["observed_at"][0] == first["next_from"]


@pytest.mark.usefixtures("node")
@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"},
        {"from": "2026-03-01T00:00:00", "to": "2026-03-02T00:00:00Z"},
        {"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"},
        {"from": "yesterday", "to": "today"},
    ],
)
def test_ranges_that_cannot_be_are_refused(cloud: Cloud, query: dict[str, str]) -> None:
    device = read(cloud, "worker", "/api/v1/devices", kind="sensor")["items"][0]["id"]
    with cloud.client("worker") as client:
        answer = client.get(f"/api/v1/devices/{device}/points/temperature/series", params=query)
        assert answer.status_code in {httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY}
        unknown = client.get(f"/api/v1/devices/{device}/points/nothing/series", params={**query})
    assert unknown.is_client_error


@pytest.mark.usefixtures("node")
def test_a_series_tells_the_last_hour_unless_asked_otherwise(cloud: Cloud) -> None:
    device = read(cloud, "worker", "/api/v1/devices", kind="sensor")["items"][0]["id"]
    point = f"/api/v1/devices/{device}/points/temperature/series"
    now = datetime.now(UTC).replace(microsecond=0)
    kept = [now - timedelta(minutes=minutes) for minutes in (50, 10)]
    for observed_at in (now - timedelta(minutes=70), *kept):
        cloud.conn.execute(
            "insert into reading (observed_at, value, series_id, flag) "
            "select %s, 20, id, 0 from series where device_id = %s and point = 'temperature'",
            [observed_at, device],
        )
    cloud.conn.commit()

    def told(**span: str) -> list[datetime]:
        return [datetime.fromisoformat(at) for at in read(cloud, "worker", point, step="raw", **span)["observed_at"]]

    assert told() == kept
    assert told(to=(now - timedelta(minutes=5)).isoformat()) == kept
    assert told(**{"from": (now - timedelta(minutes=30)).isoformat()}) == kept[1:]


@pytest.mark.usefixtures("node")
def test_nodes_show_what_they_run_and_what_does_not_work(cloud: Cloud) -> None:
    (found,) = read(cloud, "chief", "/api/v1/nodes")["items"]
    assert (found["node"], found["state"], found["presence"], found["software"]) == (
        NODE,
        "accepted",
        "online",
        "0.1.0",
    )
    assert (found["devices"], found["models"][0]["id"], found["degraded"][0]["subject"]) == (3, "yolox", "camera-01")


@pytest.mark.usefixtures("node")
def test_a_maintainer_sees_who_waits_and_accepts(cloud: Cloud) -> None:
    names = [item["node"] for item in read(cloud, "maintainer", "/api/v1/nodes")["items"]]
    assert names == ["stranger", NODE]
    page = read(cloud, "maintainer", "/api/v1/nodes", limit=1)
    assert [item["state"] for item in page["items"]] == ["quarantined"]
    following = read(cloud, "maintainer", "/api/v1/nodes", limit=1, after=page["next"])
    assert [item["node"] for item in following["items"]] == [NODE]

    def accept(name: str, node: str, area_code: str) -> int:
        with cloud.client(name) as client:
            return client.post(f"/api/v1/nodes/{node}/accept", json={"area_code": area_code}).status_code

    assert accept("chief", "stranger", GRID) == httpx.codes.FORBIDDEN
    assert accept("maintainer", "stranger", "999999") == NOT_FOUND
    assert accept("maintainer", "nobody", GRID) == NOT_FOUND
    assert accept("maintainer", "stranger", GRID) == httpx.codes.NO_CONTENT
    assert accept("maintainer", "stranger", GRID) == NOT_FOUND
    states = {item["node"]: item["state"] for item in read(cloud, "maintainer", "/api/v1/nodes")["items"]}
    assert states == {"stranger": "accepted", NODE: "accepted"}
    assert cloud.conn.execute("select action, subject from audit where action = 'node.accepted'").fetchall() == [
        ("node.accepted", "stranger")
    ]


def tell(cloud: Cloud, *items: Any, now: datetime = AT) -> None:
    pool = open_pool(cloud.database_url, size=2)
    Writer(pool, lambda _: False, clock=lambda: now).settle(list(items))
    pool.close()


def test_a_node_shows_what_waits_since_when_and_what_was_lost(cloud: Cloud, node: FakeNode) -> None:
    before = read(cloud, "chief", f"/api/v1/nodes/{NODE}")
    assert before["health"] is None
    tell(cloud, node.health(1, level=Level.CRITICAL, share=0.95, readings=1_000, oldest_at=AT - timedelta(hours=3)))
    shown = read(cloud, "chief", f"/api/v1/nodes/{NODE}")
    assert shown in read(cloud, "chief", "/api/v1/nodes")["items"]
    health = shown["health"]
    assert health["told_at"] == "2026-03-01T08:00:00Z"
    assert (health["backlog"]["level"], health["backlog"]["share"], health["backlog"]["readings"]) == (
        "critical",
        0.95,
        1_000,
    )
    assert health["backlog"]["oldest_at"] == "2026-03-01T05:00:00Z"
    assert (health["dropped"], health["dead_letters"], health["evidence"]["files"]) == ([], [], 0)
    with cloud.client("elsewhere") as client:
        assert client.get(f"/api/v1/nodes/{NODE}").status_code == NOT_FOUND
        assert client.get("/api/v1/nodes/stranger").status_code == NOT_FOUND


def test_the_node_itself_is_a_device_that_is_there_as_long_as_the_node(cloud: Cloud, node: FakeNode) -> None:
    online = read(cloud, "chief", "/api/v1/figures")
    tell(cloud, node.item(birth(sensor(), itself(NODE))), node.health(1, share=0.25))
    shown = read(cloud, "chief", f"/api/v1/nodes/{NODE}")
    device = read(cloud, "chief", f"/api/v1/devices/{shown['device_id']}")
    assert (device["device"], device["kind"], device["presence"]) == (NODE, "node", "online")
    assert device["last_seen_at"] == shown["last_seen_at"]
    values = {point["name"]: point["latest"]["value"] for point in device["points"]}
    assert values["outbox_percent"] == 25.0
    assert shown["devices"] == 1  # it does not count itself
    assert read(cloud, "chief", "/api/v1/figures")["devices_online"] == online["devices_online"]
    tell(cloud, node.status(PresenceState.OFFLINE))
    assert devices(cloud, "chief", kind="node", presence="lost") == [NODE]
    assert devices(cloud, "chief", kind="node", presence="online") == []


def test_a_device_shows_what_waits_in_its_node(cloud: Cloud, node: FakeNode) -> None:
    device = read(cloud, "worker", "/api/v1/devices", kind="sensor")["items"][0]
    assert device["backlog"] is None
    tell(cloud, node.health(1, level=Level.WARNING, share=0.6, readings=7, incidents=1, oldest_at=AT))
    assert read(cloud, "worker", f"/api/v1/devices/{device['id']}")["backlog"] == {
        "told_at": "2026-03-01T08:00:00Z",
        "level": "warning",
        "share": 0.6,
        "readings_waiting": 7,
        "incidents_waiting": 1,
        "files_waiting": 0,
        "oldest_at": "2026-03-01T08:00:00Z",
    }


def test_what_a_device_lost_is_listed_with_reasons_page_by_page(cloud: Cloud, node: FakeNode) -> None:
    device = read(cloud, "worker", "/api/v1/devices", kind="sensor")["items"][0]["id"]
    path = f"/api/v1/devices/{device}/gaps"
    tell(
        cloud,
        *(
            node.item(
                Gap(
                    gap_id=new_id(),
                    device="sensor-01",
                    from_at=AT - timedelta(hours=hours),
                    to_at=AT - timedelta(hours=hours - 1),
                    count=10,
                    reason=GapReason.REJECTED,
                )
            )
            for hours in range(1, 6)
        ),
    )
    seen: list[Any] = []
    after: dict[str, str] = {}
    while True:
        page = read(cloud, "worker", path, limit=2, **after)
        seen += page["items"]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert len(seen) == 6
    assert [one["from_at"] for one in seen] == sorted((one["from_at"] for one in seen), reverse=True)
    assert [(one["reason"], one["gaps"], one["count"]) for one in page["sums"]] == [
        ("quota", 1, 300),
        ("rejected", 5, 50),
    ]
    with cloud.client("elsewhere") as client:
        assert client.get(path).status_code == NOT_FOUND
    with cloud.client("worker") as client:
        for cursor in ("x", "e30", encode_cursor("yesterday", "x"), encode_cursor("0001-01-01", str(new_id()))):
            answer = client.get(path, params={"after": cursor})
            assert answer.status_code in {OK, httpx.codes.UNPROCESSABLE_ENTITY}, answer.text
