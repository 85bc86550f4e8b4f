"""A cloud that reads what nodes send and answers as the test tells it: late, twice, never, out of order."""

import queue
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from edge.contract.answer import Answer
from edge.contract.birth import Birth, NodeStatus
from edge.contract.bodies import SHAPES
from edge.contract.downlink import Ack, Outcome, Result
from edge.contract.envelope import Envelope, decode, encode
from edge.contract.health import NodeHealth
from edge.contract.topics import Channel, Topic, parse


class AnsweringCloud:
    """Subscribes to everything; `sent` holds each message in the order of its arrival, resends included."""

    def __init__(self, port: int, *, user: str | None = None, password: str | None = None) -> None:
        self.sent: list[Envelope[Any]] = []
        self.births: list[Envelope[Birth]] = []
        self.statuses: list[NodeStatus] = []
        self.healths: list[NodeHealth] = []
        self.answers: list[Answer] = []
        self.arrivals: queue.Queue[Envelope[Any]] = queue.Queue()
        self.answer: Callable[[Envelope[Any]], Outcome | None] = lambda _envelope: Outcome.ACCEPTED
        self.answers_births = True
        self._topic = ""
        self._node = ""
        self._client = Client(CallbackAPIVersion.VERSION2)
        if user is not None:
            self._client.username_pw_set(user, password)
        self._client.on_connect = lambda client, *_rest: client.subscribe("gw/1/#", qos=1)
        self._client.on_message = self._on_message
        listening = threading.Event()
        self._client.on_subscribe = lambda *_rest: listening.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert listening.wait(10), "the broker did not take the subscription"

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def acknowledge(
        self,
        ids: Iterable[UUID],
        outcome: Outcome = Outcome.ACCEPTED,
        reason: str | None = None,
        *,
        session: UUID | None = None,
    ) -> None:
        results = tuple(Result(id=each, outcome=outcome, reason=reason) for each in ids)
        self.send_down(encode(Ack(node=self._node, session=session, sent_at=datetime.now(UTC), results=results)))

    def send_down(self, payload: bytes, channel: str = "down/ack") -> None:
        self._client.publish(f"{self._topic}/{channel}", payload, qos=1)

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        topic = parse(message.topic)
        if topic.channel in {Channel.ACK, Channel.COMMAND, Channel.DESIRED}:
            return
        self._topic, self._node = (
            str(Topic(topic.district, topic.node, topic.channel))[: -len(topic.channel) - 1],
            topic.node,
        )
        if topic.channel is Channel.STATUS:
            self.statuses.append(decode(message.payload, NodeStatus))
            return
        if topic.channel is Channel.HEALTH:
            self.healths.append(decode(message.payload, NodeHealth))
            return
        if topic.channel is Channel.ANSWER:
            self.answers.append(decode(message.payload, Answer))
            return
        envelope = decode(message.payload, SHAPES[topic.channel])
        assert isinstance(envelope, Envelope)
        if topic.channel is Channel.BIRTH:
            self.births.append(envelope)
            if self.answers_births:
                self.acknowledge([envelope.id])
            return
        self.sent.append(envelope)
        outcome = self.answer(envelope)
        if outcome is not None:
            self.acknowledge([envelope.id], outcome, None if outcome is not Outcome.REJECTED else "refused by the test")
        self.arrivals.put(envelope)


def readings_of(envelopes: Iterable[Envelope[Any]]) -> list[int]:
    """The event times (µs) of all readings in telemetry messages."""
    return [
        at_us
        for envelope in envelopes
        for column in getattr(envelope.body, "series", ())
        for at_us in column.observed_at_us
    ]


def canonical(body: Any) -> bytes:
    return msgspec.json.encode(body)
