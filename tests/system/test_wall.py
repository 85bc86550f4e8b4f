"""A person looks at a camera that a node watches: asked over a real broker, the masked picture comes over HTTP, and stops when nobody looks."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import psycopg
import pytest

from cloud.access import sessions
from cloud.access.model import Role
from cloud.fleet import service as fleet
from cloud.main import Part, running
from cloud.settings import CloudSettings
from edge.contract.wall import WIDEST_PIXELS
from edge.node.assembly import Node
from edge.settings import NodeConfiguration
from tests.brokers import ReadyBroker
from tests.cloud.samples import GRID, add_person, take_in_areas
from tests.fakes.footage import write_clip
from tests.waiting import wait_until

pytestmark = pytest.mark.system
NODE, DISTRICT, CAMERA = "station-01", "110105", "cam-1"
WALL = "/api/v1/wall"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def enrolled(database_url: str) -> tuple[str, str]:
    """A cloud that knows the node; the token of a duty chief and that of the node."""
    now = datetime.now(UTC)
    with psycopg.connect(database_url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        made = fleet.add_node(conn, NODE, district=DISTRICT, area_code=GRID, now=now)
        person = add_person(conn, "chief", Role.DUTY_CHIEF)
        token, _ = sessions.start(conn, person, now=now, lasts_s=3_600, address="test", agent="")
    return token, made.token


def started(directory: Path, broker: ReadyBroker, cloud_url: str, token: str, stack: ExitStack) -> Node:
    secrets = {"mqtt_password_file": broker.add_node(DISTRICT, NODE), "token_file": token}
    for name, secret in secrets.items():
        (directory / name).write_text(secret, encoding="utf-8")
    camera = {
        "id": CAMERA,
        "url": str(write_clip(directory / "a.mp4", frames=20)),
        "loop": True,
        "model": None,
        "simulated": True,
    }
    cloud = {"mqtt": broker.url, "https": cloud_url, "mqtt_user": NODE} | {
        name: str(directory / name) for name in secrets
    }
    node = Node(
        NodeConfiguration.model_validate(
            {
                "node": {"id": NODE, "district": DISTRICT, "data_directory": directory / "data"},
                "cloud": cloud,
                "cameras": [camera],
            }
        ),
        on_fatal=pytest.fail,
    )
    node.start()
    stack.callback(node.stop)
    return node


def test_a_camera_is_seen_while_somebody_looks(
    migrated_url: str, mosquitto_broker: ReadyBroker, tmp_path: Path, stack: ExitStack
) -> None:
    person, token = enrolled(migrated_url)
    settings = CloudSettings.model_validate(
        {
            "database_url": migrated_url,
            "http_port": 0,
            "data_directory": tmp_path / "cloud",
            "mqtt_url": mosquitto_broker.url,
            "mqtt_user": mosquitto_broker.cloud_user,
            "mqtt_password": mosquitto_broker.cloud_password,
        }
    )
    cloud = stack.enter_context(running(settings, Part.ALL))
    assert cloud.address is not None
    headers = {"Authorization": f"Bearer {person}"}
    client = stack.enter_context(httpx.Client(base_url=cloud.address, headers=headers, timeout=20))
    node = started(tmp_path, mosquitto_broker, cloud.address, token, stack)

    def tiles() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.get(WALL).json()["items"]
        return found

    wait_until(lambda: tiles() and client.get(f"/api/v1/nodes/{NODE}").json()["presence"] == "online", timeout_s=30)
    [tile] = tiles()
    assert (tile["simulated"], tile["state"]) == (True, None)
    assert node.wall.figures.made == 0

    def look() -> bool:
        begun = client.post(f"{WALL}/leases", json={"cameras": [tile["id"]], "purpose": "evening rounds"})
        assert begun.status_code == httpx.codes.OK, begun.text
        return bool(begun.json()["items"][0]["state"] == "shown")

    wait_until(look, timeout_s=60, what="a picture")
    first = client.get(f"{WALL}/{tile['id']}/picture")
    image = cv2.imdecode(np.frombuffer(first.content, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape[1] <= WIDEST_PIXELS
    assert (np.abs(np.diff(image.astype(int), axis=1)) > 24).mean() < 0.1  # not watched for long: all of it is masked
    wait_until(
        lambda: (
            look() and client.get(f"{WALL}/{tile['id']}/picture").headers["captured-at"] != first.headers["captured-at"]
        ),
        timeout_s=60,
        what="the next picture",
    )
    assert client.delete(f"{WALL}/leases").status_code == httpx.codes.NO_CONTENT
    wait_until(lambda: node.wall.shown == (), timeout_s=60, what="the end of the lease at the node")
    assert node.wall.figures.sent >= 2
