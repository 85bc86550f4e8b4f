"""Terminals over a real broker: what is answered and when, floods of nonsense, and hundreds of them."""

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage

from cloud.embedded.broker import EmbeddedBroker
from edge.flow import Health
from edge.mqtt import Endpoint
from edge.settings import TerminalSettings
from edge.sources.mqtt_device import Said
from edge.sources.mqtt_devices import MqttDeviceSource
from edge.sources.payload import Parsed, Refusal
from edge.sources.terminal import Terminal, terminal_devices
from tests.edge.sources.test_mqtt_sensor import Keeper, _has_subscribed, device
from tests.edge.waiting import wait_until

pytestmark = pytest.mark.system


def terminal(name: str, **more: Any) -> Terminal:
    return Terminal(TerminalSettings.model_validate({"id": name, "kind": "sos", **more}))


@contextmanager
def source(port: int, keeper: Keeper, *terminals: Terminal, **more: Any) -> Iterator[MqttDeviceSource]:
    made = MqttDeviceSource(
        terminals,
        Endpoint("127.0.0.1", port),
        keeper.keep,
        keeper.on_status,
        devices_of=terminal_devices,
        client_id="terminals-of-a-test",
        **more,
    )
    made.start()
    try:
        wait_until(lambda: ("", Health.OK) in keeper.statuses, "the connection")
        wait_until(lambda: _has_subscribed(made), "the subscriptions on their way")
        yield made
    finally:
        made.stop()


def test_a_call_is_answered_once_it_is_kept_and_not_before(open_broker: EmbeddedBroker) -> None:
    keeper, answers = Keeper(), list[Any]()

    def hear(_client: Client, _data: object, message: MQTTMessage) -> None:
        answers.append(json.loads(message.payload)["id"])

    with source(open_broker.port, keeper, terminal("post-1")), device(open_broker.port) as post:
        post.on_message = hear
        post.subscribe("terminals/post-1/ack", 1)
        keeper.refusing = True
        post.publish("terminals/post-1", json.dumps({"id": "a", "sos": 1}), qos=1).wait_for_publish(10)
        wait_until(lambda: keeper.refused, "the store's refusal")
        assert answers == []
        keeper.refusing = False
        wait_until(lambda: answers, "the answer")
        assert keeper.numbers() == ["pressed"]
        post.publish("terminals/post-1", json.dumps({"id": "b", "heartbeat": 1}), qos=1).wait_for_publish(10)
        post.publish("terminals/post-1", json.dumps({"id": "c", "sos": 1}), qos=1).wait_for_publish(10)
        wait_until(lambda: len(answers) == 2, "the second answer")
        assert answers == ["a", "c"]


def test_a_post_without_heartbeats_is_lost_and_any_message_brings_it_back(open_broker: EmbeddedBroker) -> None:
    keeper, now_s = Keeper(), [0.0]
    post = terminal("post-1", heartbeat_s=30)
    with source(open_broker.port, keeper, post, monotonic=lambda: now_s[0]), device(open_broker.port) as client:
        client.publish("terminals/post-1", b"{}", qos=1).wait_for_publish(10)
        wait_until(lambda: ("post-1", Health.OK) in keeper.statuses, "its first sign of life")
        now_s[0] = 89.0
        client.publish("terminals/post-1", b"no message", qos=1).wait_for_publish(10)  # and no sign of life
        now_s[0] = 91.0
        wait_until(lambda: ("post-1", Health.LOST) in keeper.statuses, "the loss")
        client.publish("terminals/post-1", b"{}", qos=1).wait_for_publish(10)
        wait_until(lambda: keeper.statuses[-1] == ("post-1", Health.OK), "its return")
    assert keeper.kept == []


def test_a_kind_whose_code_fails_holds_no_other_device_up(open_broker: EmbeddedBroker) -> None:
    class Broken(Terminal):
        def parse(self, said: Said) -> Parsed:
            raise ZeroDivisionError(said.topic)

    keeper = Keeper()
    broken = Broken(TerminalSettings.model_validate({"id": "broken", "kind": "sos"}))
    with source(open_broker.port, keeper, broken, terminal("post-1")) as made, device(open_broker.port) as client:
        client.publish("terminals/broken", b"{}", qos=1).wait_for_publish(10)
        client.publish("terminals/post-1", json.dumps({"use_count": 5}), qos=1).wait_for_publish(10)
        wait_until(lambda: keeper.numbers() == [5], "the other's reading")
        assert made.tally()["faults"] == {"broken": 1}
        assert not [name for name, _ in keeper.statuses if name == "broken"]


def test_four_hundred_terminals_share_one_connection_and_nonsense_from_some_costs_the_others_nothing(
    open_broker: EmbeddedBroker,
) -> None:
    keeper = Keeper()
    randomness = random.Random(3)  # noqa: S311
    terminals = [terminal(f"post-{number}") for number in range(400)]
    with source(open_broker.port, keeper, *terminals) as made, device(open_broker.port) as client:
        threads = threading.active_count()
        for number in range(400):
            nonsense = randomness.choice(
                [b"\xff" * 50, b"[" * 900, b"{}", b'{"sos": ', b'"x"', randomness.randbytes(80)]
            )
            client.publish(f"terminals/post-{number % 40}", nonsense, qos=1)
            client.publish(f"terminals/post-{number}", json.dumps({"use_count": number}), qos=1).wait_for_publish(10)
        wait_until(lambda: len(keeper.kept) == 400, "every reading")
        assert {reading.device: reading.value for reading in keeper.kept} == {
            f"post-{number}": float(number) for number in range(400)
        }
        wait_until(lambda: len([1 for name, _ in keeper.statuses if name]) == 400, "the presence of each")
        assert threading.active_count() <= threads
        refused = {name for name, _ in made.figures.refusals}
        assert refused <= {f"post-{number}" for number in range(40)}
        assert sum(made.figures.refusals[name, Refusal.MALFORMED] for name in refused) > 100
