"""A whole node as its user starts it: a real clip, a real broker, a cloud that answers, and kills."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import yaml
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from cloud.embedded.broker import EmbeddedBroker
from edge.contract.health import Level
from edge.contract.incident import Incident, IncidentState
from edge.node.status import read_status
from models import catalogue
from tests.edge.waiting import wait_until
from tests.fakes.answering_cloud import AnsweringCloud, readings_of
from tests.fakes.own_model import OWN, take_in

pytestmark = pytest.mark.system


class RunningNode:
    """`gridward-edge run` with one camera and one sensor; may be started again and again."""

    def __init__(self, directory: Path, broker: EmbeddedBroker, clip: Path | None, stack: ExitStack) -> None:
        self.directory = directory
        self.file = directory / "node.yaml"
        self.cloud = AnsweringCloud(broker.port)
        stack.callback(self.cloud.close)
        self.sensor = Client(CallbackAPIVersion.VERSION2)
        self.sensor.connect("127.0.0.1", broker.port)
        self.sensor.loop_start()
        stack.callback(self.sensor.loop_stop)
        stack.callback(self.sensor.disconnect)
        self.file.write_text(yaml.safe_dump(configuration(broker.url, clip)))
        self.process: subprocess.Popen[bytes] | None = None
        stack.callback(self.stop)

    def start(self, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edge.cli", "run", "--config", str(self.file)], env={**os.environ, **environment}
        )

    def stop(self) -> int:
        if self.process is None:
            return 0
        self.process.terminate()
        status = self.process.wait(15)
        self.process = None
        return status

    def child(self) -> psutil.Process:
        assert self.process is not None
        [child] = psutil.Process(self.process.pid).children()
        return child

    def say(self, number: int, **more: Any) -> None:
        payload = json.dumps({"t": number, **more})
        self.sensor.publish("piles/1", payload, qos=1).wait_for_publish(10)

    def ready(self) -> None:
        """Wait until the birth is out and a reading went all the way; a broker keeps nothing for whom it never met."""

        def came_through() -> bool:
            self.say(-1)
            return -1 in values(self)

        wait_until(lambda: self.cloud.births, "the birth")
        wait_until(came_through, "a first reading")

    def status(self) -> dict[str, Any]:
        return read_status(self.directory / "data")

    def incidents(self) -> list[Incident]:
        return [envelope.body for envelope in self.cloud.sent if isinstance(envelope.body, Incident)]


def configuration(url: str, clip: Path | None) -> dict[str, Any]:
    camera = {
        "id": "cam-1",
        "url": str(clip),
        "loop": True,
        "model": "yolox_nano_416",
        "zones": {"floor": [[0, 0.25], [1, 0.25], [1, 1], [0, 1]]},
        "rules": [{"kind": "intrusion", "zone": "floor"}],
    }
    sensor = {
        "id": "pile-1",
        "topic": "piles/1",
        "points": [{"name": "t", "period_s": 1}, {"name": "connector", "kind": "state"}],
        "rules": [{"kind": "threshold", "point": "t", "above": 1_000_000}],
    }
    return {
        "node": {"id": "station-01", "district": "110105", "data_directory": "data"},
        "cloud": {"mqtt": url, "https": "http://127.0.0.1:1"},
        "local_mqtt": {"url": url},
        "cameras": [] if clip is None else [camera],
        "sensors": [sensor],
    }


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def values(node: RunningNode) -> set[float]:
    return {
        value
        for envelope in list(node.cloud.sent)
        for column in getattr(envelope.body, "series", ())
        for value in column.value
    }


def test_sensors_and_a_camera_become_readings_and_chained_incidents(
    tmp_path: Path, open_broker: EmbeddedBroker, clip: Callable[[str], Path], stack: ExitStack
) -> None:
    node = RunningNode(tmp_path, open_broker, clip("one_by_one_person_detection"), stack)
    node.start()
    node.ready()
    birth = node.cloud.births[0].body
    assert [(device.id, device.kind) for device in birth.devices] == [
        ("station-01", "node"),
        ("cam-1", "camera"),
        ("pile-1", "sensor"),
    ]
    wait_until(lambda: node.cloud.healths, "how the node is")
    health = node.cloud.healths[0]
    assert (health.node, health.session, health.seq) == ("station-01", node.cloud.births[0].session, 1)
    assert (health.backlog.level, health.dropped_total, health.dead_letters) == (Level.NORMAL, 0, ())
    node.say(21, connector="free")
    node.say(2_000_000, connector="free")
    wait_until(lambda: {21, 2_000_000} <= values(node), "both readings")
    wait_until(
        lambda: {"open"} <= {each.state.value for each in node.incidents() if each.device == "cam-1"},
        "someone seen",
        timeout_s=60,
    )
    wait_until(lambda: any(each.evidence for each in node.incidents()), "a masked picture")
    wait_until(lambda: node.status().get("running"), "the status file")
    assert node.stop() == 0
    assert node.status()["running"] is False
    wait_until(
        lambda: any(each.state is IncidentState.ENDED for each in node.incidents() if each.device == "cam-1"),
        "the end, told while stopping",
    )
    chain = {each.prev_hash: each for each in node.incidents()}
    walked: int = 0
    head: str | None = None
    while head in chain:
        walked, head = walked + 1, hashlib.sha256(msgspec.json.encode(chain[head])).hexdigest()
    assert walked == len(chain) == len(node.incidents())
    changes = [
        (change.device, change.point, change.value)
        for envelope in node.cloud.sent
        for change in getattr(envelope.body, "changes", ())
    ]
    assert ("cam-1", "presence", "online") in changes
    assert ("pile-1", "presence", "online") in changes
    assert changes.count(("pile-1", "connector", "free")) == 1


def test_kills_lose_nothing_and_count_nothing_twice(
    tmp_path: Path, open_broker: EmbeddedBroker, stack: ExitStack
) -> None:
    if open_broker.kind != "mosquitto":
        pytest.skip("amqtt keeps nothing for a client that went away")
    node = RunningNode(tmp_path, open_broker, None, stack)
    node.start()
    node.ready()
    for life in range(3):
        births = len(node.cloud.births)
        for number in range(40):
            node.say(life * 100 + number)
            if number == 20:
                os.kill(node.child().pid, signal.SIGKILL)
        wait_until(lambda births=births: len(node.cloud.births) > births, "the next life")  # type: ignore[misc]
    expected = {life * 100 + number for life in range(3) for number in range(40)}
    wait_until(lambda: expected <= values(node), "every reading", timeout_s=40)
    by_id = {envelope.id: envelope for envelope in node.cloud.sent}
    told = [
        value
        for envelope in by_id.values()
        for column in getattr(envelope.body, "series", ())
        for value in column.value
        if value >= 0
    ]
    assert sorted(told) == sorted(expected)
    times = readings_of(by_id.values())
    assert len(times) == len(set(times))


def test_without_the_model_everything_else_goes_on_and_the_way_out_is_told(
    tmp_path: Path, open_broker: EmbeddedBroker, clip: Callable[[str], Path], stack: ExitStack
) -> None:
    node = RunningNode(tmp_path, open_broker, clip("one_by_one_person_detection"), stack)
    mirror = tmp_path / "mirror"
    broken = mirror / catalogue.models()["yolox_nano_416"].mirror
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"another file")
    node.start(
        GRIDWARD_CACHE=str(tmp_path / "cache"),
        GRIDWARD_MIRROR=str(mirror),
        GRIDWARD_ASSETS=str(tmp_path / "nothing"),
        HTTPS_PROXY="http://127.0.0.1:1",
        NO_PROXY="",
    )
    node.ready()
    node.say(2_000_000)
    wait_until(lambda: any(each.device == "pile-1" for each in node.incidents()), "the sensor's incident")
    wait_until(lambda: node.status().get("cameras", {}).get("cam-1", {}).get("moving"), "motion", timeout_s=60)
    wait_until(lambda: any(birth.body.degraded for birth in node.cloud.births), "a birth that says it")
    told = next(birth.body for birth in node.cloud.births if birth.body.degraded)
    [degraded] = [each for each in told.degraded if each.subject == "yolox_nano_416"]
    [shown] = [each for each in node.status()["degraded"] if each["subject"] == "yolox_nano_416"]
    [version] = told.models
    for reason, detail in ((degraded.reason, degraded.detail), (shown["reason"], shown["detail"])):
        assert reason == "model_unusable"
        assert "python -m models.catalogue fetch yolox_nano_416" in detail
        assert "GRIDWARD_MIRROR" in detail
    assert "Way out" in (version.problem or "")
    assert node.status()["cameras"]["cam-1"]["inferences"] == 0
    assert node.stop() == 0


def test_where_no_mirror_has_a_model_the_own_one_looks_and_status_and_birth_say_so(
    tmp_path: Path, open_broker: EmbeddedBroker, clip: Callable[[str], Path], stack: ExitStack
) -> None:
    (tmp_path / "models").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRIDWARD_MODELS", str(tmp_path / "models"))
        take_in(tmp_path)
    node = RunningNode(tmp_path, open_broker, clip("one_by_one_person_detection"), stack)
    file = tmp_path / "node.yaml"
    file.write_text(file.read_text().replace("model: yolox_nano_416", "model: auto"))
    node.start(
        GRIDWARD_CACHE=str(tmp_path / "cache"),
        GRIDWARD_MODELS=str(tmp_path / "models"),
        GRIDWARD_ASSETS=str(tmp_path / "nothing"),
        GRIDWARD_MIRROR="",
        HTTPS_PROXY="http://127.0.0.1:1",
        NO_PROXY="",
    )
    node.ready()
    wait_until(lambda: node.status().get("cameras", {}).get("cam-1", {}).get("inferences"), "looks", timeout_s=60)
    choice = node.status()["models"]["auto"]
    assert (choice["model"], "yolox_nano_416" in choice["because"]) == (OWN, True)
    wait_until(lambda: any(b.body.models and not b.body.models[0].problem for b in node.cloud.births), "a birth of it")
    assert [model.id for model in node.cloud.births[-1].body.models] == [OWN]
    assert not node.cloud.births[-1].body.degraded
    assert node.stop() == 0


def test_two_nodes_do_not_share_a_folder(tmp_path: Path, open_broker: EmbeddedBroker, stack: ExitStack) -> None:
    node = RunningNode(tmp_path, open_broker, None, stack)
    node.start()
    wait_until(lambda: node.cloud.births, "the birth")
    other = subprocess.run(
        [sys.executable, "-m", "edge.cli", "run", "--config", str(node.file)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert other.returncode == 2
    assert "another node is running" in other.stderr
    assert "Traceback" not in other.stderr
