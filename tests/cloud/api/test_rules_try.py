"""Zones and rules are tried from the page: by whom, on what, and what comes back."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from cloud.access.model import Role
from cloud.fleet import service as fleet
from edge.contract.answer import AnswerOutcome
from edge.contract.birth import Device, PresenceState
from tests.cloud.api.conftest import NODE, Cloud
from tests.cloud.api.test_commands import Station
from tests.cloud.samples import GRID, OTHER_GRID, add_person
from tests.fakes.node import FakeNode, birth

ACCEPTED, CONFLICT, NOT_FOUND, UNPROCESSABLE = (
    httpx.codes.ACCEPTED,
    httpx.codes.CONFLICT,
    httpx.codes.NOT_FOUND,
    httpx.codes.UNPROCESSABLE_ENTITY,
)


@pytest.fixture
def station(cloud: Cloud) -> Station:
    node, made = FakeNode(NODE), Station(cloud)
    devices = birth(Device(id="cam-1", kind="camera", name="大门"), Device(id="sensor-1", kind="sensor"))
    assert fleet.apply_birth(cloud.conn, made.row.id, node.envelope(devices), now=datetime.now(UTC)) is not None
    made.session = node.session
    made.become(PresenceState.ONLINE)
    return made


def device_of(client: httpx.Client, kind: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = client.get("/api/v1/devices").json()["items"]
    return next(each for each in found if each["kind"] == kind)


def test_the_node_of_a_camera_is_asked_and_its_answer_read(cloud: Cloud, station: Station) -> None:
    with cloud.client("maintainer") as client:
        camera = device_of(client, "camera")
        address = f"/api/v1/devices/{camera['id']}/rules-try"
        zones = "zones: {floor: [[0, 0], [1, 0], [1, 1]]}  # 区域\n"
        asked = client.post(address, json={"zones": zones, "since": "3d"})
        assert asked.status_code == ACCEPTED, asked.text
        command = asked.json()
        assert (command["name"], command["device"], command["state"]) == ("rules_try", camera["device"], "queued")
        assert client.post(address, json={}).status_code == CONFLICT
        result = {"cameras": [{"camera": camera["device"], "incidents": []}]}
        station.answer(command["id"], AnswerOutcome.DONE, result=result)
        assert client.get(f"/api/v1/commands/{command['id']}").json()["result"] == result
        assert cloud.conn.execute("select count(*) from audit where action = 'command.viewed'").fetchone() == (0,)
        assert client.post(address, json={}).status_code == ACCEPTED
    first, second = cloud.conn.execute("select arguments from command order by id").fetchall()
    assert first == ({"zones": zones, "since": "3d", "until": None, "background": True},)
    assert second[0]["zones"] is None


@pytest.mark.usefixtures("station")
def test_what_can_not_be_asked_is_refused(cloud: Cloud) -> None:
    wrong = ({"since": "7 days"}, {"since": ""}, {"zones": 5}, {"zones": "x" * 40_000}, {"colour": 1}, {"zones": "\0"})
    with cloud.client("admin") as client:
        camera, sensor = device_of(client, "camera"), device_of(client, "sensor")
        for body in wrong:
            refused = client.post(f"/api/v1/devices/{camera['id']}/rules-try", json=body)
            assert refused.status_code == UNPROCESSABLE, (body, refused.text)
        refused = client.post(f"/api/v1/devices/{sensor['id']}/rules-try", json={})
        assert (refused.status_code, refused.json()["detail"]) == (UNPROCESSABLE, "sensor-1 is no camera")


@pytest.mark.usefixtures("station")
def test_who_has_another_area_does_not_find_the_camera(cloud: Cloud) -> None:
    add_person(cloud.conn, "far-off", Role.MAINTAINER, "110105003")
    cloud.conn.commit()
    with cloud.client("admin") as client:
        camera = device_of(client, "camera")
    with cloud.client("far-off") as client:
        assert client.post(f"/api/v1/devices/{camera['id']}/rules-try", json={}).status_code == NOT_FOUND


def test_the_area_of_the_camera_counts_not_that_of_its_node(cloud: Cloud, station: Station) -> None:
    fleet.place_device(cloud.conn, NODE, "cam-1", grid_code=OTHER_GRID, longitude=None, latitude=None)
    add_person(cloud.conn, "there", Role.MAINTAINER, OTHER_GRID)
    add_person(cloud.conn, "here", Role.MAINTAINER, GRID)
    cloud.conn.commit()
    commands = f"/api/v1/nodes/{NODE}/commands"
    with cloud.client("there") as there, cloud.client("here") as here:
        camera = device_of(there, "camera")
        address = f"/api/v1/devices/{camera['id']}/rules-try"
        assert here.post(address, json={}).status_code == NOT_FOUND
        assert there.get(commands).json() == {"items": []}
        asked = there.post(address, json={})
        assert asked.status_code == ACCEPTED, asked.text
        command = f"/api/v1/commands/{asked.json()['id']}"
        result = {"cameras": [{"camera": "cam-1", "background": {"jpeg_base64": "/9j/"}}]}
        station.answer(asked.json()["id"], AnswerOutcome.DONE, result=result)
        assert here.get(command).status_code == NOT_FOUND
        assert here.get(commands).json() == {"items": []}
        assert [each["name"] for each in there.get(commands).json()["items"]] == ["rules_try"]
        assert there.get(command).json()["result"] == result
    seen = cloud.conn.execute(
        "select actor_name, subject, area_path, detail ->> 'command' from audit where action = 'command.viewed'"
    ).fetchall()
    assert [(name, subject, path.split("/")[-2]) for name, subject, path, _ in seen] == [
        ("there", f"camera:{NODE}/cam-1", OTHER_GRID)
    ]
    assert seen[0][3] == asked.json()["id"]


def test_a_node_that_is_away_is_not_asked(cloud: Cloud, station: Station) -> None:
    station.become(PresenceState.OFFLINE)
    with cloud.client("admin") as client:
        camera = device_of(client, "camera")
        assert client.post(f"/api/v1/devices/{camera['id']}/rules-try", json={}).status_code == CONFLICT
