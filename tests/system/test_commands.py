"""A node is asked for its log by a person at the API, over a real broker, and answers; away, it is not asked."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from cloud.access import sessions
from cloud.access.model import Role
from cloud.fleet import service as fleet
from cloud.main import Part, running
from cloud.settings import CloudSettings
from edge.node.assembly import Node
from edge.node.kept_log import KeptLog
from edge.settings import NodeConfiguration
from tests.brokers import ReadyBroker
from tests.cloud.samples import GRID, add_person, take_in_areas
from tests.waiting import wait_until

pytestmark = pytest.mark.system
NODE, DISTRICT = "station-01", "110105"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def enrolled(database_url: str) -> str:
    """A cloud that knows the node; the token of a maintainer."""
    now = datetime.now(UTC)
    with psycopg.connect(database_url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        fleet.add_node(conn, NODE, district=DISTRICT, area_code=GRID, now=now)
        person = add_person(conn, "keeper", Role.MAINTAINER)
        token, _ = sessions.start(conn, person, now=now, lasts_s=3_600, address="test", agent="")
    return token


def started(directory: Path, broker: ReadyBroker, stack: ExitStack) -> None:
    password = directory / "password"
    password.write_text(broker.add_node(DISTRICT, NODE), encoding="utf-8")
    node = Node(
        NodeConfiguration.model_validate(
            {
                "node": {"id": NODE, "district": DISTRICT, "data_directory": directory / "data"},
                "cloud": {
                    "mqtt": broker.url,
                    "https": "http://127.0.0.1:1",
                    "mqtt_user": NODE,
                    "mqtt_password_file": password,
                },
            }
        ),
        on_fatal=pytest.fail,
    )
    KeptLog(directory / "data")(
        None, "info", {"timestamp": "2026-03-01T12:00:00Z", "level": "info", "event": "begun", "password": "sesame"}
    )
    node.start()
    stack.callback(node.stop)


def test_the_log_of_a_node_comes_on_request(
    migrated_url: str, mosquitto_broker: ReadyBroker, tmp_path: Path, stack: ExitStack
) -> None:
    token = enrolled(migrated_url)
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
    headers = {"Authorization": f"Bearer {token}"}
    client = stack.enter_context(httpx.Client(base_url=cloud.address or "", headers=headers, timeout=20))

    def presence() -> str:
        return str(client.get(f"/api/v1/nodes/{NODE}").json()["presence"])

    def read(command_id: str) -> dict[str, Any]:
        found: dict[str, Any] = client.get(f"/api/v1/commands/{command_id}").json()
        return found

    node = stack.enter_context(ExitStack())
    started(tmp_path, mosquitto_broker, node)
    wait_until(lambda: presence() == "online", timeout_s=30, what="the node")
    asked = client.post(f"/api/v1/nodes/{NODE}/log-tail", json={"lines": 10})
    assert asked.status_code == httpx.codes.ACCEPTED, asked.text
    command_id = asked.json()["id"]
    wait_until(lambda: read(command_id)["ended_at"], timeout_s=30, what="an answer")
    command = read(command_id)
    assert (command["state"], command["reason"]) == ("done", None)
    [line] = command["result"]["lines"]
    assert line == {"at": "2026-03-01T12:00:00Z", "level": "info", "text": "begun password=***"}
    node.close()
    wait_until(lambda: presence() == "lost", timeout_s=30, what="the good-bye")
    refused = client.post(f"/api/v1/nodes/{NODE}/log-tail", json={})
    assert refused.status_code == httpx.codes.CONFLICT
    assert "not been present since" in refused.json()["detail"]
