import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import av
import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.errors import ConfigurationError, MediaUnusable
from edge.scene_command import Lit, _scene_of, size_of
from edge.simulators.scene.composed import STORIES
from edge.simulators.scene.film import write_film
from edge.simulators.scene.scene import random_scene
from edge.simulators.scene.story import Parameters
from edge.simulators.scene.truth import read_truth
from edge.simulators.scene.wanted import Light, Wanted
from edge.simulators.scene.weather import Cover
from edge.video import Video


def test_a_film_and_its_truth_have_the_same_frames(tmp_path: Path) -> None:
    scene = random_scene(5, Parameters(duration_s=2.0), size=(320, 180), frame_period_s=0.1)
    told = []
    film = write_film(scene, tmp_path / "new", progress=lambda done, of: told.append((done, of)))
    truth = read_truth(film.truth)
    assert truth == scene.truth()
    assert truth.events == film.events
    with Video(film.film) as video:
        assert sum(1 for _ in video.frames()) == film.frames == len(truth.moments) == 20
    assert told[-1] == (20, 20)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["scene-5.mp4", "scene-5.truth.jsonl"]


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(MediaUnusable, match="can't be written into"):
        write_film(random_scene(5, Parameters(duration_s=1.0), size=(320, 180)), tmp_path / "taken")


def test_the_command_writes_and_tells(tmp_path: Path) -> None:
    arguments = [
        "scene",
        "write",
        "--out",
        str(tmp_path),
        "--seed",
        "8",
        "--seconds",
        "1",
        "--size",
        "320x180",
        "--json",
    ]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert told["frames"] == 12
    assert read_truth(Path(told["truth"])).head.seed == 8


def test_the_same_people_do_the_same_at_night_in_the_rain_before_a_camera_that_is_covered(tmp_path: Path) -> None:
    common = [
        "scene",
        "write",
        "--out",
        str(tmp_path),
        "--seed",
        "8",
        "--seconds",
        "3",
        "--size",
        "320x180",
        "--fps",
        "4",
        "--json",
    ]
    weather = ["--light", "night", "--rain", "0.8", "--shake", "0", "--covered", "1-2", "--covered", "2.5-2.75:hand"]
    plain, changed = (
        CliRunner().invoke(app, [*common, *options]) for options in (["--light", "day", "--shake", "0"], weather)
    )
    assert plain.exit_code == changed.exit_code == 0, plain.output + changed.output
    names = [Path(json.loads(ran.stdout)["film"]).name for ran in (plain, changed)]
    assert names == ["scene-8-day-shake0.mp4", "scene-8-night-rain0.8-shake0-black1-2-hand2.5-2.75.mp4"]
    day, night = (read_truth(Path(json.loads(ran.stdout)["truth"])) for ran in (plain, changed))
    assert [[(thing.id, thing.full) for thing in moment.objects] for moment in day.moments] == [
        [(thing.id, thing.full) for thing in moment.objects] for moment in night.moments
    ]
    assert [moment.cover for moment in night.moments] == [None] * 4 + [Cover.BLACK] * 4 + [None] * 2 + [
        Cover.HAND,
        None,
    ]


def test_nobody_walks_where_nobody_is_wanted() -> None:
    crowded, empty = (_scene_of(None, 3, 60.0, "320x180", 4.0, people, Wanted()) for people in (40.0, 0.0))
    assert len(crowded.story.actors) > len(empty.story.actors) + 20
    as_ever = _scene_of(None, 3, 60.0, "320x180", 4.0, None, Wanted())
    assert as_ever.truth() == random_scene(3, Parameters(), size=(320, 180), frame_period_s=0.25).truth()
    assert as_ever.story.conditions == random_scene(3, Parameters()).story.conditions


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--covered", "20"], "FROM-TO"),
        (["--covered", "30-20"], "FROM-TO"),
        (["--covered", "1-2:curtain"], "FROM-TO"),
        (["--covered", "1-nan"], "FROM-TO"),
        (["--covered", "1-9", "--covered", "8-12"], "share the seconds"),
        (["--covered", "60-70"], "over after 60 seconds"),
        (["--light", "noon"], "'day', 'dusk', 'night', 'infrared'"),
        (["--rain", "2"], "less than or equal to 1"),
        (["--shake", "-1"], "greater than or equal to 0"),
        (["--people", "1e9"], "less than or equal to 60"),
    ],
)
def test_senseless_weather_is_refused_with_what_there_is(tmp_path: Path, options: list[str], words: str) -> None:
    ran = CliRunner().invoke(app, ["scene", "write", "--out", str(tmp_path), *options], env={"COLUMNS": "240"})
    assert ran.exit_code != 0
    assert words in str(ran.exception) + ran.output
    assert list(tmp_path.iterdir()) == []


def test_the_command_knows_each_light() -> None:
    assert {light.value for light in Light} == set(get_args(get_args(get_args(Lit)[0])[0]))


@pytest.mark.parametrize("told", ["", "1280", "1280x", "x720", "1281x720", "0x0", "64x64", "9000x9000", "axb", "-2x4"])
def test_a_senseless_size_is_refused(told: str) -> None:
    with pytest.raises(ConfigurationError, match="1280x720"):
        size_of(told)


def test_a_size_is_read() -> None:
    assert size_of("640X360") == (640, 360)


def test_a_served_scene_is_a_camera() -> None:
    with (
        ServedScene("--seed", "6", "--seconds", "2", "--size", "320x180") as url,
        av.open(url, options={"rtsp_transport": "tcp"}, timeout=20.0) as stream,
    ):
        shown = next(stream.decode(video=0))
    assert (shown.width, shown.height) == (320, 180)


def test_the_stories_tell_their_outlines() -> None:
    ran = CliRunner().invoke(app, ["scene", "stories", "--json"])
    assert ran.exit_code == 0, ran.output
    told = {story["story"]: story for story in json.loads(ran.stdout)}
    assert set(told) == set(STORIES)
    assert set(told["gate"]["zones"]) == {"yard", "ground"}
    assert set(told["fire-lane"]["zones"]) == {"fire_lane", "ground"}
    for story in told.values():
        assert all(0 <= share <= 1 for corners in story["zones"].values() for point in corners for share in point)


def test_an_unknown_story_is_refused_with_those_that_there_are() -> None:
    ran = CliRunner().invoke(app, ["scene", "serve", "--story", "ghost"])
    assert ran.exit_code != 0
    assert "gate, fire-lane" in str(ran.exception) + ran.output


class ServedScene:
    """The command in a process of its own."""

    def __init__(self, *options: str) -> None:
        self._command = [sys.executable, "-m", "edge.cli", "scene", "serve", *options]

    def __enter__(self) -> str:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        url = json.loads(self._process.stdout.readline())["url"]
        assert isinstance(url, str)
        return url

    def __exit__(self, *_exception: object) -> None:
        self._process.terminate()
        assert self._process.wait(20) == 0
        assert self._process.stdout is not None
        self._process.stdout.close()
