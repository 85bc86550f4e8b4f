import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from cloud.embedded.broker import EmbeddedBroker
from edge.settings import TerminalSettings
from edge.simulators.terminals import KINDS, TerminalStory, main
from edge.sources.mqtt_device import Said
from edge.sources.terminal import Terminal
from tests.edge.waiting import wait_until

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.mark.parametrize("name", [f"{kind}-1" for kind in KINDS])
def test_what_they_say_is_what_their_kind_declares(name: str) -> None:
    story = TerminalStory(name)
    terminal = Terminal(TerminalSettings.model_validate({"id": name, "kind": KINDS[story.kind]}))
    for second in range(0, 4_000, 10):
        said = Said(f"terminals/{name}", json.dumps(story.beat(second, at(second))).encode(), at(second))
        parsed = terminal.parse(said)
        assert parsed.refusals == ()
        assert {"tamper", "network", "use_count", "heartbeat"} <= {reading.point for reading in parsed.readings}


def test_a_call_is_repeated_until_it_is_answered_and_keeps_its_time() -> None:
    story = TerminalStory("sos-1", first_call_s=30)
    assert story.call(29, at(29)) is None
    call = story.call(30, at(30))
    assert call is not None
    assert story.call(40, at(40)) == call
    story.answered("another")
    assert story.call(45, at(45)) == call
    story.answered(call["id"])
    assert story.call(50, at(50)) is None


def test_a_door_is_held_open_now_and_then_and_never_calls() -> None:
    story = TerminalStory("door-1")
    held = [bool(story.beat(second, at(second))["door_held_open"]) for second in range(0, 6_000, 10)]
    assert 0 < sum(held) < len(held) / 4
    assert story.call(1e6, at(1e6)) is None


def test_an_unknown_terminal_is_refused_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["toaster-1", "--broker", "mqtt://127.0.0.1:1"])
    assert "sos" in capsys.readouterr().err


@pytest.mark.system
def test_they_speak_to_a_real_broker_and_hear_the_answer(open_broker: EmbeddedBroker) -> None:
    heard: list[dict[str, object]] = []

    def hear(_client: Client, _data: object, message: MQTTMessage) -> None:
        said = json.loads(message.payload)
        heard.append(said)
        if "sos" in said and len([each for each in heard if "sos" in each]) == 2:
            client.publish("terminals/sos-1/ack", json.dumps({"acknowledged": "sos", "id": said["id"]}), qos=1)

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = hear
    client.connect(open_broker.host, open_broker.port)
    client.subscribe("terminals/sos-1", 1)
    client.loop_start()
    command = [sys.executable, "-m", "edge.simulators.terminals", "sos-1", "--first-call", "0.1"]
    with subprocess.Popen([*command, "--broker", open_broker.url]) as process:
        try:
            wait_until(lambda: len([each for each in heard if "sos" in each]) >= 2, "a call and its repetition")
            assert {each["id"] for each in heard if "sos" in each} == {"sos-1-call-1"}
            wait_until(lambda: any("heartbeat" in each for each in heard), "a heartbeat")
        finally:
            process.terminate()
        assert process.wait(10) == 0
    client.disconnect()
    client.loop_stop()
