"""The node's side of a real broker: sends what a test wants, and collects what the node is told."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from cloud.mqtt import Endpoint, Subscriber
from edge.contract.downlink import Ack, Outcome
from edge.contract.envelope import Envelope, decode, encode
from edge.contract.topics import Channel
from tests.brokers import ReadyBroker
from tests.fakes.node import CHANNELS, FakeNode

TIMEOUT_S = 30.0


def eventually(read: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    deadline_s = time.monotonic() + TIMEOUT_S
    while True:
        found = read()
        if wanted(found):
            return found
        assert time.monotonic() < deadline_s, found
        time.sleep(0.02)


class Link:
    """The node's side of the broker: sends, and collects what it is told of its messages."""

    def __init__(self, broker: ReadyBroker, node: FakeNode) -> None:
        password = broker.add_node(node.district, node.name)
        endpoint = Endpoint.of(broker.url, user=node.name, password=password)
        self._node = node
        self._told: dict[UUID, list[Outcome]] = {}
        self._subscriber = Subscriber(endpoint, client_id=node.name, topics=[node.topic(Channel.ACK)])
        self._subscriber.start()
        assert self._subscriber.wait_subscribed(TIMEOUT_S)

    def send(self, *envelopes: Envelope[Any]) -> None:
        for envelope in envelopes:
            self.publish(CHANNELS[type(envelope.body)], encode(envelope))

    def publish(self, channel: Channel, payload: bytes) -> None:
        assert self._subscriber.publish(self._node.topic(channel), payload)

    def told(self) -> dict[UUID, list[Outcome]]:
        taken = self._subscriber.mailbox.take(1_000, wait_s=0.0)
        self._subscriber.acknowledge(taken)
        for delivery in taken:
            for result in decode(delivery.payload, Ack).results:
                self._told.setdefault(result.id, []).append(result.outcome)
        return self._told

    def wait_told(self, *envelopes: Envelope[Any], times: int = 1) -> list[list[Outcome]]:
        ids = [envelope.id for envelope in envelopes]
        told = eventually(self.told, lambda told: all(len(told.get(each, [])) >= times for each in ids))
        return [told[each] for each in ids]

    def settle(self) -> None:
        """Wait until the broker has all that was sent."""
        eventually(self._subscriber._unsent, lambda unsent: not unsent)

    def close(self) -> None:
        self._subscriber.close()
