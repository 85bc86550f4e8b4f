"""A node enrols with a claim code, works with what its key brought, takes signed orders alone and is renewed without a gap.

Everything is real: the cloud, its database, the command lines, a mosquitto over the exported files, the node's own parts.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import httpx
import psycopg
import pytest
import yaml
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from typer.testing import CliRunner

from cloud.access import sessions
from cloud.access.model import Role
from cloud.embedded.process import free_port
from cloud.main import Part, running
from cloud.settings import CloudSettings
from cloud.signing import Signer
from edge.cli import app
from edge.configuration.reading import load
from edge.contract.answer import Refusal
from edge.contract.downlink import Command, CommandName
from edge.contract.envelope import encode
from edge.contract.fields import uuid7
from edge.contract.incident import IncidentState, Severity
from edge.contract.topics import Channel
from edge.flow import Finding
from edge.node.assembly import Node
from tests.cloud.samples import GRID, add_person, take_in_areas
from tests.mosquitto import new_pid_file, site_broker
from tests.waiting import wait_until

pytestmark = pytest.mark.system
NODE, DISTRICT = "station-01", "110105"
CLOUD_USER, CLOUD_PASSWORD = "cloud", "the cloud's own password"
LONG_S = 60.0


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@contextmanager
def exporting(folder: Path, pid_file: Path, environment: dict[str, str]) -> Iterator[None]:
    """`gridward-cloud broker export --follow`, as a site runs it beside its broker."""
    words = ["broker", "export", str(folder), "--pid-file", str(pid_file), "--follow"]
    process = subprocess.Popen([sys.executable, "-m", "cloud.cli", *words], env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def keeper(database_url: str) -> str:
    """The token of a maintainer in a district with areas."""
    with psycopg.connect(database_url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        person = add_person(conn, "keeper", Role.MAINTAINER)
        token, _ = sessions.start(conn, person, now=datetime.now(UTC), lasts_s=3_600, address="test", agent="")
    return token


def written(directory: Path, broker_port: int, cloud_url: str) -> Path:
    """The node's configuration: no secrets stand in it, and no files with secrets."""
    file = directory / "node.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "node": {"id": NODE, "district": DISTRICT, "data_directory": str(directory / "data")},
                "cloud": {"mqtt": f"mqtt://127.0.0.1:{broker_port}", "https": cloud_url},
            }
        ),
        encoding="utf-8",
    )
    return file


def forged(node: Node, port: int) -> None:
    """Somebody who has come to the cloud's password at the broker gives an order without the cloud's key."""
    now = datetime.now(UTC)
    order = Command(
        command_id=uuid7(int(now.timestamp() * 1000)),
        node=NODE,
        session=node.identity.session,
        issued_at=now,
        deadline=now + timedelta(seconds=30),
        name=CommandName.LOG_TAIL,
    )
    client = Client(CallbackAPIVersion.VERSION2, client_id="somebody")
    client.username_pw_set(CLOUD_USER, CLOUD_PASSWORD)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(node.identity.topic(Channel.COMMAND), encode(order), qos=1).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def finding(number: int) -> Finding:
    at = datetime.now(UTC)
    return Finding(
        key=f"{NODE}/test-{number}",
        rule="test",
        kind="threshold",
        category="safety",
        severity=Severity.HIGH,
        state=IncidentState.OPEN,
        device=NODE,
        started_at=at,
        at=at,
    )


@dataclass(frozen=True)
class Desk:
    """What a maintainer sees."""

    client: httpx.Client
    database_url: str

    def presence(self) -> str:
        return str(self.client.get(f"/api/v1/nodes/{NODE}").json()["presence"])

    def log_tail(self) -> str:
        """Ask for the log; how that ended."""
        asked = self.client.post(f"/api/v1/nodes/{NODE}/log-tail", json={"lines": 10})
        assert asked.status_code == httpx.codes.ACCEPTED, asked.text
        address = f"/api/v1/commands/{asked.json()['id']}"
        wait_until(lambda: self.client.get(address).json()["ended_at"], timeout_s=LONG_S, what="an answer")
        return str(self.client.get(address).json()["state"])

    def used(self) -> list[int]:
        """The generations of credentials that were seen to work."""
        lives = self.client.get(f"/api/v1/nodes/{NODE}/identity").json()["credentials"]
        return [each["generation"] for each in lives if each["used_at"] is not None]

    def rows(self, question: LiteralString) -> list[Any]:
        with psycopg.connect(self.database_url) as conn:
            return [row[0] for row in conn.execute(question).fetchall()]


def test_from_the_claim_code_to_renewed_credentials(migrated_url: str, tmp_path: Path, stack: ExitStack) -> None:
    token, broker_port, folder = keeper(migrated_url), free_port(), tmp_path / "broker"
    told = {
        "GRIDWARD_DATABASE_URL": migrated_url,
        "GRIDWARD_MQTT_URL": f"mqtt://127.0.0.1:{broker_port}",
        "GRIDWARD_MQTT_USER": CLOUD_USER,
        "GRIDWARD_MQTT_PASSWORD": CLOUD_PASSWORD,
        "GRIDWARD_DATA_DIRECTORY": str(tmp_path / "cloud"),
        "GRIDWARD_HTTP_PORT": "0",
    }
    environment = os.environ | told
    words = [sys.executable, "-m", "cloud.cli", "broker", "export", str(folder)]
    subprocess.run(words, env=environment, check=True)
    stack.enter_context(site_broker(folder, tmp_path, port=broker_port))
    stack.enter_context(exporting(folder, new_pid_file(tmp_path), environment))
    settings = CloudSettings.model_validate(
        {name.removeprefix("GRIDWARD_").lower(): value for name, value in told.items()}
    )
    cloud = stack.enter_context(running(settings, Part.ALL))
    assert cloud.address is not None
    headers = {"Authorization": f"Bearer {token}"}
    client = stack.enter_context(httpx.Client(base_url=cloud.address, headers=headers, timeout=20))

    code = client.post("/api/v1/claims", json={"node": NODE, "area_code": GRID}).json()["code"]
    file = written(tmp_path, broker_port, cloud.address)
    runner = CliRunner()
    enrolled = runner.invoke(app, ["enrol", "--config", str(file), "--json"], input=f"{code}\n")
    assert enrolled.exit_code == 0, enrolled.output
    shown = json.loads(runner.invoke(app, ["identity", "--config", str(file), "--json"]).stdout)
    identity = client.get(f"/api/v1/nodes/{NODE}/identity").json()
    assert shown["key"] == identity["key"]
    assert shown["cloud_keys"] == [Signer.of(settings).fingerprint]

    node = Node(load(file), on_fatal=pytest.fail)
    node.start()
    stack.callback(node.stop)

    desk = Desk(client, migrated_url)
    wait_until(lambda: desk.presence() == "online", timeout_s=LONG_S, what="the node")
    assert desk.log_tail() == "done"
    [line] = desk.rows("select detail from audit where action = 'command.sent'")
    assert line["signed_by"] == Signer.of(settings).fingerprint
    forged(node, broker_port)
    wait_until(lambda: node.command_desk.refusals[Refusal.UNSIGNED] == 1, timeout_s=LONG_S, what="the refusal")
    renewed(desk, node)


def renewed(desk: Desk, node: Node) -> None:
    """New credentials while incidents are told: none is lost, each is signed, and the node is the same all the while."""
    wait_until(lambda: desk.used() == [1], timeout_s=LONG_S, what="the first credentials in use")
    node.book.report(finding(1))
    session = node.identity.session
    rotation = desk.client.post(f"/api/v1/nodes/{NODE}/rotate", json={})
    assert rotation.status_code == httpx.codes.ACCEPTED
    assert node.renewal is not None
    node.renewal.nudge()
    wait_until(lambda: desk.used() == [1, 2], timeout_s=LONG_S, what="the second credentials in use")
    node.book.report(finding(2))
    wait_until(
        lambda: node.publisher.logged_in_as == f"{NODE}~2" and node.publisher.figures.connected,
        timeout_s=LONG_S,
        what="the node at the broker as its second generation",
    )
    told: LiteralString = "select convert_from(raw, 'UTF8') from incident_revision"
    wait_until(lambda: len(desk.rows(told)) == 2, timeout_s=LONG_S, what="both incidents")
    assert all('"sig":' in raw for raw in desk.rows(told))
    assert node.identity.session == session
    wait_until(lambda: desk.presence() == "online", timeout_s=LONG_S, what="the node again")
    assert desk.log_tail() == "done"
