from pathlib import Path

import pytest

from cloud.demo import plan
from cloud.demo.footage import Showing, find_showings, own_camera
from cloud.embedded.process import EmbeddedProblem
from cloud.fleet.grants import Access, node_grants, user
from edge.rules.identity import subject
from edge.settings import NodeConfiguration
from edge.simulators.modbus_server import STORIES
from edge.simulators.sensors import DEVICES, Sensor
from edge.simulators.terminals import KINDS, TerminalStory
from models import catalogue
from models.manifest import FileMissing

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
        story = Sensor(STORIES[device.unit])
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


def test_names_are_used_once() -> None:
    devices = [device for node in plan.NODES for device in node.devices]
    assert len(set(devices)) == len(devices)
    assert {camera.clip for node in plan.NODES for camera in node.cameras} <= set(catalogue.footage())
    assert plan.MODEL == "auto"


def test_a_node_speaks_and_hears_only_what_it_must() -> None:
    node = user("station-1", "secret", node_grants(plan.DISTRICT, "station-1"))
    assert not node.may(Access.READ, f"{plan.sensor_topic('gate-1')}/smoke-1")


@pytest.fixture
def said() -> list[str]:
    return []


CAMERAS = {node.id: node.cameras for node in plan.NODES}


def test_without_footage_the_cameras_are_left_out_and_said_so(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    def nothing(name: str) -> Path:
        raise FileMissing(f"{name} can't be had")

    monkeypatch.delenv("VIDEO", raising=False)
    monkeypatch.setattr(catalogue, "clip", nothing)
    assert not any(find_showings(CAMERAS, said.append).values())
    assert len(said) == sum(len(cameras) for cameras in CAMERAS.values())
    assert "left out" in said[0]


def test_the_visitors_own_takes_the_first_cameras_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: list[str]
) -> None:
    video = tmp_path / "own film.mp4"
    video.write_bytes(b"")
    monkeypatch.setenv("VIDEO", str(video))
    monkeypatch.setattr(catalogue, "clip", lambda _name: tmp_path / "clip")
    showings = find_showings(CAMERAS, said.append)
    assert showings["station-1"][0].file == video
    assert showings["gate-1"][0].file == tmp_path / "clip"


def test_an_own_cameras_password_goes_into_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: list[str]
) -> None:
    monkeypatch.setenv("VIDEO", "rtsp://viewer:p%40ss@camera.local:8554/live?x=1")
    monkeypatch.setattr(catalogue, "clip", lambda _name: tmp_path / "clip")
    showing = find_showings(CAMERAS, said.append)["station-1"][0]
    kept: dict[str, str] = {}

    def keep(name: str, text: str) -> Path:
        kept[name] = text
        return tmp_path / name

    feed = own_camera(showing, keep)
    assert (feed.url, feed.user, feed.simulated) == ("rtsp://camera.local:8554/live?x=1", "viewer", False)
    assert kept == {"hall.password": "p@ss"}
    assert own_camera(Showing(showing.plan, address="rtsp://camera.local/"), keep).user is None


def test_a_video_that_is_nowhere_stops_the_start(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    monkeypatch.setenv("VIDEO", "/no/such/film.mp4")
    with pytest.raises(EmbeddedProblem, match=r"film\.mp4"):
        find_showings(CAMERAS, said.append)
