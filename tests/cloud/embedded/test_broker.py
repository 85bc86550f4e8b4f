import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from cloud.embedded.broker import BrokerKind, EmbeddedBroker, accepts
from cloud.embedded.process import EmbeddedProblem
from cloud.fleet.grants import CLOUD_GRANTS
from tests.brokers import ReadyBroker
from tests.system.chaos.proxy import FAIR, Conduct, Proxy, Weather
from tests.waiting import wait_until

pytestmark = pytest.mark.system

OWN = "gw/1/110105/gate-1"


class Client:
    """A client that keeps what it hears."""

    def __init__(
        self,
        broker: EmbeddedBroker,
        name: str,
        password: str,
        *,
        listen: str | None = None,
        port: int | None = None,
        persistent: bool = False,
    ) -> None:
        self.heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.ready = queue.Queue[None]()
        self._listen = listen
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"test-{name}", clean_session=not persistent)
        self._client.username_pw_set(name, password)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self.ready.put(None)
        self._client.on_message = self._on_message
        self._client.connect(broker.host, port or broker.port)
        self._client.loop_start()
        self.ready.get(timeout=10)

    def _on_connect(self, *_: Any) -> None:
        if self._listen is None:
            self.ready.put(None)
        else:
            self._client.subscribe(self._listen, 1)

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self.heard.put((message.topic, bytes(message.payload)))

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def client(broker: EmbeddedBroker, name: str, password: str, listen: str | None = None) -> Iterator[Client]:
    opened = Client(broker, name, password, listen=listen)
    try:
        yield opened
    finally:
        opened.close()


def test_strangers_are_turned_away(broker: ReadyBroker) -> None:
    assert accepts(broker.port, broker.cloud_user, broker.cloud_password)
    assert not accepts(broker.port, broker.cloud_user, "wrong")
    assert not accepts(broker.port, "nobody", broker.cloud_password)
    assert not accepts(broker.port, "", "")


def test_a_user_added_while_it_runs_can_connect_and_be_replaced(broker: ReadyBroker) -> None:
    broker.add_user("late", "first", CLOUD_GRANTS)
    assert accepts(broker.port, "late", "first")
    broker.add_user("late", "second", CLOUD_GRANTS)
    assert not accepts(broker.port, "late", "first")


def test_the_cloud_hears_a_node_and_the_node_hears_the_cloud(broker: ReadyBroker) -> None:
    password = broker.add_node("110105", "gate-1")
    with (
        client(broker, broker.cloud_user, broker.cloud_password, "gw/1/+/+/up/#") as cloud,
        client(broker, "gate-1", password, f"{OWN}/down/#") as node,
    ):
        node.publish(f"{OWN}/up/telemetry", b"reading")
        assert cloud.heard.get(timeout=10) == (f"{OWN}/up/telemetry", b"reading")
        cloud.publish(f"{OWN}/down/ack", b"thanks")
        assert node.heard.get(timeout=10) == (f"{OWN}/down/ack", b"thanks")


def test_a_node_can_neither_speak_for_another_nor_listen_to_it(broker: ReadyBroker) -> None:
    first, second = broker.add_node("110105", "gate-1"), broker.add_node("110105", "gate-2")
    with (
        client(broker, broker.cloud_user, broker.cloud_password, "gw/1/#") as cloud,
        client(broker, "gate-1", first, "gw/1/110105/gate-2/#") as spy,
        client(broker, "gate-2", second) as other,
    ):
        spy.publish("gw/1/110105/gate-2/up/incident", b"forged")
        other.publish("gw/1/110105/gate-2/up/incident", b"genuine")
        assert cloud.heard.get(timeout=10)[1] == b"genuine"
        cloud.publish("gw/1/110105/gate-2/down/ack", b"secret")
        assert cloud.heard.get(timeout=10)[1] == b"secret"
        assert cloud.heard.empty()
        assert spy.heard.empty()


def test_what_is_retained_reaches_those_alone_who_may_read_it(broker: ReadyBroker) -> None:
    first, second = broker.add_node("110105", "gate-1"), broker.add_node("110105", "gate-2")
    with (
        client(broker, broker.cloud_user, broker.cloud_password, "gw/1/+/+/status") as cloud,
        client(broker, "gate-1", first) as node,
    ):
        node.publish(f"{OWN}/status", b"online", retain=True)
        assert cloud.heard.get(timeout=10) == (f"{OWN}/status", b"online")
        with client(broker, "gate-2", second, "gw/1/110105/gate-2/down/#") as spy:
            cloud.publish("gw/1/110105/gate-2/down/ack", b"first thing heard")
            assert spy.heard.get(timeout=10)[1] == b"first thing heard"
            assert spy.heard.empty()
        with client(broker, broker.cloud_user, broker.cloud_password, "gw/1/+/+/status") as late:
            assert late.heard.get(timeout=10) == (f"{OWN}/status", b"online")


def test_a_client_that_comes_back_while_its_old_connection_looks_alive_hears_everything(broker: ReadyBroker) -> None:
    password = broker.add_node("110105", "gate-1")
    listen = f"{OWN}/down/#"
    with Proxy("half-open", broker.port) as proxy, client(broker, "cloud", "cloud") as cloud:
        old = Client(broker, "gate-1", password, listen=listen, port=proxy.port, persistent=True)
        for number in range(3):
            proxy.turn(Weather(Conduct.BLACK_HOLE))  # the broker is told nothing of its end
            proxy.turn(FAIR)
            old._client.loop_stop()
            new = Client(broker, "gate-1", password, listen=listen, port=proxy.port, persistent=True)
            for message in range(5):
                payload = f"{number}-{message}".encode()
                cloud.publish(f"{OWN}/down/ack", payload)
                while new.heard.get(timeout=10)[1] != payload:  # what the old connection did not answer comes again
                    continue
            old = new
        old.close()


def test_a_restart_keeps_port_and_users(broker: ReadyBroker) -> None:
    port = broker.port
    broker.restart()
    assert broker.port == port
    assert accepts(port, broker.cloud_user, broker.cloud_password)
    broker.kill()
    assert not broker.running
    broker.start()
    assert broker.port == port
    assert accepts(port, broker.cloud_user, broker.cloud_password)


def test_a_retained_message_survives_a_kill_of_mosquitto(mosquitto_broker: ReadyBroker) -> None:
    password = mosquitto_broker.add_node("110105", "gate-1")
    with client(mosquitto_broker, "gate-1", password) as node:
        node.publish(f"{OWN}/status", b"online", retain=True)
        for _ in range(3):  # it saves a change when the next one comes
            node.publish(f"{OWN}/up/birth", b"more", retain=True)
    mosquitto_broker.kill()
    mosquitto_broker.start()
    with client(mosquitto_broker, "cloud", "cloud", f"{OWN}/status") as cloud:
        assert cloud.heard.get(timeout=10) == (f"{OWN}/status", b"online")


def test_its_files_are_closed_to_others(broker: ReadyBroker) -> None:
    home = broker._home
    assert home.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in home.iterdir())
    assert b"cloud:cloud" not in (home / "passwords").read_bytes()


def test_a_taken_port_is_said_in_words(broker: ReadyBroker, server_directory: Path) -> None:
    second = EmbeddedBroker(server_directory / "second", kind=broker.kind, port=broker.port)
    with pytest.raises(EmbeddedProblem):
        second.start()
    assert not second.running


def test_nothing_is_left_after_a_stop(broker: ReadyBroker) -> None:
    pid = broker.pid
    broker.stop()
    wait_until(lambda: not Path(f"/proc/{pid}").exists())
    assert not accepts(broker.port, "cloud", "cloud")


@pytest.mark.parametrize("kind", list(BrokerKind))
def test_an_open_broker_lets_everyone_in(kind: BrokerKind, server_directory: Path) -> None:
    with EmbeddedBroker(server_directory / f"open-{kind}", kind=kind, anonymous=True) as broker:
        assert accepts(broker.port, "anyone", "anything")


def test_a_mosquitto_that_does_not_run_here_is_replaced(
    server_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    confined = server_directory / "mosquitto"
    confined.write_text("#!/bin/sh\necho 'Error: Unable to open configuration file.' >&2\nexit 3\n")
    confined.chmod(0o755)
    monkeypatch.setattr("cloud.embedded.broker.find_program", lambda _name: str(confined))
    with EmbeddedBroker(server_directory / "replaced") as broker:
        assert broker.kind is BrokerKind.AMQTT
        broker.add_user("cloud", "secret", CLOUD_GRANTS)
        assert accepts(broker.port, "cloud", "secret")
    with pytest.raises(EmbeddedProblem, match="configuration file"):
        EmbeddedBroker(server_directory / "wanted", kind=BrokerKind.MOSQUITTO).start()
