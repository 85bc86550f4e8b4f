import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from cloud.embedded.broker import EmbeddedBroker
from cloud.fleet.grants import Access, Grant
from edge.errors import OutboxFull
from edge.flow import Health, Parcel, Reading
from edge.mqtt import Delivery, Endpoint
from edge.settings import NodeConfiguration, PointSettings, SensorSettings
from edge.sources.mqtt_devices import READINGS_AT_ONCE, MqttDeviceSource
from edge.sources.mqtt_sensor import MqttSensor, sensor_devices
from edge.sources.payload import Refusal
from tests.brokers import ReadyBroker
from tests.edge.waiting import wait_until

pytestmark = pytest.mark.system


class Keeper:
    """Keeps readings, unless told to refuse; whether it is slow is up to `gate`."""

    def __init__(self) -> None:
        self.kept: list[Reading] = []
        self.sizes: list[int] = []
        self.again: list[Reading] = []
        self.marks: tuple[bytes, ...] = ()
        self.refusing = False
        self.refused = 0
        self.failing = False
        self.gate = threading.Event()
        self.gate.set()
        self.statuses: list[tuple[str, Health]] = []

    def keep(self, parcel: Parcel) -> None:
        self.gate.wait(20)
        if self.refusing:
            self.refused += 1
            raise OutboxFull("no room in this test")
        if self.failing:
            self.failing = False
            raise ValueError("nothing that is tried again by itself")
        self.kept += parcel.readings
        self.sizes.append(len(parcel.readings))
        self.again += parcel.again
        if parcel.receipts is not None:
            self.marks += parcel.receipts.marks

    def on_status(self, device: str, health: Health, _reason: str | None) -> None:
        self.statuses.append((device, health))

    def numbers(self) -> list[float | str]:
        return [reading.value for reading in self.kept]


SENSORS = [
    SensorSettings(id="pile-1", topic="piles/1", points=(PointSettings(name="t", period_s=0.5, maximum=1e6),)),
    SensorSettings(id="twin", topic="piles/1", points=(PointSettings(name="door", kind="state"),)),
    SensorSettings(
        id="meter", topic="meters/1", points=tuple(PointSettings(name=f"p{point}", path="n") for point in range(200))
    ),
]


@contextmanager
def source(port: int, keeper: Keeper, *, receipts: tuple[bytes, ...] = (), **login: Any) -> Iterator[MqttDeviceSource]:
    made = MqttDeviceSource(
        [MqttSensor(sensor) for sensor in SENSORS],
        Endpoint("127.0.0.1", port, **login),
        keeper.keep,
        keeper.on_status,
        devices_of=sensor_devices,
        client_id="sensors-of-a-test",
        receipts=receipts,
    )
    made.start()
    try:
        wait_until(lambda: ("", Health.OK) in keeper.statuses, "the connection")
        wait_until(lambda: _has_subscribed(made), "the subscriptions on their way")
        yield made
    finally:
        made.stop()


def _has_subscribed(made: MqttDeviceSource) -> bool:
    """What others say from now on comes to the broker behind the subscriptions, which are sent after the connection is told."""
    client: Client | None = vars(made)["_link"]._client
    return client is not None and not client.want_write()


@contextmanager
def device(port: int, **login: Any) -> Iterator[Client]:
    client = Client(CallbackAPIVersion.VERSION2)
    if login:
        client.username_pw_set(login["user"], login["password"])
    client.connect("127.0.0.1", port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def say(client: Client, *values: object) -> None:
    for value in values:
        payload = value if isinstance(value, bytes) else json.dumps({"t": value})
        client.publish("piles/1", payload, qos=1).wait_for_publish(10)


def test_what_sensors_say_is_kept_with_either_broker(broker: ReadyBroker) -> None:
    login: Any = {"user": "local", "password": "local-secret"}
    broker.add_user(login["user"], login["password"], [Grant(Access.READWRITE, "piles/#")])
    keeper = Keeper()
    with source(broker.port, keeper, **login) as made, device(broker.port, **login) as client:
        say(client, *range(50))
        wait_until(lambda: len(keeper.kept) == 50, "all readings")
        assert keeper.numbers() == list(range(50))
        say(client, b"\xff", b"[" * 10_000, b'{"t": "warm"}', b'{"door": "open"}', b'{"door": "open"}', 1e7)
        wait_until(lambda: made.figures.messages == 56, "all messages")
        assert keeper.numbers()[50:] == ["open"]
        assert made.figures.refusals["pile-1", Refusal.MALFORMED] == 2
        assert made.figures.refusals["pile-1", Refusal.WRONG_TYPE] == 1
        assert made.figures.refusals["pile-1", Refusal.OUT_OF_RANGE] == 1
        assert ("pile-1", Health.OK) in keeper.statuses


def test_a_crowd_of_readings_is_kept_in_parts_that_fit_into_any_outbox(open_broker: EmbeddedBroker) -> None:
    keeper = Keeper()
    with source(open_broker.port, keeper), device(open_broker.port) as client:
        keeper.gate.clear()
        for number in range(80):
            client.publish("meters/1", json.dumps({"n": number}), qos=1).wait_for_publish(10)
        keeper.gate.set()
        wait_until(lambda: len(keeper.kept) == 80 * 200, "all readings")
    assert max(keeper.sizes) <= READINGS_AT_ONCE + 200
    assert keeper.numbers()[::200] == list(range(80))


def test_what_a_broken_link_brings_again_is_kept_once_and_at_its_first_time(open_broker: EmbeddedBroker) -> None:
    if open_broker.kind != "mosquitto":
        pytest.skip("amqtt keeps nothing for a client that went away")
    keeper = Keeper()
    with source(open_broker.port, keeper) as made, device(open_broker.port) as client:
        keeper.gate.clear()
        say(client, 1, 1, 1)
        wait_until(lambda: made.figures.messages + made._link.events.qsize() >= 3, "all of it here")
        line = made._link._client
        assert line is not None
        own = line.socket()
        assert isinstance(own, socket.socket)
        own.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: not made._link.connected or line is not made._link._client, "the end of the link")
        say(client, 2)
        keeper.gate.set()
        wait_until(lambda: 2.0 in keeper.numbers(), "the last one")
        wait_until(lambda: len(keeper.again) == 3, "those that came again")
    assert keeper.numbers() == [1, 1, 1, 2]
    assert [reading.observed_at for reading in keeper.again] == [reading.observed_at for reading in keeper.kept[:3]]


def test_of_messages_that_say_the_same_only_those_that_were_kept_count_as_kept(open_broker: EmbeddedBroker) -> None:
    if open_broker.kind != "mosquitto":
        pytest.skip("amqtt keeps nothing for a client that went away")
    keeper = Keeper()
    with source(open_broker.port, keeper) as made, device(open_broker.port) as client:
        say(client, 7)
        wait_until(lambda: len(keeper.kept) == 1, "the first one")
        marks = keeper.marks
        keeper.refusing = True
        say(client, 7)
        wait_until(lambda: keeper.refused, "the refusal of the second one")
        made.stop()
        keeper.refusing = False
        with source(open_broker.port, keeper, receipts=marks):
            wait_until(lambda: len(keeper.kept) == 2, "the second one, which says the same")
    assert keeper.again == []


def test_what_was_not_kept_is_delivered_again(open_broker: EmbeddedBroker) -> None:
    if open_broker.kind != "mosquitto":
        pytest.skip("amqtt keeps nothing for a client that went away")
    keeper = Keeper()
    with device(open_broker.port) as client:
        keeper.gate.clear()
        with source(open_broker.port, keeper):
            say(client, 1)
            keeper.refusing = True
            keeper.gate.set()
            wait_until(lambda: keeper.refused >= 1, "a refusal")
        say(client, 2)
        assert keeper.kept == []
        keeper.refusing = False
        with source(open_broker.port, keeper):
            wait_until(lambda: len(keeper.kept) >= 2, "both messages, the first one again")
    assert keeper.numbers() == [1, 2]


def test_a_message_that_was_kept_and_not_acknowledged_is_not_kept_twice(
    open_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    if open_broker.kind != "mosquitto":
        pytest.skip("amqtt keeps nothing for a client that went away")
    keeper = Keeper()
    with device(open_broker.port) as client:
        with source(open_broker.port, keeper) as made:
            monkeypatch.setattr(made._link, "acknowledge", lambda _delivery: None)
            say(client, 1, 2, 1)
            wait_until(lambda: len(keeper.kept) == 3, "three messages, none of them acknowledged")
        with source(open_broker.port, keeper, receipts=keeper.marks) as made:
            say(client, 1)
            wait_until(lambda: len(keeper.kept) == 4, "a new message with the same words")
            assert made.figures.repeated == 3
    assert [reading.value for reading in keeper.again] == [1, 2, 1]
    assert len({reading.observed_at for reading in keeper.kept}) == 4


def test_hundreds_of_messages_that_were_kept_and_not_acknowledged_are_kept_once(
    open_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mosquitto 2.0.11 sends 200 messages ahead, and all that it has as soon as some of them are answered."""
    if open_broker.kind != "mosquitto":
        pytest.skip("amqtt keeps nothing for a client that went away")
    keeper = Keeper()
    with device(open_broker.port) as client:
        with source(open_broker.port, keeper) as made:
            acknowledge, answered = made._link.acknowledge, list[int]()

            def answer_fifty(delivery: Delivery) -> None:
                if len(answered) < 50:
                    acknowledge(delivery)
                answered.append(delivery.mid)

            monkeypatch.setattr(made._link, "acknowledge", answer_fifty)
            sent = [client.publish("piles/1", json.dumps({"t": number}), qos=1) for number in range(600)]
            sent[-1].wait_for_publish(10)
            wait_until(lambda: len(answered) >= 250, "more than the broker said that it sends ahead")
        kept = len(keeper.kept)
        with source(open_broker.port, keeper, receipts=keeper.marks) as made:
            wait_until(lambda: len(keeper.kept) >= 600, "the rest")
            wait_until(lambda: made.figures.messages >= 550, "all that the broker had no answer to")
            assert made.figures.repeated == kept - 50
    assert keeper.numbers() == list(range(600))


def test_what_can_not_be_kept_for_whatever_reason_comes_again(open_broker: EmbeddedBroker) -> None:
    if open_broker.kind != "mosquitto":
        pytest.skip("amqtt keeps nothing for a client that went away")
    keeper = Keeper()
    with source(open_broker.port, keeper) as made, device(open_broker.port) as client:
        say(client, 1)
        wait_until(lambda: keeper.numbers() == [1], "the first one")
        keeper.failing = True
        say(client, 2)
        say(client, 3)
        wait_until(lambda: sorted(map(str, keeper.numbers())) == ["1.0", "2.0", "3.0"], "all of them")
        say(client, 4)
        wait_until(lambda: 4.0 in keeper.numbers(), "one more")
        assert made.figures.repeated == 0 or keeper.again
    assert len(keeper.kept) == 4


def test_a_refused_reading_is_tried_again_while_running(open_broker: EmbeddedBroker) -> None:
    keeper = Keeper()
    keeper.refusing = True
    with source(open_broker.port, keeper), device(open_broker.port) as client:
        say(client, 1)
        wait_until(lambda: keeper.refused >= 1, "a refusal")
        keeper.refusing = False
        wait_until(lambda: keeper.numbers() == [1], "the same reading")


def test_a_broker_that_went_away_is_said_and_found_again(open_broker: EmbeddedBroker) -> None:
    keeper = Keeper()
    with source(open_broker.port, keeper):
        open_broker.restart()
        wait_until(lambda: ("", Health.LOST) in keeper.statuses, "the loss")
        wait_until(lambda: keeper.statuses.count(("", Health.OK)) == 2, "the return")
        with device(open_broker.port) as client:
            say(client, 7)
            wait_until(lambda: keeper.numbers() == [7], "a reading after it")


def test_a_silent_sensor_is_lost_and_a_speaking_one_is_back(open_broker: EmbeddedBroker) -> None:
    keeper = Keeper()
    now_s = [0.0]
    made = MqttDeviceSource(
        [MqttSensor(sensor) for sensor in SENSORS],
        Endpoint("127.0.0.1", open_broker.port),
        keeper.keep,
        keeper.on_status,
        devices_of=sensor_devices,
        client_id="sensors-of-a-test",
        monotonic=lambda: now_s[0],
    )
    made.start()
    try:
        wait_until(lambda: ("", Health.OK) in keeper.statuses, "the connection")
        now_s[0] = 11.0
        wait_until(lambda: ("pile-1", Health.LOST) in keeper.statuses, "the silence")
        assert ("twin", Health.LOST) not in keeper.statuses
        with device(open_broker.port) as client:
            say(client, 1)
            wait_until(lambda: ("pile-1", Health.OK) in keeper.statuses, "the return")
    finally:
        made.stop()


def _publish(client: Client, number: int) -> bool:
    client.publish("meters/1", json.dumps({"n": number}), qos=1).wait_for_publish(10)
    return True


def test_other_sensors_come_and_go_and_nothing_of_those_that_stay_is_lost(open_broker: EmbeddedBroker) -> None:
    def with_sensors(*sensors: SensorSettings) -> NodeConfiguration:
        node = {"id": "station-01", "district": "110105", "data_directory": "data"}
        cloud = {"mqtt": "mqtt://127.0.0.1", "https": "http://127.0.0.1"}
        return NodeConfiguration.model_validate(
            {"node": node, "cloud": cloud, "local_mqtt": {"url": open_broker.url}, "sensors": sensors}
        )

    keeper = Keeper()
    with source(open_broker.port, keeper) as made, device(open_broker.port) as client:
        for number in range(60):
            made.adopt(with_sensors(SENSORS[0], *SENSORS[2:] * (number % 2)))
            say(client, number)
        wait_until(lambda: len(keeper.kept) >= 60, "all readings")
        assert keeper.numbers() == list(range(60))
        made.adopt(with_sensors(SENSORS[2]))
        wait_until(lambda: sorted(made._by_topic) == ["meters/1"], "the meter alone")
        wait_until(lambda: _publish(client, 7) and keeper.kept[-1].device == "meter", "the new subscription")
        _publish(client, 8)
        wait_until(lambda: keeper.kept[-1].value == 8, "all that the meter has said")
        heard = made.figures.messages
        say(client, 61)
        _publish(client, 9)
        wait_until(lambda: keeper.kept[-1].value == 9, "what the meter says then")
        assert made.figures.messages == heard + 1  # the broker does not send any more what nobody wants
