from pathlib import Path

import pytest

from cloud.demo import plan
from cloud.demo.watch import OWN_CLASSES
from cloud.fleet.grants import Access, node_grants, user
from edge.perception.preference import settled, watched_classes
from edge.rules.identity import subject
from edge.settings import NodeConfiguration
from edge.simulators import modbus_server
from edge.simulators.scene.composed import STORIES, composed_scene
from edge.simulators.sensors import DEVICES, Sensor
from edge.simulators.terminals import KINDS, TerminalStory
from models import catalogue

FILES = plan.NodeFiles(
    data_directory=Path("/demo/data"),
    mqtt_url="mqtt://127.0.0.1:1883",
    https_url="http://127.0.0.1:8620",
    mqtt_password_file=Path("/demo/mqtt"),
    token_file=Path("/demo/token"),
    local_password_file=Path("/demo/local"),
)


@pytest.mark.parametrize("node", plan.NODES, ids=lambda node: node.id)
def test_the_edge_takes_every_configuration(node: plan.NodePlan) -> None:
    feeds = [plan.CameraFeed(camera, "rtsp://127.0.0.1:554/live") for camera in node.cameras]
    configuration = NodeConfiguration.model_validate(plan.node_configuration(node, feeds, FILES))
    assert [camera.id for camera in configuration.cameras] == [camera.id for camera in node.cameras]
    assert {subject(rule) for camera in configuration.cameras for rule in camera.rules} <= {
        zone for camera in configuration.cameras for zone in camera.zones
    }
    assert all(device.simulated for device in configuration.devices)
    cameras = {camera.id for camera in configuration.cameras}
    assert cameras | {device.id for device in configuration.devices} == set(node.devices)
    carried = {name for line in configuration.leased_lines for name in line.carries}
    assert carried <= set(node.devices)


@pytest.mark.parametrize("node", plan.NODES, ids=lambda node: node.id)
def test_the_simulators_know_what_stands_there(node: plan.NodePlan) -> None:
    for terminal in node.equipment.terminals:
        assert KINDS[TerminalStory(terminal.id).kind] == terminal.kind
    for device in node.equipment.registers:
        story = Sensor(modbus_server.STORIES[device.unit])
        assert len(story.device.quantities) > max(address for _, address in device.points) // 2


@pytest.mark.parametrize("sensor", [sensor for node in plan.NODES for sensor in node.sensors], ids=lambda each: each.id)
def test_the_simulator_says_what_the_plan_declares(sensor: plan.SensorPlan) -> None:
    device = DEVICES[sensor.id.partition("-")[0]]
    assert {name for name, *_ in sensor.points} == set(device.quantities)
    assert (sensor.kind, sensor.period_s) == (device.kind, device.period_s)
    assert Sensor(sensor.id).device is device


@pytest.mark.parametrize("sensor", [sensor for node in plan.NODES for sensor in node.sensors], ids=lambda each: each.id)
def test_every_threshold_is_crossed_and_lies_in_the_plausible_range(sensor: plan.SensorPlan) -> None:
    device = DEVICES[sensor.id.partition("-")[0]]
    ranges = {name: (least, most) for name, _, least, most in sensor.points}
    for name, quantity in device.quantities.items():
        least, most = ranges[name]
        peak = quantity.level if quantity.peak is None else quantity.peak
        assert least <= min(quantity.level - quantity.wave, peak) <= max(quantity.level + quantity.wave, peak) <= most
    for rule in sensor.rules:
        quantity = device.quantities[rule["point"]]
        assert quantity.level + quantity.wave < rule["clear"] < rule["above"] < (quantity.peak or 0.0)
        assert rule["for_s"] < device.hold_s


def scene_feeds(node: plan.NodePlan) -> list[plan.CameraFeed]:
    told = {name: composed_scene(name).head.zones for name in STORIES}
    return [plan.CameraFeed(scene.camera(told[scene.story]), "rtsp://127.0.0.1:554/live") for scene in node.scenes]


@pytest.mark.parametrize("node", plan.NODES, ids=lambda node: node.id)
def test_the_edge_takes_the_cameras_before_made_scenes(node: plan.NodePlan) -> None:
    feeds = scene_feeds(node)
    configuration = NodeConfiguration.model_validate(plan.node_configuration(node, feeds, FILES))
    assert len(feeds) == len(node.cameras)
    assert {camera.spot for camera in configuration.cameras} == {camera.id for camera in node.cameras}
    for camera, feed in zip(configuration.cameras, feeds, strict=True):
        assert camera.simulated
        assert {subject(rule) for rule in camera.rules} <= set(camera.zones)
        watched = {name for rule in camera.rules for name in watched_classes(rule)}
        assert feed.plan.own_classes == watched & OWN_CLASSES
        assert catalogue.preferred(feed.plan.own_classes).manifest.id == settled(camera).model


def test_what_only_the_own_detector_knows_is_what_the_demo_takes_for_it() -> None:
    own, public = (set(catalogue.models()[name].labels) for name in ("gridward_nano_320", "yolox_nano_416"))
    assert own - public >= OWN_CLASSES


def test_names_are_used_once() -> None:
    devices = [device for node in plan.NODES for device in (*node.devices, *(scene.id for scene in node.scenes))]
    assert len(set(devices)) == len(devices)
    assert {camera.clip for node in plan.NODES for camera in node.cameras} <= set(catalogue.footage())
    assert plan.MODEL == "auto"


def test_a_node_speaks_and_hears_only_what_it_must() -> None:
    node = user("station-1", "secret", node_grants(plan.DISTRICT, "station-1"))
    assert not node.may(Access.READ, f"{plan.sensor_topic('gate-1')}/smoke-1")
