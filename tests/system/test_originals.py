"""A sealed original stays at its node until a second person allows it, comes over the wire, is handed out once, and stays at the node."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pyrage
import pytest

from cloud.access import sessions
from cloud.access.model import Role
from cloud.evidence.unsealing import new_key_pair
from cloud.fleet import service as fleet
from cloud.main import Part, running
from cloud.settings import CloudSettings
from edge.contract.fields import uuid7
from edge.contract.incident import Incident, IncidentState, Severity
from edge.evidence.seal import read_district_key
from edge.node.assembly import Node
from edge.settings import NodeConfiguration
from tests.brokers import ReadyBroker
from tests.cloud.samples import GRID, add_person, take_in_areas
from tests.waiting import wait_until

pytestmark = pytest.mark.system
NODE, DISTRICT = "station-01", "110105"
ORIGINAL = b"what the camera saw" * 100


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def enrolled(database_url: str, place: Path) -> dict[str, str]:
    """A cloud that knows the node, whose token is left in a file; the tokens of people."""
    now = datetime.now(UTC)
    tokens = {}
    with psycopg.connect(database_url, options="-c timezone=UTC") as conn:
        take_in_areas(conn)
        credentials = fleet.add_node(conn, NODE, district=DISTRICT, area_code=GRID, now=now)
        (place / "token").write_text(credentials.token, encoding="ascii")
        for name, role in (("lead", Role.GRID_LEAD), ("chief", Role.DUTY_CHIEF)):
            person = add_person(conn, name, role)
            tokens[name], _ = sessions.start(conn, person, now=now, lasts_s=3_600, address="test", agent="")
    return tokens


def started(place: Path, broker: ReadyBroker, address: str, stack: ExitStack) -> Node:
    password = place / "password"
    password.write_text(broker.add_node(DISTRICT, NODE), encoding="utf-8")
    node = Node(
        NodeConfiguration.model_validate(
            {
                "node": {"id": NODE, "district": DISTRICT, "data_directory": place / "data"},
                "cloud": {
                    "mqtt": broker.url,
                    "https": address,
                    "mqtt_user": NODE,
                    "mqtt_password_file": password,
                    "token_file": place / "token",
                },
            }
        ),
        on_fatal=pytest.fail,
    )
    node.start()
    stack.callback(node.stop)
    return node


def test_an_original_comes_when_two_people_want_to_see_it(
    migrated_url: str, mosquitto_broker: ReadyBroker, tmp_path: Path, stack: ExitStack
) -> None:
    tokens = enrolled(migrated_url, tmp_path)
    settings = CloudSettings.model_validate(
        {
            "database_url": migrated_url,
            "http_port": 0,
            "data_directory": tmp_path / "cloud",
            "evidence_store_url": (tmp_path / "store").as_uri(),
            "mqtt_url": mosquitto_broker.url,
            "mqtt_user": mosquitto_broker.cloud_user,
            "mqtt_password": mosquitto_broker.cloud_password,
        }
    )
    cloud = stack.enter_context(running(settings, Part.ALL))
    client = stack.enter_context(httpx.Client(base_url=cloud.address or "", timeout=20))

    def call(who: str, method: str, path: str, **given: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {tokens[who]}"}
        answer = client.request(method, f"/api/v1{path}", headers=headers, **given)
        assert answer.is_success, answer.text
        return answer

    node = started(tmp_path, mosquitto_broker, cloud.address or "", stack)
    private, public = new_key_pair()
    (tmp_path / "district.pub").write_text(public, encoding="ascii")
    now = datetime.now(UTC)
    sealed = read_district_key(tmp_path / "district.pub").seal(ORIGINAL, captured_at=now)
    found = Incident(
        incident_id=uuid7(int(now.timestamp() * 1000)),
        revision=1,
        state=IncidentState.OPEN,
        kind="intrusion",
        category="public_order",
        severity=Severity.HIGH,
        started_at=now - timedelta(seconds=1),
        updated_at=now,
        device=NODE,
        evidence=(sealed.reference,),
    )
    node.outbox.incident(found, [sealed])
    cases: list[dict[str, Any]] = []

    def has_come() -> bool:
        cases[:] = call("chief", "GET", "/cases").json()["items"]
        return bool(cases)

    wait_until(has_come, timeout_s=30, what="the case")
    place = f"/cases/{cases[0]['id']}/originals"
    [kept] = call("lead", "GET", place).json()["items"]
    assert (kept["sha256"], kept["is_stored"]) == (sealed.reference.sha256, False)
    assert node.outbox.figures().originals == 1
    asked = call("lead", "POST", place, json={"sha256": kept["sha256"], "purpose": "for the police"}).json()
    allowed = call("chief", "POST", f"/unsealings/{asked['id']}/decision", json={"allowed": True}).json()
    assert allowed["state"] == "allowed"

    def state() -> str:
        return str(call("lead", "GET", "/unsealings").json()["items"][0]["state"])

    wait_until(lambda: state() == "ready", timeout_s=60, what="the original")
    handed = call("lead", "POST", f"/unsealings/{asked['id']}/handover").content
    assert handed == sealed.content
    assert pyrage.decrypt(handed, [pyrage.x25519.Identity.from_str(private)]) == ORIGINAL
    assert state() == "handed"
    assert node.outbox.figures().originals == 1  # it may be asked for again
