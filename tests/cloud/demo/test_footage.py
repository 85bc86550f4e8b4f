from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cloud.demo import plan
from cloud.demo.footage import Showing, find_showings, own_camera, scene_outlines, seen_with
from cloud.demo.watch import SCENES
from cloud.embedded.process import EmbeddedProblem
from models import catalogue
from models.manifest import FileMissing

ZONES = {name: {"somewhere": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]} for name in SCENES}


@pytest.fixture
def said() -> list[str]:
    return []


def outlines() -> Mapping[str, Mapping[str, Any]]:
    return ZONES


def no_outlines() -> Mapping[str, Mapping[str, Any]]:
    pytest.fail("nobody has to ask for made scenes")


def nowhere(name: str) -> Path:
    raise FileMissing(f"{name} can't be had")


@pytest.fixture(autouse=True)
def footage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every clip is there."""
    monkeypatch.delenv("VIDEO", raising=False)
    monkeypatch.setattr(catalogue, "clip", lambda name: tmp_path / name)
    return tmp_path


def ids(showings: dict[str, list[Showing]]) -> dict[str, list[str]]:
    return {node: [showing.plan.id for showing in shown] for node, shown in showings.items()}


def test_where_there_is_footage_it_is_shown(footage: Path, said: list[str]) -> None:
    found = find_showings(plan.NODES, said.append, no_outlines)
    assert found["station-1"][0].file == footage / plan.NODES[0].cameras[0].clip
    assert ids(found) == {node.id: [camera.id for camera in node.cameras] for node in plan.NODES}
    assert not said


def test_without_footage_made_scenes_take_its_place_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setattr(catalogue, "clip", nowhere)
    found = find_showings(plan.NODES, said.append, outlines)
    assert ids(found) == {"station-1": ["fire-lane"], "gate-1": ["gate"]}
    for shown in found.values():
        assert [showing.plan.zones for showing in shown] == [ZONES[str(showing.story)] for showing in shown]
        assert all(showing.file is None and showing.address is None for showing in shown)
    assert len(said) == 2
    assert "made scene" in said[0]


def test_one_clip_that_is_missing_leaves_the_others(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    missing = plan.NODES[0].cameras[0].clip
    monkeypatch.setattr(catalogue, "clip", lambda name: nowhere(name) if name == missing else Path(name))
    found = find_showings(plan.NODES, said.append, outlines)
    assert ids(found) == {"station-1": ["fire-lane"], "gate-1": ["lane"]}
    assert len(said) == 1


def test_scenes_can_be_chosen_and_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    monkeypatch.setenv("VIDEO", "scene")
    monkeypatch.setattr(catalogue, "clip", lambda _name: pytest.fail("it was asked for footage"))
    found = find_showings(plan.NODES, said.append, outlines)
    assert ids(found) == {"station-1": ["fire-lane"], "gate-1": ["gate"]}
    assert not said


def test_the_visitors_own_takes_the_first_cameras_place(
    monkeypatch: pytest.MonkeyPatch, footage: Path, said: list[str]
) -> None:
    video = footage / "own film.mp4"
    video.write_bytes(b"")
    monkeypatch.setenv("VIDEO", str(video))
    showings = find_showings(plan.NODES, said.append, no_outlines)
    assert showings["station-1"][0].file == video
    assert showings["gate-1"][0].file == footage / plan.NODES[1].cameras[0].clip


def test_beside_the_visitors_own_the_others_are_scenes_without_footage(
    monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setenv("VIDEO", "rtsp://camera.local/live")
    monkeypatch.setattr(catalogue, "clip", nowhere)
    found = find_showings(plan.NODES, said.append, outlines)
    assert ids(found) == {"station-1": ["hall"], "gate-1": ["gate"]}
    assert found["station-1"][0].address == "rtsp://camera.local/live"


def test_an_own_cameras_password_goes_into_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: list[str]
) -> None:
    monkeypatch.setenv("VIDEO", "rtsp://viewer:p%40ss@camera.local:8554/live?x=1")
    showing = find_showings(plan.NODES, said.append, no_outlines)["station-1"][0]
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
        find_showings(plan.NODES, said.append, no_outlines)


def test_the_simulator_knows_every_scene_of_the_plan() -> None:
    told = scene_outlines()
    for scene in SCENES.values():
        assert {rule["zone"] for rule in scene.rules} <= set(told[scene.story])


def test_it_is_told_what_is_simulated_and_which_detector_looks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: list[str]
) -> None:
    for variable in ("GRIDWARD_CACHE", "GRIDWARD_MIRROR", "GRIDWARD_ASSETS"):
        monkeypatch.setenv(variable, str(tmp_path / "nothing"))
    monkeypatch.setenv("VIDEO", "scene")
    scenes = find_showings(plan.NODES, said.append, outlines)
    [line] = seen_with([showing for shown in scenes.values() for showing in shown])
    for part in ("fire-lane and gate", "SIMULATED 模拟", "gridward_nano_320", "comes with the software"):
        assert part in line
