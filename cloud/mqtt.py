"""The one door to paho in the cloud: a subscriber that holds back every acknowledgement, and publishes down to the nodes.

Callbacks only put what arrived into a bounded mailbox. The broker gets its PUBACK when the caller says `acknowledge`, which
ingest does after its commit: what a crash lost between the two comes again. Subscriptions are renewed on every connect.
"""

import random
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from prometheus_client import Counter, Gauge

from cloud.errors import ConfigurationError

PORTS = {"mqtt": 1883, "mqtts": 8883}
KEEPALIVE_S = 5
"""A link that says nothing for twice as long is dropped: half-open ones are found by nothing else."""

LONGEST_WAIT_S = (3, 5)
PUBLISH_WINDOW = 100
PUBLISH_QUEUE = 10_000
MAILBOX_MESSAGES = 2_000
MAILBOX_BYTES = 64 << 20

_CONNECTED = Gauge("gridward_mqtt_connected", "1 while the broker is connected", ["client"])
_UNSENT = Counter("gridward_mqtt_unsent_total", "Messages down that found no room in the queue", ["client"])

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
        cls, url: str, *, user: str | None = None, password: str | None = None, ca_file: Path | None = None
    ) -> "Endpoint":
        """Read `mqtt://host[:port]` or `mqtts://host[:port]`. Raises ConfigurationError for anything else."""
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname or parts.username or parts.password:
            raise ConfigurationError(
                "the broker's address must be mqtt://host:port or mqtts://host:port, without a login"
            )
        return cls(
            host=parts.hostname,
            port=parts.port or PORTS[parts.scheme],
            tls=parts.scheme == "mqtts",
            ca_file=ca_file,
            user=user,
            password=password,
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message from the broker. `connection` numbers the connection that brought it: only that one can acknowledge it."""

    topic: str
    payload: bytes
    received_at: datetime
    message_number: int
    connection: int
    qos: int


class Mailbox:
    """What arrived and was not taken yet, bounded in messages and bytes. One side waits while it is full."""

    def __init__(self, maximum_messages: int = MAILBOX_MESSAGES, maximum_bytes: int = MAILBOX_BYTES) -> None:
        self._maximum_messages = maximum_messages
        self._maximum_bytes = maximum_bytes
        self._waiting: deque[Delivery] = deque()
        self._bytes = 0
        self._open = True
        self._changed = threading.Condition()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def put(self, delivery: Delivery) -> bool:
        """Add one; waits while the mailbox is full, which stops the reading of the socket. False once it is closed."""
        with self._changed:
            while self._open and self._is_full():
                self._changed.wait()
            if not self._open:
                return False
            self._waiting.append(delivery)
            self._bytes += len(delivery.payload)
            self._changed.notify_all()
        return True

    def _is_full(self) -> bool:
        return len(self._waiting) >= self._maximum_messages or self._bytes >= self._maximum_bytes

    def take(self, maximum: int, *, wait_s: float) -> list[Delivery]:
        """What waits, oldest first, at most `maximum`; waits up to `wait_s` for the first. Empty when there is none."""
        with self._changed:
            if not self._waiting and wait_s > 0:
                self._changed.wait_for(lambda: self._waiting or not self._open, wait_s)
            taken = [self._waiting.popleft() for _ in range(min(maximum, len(self._waiting)))]
            self._bytes -= sum(len(delivery.payload) for delivery in taken)
            self._changed.notify_all()
        return taken

    def close(self) -> None:
        """Wake everyone; what still waits is dropped, it was never acknowledged."""
        with self._changed:
            self._open = False
            self._waiting.clear()
            self._bytes = 0
            self._changed.notify_all()


class Subscriber:
    """A connection that stays up. `topics` may carry `$share/<group>/…` where the broker has shared subscriptions.

    The session is persistent under `client_id`: what arrives while this process is away waits in the broker.
    `on_subscribed` is called on the thread of the connection after each answer to a subscription; it must not wait.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        client_id: str,
        topics: Sequence[str],
        mailbox: Mailbox | None = None,
        on_subscribed: Callable[[], None] = lambda: None,
    ) -> None:
        self._endpoint = endpoint
        self._client_id = client_id
        self._topics = set(topics)
        self._lock = threading.Lock()
        self._connection = 0
        self._connected = threading.Event()
        self._subscribed = threading.Event()
        self._granted = False
        self._on_subscribed = on_subscribed
        self._closing = False
        self.mailbox = mailbox or Mailbox()
        self._client = self._make_client()

    def _make_client(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        client.max_inflight_messages_set(PUBLISH_WINDOW)
        client.max_queued_messages_set(PUBLISH_QUEUE)
        # paho has no jitter of its own; processes that lose the broker together shall not come back together
        client.reconnect_delay_set(min_delay=1, max_delay=random.randint(*LONGEST_WAIT_S))  # noqa: S311  # no secret
        if self._endpoint.user is not None:
            client.username_pw_set(self._endpoint.user, self._endpoint.password)
        if self._endpoint.tls:
            context = ssl.create_default_context(cafile=self._endpoint.ca_file)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            client.tls_set_context(context)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        return client

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""
        return self._connected.is_set()

    @property
    def granted(self) -> bool:
        """Whether the broker has granted what this connection asked for last."""
        return self._granted

    def start(self) -> None:
        """Connect in the background and keep trying."""
        self._client.connect_async(self._endpoint.host, self._endpoint.port, keepalive=KEEPALIVE_S)
        self._client.loop_start()

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait for the broker; whether it is there."""
        return self._connected.wait(timeout_s)

    def wait_subscribed(self, timeout_s: float) -> bool:
        """Wait until the broker has answered the subscriptions of this connection; whether it has."""
        return self._subscribed.wait(timeout_s)

    def subscribe(self, topics: Iterable[str]) -> None:
        """Add topics, now and after every reconnect."""
        added = sorted(set(topics))
        with self._lock:
            self._topics.update(added)
        if self.connected:
            self._client.subscribe([(topic, 1) for topic in added])

    def unsubscribe(self, topics: Iterable[str]) -> None:
        """Take topics back."""
        removed = sorted(set(topics))
        with self._lock:
            self._topics.difference_update(removed)
        if self.connected:
            self._client.unsubscribe(removed)

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        """Tell the broker that these are done. Those of an earlier connection come again by themselves."""
        for delivery in deliveries:
            if delivery.connection == self._connection:
                self._client.ack(delivery.message_number, delivery.qos)

    def publish(self, topic: str, payload: bytes) -> bool:
        """Send down to a node, QoS 1. False when the queue is full; nodes ask again for what they miss."""
        if self._client.publish(topic, payload, qos=1).rc in {
            MQTTErrorCode.MQTT_ERR_SUCCESS,
            MQTTErrorCode.MQTT_ERR_NO_CONN,
        }:
            return True
        _UNSENT.labels(self._client_id).inc()
        return False

    def close(self, *, flush_s: float = 2.0) -> None:
        """Send what waits for at most `flush_s`, say good-bye, end the thread. The session stays in the broker."""
        self._closing = True
        deadline = time.monotonic() + flush_s
        while self.connected and self._unsent() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.mailbox.close()
        self._client.disconnect()
        self._client.loop_stop()
        self._connected.clear()
        _CONNECTED.labels(self._client_id).set(0)

    def _unsent(self) -> bool:
        return self._client.want_write() or bool(self._client._out_messages)  # noqa: SLF001  # paho does not tell it

    def _on_connect(
        self, client: Client, _userdata: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            _log.warning("broker_refused", client=self._client_id, reason=str(reason))
            return
        with self._lock:
            topics = sorted(self._topics)
            self._connection += 1
        if topics:
            client.subscribe([(topic, 1) for topic in topics])
        self._connected.set()
        _CONNECTED.labels(self._client_id).set(1)
        _log.info("broker_connected", client=self._client_id, host=self._endpoint.host, port=self._endpoint.port)

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: Any,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._connected.clear()
        self._subscribed.clear()
        self._granted = False
        _CONNECTED.labels(self._client_id).set(0)
        if not self._closing:
            _log.warning("broker_lost", client=self._client_id, reason=str(reason))

    def _on_subscribe(
        self, _client: Client, _userdata: Any, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        self._granted = not any(reason.is_failure for reason in reasons)
        if not self._granted:
            _log.error("subscription_refused", client=self._client_id, reasons=[str(reason) for reason in reasons])
        self._on_subscribed()
        self._subscribed.set()

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "�"  # no node's topic; ingest refuses it and it leaves the broker
        payload = bytes(message.payload)
        received_at = datetime.now(UTC)
        self.mailbox.put(Delivery(topic, payload, received_at, message.mid, self._connection, message.qos))
