"""A whole node with a pile and a camera at one spot: a real stream, a real broker, a cloud that answers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloud.embedded.broker import EmbeddedBroker
from edge.contract.incident import EvidenceKind, Incident
from edge.contract.view import ViewAbsence
from edge.simulators.camera_process import CameraProcess
from tests.edge.node.test_node import RunningNode, configuration
from tests.edge.waiting import wait_until

pytestmark = pytest.mark.system

FLOOR = [[0, 0.25], [1, 0.25], [1, 1], [0, 1]]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def linked(url: str, camera: str) -> dict[str, Any]:
    said = configuration(url, None)
    rule = {"kind": "threshold", "point": "t", "above": 65, "clear": 60}
    said["sensors"][0] |= {"spot": "shed", "rules": [rule]}
    said["cameras"] = [
        {"id": "cam-1", "url": camera, "clips": True, "zones": {"lane": FLOOR, "rest": FLOOR}},
        {"id": "cam-2", "url": "rtsp://127.0.0.1:1/none"},
    ]
    said["spots"] = [{"id": "shed", "name": "东侧车棚", "cameras": [{"camera": "cam-1", "zones": ["lane"]}, "cam-2"]}]
    return said


def newest(node: RunningNode) -> Incident | None:
    """The highest revision of the newest incident."""
    found = node.incidents()
    return max(found, key=lambda each: (each.started_at, each.revision)) if found else None


def test_a_hot_pile_is_told_at_once_and_what_the_cameras_saw_follows(
    tmp_path: Path, open_broker: EmbeddedBroker, clip: Callable[[str], Path], stack: ExitStack
) -> None:
    camera = stack.enter_context(CameraProcess(clip("person_bicycle_car_preview"), encode=True))
    node = RunningNode(tmp_path, open_broker, None, stack)
    node.file.write_text(yaml.safe_dump(linked(open_broker.url, camera.url)))
    node.start()
    node.ready()
    [spot] = node.cloud.births[0].body.spots
    assert (spot.id, spot.name, spot.cameras) == ("shed", "东侧车棚", ("cam-1", "cam-2"))
    wait_until(lambda: node.status().get("gates", {}), "a status")
    wait_until(lambda: node.status()["cameras"]["cam-1"]["decoded"] > 30, "pictures of the camera")
    wait_until(lambda: node.status()["models"], "the model")

    def complete() -> bool:
        incident = newest(node)
        return incident is not None and any(file.kind is EvidenceKind.CLIP for file in incident.evidence)

    node.say(80)
    wait_until(complete, "the film")
    told = [each for each in node.incidents() if each.incident_id == node.incidents()[0].incident_id]
    first, last = min(told, key=lambda each: each.revision), max(told, key=lambda each: each.revision)
    assert (first.revision, first.device, first.value, first.views) == (1, "pile-1", 80.0, ())
    near, lost = sorted(last.views, key=lambda view: view.camera)
    assert lost.absence == ViewAbsence.CAMERA_LOST
    assert near.absence is None
    assert near.captured_at is not None
    assert abs((near.captured_at - last.started_at).total_seconds()) < 4
    assert {each.zone for each in near.counts or ()} == {None, "lane"}
    kinds = {file.sha256: file.kind for file in last.evidence}
    assert {kinds[name] for name in near.evidence} == {EvidenceKind.SNAPSHOT, EvidenceKind.CLIP}
    assert {file.revision for file in told} == set(range(1, last.revision + 1))
    wait_until(lambda: node.status()["linkage"]["sights"] == 1, "the count of looks")
    node.say(20)
    wait_until(lambda: (found := newest(node)) is not None and found.ended_at is not None, "the end")
    ended = newest(node)
    assert ended is not None
    assert len(ended.views) == 2
