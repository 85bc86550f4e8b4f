"""Live incidents overtake history, at a real broker; and what an earlier version left there is taken over."""

import threading
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from cloud.db.pool import Pool
from cloud.ingest.handover import BATCH_MESSAGES, Batch
from cloud.ingest.intake import CHANNELS, CLIENT_ID, Intake, Precedence, subscriptions
from cloud.ingest.model import Message
from cloud.ingest.reading import find_message_id
from cloud.ingest.service import IngestService
from cloud.mqtt import Endpoint, Subscriber
from edge.contract.downlink import Outcome
from edge.contract.envelope import Envelope
from edge.contract.topics import UPLINK, Channel, for_all_nodes
from tests.brokers import ReadyBroker
from tests.cloud.ingest.test_service import count, running
from tests.fakes.link import TIMEOUT_S, Link, eventually
from tests.fakes.node import AT, FakeNode, batch, birth, column, incident

HISTORY = 1_000
"""More than a broker gives a client before it is acknowledged, and many transactions."""


def of(broker: ReadyBroker) -> Endpoint:
    return Endpoint.of(broker.url, user=broker.cloud_user, password=broker.cloud_password)


def history(node: FakeNode, messages: int) -> list[Envelope[Any]]:
    return [
        node.envelope(batch(column([1.0], begin=AT - timedelta(minutes=n))), historical=True) for n in range(messages)
    ]


def test_every_channel_comes_by_one_connection() -> None:
    told = [channel for precedence in Precedence for channel in CHANNELS[precedence]]
    assert Counter(told) == Counter(UPLINK)
    assert subscriptions(Precedence.URGENT, shared=True)[0] == "$share/gridward/gw/1/+/+/up/incident"


class _Gated(IngestService):
    """Settles nothing until the gate is open, and notes in which order it settles."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.gate = threading.Event()
        self.held = threading.Event()
        self.settled: list[list[Channel]] = []

    def _settle(self, batch: Batch) -> None:
        self.held.set()
        self.gate.wait(TIMEOUT_S)
        self.settled.append([item.topic.channel for item in batch.items if isinstance(item, Message)])
        super()._settle(batch)


@pytest.mark.system
def test_an_incident_behind_a_night_of_history_waits_for_one_transaction(
    pool: Pool, broker: ReadyBroker, node: FakeNode
) -> None:
    link = Link(broker, node)
    service = _Gated(pool, Intake(of(broker)), clock=lambda: AT)
    service.start()
    assert service._intake.wait_subscribed(TIMEOUT_S)
    sent = [node.envelope(birth()), *history(node, HISTORY), node.envelope(incident())]
    link.send(*sent[:-1])
    assert service.held.wait(TIMEOUT_S)
    link.send(sent[-1])
    eventually(lambda: Precedence.URGENT in service._handover._places, bool)  # seen past a window that is full
    service.gate.set()
    assert link.wait_told(*sent) == [[Outcome.ACCEPTED]] * len(sent)
    service.stop()
    link.close()
    place = service.settled.index([Channel.INCIDENT])
    assert sum(map(len, service.settled[:place])) <= BATCH_MESSAGES
    assert (count(pool, "receipt"), count(pool, "grid_case")) == (HISTORY + 2, 1)


def leave_session(broker: ReadyBroker, client_id: str, topics: list[str]) -> None:
    """Be a client that has been there: the broker keeps what comes for it from now on."""
    subscriber = Subscriber(of(broker), client_id=client_id, topics=topics)
    subscriber.start()
    assert subscriber.wait_subscribed(TIMEOUT_S)
    subscriber.close()


def held_by(broker: ReadyBroker, client_id: str, last: Envelope[Any]) -> set[UUID]:
    """The messages that a session holds, the last included; they stay there. A broker sends again what it is not sure of."""
    subscriber = Subscriber(of(broker), client_id=client_id, topics=[])
    subscriber.start()
    found: set[UUID] = set()
    while last.id not in found:
        deliveries = subscriber.mailbox.take(100, wait_s=TIMEOUT_S)
        assert deliveries
        found |= {each for delivery in deliveries if (each := find_message_id(delivery.payload)) is not None}
    subscriber.close()
    return found


@pytest.mark.system
@pytest.mark.parametrize("shared", [False, True])
def test_what_an_earlier_version_left_in_the_broker_is_taken_in(
    pool: Pool, mosquitto_broker: ReadyBroker, node: FakeNode, *, shared: bool
) -> None:
    """Until 0.1 one session had all channels."""
    link = Link(mosquitto_broker, node)
    prefix = "$share/gridward/" if shared else ""
    sent = [node.envelope(birth()), *history(node, 20), *(node.envelope(incident()) for _ in range(20))]
    leave_session(mosquitto_broker, CLIENT_ID, [prefix + for_all_nodes(channel) for channel in UPLINK])
    link.send(*sent)
    link.settle()
    with running(pool, mosquitto_broker, shared=shared) as service:
        assert link.wait_told(*sent) == [[Outcome.ACCEPTED]] * len(sent)
        assert service._intake.wait_subscribed(TIMEOUT_S)
        [behind] = history(node, 1)
        link.send(behind)
        link.wait_told(behind)  # its answer went behind the word to the broker that the urgent topics are left
    assert (count(pool, "receipt"), count(pool, "incident")) == (42, 20)
    alarm, reading = after = [node.envelope(incident()), *history(node, 1)]
    link.send(*after)
    link.settle()
    assert alarm.id not in held_by(mosquitto_broker, CLIENT_ID, reading)
    assert reading.id not in held_by(mosquitto_broker, f"{CLIENT_ID}:urgent", alarm)
    with running(pool, mosquitto_broker, shared=shared):
        assert link.wait_told(*after) == [[Outcome.ACCEPTED]] * 2
    link.close()
