"""A rollout to a node that runs: over a real broker, a real database and HTTP; what it announces is believed, and nothing else."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from ocpp.v16 import call

from cloud.access import sessions
from cloud.access.model import Role
from cloud.db.pool import Pool, open_pool
from cloud.fleet import service as fleet
from cloud.main import Part, running
from cloud.rollouts.advance import advance_all
from cloud.settings import CloudSettings
from cloud.signing import Signer
from edge.node import reporting
from edge.node.assembly import Node
from edge.node.starting import configuration_at_start
from edge.sources.ocpp.source import OcppSource
from firmware_configs.signature import ArtifactClass, Signature
from firmware_configs.signing import SigningKey, write_public
from tests.brokers import ReadyBroker
from tests.cloud.samples import GRID, add_person, take_in_areas
from tests.fakes.ocpp_client import stations
from tests.firmware_configs.keys import profile_bytes
from tests.waiting import wait_until

pytestmark = pytest.mark.system
NODE, DISTRICT = "station-01", "110105"
KIND = "power_meter"
KEY = SigningKey.make()
LIMIT = {"kind": "threshold", "id": "residual", "point": "residual_ma"}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@dataclass
class Site:
    """A cloud that trusts a key, the node that does too, and a maintainer."""

    client: httpx.Client
    pool: Pool
    node: Node

    def bring(self, version: str, **more: Any) -> int:
        """Register a version of the profile and send its bytes."""
        content = profile_bytes(KIND, version, rules=[{**LIMIT, "above": 100}], **more)
        return self.take(KEY.sign(ArtifactClass.PROFILE, KIND, version, content, at=datetime.now(UTC)), content)

    def take(self, signature: Signature, content: bytes) -> int:
        """Register what is signed, and send its bytes."""
        made = self.client.post("/api/v1/artifacts", json=json.loads(signature.content()))
        assert made.status_code == httpx.codes.CREATED, made.text
        stored = self.client.put(f"/api/v1/artifacts/{signature.sha256}", content=content)
        assert stored.status_code == httpx.codes.CREATED, stored.text
        return int(made.json()["id"])

    def roll_out(self, artifact_id: int) -> str:
        """Begin a rollout to everybody; its address."""
        plan = {"stages": [{"name": "all", "percent": 100, "soak_s": 1}]}
        body = {"title": "by test", "artifact_id": artifact_id, "plan": plan, "only_running": True}
        made = self.client.post("/api/v1/rollouts", json=body).json()
        assert made["preview"] == {"stages": [1], "without_way_back": 0, "held_by": []}, made
        path = f"/api/v1/rollouts/{made['id']}"
        begun = self.client.post(f"{path}/actions", json={"action": "start"})
        assert begun.status_code == httpx.codes.OK, begun.text
        return path

    def has_become(self, path: str, *states: str) -> bool:
        """Whether a rollout is in one of these states; the sweep runs at any time, also now."""
        advance_all(self.pool, now=datetime.now(UTC))
        return self.client.get(path).json()["state"] in states

    def runs(self, name: str = KIND) -> str | None:
        """The version that the node announces."""
        [row] = self.client.get("/api/v1/versions/nodes", params={"name": name}).json()["items"] or [{}]
        version: str | None = row.get("running_version")
        return version


@pytest.fixture
def devices() -> str:
    """What the node's configuration has besides its meter."""
    return ""


@pytest.fixture
def site(  # noqa: PLR0917 (fixtures)
    migrated_url: str,
    mosquitto_broker: ReadyBroker,
    tmp_path: Path,
    stack: ExitStack,
    devices: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Site:
    monkeypatch.setattr(reporting, "EVERY_S", 1.0)
    now = datetime.now(UTC)
    trusted = KEY.public("site", valid_from=now - timedelta(days=1), valid_until=None)
    for folder in (tmp_path / "keys", tmp_path / "data" / "keys"):
        write_public(folder, trusted, by_fingerprint=True)
    with psycopg.connect(migrated_url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        secrets = fleet.add_node(conn, NODE, district=DISTRICT, area_code=GRID, now=now)
        person = add_person(conn, "keeper", Role.ADMINISTRATOR, None)
        token, _ = sessions.start(conn, person, now=now, lasts_s=3_600, address="test", agent="")
    settings = CloudSettings.model_validate(
        {
            "database_url": migrated_url,
            "http_port": 0,
            "data_directory": tmp_path / "cloud",
            "configuration_keys": tmp_path / "keys",
            "mqtt_url": mosquitto_broker.url,
            "mqtt_user": mosquitto_broker.cloud_user,
            "mqtt_password": mosquitto_broker.cloud_password,
        }
    )
    cloud = stack.enter_context(running(settings, Part.ALL))
    (tmp_path / "token").write_text(secrets.token, encoding="utf-8")
    (tmp_path / "password").write_text(mosquitto_broker.add_node(DISTRICT, NODE), encoding="utf-8")
    file = tmp_path / "node.yaml"
    file.write_text(
        f"node: {{id: {NODE}, district: '{DISTRICT}', data_directory: {tmp_path / 'data'}}}\n"
        f"cloud: {{mqtt: '{mosquitto_broker.url}', https: '{cloud.address}', mqtt_user: {NODE},"
        f" mqtt_password_file: {tmp_path / 'password'}, token_file: {tmp_path / 'token'}}}\n"
        f"local_mqtt: {{url: '{mosquitto_broker.url}', user: {NODE}, password_file: {tmp_path / 'password'}}}\n"
        f"sensors: [{{id: meter-1, profile: {KIND}, topic: m/1,"
        " points: [{name: residual_ma, period_s: 600}, {name: temperature_c, period_s: 600}, {name: current_a, period_s: 600}]}]\n"
        f"{devices}\n",
        encoding="utf-8",
    )
    node = Node(configuration_at_start(file, now=now), file=file, on_fatal=pytest.fail)
    node.command_desk.cloud_keys = (
        Signer.of(settings).public_key,
    )  # as after an enrolment: it believes no other cloud
    node.provisioning._appliers[ArtifactClass.PROFILE].watch_s = 1.0  # type: ignore[misc]
    node.start()
    stack.callback(node.stop)
    client = stack.enter_context(
        httpx.Client(base_url=cloud.address or "", headers={"Authorization": f"Bearer {token}"}, timeout=20)
    )
    pool = open_pool(migrated_url, size=2)
    stack.callback(pool.close)
    return Site(client, pool, node)


def test_a_node_takes_what_is_signed_and_a_bad_one_turns_everything_back(site: Site) -> None:
    wait_until(lambda: site.runs() == "1.0.0", timeout_s=60, what="the birth with the shipped profile")
    wait_until(
        lambda: site.client.get("/api/v1/artifacts", params={"name": KIND}).json()["items"],
        timeout_s=60,
        what="the shipped profiles in the register",
    )
    good = site.roll_out(site.bring("1.9.0"))
    wait_until(lambda: site.has_become(good, "done", "rolled_back", "failed"), timeout_s=90, what="the good rollout")
    assert site.client.get(good).json()["state"] == "done", site.client.get(f"{good}/events").text
    assert site.runs() == "1.9.0"
    [step] = site.client.get(f"{good}/steps").json()["items"]
    assert (step["state"], step["previous_version"], step["told_state"]) == ("done", "1.0.0", "applied")

    bad = site.roll_out(site.bring("2.0.0", minimum_software="99.0.0"))
    wait_until(lambda: site.has_become(bad, "done", "rolled_back", "failed"), timeout_s=90, what="the bad rollout")
    shown = site.client.get(bad).json()
    assert shown["state"] == "rolled_back", site.client.get(f"{bad}/events").text
    assert shown["failures"] == [{"reason": "software_too_old", "nodes": 1, "example": NODE}]
    assert site.runs() == "1.9.0"

    assert site.client.post(f"{good}/actions", json={"action": "roll_back"}).status_code == httpx.codes.OK
    wait_until(lambda: site.has_become(good, "rolled_back", "failed"), timeout_s=90, what="the way back")
    assert site.client.get(good).json()["state"] == "rolled_back", site.client.get(f"{good}/events").text
    wait_until(lambda: site.runs() == "1.0.0", timeout_s=30, what="what ran before")


@pytest.mark.parametrize(
    "devices",
    ["ocpp: {host: 127.0.0.1, port: 0, security_profile: 0, firmware_port: 0, piles: [{id: pile-1}]}"],
)
def test_a_pile_fetches_its_firmware_from_the_node_and_has_it_once_it_starts_with_it(
    site: Site, stack: ExitStack
) -> None:
    source = site.node.reading_sources["ocpp"]
    assert isinstance(source, OcppSource)
    wait_until(lambda: source.port is not None, what="the listener")
    call_in, url, family = stack.enter_context(stations()), f"ws://127.0.0.1:{source.port}/ocpp", "acme.m1"
    pile = call_in(url, "pile-1")
    pile.boot("V1.9")
    pile.status("Charging", at=datetime.now(UTC))
    wait_until(lambda: site.runs(family) == "V1.9", timeout_s=60, what="what the pile says that it runs")
    content = {version: version.encode() * 50_000 for version in ("V1.9", "V1.10")}
    ids = {
        version: site.take(KEY.sign(ArtifactClass.FIRMWARE, family, version, each, at=datetime.now(UTC)), each)
        for version, each in content.items()
    }
    rollout = site.roll_out(ids["V1.10"])

    def told() -> Any:
        advance_all(site.pool, now=datetime.now(UTC))
        return [step["told_state"] for step in site.client.get(f"{rollout}/steps").json()["items"]]

    wait_until(lambda: told() == ["fetching"], timeout_s=60, what="the node that waits for the pile")
    wait_until(lambda: site.node.firmware.book.entry("pile-1").job.is_fetched, timeout_s=60, what="the bytes")  # type: ignore[union-attr]
    assert not [order for order, _ in pile.orders if order == "update"], "never while somebody charges"
    pile.status("Available", at=datetime.now(UTC))
    wait_until(lambda: [order for order, _ in pile.orders if order == "update"], timeout_s=60, what="the order")
    [location] = [where for order, where in pile.orders if order == "update"]
    assert httpx.get(location).content == content["V1.10"]
    for status in ("Downloading", "Downloaded", "Installing", "Installed"):
        pile.say(call.FirmwareStatusNotification(status=status))
    wait_until(lambda: told() == ["trying"], timeout_s=60, what="the node's word that it is under way")
    pile.run(pile.close())
    pile = call_in(url, "pile-1")
    pile.boot("V1.10")
    pile.status("Available", at=datetime.now(UTC))
    wait_until(lambda: site.has_become(rollout, "done", "rolled_back", "failed"), timeout_s=90, what="the rollout")
    [step] = site.client.get(f"{rollout}/steps").json()["items"]
    assert (step["device"], step["state"], step["running_version"]) == ("pile-1", "done", "V1.10"), step
    with pytest.raises(httpx.ConnectError):
        httpx.get(location)
