"""Both directions on a case: what cameras saw of a device's incident, and what devices said around a camera's."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from cloud.db.pool import open_pool
from cloud.fleet import service as fleet
from cloud.ingest.writer import Writer
from edge.contract.birth import Device, Point, PointKind, Spot
from edge.contract.envelope import Lane
from edge.contract.incident import EvidenceKind, EvidenceReference, Incident, IncidentState
from edge.contract.telemetry import StateChange
from edge.contract.view import CameraView, SightCount, ViewAbsence
from tests.cloud.api.conftest import NODE, Cloud
from tests.cloud.samples import OTHER_GRID, incident_id
from tests.fakes.node import AT, FakeNode, batch, birth, column, incident, sensor

HASH = "ab" * 32
SHED = Spot(id="shed", name="东侧车棚", cameras=("cam-1", "cam-2"))


def pile(name: str, spot: str) -> Device:
    return msgspec.structs.replace(sensor(name), spot=spot)


DEVICES = (
    pile("pile-1", "shed"),
    Device(
        id="smoke-1", kind="sensor", spot="shed", simulated=True, points=(Point(name="alarm", kind=PointKind.STATE),)
    ),
    pile("pile-2", "shed"),
    pile("far-1", "gate"),
    Device(id="cam-1", kind="camera", name="车棚"),
    Device(id="cam-2", kind="camera"),
    Device(id="cam-3", kind="camera", spot="gate"),
)
PICTURE = EvidenceReference(sha256=HASH, kind=EvidenceKind.SNAPSHOT, mime="image/jpeg", bytes=10, captured_at=AT)
SEEN = CameraView(
    camera="cam-1",
    captured_at=AT,
    counts=(SightCount(label="person", count=2), SightCount(label="vehicle", count=1, zone="fire-lane")),
    evidence=(HASH,),
    trouble="dark",
)


def alarm(**fields: Any) -> Incident:
    given: dict[str, Any] = {
        "device": "pile-1",
        "kind": "threshold",
        "spot": "shed",
        "point": "temperature",
        "value": 71.0,
    }
    return incident(**(given | fields))


@pytest.fixture
def node(cloud: Cloud) -> FakeNode:
    """Piles, a smoke detector and cameras at a shed, a sensor and a camera at a gate, with what they have said."""
    node = FakeNode(NODE)
    values = [40.0 + minute for minute in range(60)]
    begin = AT - timedelta(minutes=30)
    tell(cloud, node, birth(*DEVICES, spots=(SHED, Spot(id="empty"))))
    tell(
        cloud,
        node,
        batch(
            *(
                column(values, device=device, begin=begin, step=timedelta(minutes=1))
                for device in ("pile-1", "pile-2", "far-1")
            ),
            changes=[
                StateChange(device="smoke-1", point="alarm", observed_at=AT - timedelta(days=3), value="none"),
                StateChange(device="smoke-1", point="alarm", observed_at=AT + timedelta(seconds=9), value="smoke"),
            ],
        ),
    )
    return node


def tell(cloud: Cloud, node: FakeNode, body: Any) -> None:
    pool = open_pool(cloud.database_url, size=2)
    lane = Lane.INCIDENT if isinstance(body, Incident) else Lane.LIVE
    Writer(pool, lambda _: False, clock=lambda: datetime.now(UTC)).settle([node.item(body, lane=lane)])
    pool.close()


def read(cloud: Cloud, path: str, name: str = "chief", *, expect: int = httpx.codes.OK, **query: Any) -> Any:
    with cloud.client(name) as client:
        answer = client.get(path, params=query)
    assert answer.status_code == expect, answer.text
    return answer.json()


def test_what_cameras_saw_comes_with_the_incident_in_whatever_order_it_arrives(cloud: Cloud, node: FakeNode) -> None:
    first = alarm(incident_id=incident_id(1), fault="over_temperature", raw_code="E-17\x00")
    views = (SEEN, CameraView(camera="cam-2", absence=ViewAbsence.CAMERA_LOST))
    later = msgspec.structs.replace(
        first, revision=2, state=IncidentState.UPDATE, evidence=(PICTURE,), views=views, raw_code="E-17"
    )
    tell(cloud, node, later)
    tell(cloud, node, first)
    (shown,) = read(cloud, "/api/v1/cases/1")["incidents"]
    assert (shown["revision"], shown["device"], shown["fault"]) == (2, "pile-1", "over_temperature")
    near, lost = shown["views"]
    assert near == {
        "camera": "cam-1",
        "name": "车棚",
        "captured_at": "2026-03-01T08:00:00Z",
        "counts": [
            {"label": "person", "count": 2, "zone": None},
            {"label": "vehicle", "count": 1, "zone": "fire-lane"},
        ],
        "evidence": [HASH],
        "absence": None,
        "trouble": "dark",
    }
    assert (lost["name"], lost["absence"], lost["counts"], lost["evidence"]) == ("cam-2", "camera_lost", None, [])


def test_a_picture_from_the_future_is_of_now(cloud: Cloud, node: FakeNode) -> None:
    far = CameraView(camera="cam-1", captured_at=AT + timedelta(days=9_000))
    tell(cloud, node, alarm(views=(far,), raw_code="a\x00b"))
    (shown,) = read(cloud, "/api/v1/cases/1")["incidents"]
    assert shown["raw_code"] == "a\ufffdb"
    assert datetime.fromisoformat(shown["views"][0]["captured_at"]) < datetime.now(UTC) + timedelta(minutes=2)


def test_a_devices_incident_shows_what_stands_around_it_and_its_cameras(cloud: Cloud, node: FakeNode) -> None:
    tell(cloud, node, alarm())
    found = read(cloud, "/api/v1/cases/1/surroundings")
    assert found["spot"] == {"id": "shed", "name": "东侧车棚"}
    assert [device["device"] for device in found["devices"]] == ["pile-1", "pile-2", "smoke-1", "cam-1", "cam-2"]
    assert [device["device"] for device in found["devices"] if device["simulated"]] == ["smoke-1"]
    (point,) = found["devices"][0]["points"]
    assert point == {
        "point": "temperature",
        "unit": "°C",
        "observed_at": "2026-03-01T08:00:00Z",
        "value": 70.0,
        "minimum": 60.0,
        "maximum": 71.0,
        "readings": 12,
    }
    (state,) = found["devices"][2]["points"]
    assert (state["point"], state["value"]) == ("alarm", "none")  # what it said later is not of this moment


def test_a_cameras_incident_shows_the_readings_at_the_spot_that_it_shows(cloud: Cloud, node: FakeNode) -> None:
    tell(cloud, node, incident(device="cam-1", kind="intrusion"))
    found = read(cloud, "/api/v1/cases/1/surroundings", minutes=5)
    assert found["spot"] is None
    assert [device["device"] for device in found["devices"]] == ["cam-1", "pile-1", "pile-2", "smoke-1", "cam-2"]
    assert found["from_at"] == "2026-03-01T07:55:00Z"
    pile = found["devices"][1]["points"][0]
    assert (pile["value"], pile["minimum"]) == (70.0, 65.0)


def test_a_camera_that_stands_at_a_spot_shows_what_stands_there_too(cloud: Cloud, node: FakeNode) -> None:
    tell(cloud, node, incident(device="cam-3", spot="gate"))
    found = read(cloud, "/api/v1/cases/1/surroundings")
    assert found["spot"] == {"id": "gate", "name": None}
    assert [device["device"] for device in found["devices"]] == ["cam-3", "far-1"]


def test_what_lies_outside_of_the_scope_is_not_told_of(cloud: Cloud, node: FakeNode) -> None:
    fleet.place_device(cloud.conn, NODE, "pile-2", grid_code=OTHER_GRID, longitude=116.4, latitude=39.9)
    cloud.conn.commit()
    tell(cloud, node, alarm())
    shown = [each["device"] for each in read(cloud, "/api/v1/cases/1/surroundings", "worker")["devices"]]
    assert "pile-2" not in shown
    assert "pile-1" in shown
    read(cloud, "/api/v1/cases/1/surroundings", "elsewhere", expect=httpx.codes.NOT_FOUND)


def test_one_of_the_incidents_of_a_case_is_looked_at_and_no_other(cloud: Cloud, node: FakeNode) -> None:
    tell(cloud, node, alarm())
    (mine,) = read(cloud, "/api/v1/cases/1")["incidents"]
    read(cloud, "/api/v1/cases/1/surroundings", incident=mine["incident_id"])
    other = str(incident_id(4711))
    read(cloud, "/api/v1/cases/1/surroundings", incident=other, expect=httpx.codes.NOT_FOUND)
    read(cloud, "/api/v1/cases/1/surroundings", incident="x", expect=httpx.codes.UNPROCESSABLE_ENTITY)
    read(cloud, "/api/v1/cases/1/surroundings", minutes=0, expect=httpx.codes.UNPROCESSABLE_ENTITY)
    read(cloud, "/api/v1/cases/9/surroundings", expect=httpx.codes.NOT_FOUND)
