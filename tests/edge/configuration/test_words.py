from pathlib import Path

import pytest

from edge.configuration.words import camera_from_words
from edge.errors import ConfigurationError
from tests.fakes.own_model import OWN, take_in

MODEL = "yolox_nano_416"
SQUARE = "a=0,0 1,0 1,1 0,1"


def refused(zones: list[str], rules: list[str], *, model: str = MODEL, analysis_hz: float = 5.0) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        camera_from_words(zones, rules, model=model, analysis_hz=analysis_hz)
    said = str(caught.value)
    assert "pydantic" not in said
    assert "Input should" not in said
    return said.splitlines()


def test_words_make_a_camera() -> None:
    camera = camera_from_words(["a=0,0 1,0 1,1"], ["intrusion:a", "loitering:a:16.5"], model=MODEL)
    assert [rule.kind for rule in camera.rules] == ["intrusion", "loitering"]
    assert [getattr(rule, "classes", None) for rule in camera.rules] == [("person",), ("person",)]
    assert camera.zones["a"] == ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))


def test_rules_may_name_classes_and_two_of_one_zone_are_told_apart() -> None:
    rules = ["intrusion:a", "intrusion:a:car+truck", "loitering:a:9:bicycle"]
    camera = camera_from_words([SQUARE], rules, model=MODEL)
    assert [getattr(rule, "classes", None) for rule in camera.rules] == [("person",), ("car", "truck"), ("bicycle",)]
    assert [rule.id for rule in camera.rules] == [None, "intrusion-a-2", None]


@pytest.mark.parametrize(
    ("zones", "rules", "expected"),
    [
        (["floor=1"], [], ["--zone floor=1: write NAME=x,y x,y x,y"]),
        (["a"], [], ["--zone a: write NAME="]),
        (["a=0,0 1,x 1,1", "b="], ["intrusion"], ["--zone a=", "--zone b=", "--rule intrusion: write intrusion:ZONE"]),
        (["a=0,0 1,0"], [], ["--zone a=0,0 1,0: too few: at least 3 are needed, here are 2"]),
        (["a=0,0 1.5,0"], [], ["corner 2: `1.5` is out of range: at most 1.0; coordinates are shares", "here are 2"]),
        (["a=0,0 nan,0 1,1"], [], ["corner 2: `nan` is no number"]),
        (["a=0,0 1,1 1,0 0,1"], [], ["--zone a=0,0 1,1 1,0 0,1: the outline crosses itself"]),
        ([SQUARE, SQUARE], [], ["a zone `a` is there already"]),
        (["A b=0,0 1,0 1,1"], [], ["--zone A b=0,0 1,0 1,1: `A b` is no identifier"]),
        ([SQUARE], ["loitering:a:abc"], ["--rule loitering:a:abc: `abc` is no number"]),
        (
            [SQUARE],
            ["loitering:a:9s"],
            ["--rule loitering:a:9s: `9s` is no number; the unit stands in the key: seconds"],
        ),
        ([SQUARE], ["loitering:a:0"], ["--rule loitering:a:0: `0` is out of range: more than 0"]),
        ([SQUARE], ["intrusion:b"], ["--rule intrusion:b: there is no zone `b`; this camera has a"]),
        ([], ["intrusion:b"], ["there is no zone `b`; this camera has none"]),
        ([SQUARE], ["intrusion:a:person:car"], ["--rule intrusion:a:person:car: write"]),
        ([SQUARE], ["intrusion:a:", "intrusion:a:car+"], ["intrusion:a:: write", "car+: write"]),
        ([SQUARE], ["intrusion:a", "intrusion:a"], ["--rule intrusion:a: stands there twice"]),
        (
            [SQUARE],
            ["intrusion:a:persn+dog"],
            [
                "no class `persn` is looked for with this model; possible: person, bicycle, car, motorcycle, bus, truck",
                "no class `dog` is looked for with this model",
            ],
        ),
    ],
)
def test_words_that_make_no_camera_are_named_with_their_option(
    zones: list[str], rules: list[str], expected: list[str]
) -> None:
    lines = refused(zones, rules)
    assert len(lines) == len(expected), lines
    for line, words in zip(lines, expected, strict=True):
        assert words in line
        assert line.startswith(("--zone ", "--rule "))


def test_camera_trouble_needs_neither_zone_nor_line() -> None:
    camera = camera_from_words([], ["camera_trouble"], model=MODEL)
    assert [(rule.kind, rule.id) for rule in camera.rules] == [("camera_trouble", None)]
    assert "write intrusion:ZONE" in "".join(refused([], ["camera_trouble:dark"]))


def test_crowds_standing_vehicles_and_two_wheelers_have_words() -> None:
    rules = ["crowd:a:5", "crowd:a:9:car", "vehicle_dwell:a:300", "two_wheeler:a", "two_wheeler:a:motorcycle"]
    camera = camera_from_words([SQUARE], rules, model=MODEL)
    assert [(rule.kind, getattr(rule, "classes", None)) for rule in camera.rules] == [
        ("crowd", ("person",)),
        ("crowd", ("car",)),
        ("vehicle_dwell", ("car", "truck", "bus")),
        ("two_wheeler", ("bicycle", "motorcycle")),
        ("two_wheeler", ("motorcycle",)),
    ]
    assert refused([SQUARE], ["crowd:a:1"]) == ["--rule crowd:a:1: `1` is out of range: at least 2"]
    assert "there is no zone `b`" in refused([SQUARE], ["two_wheeler:b"])[0]


def test_lines_make_a_camera() -> None:
    rules = [
        "line_crossing:door",
        "line_crossing:door:out",
        "line_crossing:door:in+out:car",
        "line_crossing:door:car+bus",
    ]
    camera = camera_from_words([], rules, lines=["door=0,0.5 1,0.5"], model=MODEL)
    assert camera.lines["door"] == ((0.0, 0.5), (1.0, 0.5))
    assert [getattr(rule, "forbidden", None) for rule in camera.rules] == [(), ("out",), ("in", "out"), ()]
    assert [getattr(rule, "classes", None) for rule in camera.rules] == [
        ("person",),
        ("person",),
        ("car",),
        ("car", "bus"),
    ]


@pytest.mark.parametrize(
    ("line", "rule", "expected"),
    [
        ("door=0,0.5", "line_crossing:door", "--line door=0,0.5: too few: at least 2 are needed, here are 1"),
        ("door=0,0 1,0 1,1", "line_crossing:door", "too many: at most 2 are possible, here are 3"),
        (
            "door=0,0 1,500",
            "line_crossing:door",
            "corner 2: `500.0` is out of range: at most 1.0; coordinates are shares",
        ),
        ("door=0.5,0.5 0.5,0.5", "line_crossing:door", "its two ends are one point: the line has no direction"),
        ("door=0", "line_crossing:door", "--line door=0: write NAME=x,y x,y with coordinates"),
        (
            "door=0,0 1,0",
            "line_crossing:gate",
            "--rule line_crossing:gate: there is no line `gate`; this camera has door",
        ),
        ("door=0,0 1,0", "line_crossing:door:up", "no class `up` is looked for"),
    ],
)
def test_lines_that_make_no_camera_are_named_with_their_option(line: str, rule: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        camera_from_words([], [rule], lines=[line], model=MODEL)
    assert expected in str(caught.value)


def test_the_classes_are_those_of_the_model() -> None:
    [line] = refused([SQUARE], ["intrusion:a:car"], model="lightperson_192")
    assert line.endswith("possible: person")


def test_a_model_that_cannot_be_read_is_refused_before_anything_is_fetched() -> None:
    [line] = refused([SQUARE], ["intrusion:a"], model="deimv2_femto")
    assert line.startswith("--model deimv2_femto: ")
    assert "unknown decoder `deim`" in line
    offered = line.partition("possible: ")[2].split(", ")
    assert {"fastestdet_352", "lightperson_192", "nanodet_m_416", "yolox_nano_416"} <= set(offered)
    [line] = refused([SQUARE], ["intrusion:a"], model="none")
    assert "there is no model `none`" in line


def test_the_rate_is_named_by_its_option() -> None:
    assert refused([SQUARE], [], analysis_hz=0.0) == ["--analysis-hz 0: `0.0` is out of range: more than 0.0"]


def test_abandoned_objects_have_words() -> None:
    camera = camera_from_words([SQUARE], ["abandoned_object:a:30"], model=MODEL)
    [rule] = camera.rules
    assert (rule.kind, getattr(rule, "for_s", None), getattr(rule, "classes", None)) == (
        "abandoned_object",
        30.0,
        ("person",),
    )
    assert "there is no zone `b`" in refused([SQUARE], ["abandoned_object:b:30"])[0]
    assert "out of range: at least 5" in refused([SQUARE], ["abandoned_object:a:3"])[0]
    assert "write intrusion:ZONE" in "".join(refused([SQUARE], ["abandoned_object:a"]))


def test_what_stays_at_its_place_has_words_and_takes_a_model_that_knows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDWARD_MODELS", str(tmp_path / "models"))
    take_in(tmp_path)
    camera = camera_from_words([SQUARE], ["litter:a:30", "bin_overflow:a:60", "fallen_person:a:8"], model="auto")
    assert camera.model == OWN
    assert [getattr(rule, "lasting_s", None) for rule in camera.rules] == [30.0, 60.0, 8.0]
    assert "there is no zone `b`" in refused([SQUARE], ["litter:b:30"], model="auto")[0]
    assert "write intrusion:ZONE" in "".join(refused([SQUARE], ["litter:a"], model="auto"))
