"""Rules over the memory find what they found live, and other zones what they would have found."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge.configuration.words import camera_from_words
from edge.contract.incident import CameraTrouble
from edge.errors import ConfigurationError
from edge.flow import Finding, Look, Scene, Spotted, StillObject
from edge.perception.detector import open_detector
from edge.recollection.store import FOLDER, files
from edge.settings import CameraSettings
from edge.trial.answer import LARGEST_BYTES, WAY_POINTS, answer, as_json, try_cameras
from edge.trial.comparison import Verdict, compared
from edge.trial.run import TrialIncident
from tests.fakes.own_model import take_in
from tests.fakes.remembered import Life, lived, said, seen
from tests.fakes.scenes import at, standing_at, walk
from tests.fakes.visits import CLIP

Clip = Callable[[str], Path]
WEEK = timedelta(days=7)
CLOSE_S = 0.5


@pytest.fixture(scope="module")
def camera() -> CameraSettings:
    rules = ["intrusion:floor", "loitering:floor:16.5", "line_crossing:door:out"]
    return camera_from_words(
        ["floor=0,0.25 1,0.25 1,1 0,1"], rules, lines=["door=0.75,0 0.75,1"], model="yolox_nano_416"
    )


@pytest.fixture(scope="module")
def scenes(clip: Clip, model: Callable[[str], object], camera: CameraSettings) -> tuple[Scene, ...]:
    model("yolox_nano_416")
    return tuple(seen(clip(CLIP), camera, open_detector("yolox_nano_416"), until_s=72.0))


@pytest.fixture(scope="module")
def life(
    tmp_path_factory: pytest.TempPathFactory, camera: CameraSettings, scenes: tuple[Scene, ...]
) -> tuple[Path, Life]:
    directory = tmp_path_factory.mktemp("node")
    return directory, lived(directory, camera, scenes)


def ends(findings: list[Finding] | tuple[Finding, ...]) -> list[Finding]:
    """Each incident with its last word."""
    last = {finding.key: finding for finding in findings}
    return sorted(last.values(), key=lambda each: (each.started_at, each.rule))


def assert_alike(found: tuple[TrialIncident, ...], told: list[Finding]) -> None:
    assert [(each.rule, each.kind, each.direction) for each in found] == [
        (each.rule, each.kind, each.direction) for each in told
    ]
    for now, then in zip(found, told, strict=True):
        assert abs((now.started_at - then.started_at).total_seconds()) <= CLOSE_S
        assert now.ended_at is not None
        assert then.ended_at is not None
        assert abs((now.ended_at - then.ended_at).total_seconds()) <= CLOSE_S
        assert now.dwell_s == pytest.approx(then.dwell_s, abs=CLOSE_S)


def test_the_same_rules_find_what_was_told(life: tuple[Path, Life], camera: CameraSettings) -> None:
    directory, lived_through = life
    [trial] = try_cameras(directory, [camera], since=WEEK).cameras
    told = ends(lived_through.told)
    assert [each.kind for each in told].count("intrusion") == 3
    assert {each.kind for each in told} == {"intrusion", "loitering", "line_crossing"}
    assert_alike(trial.now, told)
    assert_alike(trial.then, told)
    assert trial.counts["line_crossing-door.out_count"] == 3
    pairs = compared(trial.now, trial.then, until=lived_through.ended_at)
    assert {pair.verdict for pair in pairs} == {Verdict.KEPT}
    assert trial.seen_s == pytest.approx(72.0, abs=1)
    assert trial.holes == ()


@pytest.mark.parametrize(
    "outline",
    ["0,0.45 1,0.45 1,1 0,1", "0.5,0 1,0 1,1 0.5,1", "0.3,0.3 0.605,0.3 0.605,0.9 0.3,0.9", "0,0 0.2,0 0.2,0.2 0,0.2"],
)
def test_other_zones_find_what_a_whole_replay_of_the_clip_finds_with_them(
    life: tuple[Path, Life], outline: str
) -> None:
    directory, lived_through = life
    other = camera_from_words([f"floor={outline}"], ["intrusion:floor", "loitering:floor:10"], model="yolox_nano_416")
    [trial] = try_cameras(directory, [other], since=WEEK).cameras
    assert_alike(trial.now, ends(said(other, lived_through.scenes)))


def test_the_same_memory_gives_the_same_answer(life: tuple[Path, Life], camera: CameraSettings) -> None:
    directory, _ = life
    answers = [as_json(answer(try_cameras(directory, [camera], since=WEEK), directory)) for _ in range(2)]
    assert answers[0] == answers[1]


def test_the_way_of_each_incident_is_told_in_few_points(life: tuple[Path, Life], camera: CameraSettings) -> None:
    directory, _ = life
    [told] = answer(try_cameras(directory, [camera], since=WEEK), directory)["cameras"]
    for incident in told["incidents"]:
        points = [tuple(map(float, pair.split(","))) for pair in incident["way"].split(" ")]
        assert 2 <= len(points) <= WAY_POINTS
        assert all(0 <= x <= 1 and 0.25 <= y <= 1 for x, y in points)


def test_it_is_small(life: tuple[Path, Life]) -> None:
    directory, lived_through = life
    size = sum(each.stat().st_size for each in files(directory / FOLDER))
    assert size < 60 * len(lived_through.scenes)


def one_visit(began_s: float, *, track_id: int = 1, seconds: float = 20.0) -> list[Scene]:
    places = [(began_s + 0.2 * step, standing_at(0.5, 0.8)) for step in range(round(5 * seconds))]
    return list(walk(track_id, places))


def zone_camera(*rules: str) -> CameraSettings:
    return camera_from_words(["a=0,0 1,0 1,1 0,1"], list(rules) or ["intrusion:a"], model="yolox_nano_416").model_copy(
        update={"id": "c"}
    )


def quiet(from_s: float, to_s: float, **state: object) -> list[Scene]:
    scene = Scene("c", at(0), (), moving=False)
    return [replace(scene, at=at(from_s + step), **state) for step in range(int(to_s - from_s))]  # type: ignore[arg-type]


def test_holes_are_told_with_their_reason(tmp_path: Path) -> None:
    lost = frozenset({CameraTrouble.STREAM_LOST})
    first = [*one_visit(0), *quiet(25, 100), *quiet(100, 200, troubles=lost), *quiet(200, 300), *quiet(500, 600)]
    lived(tmp_path, zone_camera(), first, began_at=at(0))
    lived(tmp_path, zone_camera(), quiet(2_000, 2_100), began_at=at(1_990))
    whole = try_cameras(tmp_path, [zone_camera()], since=timedelta(hours=1))
    [trial] = whole.cameras
    assert [(hole.why, round((hole.ends_at - hole.begins_at).total_seconds(), -1)) for hole in trial.holes] == [
        ("camera_lost", 100),
        ("no_picture", 200),
        ("node_off", 1_400),
    ]
    assert trial.begins_at == at(0)
    assert trial.seen_s == pytest.approx(400, abs=15)
    [told] = answer(whole, tmp_path)["cameras"]
    assert [each["code"] for each in told["warnings"]] == ["begins_later", "seen_in_part"]
    assert "2026-03-01T08:00:00.000Z" in told["warnings"][0]["words"]


def test_a_block_that_is_damaged_is_a_hole_and_no_peace(tmp_path: Path) -> None:
    lived(tmp_path, zone_camera(), quiet(0, 600), write_every=120, began_at=at(0))
    [file] = files(tmp_path / FOLDER)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    whole = try_cameras(tmp_path, [zone_camera()], since=timedelta(minutes=9))
    [hole] = whole.cameras[0].holes
    assert hole.why == "not_kept"
    assert (hole.ends_at - hole.begins_at).total_seconds() == pytest.approx(120, abs=10)
    assert answer(whole, tmp_path)["damaged_blocks"] == 1


def test_a_killed_node_ends_what_was_open_where_it_was_seen_last(tmp_path: Path) -> None:
    recorded = one_visit(0)[:-1]
    lived(tmp_path, zone_camera(), recorded, began_at=at(0), write_every=40)
    for file in files(tmp_path / FOLDER):
        file.write_bytes(file.read_bytes()[:-10])  # the last block was not written whole
    lived(tmp_path, zone_camera(), quiet(100, 200), began_at=at(90))
    [trial] = try_cameras(tmp_path, [zone_camera()], since=timedelta(hours=1)).cameras
    [found] = trial.now
    assert (found.started_at, found.ended_at) == (at(0), at(15.8))
    assert [hole.why for hole in trial.holes] == ["node_off"]


def test_what_began_before_the_span_is_none_of_it_and_what_has_not_ended_is_open(tmp_path: Path) -> None:
    live = [*one_visit(0, seconds=120), *quiet(130, 200), *one_visit(200, track_id=2, seconds=60)[:-1]]
    camera = zone_camera()
    lived(tmp_path, camera, live)
    [trial] = try_cameras(tmp_path, [camera], since=at(60), until=at(250)).cameras
    [found] = trial.now
    assert (found.started_at, found.ended_at) == (at(200), None)


def test_what_was_not_looked_for_is_said(tmp_path: Path) -> None:
    lived(tmp_path, zone_camera(), one_visit(0))
    camera = zone_camera("abandoned_object:a:60", "camera_trouble")
    whole = try_cameras(tmp_path, [camera], since=WEEK)
    [told] = answer(whole, tmp_path)["cameras"]
    assert [each["words"] for each in told["warnings"] if each["code"] == "not_looked_for"] == [
        "rule abandoned_object-a: things left behind were not looked for all the time",
        "rule camera_trouble: trouble with the picture was not looked for all the time",
    ]


def test_that_nobody_looked_for_what_stays_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWARD_MODELS", str(tmp_path / "models"))
    take_in(tmp_path)
    lived(tmp_path / "node", zone_camera(), one_visit(0))
    camera = camera_from_words(["a=0,0 1,0 1,1 0,1"], ["litter:a:60"], model="auto").model_copy(update={"id": "c"})
    [told] = answer(try_cameras(tmp_path / "node", [camera], since=WEEK), tmp_path / "node")["cameras"]
    assert "rule litter-a: what stays at its place was not looked for all the time" in [
        each["words"] for each in told["warnings"]
    ]


@pytest.mark.parametrize("rule", ["abandoned_object:a:20", "camera_trouble"])
def test_conditions_that_hold_are_found_again(tmp_path: Path, rule: str) -> None:
    thing = StillObject(1, (0.4, 0.4, 0.5, 0.5), at(10))
    covered = frozenset({CameraTrouble.COVERED})
    live = [
        *quiet(0, 10, troubles=frozenset(), objects=()),
        *quiet(10, 300, troubles=covered, objects=(thing,)),
        *quiet(300, 400, troubles=frozenset(), objects=()),
    ]
    camera = zone_camera(rule)
    told = ends(lived(tmp_path, camera, live).told)
    [trial] = try_cameras(tmp_path, [camera], since=WEEK).cameras
    assert len(told) == 1
    assert_alike(trial.now, told)


@pytest.mark.parametrize(("rule", "label"), [("litter:a:20", "litter"), ("fallen_person:a:8", "fallen_person")])
def test_what_stays_at_its_place_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: str, label: str
) -> None:
    monkeypatch.setenv("GRIDWARD_MODELS", str(tmp_path / "models"))
    take_in(tmp_path)
    camera = camera_from_words(["a=0,0 1,0 1,1 0,1"], [rule], model="auto").model_copy(update={"id": "c"})
    seen = Look((Spotted(label, (0.4, 0.4, 0.5, 0.5), 0.8),))
    live = [*quiet(0, 10, look=Look(())), *quiet(10, 60), *quiet(60, 200, look=seen), *quiet(200, 400, look=Look(()))]
    told = ends(lived(tmp_path / "node", camera, live).told)
    [trial] = try_cameras(tmp_path / "node", [camera], since=WEEK).cameras
    assert len(told) == 1
    assert_alike(trial.now, told)
    other = camera_from_words(["a=0,0 1,0 1,1 0,1"], ["bin_overflow:a:20"], model="auto").model_copy(update={"id": "c"})
    assert try_cameras(tmp_path / "node", [other], since=WEEK).cameras[0].now == ()


def test_who_was_only_expected_in_a_zone_is_in_it_neither_live_nor_in_the_memory(tmp_path: Path) -> None:
    """He walks towards it with every second look left out; one stops before it, another goes on into it."""
    camera = camera_from_words(["a=0.5,0 1,0 1,1 0.5,1"], ["intrusion:a"], model="yolox_nano_416").model_copy(
        update={"id": "c"}
    )
    live: list[Scene] = []
    for track_id, last in ((1, 0.49), (2, 0.6)):
        began_s = 100.0 * track_id
        places = [(began_s + 0.4 * step, standing_at(min(0.3 + 0.02 * step, last), 0.8)) for step in range(40)]
        *scenes, ended = walk(track_id, places)
        for scene in scenes:
            [track] = scene.tracks
            later = scene.at + timedelta(seconds=0.2)
            ahead = standing_at((track.box[0] + track.box[2]) / 2 + 0.015, 0.8)
            live += [scene, replace(scene, at=later, tracks=(replace(track, box=ahead, last_seen_at=later),))]
        live.append(replace(ended, at=ended.at + timedelta(seconds=1)))
    told = ends(lived(tmp_path, camera, live, write_every=7).told)
    [trial] = try_cameras(tmp_path, [camera], since=WEEK).cameras
    assert [each.track_ids for each in told] == [(2,)]
    assert [each.started_at for each in trial.now] == [each.started_at for each in told]


def test_a_cool_down_and_a_fold_hold_in_the_memory_as_they_did_live(tmp_path: Path) -> None:
    visits = [scene for visit in range(6) for scene in one_visit(100.0 * visit, track_id=visit + 1)]
    base = zone_camera()
    [rule] = base.rules
    for number, change in enumerate(({"fold_s": 150.0}, {"cooldown_s": 250.0})):
        camera = base.model_copy(update={"rules": (rule.model_copy(update=change),)})
        directory = tmp_path / str(number)
        told = ends(lived(directory, camera, visits).told)
        [trial] = try_cameras(directory, [camera], since=WEEK).cameras
        assert len(told) < 6
        assert [(each.started_at, each.count) for each in trial.now] == [(each.started_at, each.count) for each in told]


def test_an_answer_is_never_larger_than_it_may_be(tmp_path: Path) -> None:
    visits = [scene for visit in range(900) for scene in one_visit(10.0 * visit, track_id=visit + 1, seconds=1)]
    lived(tmp_path, zone_camera(), visits)
    whole = try_cameras(tmp_path, [zone_camera()], since=WEEK)
    told = answer(whole, tmp_path)
    assert len(as_json(told).encode()) <= LARGEST_BYTES
    [camera] = told["cameras"]
    assert camera["incidents_left_out"] > 0
    assert camera["incidents_left_out"] + len(camera["incidents"]) == 900
    assert camera["rules"][0]["now"] == camera["rules"][0]["kept"] == 900


def test_nothing_remembered_and_spans_that_end_before_they_begin_are_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nothing is remembered yet of c"):
        try_cameras(tmp_path, [zone_camera()], since=WEEK)
    lived(tmp_path, zone_camera(), one_visit(0))
    with pytest.raises(ConfigurationError, match="the span begins at"):
        try_cameras(tmp_path, [zone_camera()], since=at(100), until=at(50))


def test_it_can_be_broken_off(tmp_path: Path) -> None:
    lived(tmp_path, zone_camera(), one_visit(0))

    def no_more() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        try_cameras(tmp_path, [zone_camera()], since=WEEK, go_on=no_more)


def incident(rule: str, kind: str, from_s: float, to_s: float | None) -> TrialIncident:
    ended = None if to_s is None else at(to_s)
    return TrialIncident(rule, kind, "a", "high", at(from_s), ended, None, None, None, None)


def test_what_is_one_and_what_is_new_or_gone() -> None:
    then = (incident("r", "intrusion", 0, 10), incident("r", "intrusion", 20, 30), incident("old", "crowd", 5, None))
    now = (incident("r", "intrusion", 2, 9), incident("r", "intrusion", 50, 60), incident("other", "crowd", 90, 95))
    pairs = compared(now, then, until=at(100))
    assert [(pair.verdict, pair.told.rule) for pair in pairs] == [
        (Verdict.KEPT, "r"),
        (Verdict.GONE, "r"),
        (Verdict.NEW, "r"),
        (Verdict.KEPT, "other"),
    ]
    assert all(pair.told.started_at is not None for pair in pairs)
