"""The routes of enrolment: a code goes its way from the page to the machine, and a broker asks with its secret."""

from collections.abc import Iterator

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from cloud.settings import CloudSettings
from edge.contract import signing
from edge.contract.enrolment import enrolment_statement, renewal_statement
from tests.cloud.api.conftest import NODE, Cloud, Template, answering
from tests.cloud.samples import GRID

SECRET = "the broker's own secret"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def asked(settings: CloudSettings, peopled: Template) -> Iterator[Cloud]:
    """A cloud that a broker may ask."""
    told = settings.model_copy(
        update={
            "broker_auth_secret": SecretStr(SECRET),
            "mqtt_user": "cloud",
            "mqtt_password": SecretStr("the cloud's password"),
        }
    )
    with answering(told, peopled) as cloud:
        yield cloud


def proof(client: httpx.Client, **fields: str) -> dict[str, str]:
    """The body of a request to enrol or to renew, signed."""
    challenge = client.post("/api/v1/enrolment/challenge").json()["challenge"]
    told = {"public_key": signing.key_text(signing.public_bytes(KEY)), "challenge": challenge, **fields}
    statement = enrolment_statement if "claim" in fields else renewal_statement
    return {**told, "sig": signing.sign(KEY, statement(**told))}


def enrol(client: httpx.Client, code: str) -> httpx.Response:
    return client.post("/api/v1/enrolment", json=proof(client, claim=code, software="test"))


def claim(person: httpx.Client, node: str = "station-77") -> str:
    made = person.post("/api/v1/claims", json={"node": node, "area_code": GRID})
    assert made.status_code == httpx.codes.CREATED, made.text
    code: str = made.json()["code"]
    assert code not in person.get("/api/v1/claims").text
    return code


def test_from_the_page_to_the_machine_and_back(cloud: Cloud) -> None:
    with cloud.client("maintainer") as person, cloud.anyone() as machine:
        code = claim(person)
        given = enrol(machine, code).json()
        assert (given["node"], given["district"], given["generation"]) == ("station-77", "110105", 1)
        assert "no-store" in enrol(machine, code).headers.get("cache-control", "")
        bearer = {"Authorization": f"Bearer {given['token']}"}
        standing = machine.get("/api/v1/enrolment/standing", headers=bearer).json()
        assert (standing["generation"], standing["renewal_wanted"]) == (1, False)
        [used] = person.get("/api/v1/claims").json()["items"]
        identity = person.get("/api/v1/nodes/station-77/identity").json()
        assert used["key"] == identity["key"] == signing.fingerprint(signing.public_bytes(KEY))
        assert given["token"] not in str(identity)
        assert person.post("/api/v1/nodes/station-77/rotate", json={"at_once": True}).status_code == 202
        assert machine.get("/api/v1/enrolment/standing", headers=bearer).status_code == httpx.codes.UNAUTHORIZED
        renewed = machine.post("/api/v1/enrolment/renewal", json=proof(machine, node="station-77")).json()
        assert renewed["generation"] == 3
        told = person.get("/api/v1/nodes/station-77/identity").json()
        assert [each["generation"] for each in told["credentials"]] == [1, 2, 3]


def test_wrong_codes_are_refused_in_words_and_after_too_many_the_door_is_shut(cloud: Cloud) -> None:
    with cloud.anyone() as machine:
        answer = enrol(machine, "00000-00000-00000-00000-00000")
        assert answer.status_code == httpx.codes.FORBIDDEN
        assert "not known" in answer.json()["detail"]
        statuses = {enrol(machine, "nonsense").status_code for _ in range(40)}
        assert statuses == {httpx.codes.FORBIDDEN, httpx.codes.TOO_MANY_REQUESTS}


@pytest.mark.parametrize(
    "changed",
    [
        {"public_key": "A" * 43 + "="},
        {"public_key": "short"},
        {"sig": "x"},
        {"challenge": "x"},
        {"claim": "x" * 101},
        {"software": "x" * 501},
        {"sig": None},
    ],
    ids=str,
)
def test_no_body_breaks_it(shared_cloud: Cloud, changed: dict[str, str | None]) -> None:
    with shared_cloud.anyone() as machine:
        body = proof(machine, claim="00000-00000-00000-00000-00000", software="test") | changed
        answer = machine.post("/api/v1/enrolment", json=body)
        assert answer.status_code in {403, 422}, answer.text


def test_a_person_sees_claims_and_keys_of_his_area_alone(cloud: Cloud) -> None:
    with cloud.client("maintainer") as person:
        claim(person)
        [made] = person.get("/api/v1/claims").json()["items"]
        assert person.post("/api/v1/claims", json={"node": "x", "area_code": "999999"}).status_code == 404
        assert person.delete(f"/api/v1/claims/{made['id']}").status_code == 204
        assert person.delete(f"/api/v1/claims/{made['id']}").status_code == 404
        assert person.get("/api/v1/nodes/nobody/identity").status_code == 404
        assert person.post(f"/api/v1/nodes/{NODE}/rotate", json={}).status_code == 409


def test_a_broker_asks_with_its_secret(asked: Cloud) -> None:
    with asked.client("maintainer") as person, asked.anyone() as broker:
        given = enrol(broker, claim(person)).json()
        login = {"username": given["mqtt_user"], "password": given["mqtt_password"], "clientid": "x"}
        wish = {
            "username": given["mqtt_user"],
            "topic": "gw/1/110105/station-77/up/birth",
            "action": "publish",
            "peerhost": "192.0.2.1",
        }
        assert broker.post("/api/v1/broker/auth", json=login).status_code == httpx.codes.UNAUTHORIZED
        broker.headers["Authorization"] = f"Bearer {SECRET}"
        assert broker.post("/api/v1/broker/auth", json=login).json() == {"result": "allow", "is_superuser": False}
        assert broker.post("/api/v1/broker/acl", json=wish).json()["result"] == "allow"
        assert broker.post("/api/v1/broker/acl", json=wish | {"action": "subscribe"}).json()["result"] == "deny"
        waiting = wish | {
            "username": "station-78",
            "topic": "gw/1/110105/station-78/up/birth",
            "qos": "1",
            "retain": "0",
        }
        assert broker.post("/api/v1/broker/acl", json=waiting).json()["result"] == "ignore"
        assert broker.post("/api/v1/broker/acl", json=waiting | {"topic": wish["topic"]}).json()["result"] == "deny"
        own = {"username": "cloud", "password": "the cloud's password"}
        assert broker.post("/api/v1/broker/auth", json=own).json()["result"] == "allow"
        assert broker.post("/api/v1/broker/auth", json=login | {"username": "nobody"}).json()["result"] == "ignore"
        for right in (login, own):
            for _ in range(30):
                wrong = broker.post("/api/v1/broker/auth", json=right | {"password": "guess"}).json()["result"]
                assert wrong == "deny"
            assert broker.post("/api/v1/broker/auth", json=right).json()["result"] == "allow"  # nobody shuts it out


def test_without_a_secret_of_ours_no_broker_is_answered(cloud: Cloud) -> None:
    with cloud.anyone() as broker:
        broker.headers["Authorization"] = "Bearer None"
        answer = broker.post("/api/v1/broker/auth", json={"username": "x"})
        assert answer.status_code == httpx.codes.UNAUTHORIZED
