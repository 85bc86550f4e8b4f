"""Replay of real footage with the real detector, held against what was seen in it frame by frame."""

import io
import json
from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edge.configuration.words import camera_from_words
from edge.errors import ConfigurationError, MediaUnusable
from edge.perception.detector import OnnxDetector, open_detector
from edge.replay import chosen_camera, replay, table, warnings
from edge.rules.schedule import CHINA
from edge.settings import IntrusionSettings, NodeConfiguration, ScheduleWindow
from edge.video import VideoWriter
from tests.fakes.footage import picture, remuxed, write_clip
from tests.fakes.variants import VARIANTS, write_variant
from tests.fakes.visits import CLIP, VISIBLE_S, compare, floor_camera

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
    with pytest.raises(MediaUnusable, match=r"a\.mp4: not a video that can be opened"):
        replay(tmp_path / "a.mp4", floor_camera(), None)


def test_the_table_says_what_was_looked_for(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4")
    camera = camera_from_words(["a=0,0 1,0 1,1"], ["intrusion:a:car+truck", "loitering:a:9.5"], model="yolox_nano_416")
    result = replay(path, camera, None)
    lines = table(result).splitlines()
    assert "looked for car, truck: intrusion in a" in lines
    assert "looked for person: loitering in a for 9.5 s" in lines
    assert json.loads(result.to_json())["rules"][0]["classes"] == ["car", "truck"]
    nothing = camera_from_words(["a=0,0 1,0 1,1"], [], model="yolox_nano_416")
    assert "no rule: nothing was looked for" in table(replay(path, nothing, None))


def test_only_the_classes_of_a_rule_are_found(clip: Clip, detector: OnnxDetector) -> None:
    rules = ["intrusion:all", "intrusion:all:car+truck+bus"]
    camera = camera_from_words(["all=0,0 1,0 1,1 0,1"], rules, model="yolox_nano_416")
    found = replay(clip("car_detection"), camera, detector).incidents
    assert {each.rule for each in found} == {"intrusion-all-2"}


def test_who_goes_out_over_a_line_is_counted_and_where_it_is_forbidden_an_incident(
    clip: Clip, detector: OnnxDetector
) -> None:
    rules = ["line_crossing:door", "line_crossing:door:out"]
    camera = camera_from_words([], rules, lines=["door=0.75,0 0.75,1"], model="yolox_nano_416")
    result = replay(clip(CLIP), camera, detector)
    assert {(each.point, each.count) for each in result.counts} == {
        (f"{rule}.{name}", count)
        for rule in ("line_crossing-door", "line_crossing-door-2")
        for name, count in (("in_count", 0), ("out_count", 6))
    }
    assert [(each.rule, each.direction) for each in result.incidents] == [("line_crossing-door-2", "out")] * 6
    for each, (_, leaves_s) in zip(result.incidents, VISIBLE_S, strict=True):
        assert leaves_s - 3 < each.started_s < leaves_s
    assert "counted line_crossing-door.out_count: 6" in table(result)


def test_a_clip_that_breaks_off_says_so(tmp_path: Path, clip: Clip) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(clip(CLIP).read_bytes()[:1_500_000])
    result = replay(cut, floor_camera(), None)
    assert (result.duration_s, result.promised_s, result.complete) == (63.0, 139.4, False)
    assert "cut.mp4: breaks off at 63.0 s of 139.4 s" in warnings(result)
    assert set(warnings(result)) <= set(table(result).splitlines())
    assert result.to_json() == replay(cut, floor_camera(), None).to_json()


def test_what_cannot_be_decoded_in_the_middle_is_counted(tmp_path: Path, clip: Clip) -> None:
    content = bytearray(clip(CLIP).read_bytes())
    content[1_600_000:1_620_000] = b"\xff" * 20_000
    (tmp_path / "damaged.mp4").write_bytes(content)
    result = replay(tmp_path / "damaged.mp4", floor_camera(), None)
    assert result.complete
    assert result.damaged_packets > 3
    assert warnings(result) == (f"damaged.mp4: {result.damaged_packets} packets could not be decoded",)


@pytest.mark.parametrize("name", [CLIP, "car_detection", "house_fire"])
def test_whole_clips_give_no_warning(name: str, clip: Clip) -> None:
    result = replay(clip(name), floor_camera(analysis_hz=1.0), None)
    assert result.complete
    assert result.damaged_packets == 0
    assert warnings(result) == ()


def test_a_clip_that_promises_nothing_is_complete(tmp_path: Path) -> None:
    stream = remuxed(write_clip(tmp_path / "a.mp4"), tmp_path / "a.h264")
    result = replay(stream, floor_camera(), None)
    assert (result.promised_s, result.complete, result.frames) == (None, True, 20)


@pytest.mark.parametrize("ending", ["mkv", "ts", "mov"])
def test_other_containers_that_are_whole_are_complete(tmp_path: Path, ending: str) -> None:
    for rate in (7, 30):
        file = remuxed(write_clip(tmp_path / "a.mp4", frames=40, rate=rate), tmp_path / f"a.{ending}")
        result = replay(file, floor_camera(), None)
        assert (result.complete, result.damaged_packets, result.frames) == (True, 0, 40)
        assert result.promised_s == pytest.approx(40 / rate, abs=2 / rate)


def test_matroska_that_breaks_off_says_so(tmp_path: Path, clip: Clip) -> None:
    whole = remuxed(clip(CLIP), tmp_path / "whole.mkv")
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[:1_000_000])
    result = replay(cut, floor_camera(), None)
    assert not result.complete
    assert result.promised_s == pytest.approx(139.4, abs=0.2)


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


def test_a_clip_is_looked_at_whatever_the_hour_unless_it_is_said_when_it_was_filmed(
    clip: Clip, detector: OnnxDetector
) -> None:
    night = ScheduleWindow(start="22:00", end="06:00")
    rule = IntrusionSettings(kind="intrusion", zone="floor", schedule=(night,), fold_s=600)
    camera = floor_camera(analysis_hz=2.0).model_copy(update={"rules": (rule,)})
    whole = replay(clip(CLIP), camera, detector).incidents
    assert [each.count for each in whole] == [6]
    from_22 = datetime(2026, 3, 1, 21, 59, 0, tzinfo=CHINA)
    [cut] = replay(clip(CLIP), camera, detector, filmed_at=from_22).incidents
    assert cut.count == 4
    assert cut.reported_s == pytest.approx(60, abs=1)
    assert cut.started_s == pytest.approx(VISIBLE_S[2][0], abs=1)
    noon = datetime(2026, 3, 1, 12, tzinfo=CHINA)
    assert replay(clip(CLIP), camera, detector, filmed_at=noon).incidents == ()


def test_camera_trouble_is_found_in_a_clip_without_a_model_looking(tmp_path: Path) -> None:
    camera = camera_from_words([], ["camera_trouble"], model="yolox_nano_416")
    path = tmp_path / "black.mp4"
    writer = VideoWriter(path, rate=Fraction(10), width=160, height=96, crf=23)
    for index in range(200):
        writer.write(np.zeros((96, 160, 3), dtype=np.uint8) if index >= 100 else picture(index % 29))
    writer.close()
    result = replay(path, camera, None)
    assert [(each.point, each.started_s) for each in result.incidents if each.point == "dark"] == [("dark", 10.0)]
    assert "looked for camera trouble" in table(result)


@pytest.mark.parametrize("analysis_hz", [5.0, 10.0])
def test_cars_that_no_detector_knows_from_above_are_counted_by_their_motion(clip: Clip, analysis_hz: float) -> None:
    rules = ["line_crossing:half:in+out:motion"]
    lines = ["half=0,0.5 1,0.5"]
    camera = camera_from_words([], rules, lines=lines, model="yolox_nano_416", analysis_hz=analysis_hz)
    result = replay(clip("car_detection"), camera, None)
    assert {(each.point, each.count) for each in result.counts} == {
        ("line_crossing-half.in_count", 2),
        ("line_crossing-half.out_count", 2),
    }
    seen_s = ((4.4, 8.4, "out"), (14.9, 18.3, "in"), (15.2, 18.9, "out"), (25.3, 27.9, "in"))
    assert [each.direction for each in result.incidents] == ["out", "in", "out", "in"]
    for each, (enters_s, leaves_s, _) in zip(result.incidents, seen_s, strict=True):
        assert enters_s < each.started_s < leaves_s
