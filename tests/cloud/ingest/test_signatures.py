"""Incidents of a node that has a key: what its key has not signed rings nowhere until a person vouches for it."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.db.pool import Pool
from cloud.enrolment import service as enrolment
from cloud.enrolment import store as enrolment_rows
from cloud.enrolment.vouching import vouch
from cloud.errors import Conflict
from cloud.fleet import service as fleet
from cloud.fleet import store as nodes
from cloud.ingest.reading import read
from cloud.ingest.writer import Writer
from edge.contract import signing
from edge.contract.downlink import Outcome
from edge.contract.envelope import Lane
from edge.contract.incident import Incident, Severity, signed_incident
from tests.fakes.node import AT, FakeNode, birth, incident, new_id, sensor

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def signed(found: Incident, key: Ed25519PrivateKey = KEY) -> Incident:
    return signed_incident(found, lambda content: signing.sign(key, content))


def bind(pool: Pool, *, uses_it: bool = True) -> None:
    with pool.connection() as conn:
        [row] = nodes.nodes_by_name(conn, ["station-01"])
        enrolment_rows.bind_key(conn, row.id, signing.public_bytes(KEY), AT)
        if uses_it:
            enrolment.note_use(conn, row.id, 1, now=AT)


def outcomes(writer: Writer, node: FakeNode, *found: Incident) -> list[tuple[Outcome, str]]:
    told = [writer.settle([node.item(each, lane=Lane.INCIDENT)])[0] for each in found]
    return [(each.outcome, (each.reason or "").partition(":")[0]) for each in told]


def cases(pool: Pool) -> int:
    with pool.connection() as conn:
        row = conn.execute("select count(*) from case_incident").fetchone()
    return int(row[0]) if row is not None else 0


@pytest.fixture
def enrolled(pool: Pool, node: FakeNode, writer: Writer) -> FakeNode:
    writer.settle([node.item(birth(sensor()))])
    bind(pool)
    return node


def test_a_node_without_a_key_and_one_that_has_not_used_it_yet_sign_nothing(
    pool: Pool, node: FakeNode, writer: Writer
) -> None:
    taken = [(Outcome.ACCEPTED, "")]
    assert outcomes(writer, node, incident(new_id())) == taken
    bind(pool, uses_it=False)
    assert outcomes(writer, node, incident(new_id())) == taken
    bind_used(pool)
    assert outcomes(writer, node, incident(new_id())) == [(Outcome.QUARANTINED, "unsigned")]


def bind_used(pool: Pool) -> None:
    with pool.connection() as conn:
        [row] = nodes.nodes_by_name(conn, ["station-01"])
        enrolment.note_use(conn, row.id, 1, now=AT)


def test_what_its_key_has_signed_rings_and_nothing_else(pool: Pool, enrolled: FakeNode, writer: Writer) -> None:
    assert outcomes(writer, enrolled, signed(incident(new_id(), device="sensor-01"))) == [(Outcome.ACCEPTED, "")]
    assert cases(pool) == 1
    wrong = signed(incident(new_id(), device="sensor-01"), STRANGER)
    assert outcomes(writer, enrolled, incident(new_id(), device="sensor-01"), wrong) == [
        (Outcome.QUARANTINED, "unsigned"),
        (Outcome.QUARANTINED, "bad_signature"),
    ]
    assert cases(pool) == 1


def test_a_changed_severity_does_not_pass(pool: Pool, enrolled: FakeNode, writer: Writer) -> None:
    arrival = enrolled.arrival(
        enrolled.envelope(signed(incident(new_id(), severity=Severity.HIGH)), lane=Lane.INCIDENT)
    )
    softer = arrival.payload.replace(b'"severity":"high"', b'"severity":"low"')
    assert softer != arrival.payload
    [verdict] = writer.settle([read(type(arrival)(arrival.topic, softer, AT))])
    assert (verdict.outcome, str(verdict.reason).partition(":")[0]) == (Outcome.QUARANTINED, "bad_signature")
    assert cases(pool) == 0


def test_it_waits_until_a_person_vouches_for_it_whatever_is_declared_meanwhile(
    pool: Pool, enrolled: FakeNode, writer: Writer
) -> None:
    outcomes(writer, enrolled, incident(new_id(), device="sensor-01"))
    writer.settle([enrolled.item(birth(sensor(), sensor("sensor-02")))])
    with pool.connection() as conn:
        fleet.release_quarantine(conn, "station-01")
    writer.release_declared()
    assert writer.replay_released() == 0
    assert cases(pool) == 0
    with pool.connection() as conn:
        assert vouch(conn, "station-01", now=AT) == 1
    assert writer.replay_released() == 1
    assert cases(pool) == 1
    with pool.connection() as conn, pytest.raises(Conflict):
        vouch(conn, "station-01", now=AT)


def test_it_comes_again_and_is_told_the_same(enrolled: FakeNode, writer: Writer) -> None:
    arrival = enrolled.arrival(enrolled.envelope(incident(new_id()), lane=Lane.INCIDENT))
    told: list[Any] = [writer.settle([read(arrival)])[0].outcome for _ in range(3)]
    assert told[0] is Outcome.QUARANTINED
    assert set(told[1:]) <= {Outcome.QUARANTINED, Outcome.DUPLICATE}
