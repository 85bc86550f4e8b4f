import json
import queue
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from cloud.embedded.broker import EmbeddedBroker
from edge.simulators.sensors import DEVICES, Episode, Sensor, main

START = datetime(2026, 1, 1, tzinfo=UTC)


def temperatures(sensor: Sensor, until_s: int) -> list[float]:
    values = []
    for second in range(0, until_s, 2):
        value = sensor.message(second, START + timedelta(seconds=second))["temperature_c"]
        assert isinstance(value, float)
        values.append(value)
    return values


def test_the_same_seed_tells_the_same_story() -> None:
    assert temperatures(Sensor("pile-1", seed=3), 900) == temperatures(Sensor("pile-1", seed=3), 900)
    assert temperatures(Sensor("pile-1", seed=3), 900) != temperatures(Sensor("pile-1", seed=4), 900)
    assert temperatures(Sensor("pile-1", seed=3), 900) != temperatures(Sensor("pile-2", seed=3), 900)


def test_a_pile_gets_hot_and_cools_down_again() -> None:
    values = temperatures(Sensor("pile-1", first_trouble_s=60), 300)
    assert max(values[:30]) < 50
    assert max(values[30:80]) > 70
    assert max(values[75:100]) < 50


@pytest.mark.parametrize("name", [f"{kind}-1" for kind in DEVICES])
def test_every_message_says_its_time_and_that_it_is_simulated(name: str) -> None:
    message = Sensor(name).message(5.0, START)
    assert message["simulated"] is True
    assert datetime.fromisoformat(str(message["time"])) == START
    assert set(DEVICES[name.partition("-")[0]].quantities) <= message.keys()
    json.dumps(message, allow_nan=False)


@given(st.floats(-1e6, 1e6))
def test_trouble_is_between_nothing_and_all(at_s: float) -> None:
    assert 0.0 <= Episode(100, 20, 30, 40).strength(at_s) <= 1.0


@pytest.mark.parametrize(("at_s", "strength"), [(99, 0), (110, 0.5), (120, 1), (150, 1), (170, 0.5), (190, 0)])
def test_trouble_rises_holds_and_falls(at_s: float, strength: float) -> None:
    assert Episode(100, 20, 30, 40).strength(at_s) == pytest.approx(strength)


def test_an_unknown_sensor_is_refused_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="toaster"):
        Sensor("toaster-1")
    with pytest.raises(SystemExit):
        main(["toaster-1", "--broker", "mqtt://127.0.0.1:1"])
    assert "pile" in capsys.readouterr().err


@pytest.mark.system
def test_they_publish_to_a_real_broker_and_stop_when_told(open_broker: EmbeddedBroker) -> None:
    heard: queue.Queue[tuple[str, dict[str, object]]] = queue.Queue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: heard.put((message.topic, json.loads(message.payload)))
    client.connect(open_broker.host, open_broker.port)
    client.subscribe("sensors/#", 1)
    client.loop_start()
    command = [sys.executable, "-m", "edge.simulators.sensors", "pile-1", "smoke-1", "--broker", open_broker.url]
    with subprocess.Popen(command) as process:
        topics: dict[str, dict[str, object]] = {}
        while topics.keys() != {"sensors/pile-1", "sensors/smoke-1"}:
            topic, message = heard.get(timeout=15)
            topics[topic] = message
        process.terminate()
        assert process.wait(10) == 0
    assert topics["sensors/pile-1"]["simulated"] is True
    client.disconnect()
    client.loop_stop()
