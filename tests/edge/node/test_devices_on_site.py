"""A whole node with what stands on a site beside cameras: a post that calls for help, a smoke detector over Modbus, a leased line."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from paho.mqtt.client import Client, MQTTMessage

from cloud.embedded.broker import EmbeddedBroker
from edge.contract.incident import Incident, IncidentState, Severity
from edge.settings.modbus import RegisterTable
from edge.simulators.modbus_server import ModbusServer
from tests.edge.node.test_node import RunningNode, configuration
from tests.edge.waiting import wait_until

pytestmark = pytest.mark.system


class FarEnd:
    """An echo service at the other end of a line, until the line is cut: then nothing comes back."""

    def __init__(self) -> None:
        self.cut = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                data, sender = self._socket.recvfrom(2_000)
                if not self.cut:
                    self._socket.sendto(data, sender)
            except OSError:
                return

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def site(url: str, modbus: tuple[str, int], far_end: int) -> dict[str, Any]:
    smoke = {"name": "smoke", "address": 0, "table": "discrete", "period_s": 0.2}
    line = {"method": "udp", "port": far_end, "period_s": 0.5, "timeout_s": 0.4, "lost_after": 2, "report_s": 1}
    return {
        **configuration(url, None),
        "terminals": [{"id": "sos-1", "kind": "sos", "heartbeat_s": 5}],
        "modbus": [
            {"id": "smoke-1", "kind": "smoke_detector", "gateway": f"{modbus[0]}:{modbus[1]}", "points": [smoke]}
        ],
        "leased_lines": [{"id": "line-1", "target": "127.0.0.1", "carries": ["smoke-1"], **line}],
    }


def opened(node: RunningNode, device: str) -> list[Incident]:
    return [each for each in node.incidents() if each.device == device and each.state is IncidentState.OPEN]


def changes(node: RunningNode) -> set[tuple[str, str, str]]:
    return {
        (change.device, change.point, change.value)
        for envelope in list(node.cloud.sent)
        for change in getattr(envelope.body, "changes", ())
    }


def test_a_call_for_help_smoke_and_a_lost_line_are_one_incident_each(
    tmp_path: Path, open_broker: EmbeddedBroker, stack: ExitStack
) -> None:
    modbus = stack.enter_context(ModbusServer([1]))
    modbus.units[1].set(RegisterTable.DISCRETE, 0, [0])
    far_end = FarEnd()
    stack.callback(far_end.close)
    node = RunningNode(tmp_path, open_broker, None, stack)
    node.file.write_text(yaml.safe_dump(site(open_broker.url, modbus.address, far_end.port)))
    answers: list[dict[str, Any]] = []

    def hear(_client: Client, _data: Any, message: MQTTMessage) -> None:
        answers.append(json.loads(message.payload))

    node.sensor.on_message = hear
    node.sensor.subscribe("terminals/sos-1/ack", qos=1)
    node.start()
    node.ready()

    declared = {device.id: device for device in node.cloud.births[-1].body.devices}
    assert {name: device.kind for name, device in declared.items()} == {
        "station-01": "node",
        "pile-1": "sensor",
        "sos-1": "terminal",
        "smoke-1": "smoke_detector",
        "line-1": "leased_line",
    }
    assert {name: device.behind for name, device in declared.items() if device.behind} == {"smoke-1": "line-1"}
    assert [point.name for point in declared["sos-1"].points if point.event] == ["sos"]

    for _ in range(3):  # the post repeats its call until it hears that it is kept
        node.sensor.publish("terminals/sos-1", json.dumps({"id": 41, "sos": "pressed"}), qos=1).wait_for_publish(10)
    modbus.units[1].set(RegisterTable.DISCRETE, 0, [1])
    wait_until(lambda: ("line-1", "reachable", "up") in changes(node), "the line")
    far_end.cut = True
    wait_until(lambda: all(opened(node, each) for each in ("sos-1", "smoke-1", "line-1")), "the incidents")
    (sos,) = opened(node, "sos-1")
    assert (sos.kind, sos.severity, sos.category) == ("sos", Severity.CRITICAL, "public_safety")
    (smoke,) = opened(node, "smoke-1")
    assert (smoke.kind, smoke.severity, smoke.point) == ("state", Severity.CRITICAL, "smoke")
    (lost,) = opened(node, "line-1")
    assert (lost.kind, lost.severity, lost.category) == ("line_lost", Severity.HIGH, "maintenance")
    wait_until(lambda: ("line-1", "presence", "lost") in changes(node), "its presence")
    far_end.cut = False
    wait_until(lambda: ("line-1", "reachable", "down") in changes(node), "the loss, charted")
    wait_until(lambda: answers, "the answer to the call")
    assert answers[0] == {"acknowledged": "sos", "id": 41}
    assert {("sos-1", "presence", "online"), ("smoke-1", "presence", "online")} <= changes(node)
    assert node.stop() == 0
