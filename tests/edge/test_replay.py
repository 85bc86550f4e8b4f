"""Replay of real footage with the real detector, held against what was seen in it frame by frame."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import ConfigurationError, MediaUnusable
from edge.perception.detector import OnnxDetector, open_detector
from edge.replay import camera_from_words, chosen_camera, replay, table
from edge.settings import NodeConfiguration
from tests.fakes.footage import write_clip
from tests.fakes.variants import VARIANTS, write_variant
from tests.fakes.visits import CLIP, compare, floor_camera

Clip = Callable[[str], Path]


@pytest.fixture(scope="session")
def detector(model: Callable[[str], object]) -> OnnxDetector:
    model("yolox_nano_416")
    return open_detector("yolox_nano_416")


def test_six_visits_are_six_intrusions_and_the_long_ones_loitering_every_time(
    clip: Clip, detector: OnnxDetector
) -> None:
    results = [replay(clip(CLIP), floor_camera(), detector) for _ in range(2)]
    verdict = compare(results[0].incidents)
    assert verdict.mistakes == ()
    assert verdict.least_loitering_margin_s > 1.5
    assert results[0].to_json() == results[1].to_json()
    assert results[0].duration_s == pytest.approx(139.4)
    assert (results[0].frames, results[0].analysed_frames, results[0].skipped_frames) == (1394, 697, 0)
    assert results[0].model is not None
    assert results[0].model.sha256.startswith("695e750a")


@pytest.mark.parametrize(
    "name",
    ["mirrored", "resized-0.8", "pasted-0.8-centre", "shifted-left-5", "shifted-down-5", "mirrored-shifted-squeezed"],
)
def test_copies_as_another_camera_might_have_filmed_them(
    name: str, tmp_path: Path, clip: Clip, detector: OnnxDetector
) -> None:
    write_variant(clip(CLIP), tmp_path / "copy.mp4", VARIANTS[name])
    assert compare(replay(tmp_path / "copy.mp4", floor_camera(), detector).incidents).mistakes == ()


@pytest.mark.parametrize("name", ["car_detection", "house_fire"])
def test_where_no_one_walks_no_one_is_found(name: str, clip: Clip, detector: OnnxDetector) -> None:
    assert replay(clip(name), floor_camera(), detector).incidents == ()


def test_without_a_detector_nothing_is_found_and_it_says_so(tmp_path: Path) -> None:
    result = replay(write_clip(tmp_path / "a.mp4"), floor_camera(), None)
    answer = json.loads(result.to_json())
    assert answer["incidents"] == []
    assert answer["model"] is None
    assert answer["analysed_frames"] == 10
    assert "no model" in table(result)


def test_the_table_names_each_incident(clip: Clip, detector: OnnxDetector) -> None:
    copy = floor_camera().model_copy(update={"analysis_hz": 2.0})
    lines = table(replay(clip(CLIP), copy, detector)).splitlines()
    assert sum(line.startswith("intrusion") for line in lines) == 6
    assert "yolox_nano_416" in lines[0]


def test_progress_goes_to_terminals_only(tmp_path: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    path = write_clip(tmp_path / "a.mp4", frames=29)
    plain, terminal = io.StringIO(), Terminal()
    replay(path, floor_camera(), None, progress=plain)
    replay(path, floor_camera(), None, progress=terminal)
    assert plain.getvalue() == ""
    assert "of 3 s" in terminal.getvalue()


def test_what_is_no_clip_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no clip")
    with pytest.raises(MediaUnusable):
        replay(tmp_path / "a.mp4", floor_camera(), None)


def test_words_make_a_camera() -> None:
    camera = camera_from_words(["a=0,0 1,0 1,1"], ["intrusion:a", "loitering:a:16.5"], model=None)
    assert [rule.kind for rule in camera.rules] == ["intrusion", "loitering"]
    assert camera.zones["a"] == ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))


@pytest.mark.parametrize(
    ("zones", "rules", "words"),
    [
        (["a"], [], "--zone `a`"),
        (["a=0,0 1,x 1,1"], [], "--zone"),
        (["a=0,0 1,0"], [], "zones"),
        (["a=0,0 2,0 1,1"], [], "zones"),
        (["a=0,0 1,0 1,1"], ["intrusion"], "--rule `intrusion`"),
        (["a=0,0 1,0 1,1"], ["loitering:a:soon"], "limit_s"),
        (["a=0,0 1,0 1,1"], ["loitering:a:0"], "limit_s"),
    ],
)
def test_words_that_make_no_camera_are_named(zones: list[str], rules: list[str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        camera_from_words(zones, rules, model=None)


def test_a_rule_on_an_unknown_zone_stops_the_replay(tmp_path: Path) -> None:
    camera = camera_from_words([], ["intrusion:yard"], model=None)
    with pytest.raises(ConfigurationError, match="yard"):
        replay(write_clip(tmp_path / "a.mp4"), camera, None)


def test_the_only_camera_needs_no_name() -> None:
    def node(*cameras: str) -> NodeConfiguration:
        return NodeConfiguration.model_validate(
            {
                "node": {"id": "n", "district": "110105", "data_directory": "data"},
                "cloud": {"mqtt": "mqtt://localhost", "https": "http://localhost"},
                "cameras": [{"id": each, "url": "a.mp4"} for each in cameras],
            }
        )

    assert chosen_camera(node("gate"), None).id == "gate"
    assert chosen_camera(node("gate", "hall"), "hall").id == "hall"
    for configuration, name in ((node(), None), (node("gate", "hall"), None), (node("gate"), "yard")):
        with pytest.raises(ConfigurationError):
            chosen_camera(configuration, name)
