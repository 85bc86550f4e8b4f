"""A device is asked to act from the page: by whom, what, and what is kept of it."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from cloud.access.model import Role
from cloud.fleet import service as fleet
from edge.contract.answer import AnswerOutcome
from edge.contract.birth import Device, PresenceState
from tests.cloud.api.conftest import NODE, Cloud
from tests.cloud.api.test_commands import LOG, Station
from tests.cloud.samples import add_person
from tests.fakes.node import FakeNode, birth

ACCEPTED, CONFLICT, FORBIDDEN, NOT_FOUND, UNPROCESSABLE = (
    httpx.codes.ACCEPTED,
    httpx.codes.CONFLICT,
    httpx.codes.FORBIDDEN,
    httpx.codes.NOT_FOUND,
    httpx.codes.UNPROCESSABLE_ENTITY,
)


@pytest.fixture
def station(cloud: Cloud) -> Station:
    node, made = FakeNode(NODE), Station(cloud)
    devices = birth(Device(id="pile-1", kind="charging_pile", name="一号桩"), Device(id="cam-1", kind="camera"))
    assert fleet.apply_birth(cloud.conn, made.row.id, node.envelope(devices), now=datetime.now(UTC)) is not None
    made.session = node.session
    made.become(PresenceState.ONLINE)
    return made


def actions_of(client: httpx.Client, device: str = "pile-1") -> str:
    found: list[dict[str, Any]] = client.get("/api/v1/devices").json()["items"]
    number = next(each["id"] for each in found if each["device"] == device)
    return f"/api/v1/devices/{number}/actions"


def test_a_pile_is_asked_and_its_answer_read(cloud: Cloud, station: Station) -> None:
    with cloud.client("maintainer") as client:
        address = actions_of(client)
        asked = client.post(
            address,
            json={"action": "change_configuration", "arguments": {"key": "MeterValueSampleInterval", "value": "7"}},
        )
        assert asked.status_code == ACCEPTED, asked.text
        command = asked.json()
        assert (command["name"], command["device"], command["state"]) == ("device_action", "pile-1", "queued")
        assert client.post(address, json={"action": "reset"}).status_code == CONFLICT
        result = {"action": "change_configuration", "answer": {"status": "RebootRequired"}}
        station.answer(command["id"], AnswerOutcome.DONE, result=result)
        assert client.get(f"/api/v1/commands/{command['id']}").json()["result"] == result
        assert client.post(address, json={"action": "reset", "arguments": {"kind": "hard"}}).status_code == ACCEPTED
    [first, _] = cloud.conn.execute("select arguments from command order by id").fetchall()
    assert first == (
        {
            "action": "change_configuration",
            "connector": None,
            "arguments": {"key": "MeterValueSampleInterval", "value": "7"},
        },
    )
    details = [
        row[0] for row in cloud.conn.execute("select detail from audit where action = 'command.asked' order by id")
    ]
    assert details[0]["action"] == "change_configuration"
    assert details[0]["arguments"] == {"key": "MeterValueSampleInterval"}, "the value of a setting may be a secret"
    assert details[1]["arguments"] == {"kind": "hard"}


@pytest.mark.usefixtures("station")
@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("https://files.example/pile/1.2.bin", "https://files.example/pile/1.2.bin"),
        ("ftp://vendor:hush@files.example/1.2.bin", "ftp://***@files.example/1.2.bin"),
        ("ftp://vendor:hu/sh?@files.example/1.2.bin", "ftp://***@files.example/1.2.bin"),
        ("https://files.example/1.2.bin?X-Signature=hush#hush", "https://files.example/1.2.bin?***"),
    ],
)
def test_no_secret_of_an_address_stays_in_the_audit_trail(cloud: Cloud, location: str, kept: str) -> None:
    with cloud.client("maintainer") as client:
        arguments = {"location": location, "retrieve_at": "2026-03-01T00:00:00Z"}
        asked = client.post(actions_of(client), json={"action": "update_firmware", "arguments": arguments})
        assert asked.status_code == ACCEPTED, asked.text
    [detail] = cloud.conn.execute("select detail from audit where action = 'command.asked'").fetchone() or [None]
    assert detail["arguments"] == arguments | {"location": kept}
    [sent] = cloud.conn.execute("select arguments from command").fetchone() or [None]
    assert sent["arguments"]["location"] == location


def test_a_duty_chief_stops_a_charge_and_nothing_else(cloud: Cloud, station: Station) -> None:
    with cloud.client("maintainer") as client:
        log = client.post(LOG, json={}).json()
    with cloud.client("chief") as client:
        address = actions_of(client)
        assert client.post(address, json={"action": "reset"}).status_code == FORBIDDEN
        asked = client.post(address, json={"action": "stop_charge", "connector": 2})
        assert asked.status_code == ACCEPTED, asked.text
        station.answer(asked.json()["id"], AnswerOutcome.REFUSED, reason="the pile refuses stop_charge: Rejected")
        read = client.get(f"/api/v1/commands/{asked.json()['id']}").json()
        assert (read["state"], read["reason"]) == ("refused", "the pile refuses stop_charge: Rejected")
        assert client.get(f"/api/v1/commands/{log['id']}").status_code == NOT_FOUND


@pytest.mark.usefixtures("station")
def test_what_can_not_be_asked_is_refused(cloud: Cloud) -> None:
    wrong: tuple[dict[str, Any], ...] = (
        {},
        {"action": "explode"},
        {"action": "stop_charge", "connector": 0},
        {"action": "stop_charge", "arguments": {"x": 1}},
        {"action": "reset", "arguments": {"kind": "gently"}},
        {"action": "change_configuration", "arguments": {"key": "a b", "value": "x"}},
        {"action": "change_configuration", "arguments": {"key": "a", "value": "x\n"}},
        {"action": "update_firmware", "arguments": {"location": "file:///etc/passwd"}},
        {"action": "update_firmware", "arguments": {"location": "https://a/b", "retrieve_at": "0001-01-01T00:00:00Z"}},
        {"action": "trigger_message", "arguments": {"message": ["status"]}},
        {"action": "reset", "arguments": {str(number): 1 for number in range(11)}},
        {"action": "reset", "colour": 1},
    )
    with cloud.client("admin") as client:
        address = actions_of(client)
        for body in wrong:
            refused = client.post(address, json=body)
            assert refused.status_code == UNPROCESSABLE, (body, refused.text)
        refused = client.post(actions_of(client, "cam-1"), json={"action": "reset"})
        assert (refused.status_code, refused.json()["detail"]) == (
            UNPROCESSABLE,
            "cam-1 is a camera: it can't be asked to act",
        )


@pytest.mark.usefixtures("station")
def test_who_has_another_area_does_not_find_the_pile(cloud: Cloud) -> None:
    add_person(cloud.conn, "far-off", Role.MAINTAINER, "110105003")
    cloud.conn.commit()
    with cloud.client("admin") as client:
        address = actions_of(client)
    with cloud.client("far-off") as client:
        assert client.post(address, json={"action": "reset"}).status_code == NOT_FOUND
