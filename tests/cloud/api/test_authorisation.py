"""Who may call what: a table over every route. A route that is not in it fails the test."""

import httpx

from cloud.access.model import Role
from cloud.api.app import openapi
from edge.contract.incident import Severity
from tests.cloud.api.conftest import PEOPLE, Cloud
from tests.cloud.samples import GRID, incident, report

EVERYONE = frozenset(Role)
STEWARDS = frozenset({Role.MAINTAINER, Role.ADMINISTRATOR})
DECIDERS = frozenset({Role.DUTY_CHIEF, Role.GRID_WORKER, Role.ADMINISTRATOR})

OPEN = {
    ("post", "/api/v1/session"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("post", "/api/v1/enrolment/challenge"),
    ("post", "/api/v1/enrolment"),
    ("post", "/api/v1/enrolment/renewal"),
    ("get", "/api/v1/public/{token}"),
}
FOR_BROKERS = {("post", "/api/v1/broker/auth"), ("post", "/api/v1/broker/acl")}
FOR_NODES = {
    ("put", "/api/v1/evidence/{sha256}"),
    ("head", "/api/v1/evidence/{sha256}"),
    ("get", "/api/v1/artifacts/{sha256}"),
    ("put", "/api/v1/wall/{camera}"),
    ("put", "/api/v1/wall/{camera}/absence"),
    ("get", "/api/v1/enrolment/standing"),
}
FOR_PEOPLE = {
    ("get", "/api/v1/session"): EVERYONE,
    ("delete", "/api/v1/session"): EVERYONE,
    ("get", "/api/v1/cases"): EVERYONE,
    ("get", "/api/v1/cases/{case_id}"): EVERYONE,
    ("get", "/api/v1/cases/{case_id}/surroundings"): EVERYONE,
    ("post", "/api/v1/cases/{case_id}/actions"): DECIDERS,
    ("get", "/api/v1/case-model"): EVERYONE,
    ("get", "/api/v1/areas"): EVERYONE,
    ("get", "/api/v1/areas/{code}/geometry"): EVERYONE,
    ("get", "/api/v1/figures"): EVERYONE,
    ("get", "/api/v1/devices"): EVERYONE,
    ("get", "/api/v1/devices/{device_id}"): EVERYONE,
    ("get", "/api/v1/devices/{device_id}/points/{point}/series"): EVERYONE,
    ("get", "/api/v1/nodes"): EVERYONE,
    ("get", "/api/v1/nodes/{node}"): EVERYONE,
    ("get", "/api/v1/devices/{device_id}/gaps"): EVERYONE,
    ("post", "/api/v1/nodes/{node}/accept"): STEWARDS,
    ("get", "/api/v1/nodes/{node}/identity"): STEWARDS,
    ("get", "/api/v1/nodes/{node}/waiting-devices"): STEWARDS,
    ("post", "/api/v1/nodes/{node}/waiting-devices"): STEWARDS,
    ("post", "/api/v1/nodes/{node}/rotate"): STEWARDS,
    ("get", "/api/v1/claims"): STEWARDS,
    ("post", "/api/v1/claims"): STEWARDS,
    ("delete", "/api/v1/claims/{claim_id}"): STEWARDS,
    ("post", "/api/v1/nodes/{node}/log-tail"): STEWARDS,
    ("get", "/api/v1/nodes/{node}/commands"): STEWARDS,
    ("get", "/api/v1/commands/{command_id}"): STEWARDS | {Role.DUTY_CHIEF},
    ("post", "/api/v1/devices/{device_id}/actions"): STEWARDS | {Role.DUTY_CHIEF},
    ("post", "/api/v1/devices/{device_id}/rules-try"): STEWARDS,
    ("get", "/api/v1/refusals"): STEWARDS,
    ("get", "/api/v1/evidence/{sha256}"): EVERYONE,
    ("get", "/api/v1/wall"): EVERYONE,
    ("post", "/api/v1/wall/leases"): EVERYONE,
    ("delete", "/api/v1/wall/leases"): EVERYONE,
    ("get", "/api/v1/wall/{device_id}/picture"): EVERYONE,
    ("get", "/api/v1/live"): EVERYONE,
    ("get", "/api/v1/artifacts"): STEWARDS,
    ("post", "/api/v1/artifacts"): STEWARDS,
    ("put", "/api/v1/artifacts/{sha256}"): STEWARDS,
    ("get", "/api/v1/rollout-plans"): STEWARDS,
    ("get", "/api/v1/rollouts"): STEWARDS,
    ("post", "/api/v1/rollouts"): STEWARDS,
    ("get", "/api/v1/rollouts/{rollout_id}"): STEWARDS,
    ("post", "/api/v1/rollouts/{rollout_id}/actions"): STEWARDS,
    ("get", "/api/v1/rollouts/{rollout_id}/steps"): STEWARDS,
    ("get", "/api/v1/rollouts/{rollout_id}/events"): STEWARDS,
    ("put", "/api/v1/nodes/{node}/ring"): STEWARDS,
    ("get", "/api/v1/versions"): STEWARDS,
    ("get", "/api/v1/versions/nodes"): STEWARDS,
    ("get", "/api/v1/work-orders"): EVERYONE,
    ("get", "/api/v1/work-orders/{order_id}"): EVERYONE,
    ("post", "/api/v1/work-orders/{order_id}/actions"): STEWARDS,
    ("get", "/api/v1/work-order-model"): EVERYONE,
    ("get", "/api/v1/maintenance/figures"): EVERYONE,
    ("get", "/api/v1/devices/{device_id}/label"): EVERYONE,
    ("post", "/api/v1/devices/{device_id}/label"): STEWARDS,
    ("delete", "/api/v1/devices/{device_id}/label"): STEWARDS,
    ("get", "/api/v1/devices/{device_id}/label.svg"): EVERYONE,
    ("get", "/api/v1/areas/{code}/label"): EVERYONE,
    ("get", "/api/v1/areas/{code}/labels"): EVERYONE,
    ("post", "/api/v1/areas/{code}/label"): STEWARDS,
    ("delete", "/api/v1/areas/{code}/label"): STEWARDS,
    ("get", "/api/v1/areas/{code}/label.svg"): EVERYONE,
}
VALUES = {
    "camera": "cam-1",
    "case_id": "1",
    "claim_id": "1",
    "code": "110105001",
    "device_id": "1",
    "order_id": "1",
    "point": "temperature",
    "node": "node-9",
    "sha256": "0" * 64,
    "command_id": "019530b4-0000-7000-8000-00000000000c",
    "rollout_id": "019530b4-0000-7000-8000-00000000000d",
}
BODIES: dict[str, object] = {
    "/api/v1/cases/{case_id}/actions": {"action": "confirm", "version": 1},
    "/api/v1/work-orders/{order_id}/actions": {"action": "assign", "version": 1},
    "/api/v1/wall/leases": {"cameras": [], "purpose": "rounds"},
    "/api/v1/nodes/{node}/accept": {"area_code": GRID},
    "/api/v1/nodes/{node}/log-tail": {"lines": 10},
    "/api/v1/artifacts": {
        "artifact": "profile",
        "name": "ocpp16_pile",
        "version": "1.0.0",
        "sha256": "0" * 64,
        "size_bytes": 1,
        "signed_at": "2026-03-01T08:00:00Z",
        "key": "0" * 64,
        "sig": "",
    },
    "/api/v1/rollouts": {"title": "x", "artifact_id": 1, "plan": {"stages": [{"name": "all", "percent": 100}]}},
    "/api/v1/rollouts/{rollout_id}/actions": {"action": "start"},
    "/api/v1/nodes/{node}/ring": {"ring": "early"},
    "/api/v1/nodes/{node}/rotate": {"at_once": False},
    "/api/v1/nodes/{node}/waiting-devices": {"decision": "accept"},
    "/api/v1/claims": {"node": "node-8", "area_code": GRID},
    "/api/v1/broker/auth": {"username": "node-1", "password": "x"},
    "/api/v1/broker/acl": {"username": "node-1", "topic": "gw/1/110105/node-1/up/birth", "action": "publish"},
    "/api/v1/devices/{device_id}/rules-try": {"since": "1d"},
    "/api/v1/devices/{device_id}/actions": {"action": "stop_charge"},
}


def address(path: str) -> str:
    return path.format(**VALUES)


def test_every_route_stands_in_the_table() -> None:
    routes = {(method, path) for path, methods in openapi()["paths"].items() for method in methods}
    assert routes == OPEN | FOR_NODES | FOR_BROKERS | FOR_PEOPLE.keys()


def test_nothing_answers_a_stranger(cloud: Cloud) -> None:
    with cloud.anyone() as client:
        for method, path in sorted(FOR_NODES | FOR_BROKERS | FOR_PEOPLE.keys()):
            for headers in (
                {},
                {"Authorization": "Bearer x"},
                {"Authorization": "Basic eDp4"},
                {"Cookie": "gridward_session=x"},
            ):
                answer = client.request(method, address(path), json=BODIES.get(path), headers=headers)
                assert answer.status_code == httpx.codes.UNAUTHORIZED, (method, path, headers)


def test_a_node_is_no_person_and_a_person_no_node(cloud: Cloud) -> None:
    with cloud.node() as node:
        for method, path in sorted(FOR_BROKERS | FOR_PEOPLE.keys()):
            answer = node.request(method, address(path), json=BODIES.get(path))
            assert answer.status_code == httpx.codes.UNAUTHORIZED, (method, path)
    with cloud.client("admin") as person:
        for method, path in sorted(FOR_NODES | FOR_BROKERS):
            assert (
                person.request(method, address(path), json=BODIES.get(path)).status_code == httpx.codes.UNAUTHORIZED
            ), (method, path)


def test_each_role_may_do_what_the_table_says(cloud: Cloud) -> None:
    cloud.receive(report(incident(severity=Severity.HIGH)))
    for name, (role, _area) in PEOPLE.items():
        if name == "elsewhere":
            continue
        with cloud.client(name) as client:
            for (method, path), roles in sorted(FOR_PEOPLE.items()):
                if path == "/api/v1/live" or (method, path) == ("delete", "/api/v1/session"):
                    continue  # these are tried in tests of their own
                answer = client.request(method, address(path), json=BODIES.get(path))
                forbidden = answer.status_code == httpx.codes.FORBIDDEN
                assert forbidden == (role not in roles), (method, path, role, answer.text)
                assert answer.status_code not in {401, 500}, (method, path, role)
