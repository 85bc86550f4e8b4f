"""What a node's key has not signed waits for a person's word, whose name stands in the audit log; a command key comes to its end."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg.rows import dict_row

from cloud.access.model import Role
from cloud.api.held_messages import HeldMessages
from cloud.db.pool import Pool, open_pool
from cloud.enrolment import service as enrolment
from cloud.enrolment import store
from cloud.fleet import store as nodes
from cloud.ingest.writer import Writer
from cloud.settings import CloudSettings
from cloud.signing import Signer, command_key_file
from edge.contract import signing
from edge.contract.envelope import Lane
from tests.cloud.api.conftest import NODE, Cloud
from tests.cloud.samples import add_person
from tests.fakes.node import AT, FakeNode, batch, birth, column, incident, new_id, sensor

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VOUCH = f"/api/v1/nodes/{NODE}/held-messages/vouch"


@pytest.fixture
def pool(cloud: Cloud) -> Iterator[Pool]:
    pool = open_pool(cloud.database_url, size=2)
    yield pool
    pool.close()


@pytest.fixture
def writer(pool: Pool) -> Writer:
    return Writer(pool, lambda _: False, clock=lambda: AT)


@pytest.fixture
def node(pool: Pool, writer: Writer) -> FakeNode:
    """An accepted node that signs with a key of its own."""
    fake = FakeNode(NODE)
    writer.settle([fake.item(birth(sensor()))])
    with pool.connection() as conn:
        [row] = nodes.nodes_by_name(conn, [NODE])
        store.bind_key(conn, row.id, signing.public_bytes(KEY), AT)
        enrolment.note_use(conn, row.id, 1, now=AT)
    return fake


def unsigned(writer: Writer, node: FakeNode) -> None:
    writer.settle([node.item(incident(new_id(), device="sensor-01"), lane=Lane.INCIDENT)])


def held(client: httpx.Client) -> HeldMessages:
    answer = client.get(f"/api/v1/nodes/{NODE}/held-messages")
    assert answer.status_code == httpx.codes.OK, answer.text
    return HeldMessages.model_validate(answer.json())


def waiting(client: httpx.Client) -> list[tuple[str, str, int]]:
    found = client.get("/api/v1/refusals").json()["waiting"]
    return [(each["node"], each["reason"], each["messages"]) for each in found]


def test_what_waits_is_shown_with_what_it_says_of_itself(cloud: Cloud, writer: Writer, node: FakeNode) -> None:
    unsigned(writer, node)
    writer.settle([node.item(batch(column([1.0], device="undeclared")))])
    with cloud.client("maintainer") as person:
        found = held(person)
    assert [(each.kind, each.reason, each.messages, each.needs_word) for each in found.groups] == [
        ("incident", "unsigned", 1, True),
        ("telemetry", "unknown_device", 1, False),
    ]
    [one] = found.incidents
    assert (one.device, one.kind, one.reason, one.received_at) == ("sensor-01", "intrusion", "unsigned", AT)
    assert one.severity is not None
    assert one.started_at is not None


def test_a_person_vouches_for_what_he_has_seen_and_for_nothing_else(
    cloud: Cloud, pool: Pool, writer: Writer, node: FakeNode
) -> None:
    unsigned(writer, node)
    with cloud.client("maintainer") as person:
        [seen] = held(person).incidents
        unsigned(writer, node)
        answer = person.post(VOUCH, json={"upto": seen.id})
        assert (answer.status_code, answer.json()) == (httpx.codes.OK, {"messages": 1})
        assert [each.id > seen.id for each in held(person).incidents] == [True]
        assert waiting(person) == [(NODE, "unsigned", 1)]
        again = person.post(VOUCH, json={"upto": seen.id})
        assert (again.status_code, "waits" in again.json()["detail"]) == (httpx.codes.CONFLICT, True)
    assert writer.replay_released() == 1
    with pool.connection() as conn:
        row = audited(conn, "quarantine.vouched")
        assert conn.execute("select count(*) from incident").fetchone() == (1,)
    assert (row["subject"], row["actor_name"], row["detail"]["messages"]) == (NODE, "maintainer", 1)
    assert row["area_path"]


def audited(conn: psycopg.Connection[Any], action: str) -> dict[str, Any]:
    """The one row of the audit log with this action, of a person at some address."""
    statement = "select subject, actor_name, actor_id, area_path, address, detail from audit where action = %s"
    with conn.cursor(row_factory=dict_row) as cursor:
        [row] = cursor.execute(statement, [action]).fetchall()
    assert row["actor_id"] is not None
    assert row["address"]
    return row


@pytest.mark.parametrize("body", [{}, {"upto": 0}, {"upto": None}, {"upto": 1, "all": True}], ids=str)
def test_nobody_vouches_for_what_he_does_not_name(
    cloud: Cloud, writer: Writer, node: FakeNode, body: dict[str, object]
) -> None:
    unsigned(writer, node)
    with cloud.client("maintainer") as person:
        assert person.post(VOUCH, json=body).status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert len(held(person).incidents) == 1


def test_who_stands_elsewhere_neither_sees_nor_vouches(cloud: Cloud, writer: Writer, node: FakeNode) -> None:
    unsigned(writer, node)
    add_person(cloud.conn, "stranger", Role.MAINTAINER, "110105003")
    cloud.conn.commit()
    with cloud.client("stranger") as person:
        assert person.get(f"/api/v1/nodes/{NODE}/held-messages").status_code == httpx.codes.NOT_FOUND
        assert person.post(VOUCH, json={"upto": 1 << 40}).status_code == httpx.codes.NOT_FOUND
    with cloud.client("maintainer") as person:
        assert len(held(person).incidents) == 1


def keys(client: httpx.Client) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get("/api/v1/command-keys").json()["items"]
    return items


def test_a_command_key_is_retired_by_somebody_and_never_the_last_one(cloud: Cloud, pool: Pool) -> None:
    known = [bytes([number]) * 32 for number in range(2)]
    old, new = (signing.fingerprint(each) for each in known)
    with pool.connection() as conn:
        for number, key in enumerate(known):
            enrolment.use_command_key(conn, key, now=AT + timedelta(days=number))
    with cloud.client("maintainer") as district, cloud.client("admin") as person:
        assert [(each["fingerprint"], each["retired_at"], each["in_use"]) for each in keys(district)] == [
            (new, None, False),
            (old, None, False),
        ]
        refused = district.delete(f"/api/v1/command-keys/{old}")
        assert (refused.status_code, "of the whole" in refused.json()["detail"]) == (httpx.codes.FORBIDDEN, True)
        assert person.delete(f"/api/v1/command-keys/{old}").status_code == httpx.codes.NO_CONTENT
        assert [each["retired_at"] is None for each in keys(person)] == [True, False]
        assert person.delete(f"/api/v1/command-keys/{old}").status_code == httpx.codes.NOT_FOUND
        last = person.delete(f"/api/v1/command-keys/{new}")
        assert (last.status_code, "the last key" in last.json()["detail"]) == (httpx.codes.CONFLICT, True)
        assert person.delete(f"/api/v1/command-keys/{new[:12]}").status_code == httpx.codes.UNPROCESSABLE_ENTITY
    with pool.connection() as conn:
        assert store.command_keys(conn) == known[1:]
        row = audited(conn, "command_key.retired")
    assert (row["subject"], row["actor_name"]) == (old, "admin")


def test_the_key_that_this_machine_signs_with_is_marked_and_none_is_made_for_that(
    cloud: Cloud, pool: Pool, settings: CloudSettings
) -> None:
    with cloud.client("admin") as person:
        assert keys(person) == []
        assert not command_key_file(settings).exists()
        own = Signer.of(settings)
        with pool.connection() as conn:
            enrolment.use_command_key(conn, own.public_key, now=AT)
            enrolment.use_command_key(conn, bytes(32), now=AT - timedelta(days=1))
        assert [(each["fingerprint"] == own.fingerprint, each["in_use"]) for each in keys(person)] == [
            (True, True),
            (False, False),
        ]
        command_key_file(settings).write_text("nothing", encoding="utf-8")
        assert [each["in_use"] for each in keys(person)] == [False, False]
