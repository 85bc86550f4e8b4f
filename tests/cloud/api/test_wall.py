"""The wall over HTTP: what people see, what nodes may send, and what strangers may not."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from cloud.fleet import service as fleet
from cloud.fleet import store as nodes
from cloud.settings import CloudSettings
from edge.contract.birth import Device, NodeStatus, PresenceState
from edge.contract.wall import LARGEST_PICTURE_BYTES
from tests.cloud.api.conftest import NODE, Cloud, Template, answering
from tests.fakes.node import FakeNode, birth
from tests.fakes.pictures import jpeg

OK, NO_CONTENT, NOT_MODIFIED = httpx.codes.OK, httpx.codes.NO_CONTENT, httpx.codes.NOT_MODIFIED
WALL, LEASES = "/api/v1/wall", "/api/v1/wall/leases"
PICTURE = jpeg(5_000)


@pytest.fixture
def camera(cloud: Cloud) -> int:
    """A camera of the cloud's node, which is present."""
    now = datetime.now(UTC)
    node = FakeNode(NODE)
    [row] = nodes.nodes_by_name(cloud.conn, [NODE])
    device = Device(id="cam-1", kind="camera", name="大门", spot="gate", simulated=True)
    ids = fleet.apply_birth(cloud.conn, row.id, node.envelope(birth(device)), now=now)
    assert ids is not None
    status = NodeStatus(node=NODE, session=node.session, state=PresenceState.ONLINE, at=now)
    fleet.apply_status(cloud.conn, row.id, status, now=now)
    cloud.conn.commit()
    return ids["cam-1"]


def send(client: httpx.Client, content: bytes = PICTURE, *, camera: str = "cam-1", **headers: str) -> httpx.Response:
    given = {"Content-Type": "image/jpeg", "Captured-At": datetime.now(UTC).isoformat()}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.put(f"{WALL}/{camera}", content=content, headers=given | named)


def test_a_camera_is_looked_at_and_left(cloud: Cloud, camera: int) -> None:
    with cloud.client("worker") as client, cloud.node() as node:
        [listed] = client.get(WALL).json()["items"]
        assert (listed["name"], listed["simulated"], listed["state"], listed["url"]) == ("大门", True, None, None)
        assert client.get(WALL, params={"watched": True}).json()["items"] == []
        assert send(node).status_code == httpx.codes.CONFLICT
        begun = client.post(LEASES, json={"cameras": [camera], "purpose": "evening rounds"})
        assert begun.status_code == OK, begun.text
        [tile] = begun.json()["items"]
        assert (tile["state"], tile["captured_at"]) == ("waiting", None)
        kept = send(node)
        assert kept.status_code == OK, kept.text
        assert 0 < kept.json()["left_s"] <= begun.json()["lease_s"]
        [tile] = client.get(WALL, params={"watched": True}).json()["items"]
        assert tile["state"] == "shown"
        seen = client.get(tile["url"])
        assert (seen.status_code, seen.content) == (OK, PICTURE)
        assert seen.headers["content-type"] == "image/jpeg"
        assert "no-store" in seen.headers["cache-control"]
        assert seen.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert datetime.fromisoformat(seen.headers["captured-at"]) == datetime.fromisoformat(tile["captured_at"])
        again = client.get(tile["url"], headers={"If-None-Match": seen.headers["etag"]})
        assert (again.status_code, again.content) == (NOT_MODIFIED, b"")
        assert send(node).status_code == httpx.codes.TOO_MANY_REQUESTS
        absent = node.put(f"{WALL}/cam-1/absence", json={"reason": "lost"})
        assert absent.status_code == OK
        [tile] = client.get(WALL).json()["items"]
        assert tile["state"] == "camera_lost"
        assert client.delete(LEASES).status_code == NO_CONTENT
        assert client.get(tile["url"]).status_code == httpx.codes.NOT_FOUND
    [(subject, purpose)] = cloud.conn.execute(
        "select subject, detail ->> 'purpose' from audit where action = 'camera.watched'"
    ).fetchall()
    assert (subject, purpose) == (f"camera:{NODE}/cam-1", "evening rounds")
    assert cloud.conn.execute("select count(*) from audit where action = 'command.asked'").fetchone() == (0,)


def test_two_processes_show_the_same(cloud: Cloud, camera: int, settings: CloudSettings, peopled: Template) -> None:
    with answering(settings, peopled) as other, other.client("worker") as client, cloud.node() as node:
        headers = {"Authorization": client.headers["Authorization"]}
        with httpx.Client(base_url=cloud.url, headers=headers, timeout=20) as first:
            assert first.post(LEASES, json={"cameras": [camera], "purpose": "rounds"}).status_code == OK
        with httpx.Client(base_url=other.url, headers=dict(node.headers), timeout=20) as elsewhere:
            assert send(elsewhere).status_code == OK
            assert send(node).status_code == httpx.codes.TOO_MANY_REQUESTS
        assert client.get(f"{WALL}/{camera}/picture").content == PICTURE


def test_who_has_another_area_sees_nothing_of_it(cloud: Cloud, camera: int) -> None:
    with cloud.client("elsewhere") as client, cloud.client("chief") as chief, cloud.node() as node:
        chief.post(LEASES, json={"cameras": [camera], "purpose": "rounds"})
        assert send(node).status_code == OK
        assert client.get(WALL).json()["items"] == []
        asked = client.post(LEASES, json={"cameras": [camera], "purpose": "curiosity"})
        assert asked.status_code == httpx.codes.NOT_FOUND
        assert client.get(f"{WALL}/{camera}/picture").status_code == httpx.codes.NOT_FOUND


def test_what_a_node_must_not_send(cloud: Cloud, camera: int) -> None:
    with cloud.client("chief") as chief, cloud.node() as node, cloud.anyone() as stranger:
        chief.post(LEASES, json={"cameras": [camera], "purpose": "rounds"})
        old = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        refused = [
            (send(stranger).status_code, 401),
            (send(chief).status_code, 401),
            (send(node, camera="cam-2").status_code, 404),
            (send(node, jpeg(LARGEST_PICTURE_BYTES + 1)).status_code, 413),
            (send(node, bytes(2 << 20)).status_code, 413),
            (send(node, b"<svg onload='alert(1)'/>").status_code, 415),
            (send(node, Content_Type="text/html").status_code, 415),
            (send(node, Captured_At="yesterday").status_code, 422),
            (send(node, Captured_At="2026-03-01T08:00:00").status_code, 422),
            (send(node, Captured_At=old).status_code, 422),
            (send(node, Captured_At="0001-01-01T00:00:00+23:59").status_code, 422),
            (send(node, Captured_At="9999-12-31T23:59:59-23:59").status_code, 422),
            (node.put(f"{WALL}/cam-1/absence", json={"reason": "tired"}).status_code, 422),
        ]
        assert all(found == expected for found, expected in refused), refused
        [tile] = chief.get(WALL).json()["items"]
        assert (tile["state"], tile["url"]) == ("waiting", None)


def test_two_windows_of_one_person_show_what_each_chose(cloud: Cloud, camera: int) -> None:
    with cloud.client("worker") as client:
        for page in ("a1", "b2"):
            body = {"cameras": [camera, camera + 1_000], "purpose": "rounds", "page": page}
            begun = client.post(LEASES, json=body)
            assert [tile["id"] for tile in begun.json()["items"]] == [camera], begun.text
        assert client.delete(LEASES, params={"page": "a1"}).status_code == NO_CONTENT
        assert [tile["id"] for tile in client.get(WALL, params={"watched": True}).json()["items"]] == [camera]
        assert client.delete(LEASES, params={"page": "b2"}).status_code == NO_CONTENT
        assert client.get(WALL, params={"watched": True}).json()["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"cameras": [1]},
        {"cameras": [1], "purpose": "rounds", "page": "../x"},
        {"cameras": [1], "purpose": "rounds", "page": "a" * 33},
        {"cameras": [1], "purpose": "  "},
        {"cameras": [1], "purpose": "a\u0000b"},
        {"cameras": [0], "purpose": "rounds"},
        {"cameras": list(range(1, 18)), "purpose": "rounds"},
        {"cameras": ["1; drop table node"], "purpose": "rounds"},
    ],
)
def test_a_look_that_is_not_understood_begins_nothing(shared_cloud: Cloud, body: object) -> None:
    token = shared_cloud.session("chief")
    with shared_cloud.anyone() as client:
        answer = client.post(LEASES, json=body, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY, answer.text
