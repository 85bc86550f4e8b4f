"""A whole node with a camera behind a gateway: what it tells of both."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloud.embedded.broker import EmbeddedBroker
from edge.configuration.reading import load
from edge.node.assembly import Node
from edge.node.gateways import gateway_lines, gateway_metrics
from edge.simulators.camera_process import CameraProcess
from edge.simulators.wvp_gateway import WvpGateway
from edge.simulators.wvp_shapes import StandInChannel
from tests.edge.waiting import wait_until
from tests.fakes.answering_cloud import AnsweringCloud
from tests.fakes.footage import write_clip

DEVICE = "11010500002000000001"
GATE, ROAD, YARD, ALARM = (
    "11010500081310000001",
    "11010500041310000002",
    "11010500991320000003",
    "11010500081340000004",
)
PASSWORD = "Wei-Lan-7788"

STATUS: dict[str, Any] = {
    "sharp-eyes": {
        "problem": "the gateway does not answer: ConnectError",
        "logins": 1,
        "invitations": 2,
        "streams": 3,
        "held": 4,
        "refused": 5,
        "offline": 6,
        "lost": 7,
        "channels": {GATE: "urban_management", ROAD: "traffic", "1": "traffic", YARD: None},
    }
}


@pytest.fixture
def stand_in() -> Iterator[WvpGateway]:
    channels = (
        StandInChannel(GATE, name="市场街南", device=DEVICE, owner="城管局"),
        StandInChannel(ROAD, name="北路口", device=DEVICE, online=False),
        StandInChannel(YARD, name="yard", device=DEVICE, fields={"gbStatus": None}),
        StandInChannel(ALARM, name="button", device=DEVICE),
    )
    with WvpGateway(*channels, user="gridward", password=PASSWORD) as running:
        yield running


def write_configuration(folder: Path, gateway: WvpGateway, mqtt: str = "mqtt://127.0.0.1:1") -> Path:
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o600)
    login = {"user": "gridward", "password_file": "password"}
    tree = {
        "node": {"id": "station-01", "district": "110105", "data_directory": "data"},
        "cloud": {"mqtt": mqtt, "https": "http://127.0.0.1:1"},
        "gateways": [{"id": "sharp-eyes", "url": gateway.url, **login}],
        "cameras": [{"id": GATE, "url": "gb28181://sharp-eyes", "model": None, "analysis_hz": 10}],
    }
    file = folder / "node.yaml"
    file.write_text(yaml.safe_dump(tree))
    return file


@pytest.mark.system
def test_presence_and_status_tell_of_the_channel_and_of_its_gateway(
    tmp_path: Path,
    stand_in: WvpGateway,
    open_broker: EmbeddedBroker,
    rtsp_camera: Callable[..., CameraProcess],
) -> None:
    camera = rtsp_camera(write_clip(tmp_path / "gate.mp4"))
    stand_in.channels[GATE].address = camera.url
    stand_in.channels[GATE].online = False
    cloud = AnsweringCloud(open_broker.port)
    node = Node(load(write_configuration(tmp_path, stand_in, open_broker.url)), on_fatal=pytest.fail)

    def presences() -> list[Any]:
        sent = [change for envelope in list(cloud.sent) for change in getattr(envelope.body, "changes", ())]
        return [change.value for change in sent if (change.device, change.point) == (GATE, "presence")]

    def degraded() -> dict[str, str]:
        return {f"{each.subject}/{each.reason}": each.detail for each in node.standing.degradations()}

    node.start()
    try:
        wait_until(lambda: presences() == ["lost"], "the channel is off", timeout_s=60)
        assert degraded()[f"{GATE}/picture_lost"] == "the gateway says that this channel is offline"
        stand_in.channels[GATE].online = True
        wait_until(lambda: presences()[-1] == "online", "pictures", timeout_s=60)
        wait_until(lambda: f"{GATE}/picture_lost" not in degraded(), "no loss told any more", timeout_s=60)
        found = node.status()["gateways"]["sharp-eyes"]
        assert (found["problem"], found["logins"], found["channels"]) == (None, 1, {GATE: "urban_management"})
        assert {device.id: device.department for device in node.birth().devices}[GATE] == "urban_management"
        assert found["streams"] >= 1
        stand_in.stop()
        camera.kill()
        wait_until(lambda: "sharp-eyes/gateway_lost" in degraded(), "the gateway is gone", timeout_s=60)
        wait_until(lambda: presences()[-1] == "lost", "the picture is gone", timeout_s=60)
        camera.start()
        stand_in.start()
        wait_until(lambda: presences()[-1] == "online", "all is back", timeout_s=60)
        wait_until(
            lambda: not {each for each in degraded() if "gateway" in each or "picture" in each},
            "nothing is wrong any more",
            timeout_s=60,
        )
        assert all(before != after for before, after in pairwise(presences())), "lost for several reasons is lost once"
    finally:
        node.stop()
        cloud.close()
    told = (tmp_path / "data" / "status.json").read_text()
    assert PASSWORD not in told
    assert camera.url not in told


def test_gateways_are_told_in_words_and_as_metrics() -> None:
    (line,) = gateway_lines(STATUS)
    assert line == (
        "gateway sharp-eyes: the gateway does not answer: ConnectError; "
        "channels: 1 of another department, 2 of traffic, 1 of urban_management; "
        "logins 1, invitations 2, streams 3, held 4, refused 5, offline 6, lost 7"
    )
    samples = [sample for metric in gateway_metrics(STATUS) for sample in metric.samples]
    values = {sample.name: sample.value for sample in samples}
    assert {str(sample.labels) for sample in samples} == {"{'gateway': 'sharp-eyes'}"}
    assert values["gridward_edge_gateway_lost"] == 1
    assert values["gridward_edge_gateway_held_total"] == 4
    assert list(gateway_metrics({})) == []


# --- the command --------------------------------------------------------------------------------------------------


def list_channels(file: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge.cli", "gateway", "channels", "sharp-eyes", "--config", str(file), *more],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_channels_are_listed_for_people(tmp_path: Path, stand_in: WvpGateway) -> None:
    done = list_channels(write_configuration(tmp_path, stand_in))
    assert done.stdout.splitlines() == [
        f"{ROAD}  offline  traffic 交通            北路口",
        f"{GATE}  online   urban_management 城管   市场街南",
        f"{YARD}  unknown  -                     yard",
    ]
    assert done.stderr.splitlines()[-1] == "3 of 4 channels"
    assert stand_in.asked("/api/play") == stand_in.asked("/api/common/channel/play") == 0, "nothing was invited"


def test_channels_are_listed_for_programs(tmp_path: Path, stand_in: WvpGateway) -> None:
    done = list_channels(write_configuration(tmp_path, stand_in), "--json", "--all", "--department", "urban_management")
    found = json.loads(done.stdout)
    assert [each["code"] for each in found] == [GATE, ALARM]
    assert found[0] == {
        "code": GATE,
        "name": "市场街南",
        "online": True,
        "department": "urban_management",
        "owner": "城管局",
        "device": None,
        "camera": True,
        "manufacturer": "Hikvision",
        "civil_code": "110105",
        "longitude": None,
        "latitude": None,
    }


def test_listed_channels_are_cameras_of_a_configuration(tmp_path: Path, stand_in: WvpGateway) -> None:
    stand_in.unified = False
    file = write_configuration(tmp_path, stand_in)
    done = list_channels(file, "--yaml", "--online")
    listed = yaml.safe_load(done.stdout)["cameras"]
    assert listed == [
        {"id": GATE, "name": "市场街南", "url": f"gb28181://sharp-eyes/{DEVICE}"},
        {"id": YARD, "name": "yard", "url": f"gb28181://sharp-eyes/{DEVICE}"},
    ]
    tree = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**tree, "cameras": listed}))
    assert [camera.id for camera in load(file).cameras] == [GATE, YARD]


def test_a_gateway_that_does_not_let_in_is_told_in_one_line(tmp_path: Path, stand_in: WvpGateway) -> None:
    file = write_configuration(tmp_path, stand_in)
    (tmp_path / "password").write_text("another")
    done = list_channels(file)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "the gateway refuses the log-in of `gridward`: 用户名或密码错误\n"
    file.write_text(file.read_text().replace("sharp-eyes", "elsewhere"))
    assert "there is no gateway `sharp-eyes`: elsewhere" in list_channels(file).stderr
