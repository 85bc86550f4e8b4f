"""A running node takes another configuration in: what stays does not notice, what goes ends properly, what is wrong changes nothing."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.embedded.broker import EmbeddedBroker
from edge.configuration.reading import load
from edge.contract.incident import IncidentState
from edge.disk import write_file
from edge.errors import ConfigurationError, EdgeError
from edge.flow import PrivateParts
from edge.node.assembly import Node
from edge.node.orders import ORDERS, Order
from edge.node.reloading import ANSWER, NOT_TAKEN, REQUEST, Reloaded, ask_to_reload
from edge.node.watch import CameraWatch
from edge.perception.motion import MotionDetector
from edge.perception.pipeline import PrivateMemory
from edge.settings import CameraSettings, NodeConfiguration
from edge.sources.leased_line import LeasedLineSource
from edge.sources.modbus import ModbusSource
from edge.sources.mqtt_devices import MqttDeviceSource
from tests.edge.configuration.test_reload import CONFIGURATIONS, SMALLER, camera, configuration, sensor
from tests.edge.node.test_node import RunningNode, values
from tests.edge.node.test_watch import FakeRule, Watching
from tests.edge.waiting import wait_until
from tests.fakes.footage import write_clip


def placed(at: Path, found: NodeConfiguration) -> NodeConfiguration:
    """The same for a node in this directory: its cameras are files that are not there, its brokers do not answer."""
    told = found.model_dump(mode="json")
    told["node"]["data_directory"] = at
    told["cloud"] = {"mqtt": "mqtt://127.0.0.1:1", "https": "http://127.0.0.1:1"}
    told["local_mqtt"] = {"url": "mqtt://127.0.0.1:1"}
    told["cameras"] = [{**each, "url": f"{at.parent}/{each['id']}.mp4", "model": None} for each in told["cameras"]]
    return NodeConfiguration.model_validate(told)


def of_kind(node: Node, kind: type) -> list[Any]:
    """The sources of readings of one kind: one, or none."""
    return [source for source in node.reading_sources.values() if isinstance(source, kind)]


def running(node: Node) -> dict[str, Any]:
    """What runs, as far as a configuration says it."""
    return {
        "cameras": [watch.camera for watch in node.cameras.watches],
        "scene rules": [[type(rule) for rule in watch._rules] for watch in node.cameras.watches],
        "reading devices": dict(node.desk._devices),
        "reading rules": {
            device: [each.rule.id for each in rules.standing] for device, rules in node.desk._rules.items()
        },
        "sources": set(node.reading_sources),
        "topics": [sorted(vars(source)["_by_topic"]) for source in of_kind(node, MqttDeviceSource)],
        "subscriptions": [sorted(vars(source)["_link"]._topics) for source in of_kind(node, MqttDeviceSource)],
        "registers": {
            name: line.device
            for source in of_kind(node, ModbusSource)
            for gateway in vars(source)["_gateways"].values()
            for name, line in gateway._timetable._lines.items()
        },
        "lines": {
            name: watched.settings
            for source in of_kind(node, LeasedLineSource)
            for name, watched in dict(vars(source)["_watched"]).items()
        },
        "cards": dict(node.book._cards),
        "models": node.shelf._wanted,
        "gateways": [gateway.settings for gateway in node.cameras.gateways],
        "devices": node.birth().devices,
        "spots": (node.birth().spots, dict(node.linkage._covered)),
    }


@settings(max_examples=5, deadline=None)
@given(st.lists(CONFIGURATIONS, min_size=2, max_size=5))
def test_after_any_sequence_a_node_runs_as_one_that_was_started_with_the_last(
    tmp_path_factory: pytest.TempPathFactory, sequence: list[NodeConfiguration]
) -> None:
    folder = tmp_path_factory.mktemp("nodes")
    first, *others = (placed(folder / "reloaded", each) for each in sequence)
    node = Node(first, on_fatal=pytest.fail)
    fresh = Node(placed(folder / "fresh", sequence[-1]), on_fatal=pytest.fail)
    node.start()
    fresh.start()
    try:
        for each in others:
            node.adopt(each)
        wait_until(lambda: running(node) == running(fresh), timeout_s=60)
        wait_until(lambda: not any(each.is_alive() for each in node.cameras._successions.values()), timeout_s=60)
        assert all(watch._thread.is_alive() for watch in node.cameras.watches)
    finally:
        node.stop()
        fresh.stop()


def test_a_camera_with_other_rules_keeps_its_stream_and_what_it_follows(tmp_path: Path) -> None:
    found = Watching(
        write_clip(tmp_path / "a.mp4", frames=20),
        lambda: None,
        model=None,
        rules=[{"kind": "camera_trouble", "id": "going"}, {"kind": "camera_trouble", "id": "staying"}],
    )
    going, staying = FakeRule(seen=-1_000_000), FakeRule(seen=-1_000_000)  # they open at every picture, and never fail
    found.watch._rules = [going, staying]
    found.start()
    try:
        wait_until(lambda: found.watch.pipeline.counters.frames > 3)
        pipeline, connection = found.watch.pipeline, found.watch.source
        told = found.watch.camera.model_dump()
        camera = CameraSettings.model_validate(
            {**told, "rules": [{"kind": "camera_trouble", "id": "staying"}, {"kind": "camera_trouble", "id": "new"}]}
        )
        found.watch.adopt(camera, {})
        wait_until(lambda: found.watch.camera is camera)
        assert found.watch._rules[0] is staying
        assert found.watch._rules[1] is not going
        frames = pipeline.counters.frames
        wait_until(lambda: pipeline.counters.frames > frames + 3)
        assert found.watch.pipeline is pipeline
        assert found.watch.source is connection
        ended = [each for each in found.keeper.kept if each.state is IncidentState.ENDED]
        assert len(ended) == 1
    finally:
        found.stop()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    found = configuration(cameras=[camera("a"), camera("b")], sensors=[sensor("p")])
    begun = Node(placed(tmp_path / "data", found), on_fatal=pytest.fail, file=tmp_path / "node.yaml")
    begun.start()
    yield begun
    begun.stop()


def test_only_what_changed_is_touched(node: Node) -> None:
    kept, changed = node.cameras.watches
    [source] = node.reading_sources.values()
    new = configuration(
        cameras=[camera("a"), camera("b", zones={"floor": SMALLER}), camera("c")], sensors=[sensor("p"), sensor("q")]
    )
    told = node.adopt(placed(node.directory, new)).plain()
    assert node.cameras.watches[:2] == [kept, changed]
    assert list(node.reading_sources.values()) == [source]
    assert told["cameras"] == {"started": ["c"], "stopped": [], "restarted": [], "changed": ["b"], "kept": ["a"]}
    assert told["devices"] == {"started": ["q"], "stopped": [], "restarted": [], "changed": [], "kept": ["p"]}


SOMEBODY = PrivateParts(datetime.now(UTC), people=((0.4, 0.4, 0.6, 0.9),))


def _know_somebody(watch: CameraWatch) -> None:
    watch.pipeline.inherit(PrivateMemory(MotionDetector(), (SOMEBODY,)))


def test_who_was_seen_stays_private_when_his_camera_is_opened_again_and_at_another_address_it_is_another(
    node: Node,
) -> None:
    for watch in node.cameras.watches:
        _know_somebody(watch)
    told = placed(node.directory, configuration(cameras=[camera("a"), camera("b")], sensors=[sensor("p")])).model_dump()
    same, other = told["cameras"]
    same["analysis_hz"], other["url"] = 3.0, str(node.directory / "other.mp4")
    assert node.adopt(NodeConfiguration.model_validate(told)).plain()["cameras"]["restarted"] == ["a", "b"]
    wait_until(lambda: not any(each.is_alive() for each in node.cameras._successions.values()), timeout_s=60)
    assert [watch.pipeline.memory.held for watch in node.cameras.watches] == [(SOMEBODY,), ()]


def test_who_was_seen_stays_private_over_a_quarantine(node: Node) -> None:
    closed = node.cameras.watches[0]
    _know_somebody(closed)
    orders = node.directory / ORDERS
    orders.mkdir(exist_ok=True)
    write_file(orders / "a", Order.QUARANTINE.value.encode())
    wait_until(lambda: node.cameras.quarantine.holds("a"), timeout_s=60)
    write_file(orders / "a", Order.RELEASE.value.encode())
    wait_until(lambda: node.cameras.watches[0] is not closed, timeout_s=60)
    [parts] = node.cameras.watches[0].pipeline.memory.held
    assert parts == SOMEBODY or parts.moving == ((0.0, 0.0, 1.0, 1.0),), "everything, while the old one ends"


def test_a_configuration_that_can_not_be_made_changes_nothing(node: Node) -> None:
    before = running(node)
    wrong = configuration(cameras=[camera("c", rules=[{"kind": "intrusion", "zone": "nowhere"}])])
    with pytest.raises(ConfigurationError, match="nowhere"):
        node.adopt(placed(node.directory, wrong))
    with pytest.raises(ConfigurationError, match=r"outbox\.quota_mib"):
        node.adopt(placed(node.directory, configuration(outbox={"quota_mib": 8})))
    assert running(node) == before


def test_a_file_with_a_mistake_is_told_of_until_one_is_taken(node: Node, tmp_path: Path) -> None:
    def degraded() -> bool:
        return NOT_TAKEN in {each.reason for each in node.standing.degradations()}

    (tmp_path / "node.yaml").write_text("node:\n  id: [\n")
    node.reload()
    wait_until(degraded)
    assert node.reloads.refused == 1
    told = node.configuration.model_dump(mode="json")
    (tmp_path / "node.yaml").write_text(yaml.safe_dump({**told, "cameras": []}))
    node.reload()
    wait_until(lambda: not degraded() and not node.cameras.watches)
    wait_until(
        lambda: not node.standing.degradations() or all(each.subject != "a" for each in node.standing.degradations())
    )
    assert not (node.directory / ANSWER).exists()  # nobody waits for one


def test_a_password_in_a_mistyped_address_is_neither_degraded_nor_logged(
    node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = node.configuration.model_dump(mode="json")
    told["cameras"][0]["url"] = "rtsp:/admin:Geheim1@10.0.0.5/live"
    told["local_mqtt"] = {"url": "http://node:Geheim1@broker"}
    (tmp_path / "node.yaml").write_text(yaml.safe_dump(told))
    node.reload()
    wait_until(lambda: node.reloads.refused == 1)
    wait_until(lambda: NOT_TAKEN in {each.reason for each in node.standing.degradations()})
    assert "Geheim1" not in str(node.standing.degradations())
    assert "Geheim1" not in str(capsys.readouterr())


def test_nobody_answers_where_no_node_runs(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="no node runs"):
        ask_to_reload(tmp_path)
    assert not (tmp_path / REQUEST).exists()


def test_an_answer_in_words() -> None:
    parts: dict[str, dict[str, list[str]]]
    parts = {"cameras": {"started": ["c", "d"], "stopped": [], "kept": ["a"]}, "devices": {"kept": []}}
    taken = Reloaded("w", taken=True, file="node.yaml", at="2026-11-22T00:00:00+00:00", parts=parts)
    assert list(taken.lines()) == ["cameras started: c, d"]
    assert list(Reloaded("w", taken=True, file="", at="").lines()) == ["nothing had to be started, changed or stopped"]
    refused = Reloaded("w", taken=False, file="", at="", problems=("node.yaml:3: no",))
    assert list(refused.lines()) == ["node.yaml:3: no"]


def reload(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge.cli", "reload", "--json", "--config", str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.system
def test_sensors_come_and_go_without_a_restart(tmp_path: Path, open_broker: EmbeddedBroker) -> None:
    with ExitStack() as stack:
        node = RunningNode(tmp_path, open_broker, None, stack)
        node.start()
        node.ready()
        child = node.child().pid
        content = yaml.safe_load(node.file.read_text())
        another = {**content["sensors"][0], "id": "pile-2", "topic": "piles/2"}
        node.file.write_text(yaml.safe_dump({**content, "sensors": [*content["sensors"], another]}))
        done = reload(node.file)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["parts"]["devices"]["started"] == ["pile-2"]

        def heard() -> bool:
            node.sensor.publish("piles/2", json.dumps({"t": 77}), qos=1).wait_for_publish(10)
            node.say(78)
            return {77, 78} <= values(node)

        wait_until(heard, what="readings of both")
        node.file.write_text(yaml.safe_dump({**content, "sensors": [{**another, "points": []}]}))
        refused = reload(node.file)
        assert refused.returncode == 2
        assert f"{node.file}:" in refused.stderr
        node.file.write_text(yaml.safe_dump({**content, "sensors": [another]}))
        assert node.process is not None
        node.process.send_signal(signal.SIGHUP)
        wait_until(
            lambda: [each.id for each in node.cloud.births[-1].body.devices] == ["station-01", "pile-2"],
            what="a birth without the sensor that went",
        )
        assert node.child().pid == child
        assert load(node.file).sensors[0].id == "pile-2"
