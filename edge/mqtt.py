"""The one door to paho on the edge: a link that stays connected, hands over what arrives, and never blocks in a callback.

Each connection is a fresh paho client under the same client id. paho itself keeps nothing over a reconnect; what has to be
sent again is the outbox's business, what has to be received again is the broker's (persistent session, manual acknowledgement).
"""

import contextlib
import queue
import random
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from pydantic import AnyUrl

from edge.faults import FAULTS, Place

CONNECT_TIMEOUT_S = 5.0
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0
"""Between two attempts at most, so that a node is back within 15 s of its broker: an attempt at a broker that accepts and says
nothing takes `CONNECT_TIMEOUT_S` before."""

KEEPALIVE_S = 5
"""A link that says nothing for twice as long is dropped: half-open ones are found by nothing else."""

REFUSED = "refused"
"""With this begins the reason of a connection that the broker did not let in."""

PORTS = {"mqtt": 1883, "mqtts": 8883}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a broker is and how one logs in. The password shows in no repr and no log."""

    host: str
    port: int
    tls: bool = False
    ca_file: Path | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls, url: AnyUrl, *, user: str | None = None, password: str | None = None, ca_file: Path | None = None
    ) -> "Endpoint":
        """Read `mqtt://host:port` or `mqtts://host:port`."""
        return cls(
            host=(url.host or "localhost").strip("[]"),
            port=url.port or PORTS[url.scheme],
            tls=url.scheme == "mqtts",
            ca_file=ca_file,
            user=user,
            password=password,
        )


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, retained, when the link breaks without a good-bye."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Connected:
    """The link is up; `number` counts the connections since the start, from 1. `session_present`: the broker knows what it has
    delivered on earlier connections, and delivers again what was not acknowledged there.
    """

    number: int
    session_present: bool = True


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The link is down, or could not be made; the next attempt follows by itself."""

    reason: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that arrived. With manual acknowledgement, `MqttLink.acknowledge` tells the broker that it was kept.

    `received_at` differs for any two messages of a link. `again`: the broker has delivered it before, without an answer.
    `retained`: it is the last word on its topic, told at a subscription, however long ago it was said.
    """

    topic: str
    payload: bytes = field(repr=False)
    qos: int
    mid: int
    connection: int
    received_at: datetime
    again: bool = False
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Nudge:
    """Nothing arrived; someone wants the reader of the mailbox to look up."""


Event = Connected | Disconnected | Delivery | Nudge


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOptions:
    """How a link behaves. `capacity` bounds the events that wait to be taken; a full mailbox holds the network thread back."""

    client_id: str
    subscriptions: Sequence[str] = ()
    persistent: bool = True
    manual_acknowledgement: bool = False
    inflight: int = 50
    keepalive_s: int = KEEPALIVE_S
    capacity: int = 5_000


def _utc_now() -> datetime:
    return datetime.now(UTC)


class MqttLink:
    """One broker connection in a named thread, made again for ever with back-off and jitter (at most 5 s).

    `events` is the mailbox; `will` is asked at each connection. Subscriptions are made again at each connection, because a
    broker may have forgotten them.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        options: LinkOptions,
        *,
        will: Callable[[], Will] | None = None,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._clock = clock
        self._last_receipt = datetime.min.replace(tzinfo=UTC)
        self.events: queue.Queue[Event] = queue.Queue(options.capacity)
        self._endpoint = endpoint
        self._next: Endpoint | None = None
        self._other: Endpoint | None = None
        self._options = options
        self._will = will
        self._topics = tuple(options.subscriptions)
        self._left: set[str] = set()
        self._topics_lock = threading.Lock()
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._client: Client | None = None
        self._connections = 0
        self.attempts = 0
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{options.client_id}", daemon=True)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._thread.start()

    def stop(self, farewell: Will | None = None) -> None:
        """Say good-bye (`farewell` replaces the will) and close. Returns within a few seconds, whatever the network does."""
        self._stop.set()
        client = self._client
        if client is not None and farewell is not None:
            info = client.publish(farewell.topic, farewell.payload, qos=1, retain=True)
            if info.rc is MQTTErrorCode.MQTT_ERR_SUCCESS:
                try:
                    info.wait_for_publish(timeout=1.0)
                except (RuntimeError, ValueError):
                    _log.info("farewell not sent", topic=farewell.topic)
        self._lost.set()
        if self._thread.is_alive():
            self._thread.join(CONNECT_TIMEOUT_S + 2.0)

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the present connection."""
        return self._client is not None and not self._lost.is_set()

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        """Hand a message to the present connection; False when there is none. Says nothing about its arrival."""
        client = self._client
        if client is None:
            return False
        return client.publish(topic, payload, qos=qos, retain=retain).rc is MQTTErrorCode.MQTT_ERR_SUCCESS

    def listen(self, topics: Sequence[str]) -> None:
        """Subscribe to these topics alone, new ones before others are left; without a connection, at the next one.

        What the broker has to deliver on topics that stay is not touched by it.
        """
        with self._topics_lock:
            added = [topic for topic in topics if topic not in self._topics]
            left = [topic for topic in self._topics if topic not in topics]
            self._topics = tuple(topics)
            self._left = (self._left | set(left)) - set(topics)
            client = self._client
            if client is None:
                return
            for topic in added:
                client.subscribe(topic, qos=1)
            self._leave(client)

    def _leave(self, client: Client) -> None:
        for topic in self._left:
            client.unsubscribe(topic)
        self._left.clear()

    def acknowledge(self, delivery: Delivery) -> None:
        """Tell the broker that a delivery is kept; one of an earlier connection is left to be delivered again."""
        client = self._client
        if client is not None and delivery.qos > 0 and delivery.connection == self._connections:
            client.ack(delivery.mid, delivery.qos)

    def renew(self) -> None:
        """Make the connection anew: the broker delivers again what is not acknowledged."""
        self._lost.set()

    @property
    def endpoint(self) -> Endpoint:
        """Where and as whom the present connection was made, or the next one will be."""
        return self._endpoint

    def use(self, endpoint: Endpoint) -> None:
        """Make the connection anew as somebody else. The one before stays at hand: where the broker does not know the new one
        yet, each refusal brings the other to the door.
        """
        if endpoint != self._endpoint:
            self._next = endpoint
            self._lost.set()

    def nudge(self) -> None:
        """Wake the reader of the mailbox; a mailbox with something in it needs no nudge."""
        if self.events.empty():
            with contextlib.suppress(queue.Full):
                self.events.put_nowait(Nudge())

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._stop.is_set():
            self.attempts += 1
            self._lost.clear()
            if self._next is not None:
                self._other, self._endpoint, self._next = self._endpoint, self._next, None
            before = self._connections
            try:
                reason = self._one_connection()
            except Exception as error:  # noqa: BLE001 (the top of the thread)
                FAULTS.count(Place.MQTT_LINK)
                _log.exception("the link failed and goes on", host=self._endpoint.host)
                reason = type(error).__name__
            if self._connections > before:
                wait_s = FIRST_WAIT_S
            if self._stop.is_set():
                return
            if reason.startswith(REFUSED) and self._other is not None:
                self._other, self._endpoint = self._endpoint, self._other
            self._put(Disconnected(reason))
            pause_s = random.uniform(0.2, 1.0) * wait_s  # noqa: S311 (jitter is no secret)
            _log.info("broker away", host=self._endpoint.host, reason=reason, again_in_s=round(pause_s, 2))
            self._stop.wait(pause_s)
            wait_s = min(LONGEST_WAIT_S, wait_s * 2)

    def _one_connection(self) -> str:
        """Connect, stay until the link is lost or the stop comes, and clean up. The reason of the end comes back."""
        reasons: list[str] = []
        before = self._connections
        try:
            client = self._make(reasons)
            client.connect(self._endpoint.host, self._endpoint.port, keepalive=self._options.keepalive_s)
        except (OSError, ValueError) as error:
            return str(error) or type(error).__name__
        client.loop_start()
        try:
            if not self._await_end(client, before):
                reasons.append("the broker did not answer the connection")
        finally:
            self._client = None
            client.disconnect()
            client.loop_stop()
        return reasons[0] if reasons else "closed"

    def _await_end(self, client: Client, before: int) -> bool:
        """Wait until the link is lost; False when the broker never accepted it."""
        if not self._lost.wait(CONNECT_TIMEOUT_S) and self._connections == before:
            return False
        while not self._lost.wait(1.0):
            if not client.is_connected():
                break
        return True

    def _make(self, reasons: list[str]) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._options.client_id,
            clean_session=not self._options.persistent,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=self._options.manual_acknowledgement,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(self._options.inflight)
        if self._endpoint.user is not None:
            client.username_pw_set(self._endpoint.user, self._endpoint.password)
        if self._endpoint.tls:
            client.tls_set_context(ssl.create_default_context(cafile=self._endpoint.ca_file))
        if self._will is not None:
            will = self._will()
            client.will_set(will.topic, will.payload, qos=1, retain=True)

        def on_connect(
            client: Client, _data: Any, flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
        ) -> None:
            if reason.is_failure:
                reasons.append(f"{REFUSED}: {reason}")
                self._lost.set()
                return
            with self._topics_lock:
                for topic in self._topics:
                    client.subscribe(topic, qos=1)
                self._leave(client)
                self._connections += 1
                self._client = client
            self._put(Connected(self._connections, flags.session_present))

        def on_disconnect(
            _client: Client, _data: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
        ) -> None:
            reasons.append(str(reason))
            self._lost.set()

        def on_message(_client: Client, _data: Any, message: MQTTMessage) -> None:
            self._put(
                Delivery(
                    message.topic,
                    bytes(message.payload),
                    message.qos,
                    message.mid,
                    connection=self._connections,
                    received_at=self._receipt_time(),
                    again=message.dup,
                    retained=message.retain,
                )
            )

        client.on_connect = on_connect
        client.on_disconnect = on_disconnect
        client.on_message = on_message
        return client

    def _receipt_time(self) -> datetime:
        """The node's time, moved on by a microsecond where two messages would share one."""
        self._last_receipt = max(self._clock(), self._last_receipt + timedelta(microseconds=1))
        return self._last_receipt

    def _put(self, event: Event) -> None:
        """Enqueue; a full mailbox makes the network thread wait, so that TCP itself holds the sender back."""
        while not self._stop.is_set():
            try:
                self.events.put(event, timeout=0.5)
            except queue.Full:
                continue
            return
