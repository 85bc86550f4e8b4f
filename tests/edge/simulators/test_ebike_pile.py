import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from cloud.embedded.broker import EmbeddedBroker
from edge.contract.device_command import DeviceAction
from edge.flow import Health
from edge.mqtt import Endpoint
from edge.settings import EbikePileSettings
from edge.simulators.ebike_pile import ShedStory, SimulatedShed
from edge.sources.ebike import EbikePile
from edge.sources.mqtt_devices import MqttDeviceSource
from tests.edge.sources.test_mqtt_sensor import Keeper
from tests.edge.waiting import wait_until

NOW = datetime(2026, 3, 16, 9, tzinfo=UTC)


def lived(story: ShedStory, until_s: int) -> list[dict[str, Any]]:
    return [each for at_s in range(until_s) for each in story.advance(float(at_s), NOW + timedelta(seconds=at_s))]


def test_two_runs_tell_the_same_story() -> None:
    first, second = (lived(ShedStory("shed-1", seed=4), 3_600) for _ in range(2))
    assert first == second
    assert len(first) > 10
    assert first != lived(ShedStory("shed-1", seed=5), 3_600)


def test_trouble_comes_when_it_is_wanted() -> None:
    story = ShedStory("shed-1", sockets=1, first_trouble_s=0.0)
    hottest = 0
    for at_s in range(240):
        story.advance(float(at_s), NOW)
        hottest = max(hottest, story.status(float(at_s), NOW)["ports"][0]["t"] - 40)
    assert hottest > 72
    assert lived(story, 2_000)[0]["reason"] == 6


@pytest.mark.system
def test_it_speaks_with_the_node_and_stops_when_it_is_told(open_broker: EmbeddedBroker) -> None:
    keeper = Keeper()
    settings = EbikePileSettings.model_validate({"id": "shed-1", "topics": ["ebike/shed-1/up"], "map": "shedwatt"})
    source = MqttDeviceSource(
        [EbikePile(settings)],
        Endpoint("127.0.0.1", open_broker.port),
        keeper.keep,
        keeper.on_status,
        devices_of=lambda _: (),
        client_id="sheds-of-a-test",
    )
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    shed = SimulatedShed([ShedStory("shed-1")], client)
    shed._began_s -= 3.0  # its first charge begins
    stop, thread = threading.Event(), threading.Thread(target=lambda: shed.run(stop))
    source.start()
    try:
        wait_until(lambda: ("", Health.OK) in keeper.statuses, "the connection")
        client.connect("127.0.0.1", open_broker.port)
        client.loop_start()
        thread.start()
        wait_until(lambda: "charging" in [each.value for each in keeper.kept if each.point == "status.1"], "a charge")
        wait_until(lambda: ("shed-1", Health.OK) in keeper.statuses, "its presence")
        control = source.control("shed-1")
        assert control is not None
        told = control.act("shed-1", DeviceAction.STOP_CHARGE, {}, connector=1, wait_s=10.0)
        assert told == {"result": "accepted", "connector": 1}
        wait_until(
            lambda: [each.value for each in keeper.kept if each.point == "stop_reason.1"] == ["local"], "its end"
        )
        wait_until(lambda: [each.value for each in keeper.kept if each.point == "current_a.1"][-1] == 0.0, "no current")
    finally:
        stop.set()
        if thread.ident is not None:
            thread.join(5.0)
        client.disconnect()
        client.loop_stop()
        source.stop()
