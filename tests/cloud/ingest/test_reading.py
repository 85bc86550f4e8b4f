from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg_pool import PoolTimeout

from cloud.errors import Invalid
from cloud.ingest.failure import Failure, classify
from cloud.ingest.model import Arrival, Message, Reason, Refusal, StatusMessage
from cloud.ingest.reading import find_message_id, read
from edge.contract.birth import PresenceState
from edge.contract.envelope import MAXIMUM_BYTES, encode
from edge.contract.topics import Channel
from tests.fakes.node import AT, FakeNode, batch, birth, column


def refused(arrival: Arrival) -> Refusal:
    item = read(arrival)
    assert isinstance(item, Refusal)
    return item


def test_what_a_node_sends_is_read() -> None:
    node = FakeNode()
    assert isinstance(node.item(birth()), Message)
    assert isinstance(node.status(PresenceState.ONLINE), StatusMessage)


def test_each_mistake_has_its_word() -> None:
    node = FakeNode()
    envelope = node.envelope(batch(column([1.0])))
    payload = encode(envelope)
    topic = node.topic(Channel.TELEMETRY)
    found = {
        refused(Arrival(topic, payload[:-2], AT)).reason: Reason.MALFORMED,
        refused(Arrival(topic, payload + b" " * MAXIMUM_BYTES, AT)).reason: Reason.OVERSIZED,
        refused(Arrival(topic, payload.replace(b'"v":1', b'"v":2'), AT)).reason: Reason.WRONG_VERSION,
        refused(Arrival(topic.replace("station-01", "station-02"), payload, AT)).reason: Reason.NODE_MISMATCH,
        refused(Arrival(node.topic(Channel.ACK), payload, AT)).reason: Reason.UNKNOWN_TOPIC,
        refused(Arrival("gw/2/x", payload, AT)).reason: Reason.UNKNOWN_TOPIC,
    }
    assert all(reason == wanted for reason, wanted in found.items())
    assert len(found) == 5
    assert refused(Arrival(topic, payload[:-2], AT)).message_id == envelope.id
    assert refused(Arrival(topic, payload + b" " * MAXIMUM_BYTES, AT)).message_id == envelope.id


@given(st.binary(max_size=300), st.sampled_from(list(Channel)))
def test_no_bytes_can_make_it_raise(payload: bytes, channel: Channel) -> None:
    assert isinstance(read(Arrival(FakeNode().topic(channel), payload, AT)), Refusal)


@given(st.text(max_size=60))
def test_no_topic_can_make_it_raise(topic: str) -> None:
    assert isinstance(read(Arrival(topic, b"{}", AT)), Refusal)


@given(st.uuids(), st.binary(max_size=100))
def test_the_id_is_found_near_the_beginning(message_id: UUID, rest: bytes) -> None:
    assert find_message_id(b'{"v":1, "id": "%s"' % str(message_id).encode() + rest) == message_id


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (PoolTimeout(), Failure.AWAY),
        (psycopg.OperationalError("connection refused"), Failure.AWAY),
        (psycopg.InterfaceError("closed"), Failure.AWAY),
        (psycopg.errors.AdminShutdown(), Failure.AWAY),
        (psycopg.errors.DiskFull(), Failure.AWAY),
        (psycopg.errors.ReadOnlySqlTransaction(), Failure.AWAY),
        (psycopg.errors.UndefinedTable(), Failure.AWAY),
        (psycopg.errors.DeadlockDetected(), Failure.CONTENTION),
        (psycopg.errors.QueryCanceled(), Failure.CONTENTION),
        (psycopg.errors.LockNotAvailable(), Failure.CONTENTION),
        (psycopg.errors.NotNullViolation(), Failure.DATA),
        (psycopg.errors.ProgramLimitExceeded(), Failure.DATA),
        (psycopg.DataError("NUL"), Failure.DATA),
        (Invalid("no"), Failure.DATA),
        (KeyError("a mistake of ours"), Failure.DATA),
    ],
)
def test_what_a_failure_means(error: Exception, failure: Failure) -> None:
    assert classify(error) is failure
