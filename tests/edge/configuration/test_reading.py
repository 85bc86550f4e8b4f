import copy
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.configuration.outline import crossing_sides
from edge.configuration.reading import LARGEST_FILE_BYTES, Mistake, examine, examine_text, load
from edge.errors import ConfigurationError
from edge.perception.detector import usable
from models import catalogue

EXAMPLE = files("edge.configuration").joinpath("example.yaml").read_text(encoding="utf-8")

MINIMAL = """\
node:
  id: station-01
  district: "110105"
  data_directory: ./data
cloud:
  mqtt: mqtt://127.0.0.1:1884
  https: http://127.0.0.1:8000
"""

TEN_MISTAKES = """\
node:
  id: Station 01
  district: 110105
  data_directory: ./data
  data_directory: ./other
cloud:
  mqtt: http://127.0.0.1
  https: https://cloud.example
  token_file: secrets/token
  mqtt_usr: station
local_mqtt:
  url: mqtt://127.0.0.1
cameras:
  - id: gate
    url: rtsp://192.0.2.1/stream
    model: yolox_mini
    zones:
      floor: [[0, 0], [1, 1], [1, 0], [0, 1]]
    rules:
      - kind: loitering
        zone: flor
        limit_s: 16.5s
sensors:
  - id: gate
    topic: piles/1
    points:
      - name: temperature_c
"""

TEN_LINES = [
    (2, "node.id", "`Station 01` is no identifier"),
    (3, "node.district", "put it in quotes"),
    (5, "node.data_directory", "stands in line 4 already"),
    (7, "cloud.mqtt", "has to begin with 'mqtt'"),
    (9, "cloud.token_file", "there is no file"),
    (10, "cloud.mqtt_usr", "did you mean `mqtt_user`?"),
    (16, "cameras[0].model", "there is no model `yolox_mini`"),
    (18, "cameras[0].zones.floor", "crosses itself"),
    (21, "cameras[0].rules[0].zone", "there is no zone `flor`; this camera has floor"),
    (22, "cameras[0].rules[0].limit_s", "seconds, without a letter"),
    (24, "sensors[0].id", "belongs to another camera"),
]


def reasons(text: str, folder: Path) -> list[tuple[int, str, str]]:
    configuration, mistakes = examine_text(text, folder=folder)
    assert (configuration is None) == bool(mistakes)
    return [(mistake.line, mistake.where, mistake.reason) for mistake in mistakes]


def test_the_example_has_no_mistakes(tmp_path: Path) -> None:
    assert reasons(EXAMPLE, tmp_path) == []


def test_every_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    found = reasons(TEN_MISTAKES, tmp_path)
    assert [(line, where) for line, where, _ in found] == [(line, where) for line, where, _ in TEN_LINES]
    for (_, _, reason), (_, _, words) in zip(found, TEN_LINES, strict=True):
        assert words in reason


def test_loading_lists_them_as_compilers_do(tmp_path: Path) -> None:
    file = tmp_path / "node.yaml"
    file.write_text(TEN_MISTAKES)
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(TEN_LINES)
    assert lines[0].startswith(f"{file}:2: node.id: ")


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    file = tmp_path / "node.yaml"
    file.write_text(MINIMAL)
    assert load(file).node.data_directory == tmp_path / "data"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("node: [", 1, "not YAML"),
        ("a: 1\n\tb: 2\n", 2, "not YAML"),
        ("", 1, "keys and values"),
        ("- 1\n", 1, "keys and values"),
        ("node: !!python/object/apply:os.system ['true']\n", 1, "has no meaning here"),
        ("? [a]\n: 1\n", 1, "a key has to be a word"),
        ("node: 2026-13-45\n", 1, "not YAML"),
    ],
)
def test_files_that_are_not_even_a_configuration(tmp_path: Path, text: str, line: int, words: str) -> None:
    found = reasons(text, tmp_path)
    assert any(each[0] == line and words in each[2] for each in found), found


def test_aliases_that_multiply_end_early(tmp_path: Path) -> None:
    text = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(9))
    assert "more values" in reasons(text, tmp_path)[0][2]


def test_an_alias_within_itself_ends_early(tmp_path: Path) -> None:
    assert "more values" in reasons("node: &a [*a]\n", tmp_path)[0][2]


def test_a_file_that_is_too_large_or_not_there(tmp_path: Path) -> None:
    file = tmp_path / "node.yaml"
    assert "can't be read" in examine(file)[1][0].reason
    file.write_bytes(b"#" * (LARGEST_FILE_BYTES + 1))
    assert "larger than" in examine(file)[1][0].reason
    file.write_bytes(b"\xff\xfe\x00")
    assert "can't be read" in examine(file)[1][0].reason


SENSOR = """\
local_mqtt: {url: "mqtt://127.0.0.1"}
sensors:
  - id: pile-1
    topic: piles/1
    points: [{name: t, minimum: 0, maximum: 9}, {name: t}, {name: door, kind: state}]
    rules:
      - {kind: threshold, point: door, above: 1}
      - {kind: threshold, point: t, above: 1, below: 2}
      - {kind: threshold, point: t, above: 5, clear: 6}
      - {kind: threshold, point: t, above: 5, severity: awful}
"""

CAMERA = """\
cameras:
  - id: cam
    url: rtsp://user:secret@192.0.2.1/
    zones:
      wide: [[0, 0], [640, 0], [1, 1]]
      flat: [[0, 0], [1, 1]]
    rules:
      - {kind: intrusion, zone: wide, classes: [persn]}
      - {kind: intrusion, zone: wide}
      - {kind: dancing, zone: wide}
      - {zone: wide}
  - {id: file, url: clips/none.mp4, model: null, zones: {a: [[0, 0], [1, 0], [1, 1]]}, rules: [{kind: intrusion, zone: a}]}
  - {id: ftp, url: "ftp://x/y", loop: true}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            MINIMAL + SENSOR,
            [
                (12, "a point `t` is there already"),
                (14, "no numeric point `door`"),
                (15, "only one"),
                (16, "a rule `threshold-t`"),
                (16, "the alarm would never end"),
            ],
        ),
        (MINIMAL + SENSOR.replace('local_mqtt: {url: "mqtt://127.0.0.1"}\n', ""), [(8, "`local_mqtt` is missing")]),
        (MINIMAL + SENSOR.replace("topic: piles/1", "topic: piles/#"), [(11, "`#`")]),
        (MINIMAL + SENSOR.replace("name: door", "name: presence"), [(12, "told by the node itself")]),
        (MINIMAL + SENSOR.replace("minimum: 0", "minimum: 9"), [(12, "not below the maximum")]),
        (MINIMAL + SENSOR, [(17, "`awful` is not possible; choose 'low', 'medium', 'high' or 'critical'")]),
        (
            MINIMAL + CAMERA,
            [
                (10, "a password may not stand here"),
                (12, "shares of width and height, not pixels"),
                (13, "at least 3 are needed"),
                (15, "no class `persn`"),
                (16, "a rule `intrusion-wide` is there already"),
                (17, "the kind `dancing` is not possible"),
                (18, "`kind` is missing"),
                (19, "there is no file"),
                (19, "needs a `model`"),
                (20, "`ftp` is not possible"),
                (20, "only a file can be played in a loop"),
            ],
        ),
        (MINIMAL + "outbox: {quota_mib: 64, incident_reserve_mib: 64}\n", [(8, "leaves nothing")]),
        (MINIMAL.replace("data_directory", "data_dir"), [(4, "did you mean `data_directory`?"), (1, "is missing")]),
        (MINIMAL + "outbox: {quota_mib: 1 GiB}\n", [(8, "MiB, without letters")]),
        (MINIMAL + "outboks: {}\n", [(8, "did you mean `outbox`?")]),
    ],
)
def test_what_does_not_fit_together(tmp_path: Path, text: str, expected: list[tuple[int, str]]) -> None:
    found = reasons(text, tmp_path)
    for line, words in expected:
        assert any(each[0] == line and words in each[2] for each in found), (line, words, found)


def test_an_empty_password_file_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    [found] = reasons(MINIMAL + "  token_file: token\n", tmp_path)
    assert "is empty" in found[2]


USABLE = sorted(name for name, manifest in catalogue.own_models().items() if usable(manifest))


@pytest.mark.parametrize("model", sorted(catalogue.models()))
def test_only_models_that_can_be_read_are_accepted_and_offered(tmp_path: Path, model: str) -> None:
    text = MINIMAL + "cameras: [{id: cam, url: 'rtsp://192.0.2.1/', model: NAME}]\n"
    found = reasons(text.replace("NAME", model), tmp_path)
    offered = reasons(text.replace("NAME", "none"), tmp_path)[0][2].partition("possible: ")[2].split(", ")
    assert offered == USABLE
    if model in USABLE:
        assert found == []
    else:
        [(line, where, reason)] = found
        assert (line, where) == (8, "cameras[0].model")
        assert reason.startswith(f"{model}: ")
        assert reason.endswith("possible: " + ", ".join(USABLE))


@pytest.mark.parametrize("label", ["fire", "smoke"])
def test_fire_and_smoke_are_refused_where_the_model_does_not_know_them(label: str, tmp_path: Path) -> None:
    text = MINIMAL + CAMERA.replace("persn", label)
    assert any(f"no class `{label}` is looked for with" in reason for _, _, reason in reasons(text, tmp_path))


def test_a_class_that_is_not_looked_for_is_refused_although_the_model_knows_it(tmp_path: Path) -> None:
    text = MINIMAL + CAMERA.replace("persn", "dog")
    assert any("no class `dog` is looked for" in reason for _, _, reason in reasons(text, tmp_path))


@pytest.mark.parametrize(
    "points",
    ["[{name: t, kind: nummer}]", "[{nmae: t}]", "[{name: t, minimum: warm}]", "[{name: T}]", "[]", "t", "[t]"],
)
def test_a_rule_is_not_blamed_for_a_point_that_has_mistakes_of_its_own(tmp_path: Path, points: str) -> None:
    text = (
        SENSOR[: SENSOR.index("    points:")]
        + f"    points: {points}\n    rules: [{{kind: threshold, point: t, above: 1}}]\n"
    )
    found = reasons(MINIMAL + text, tmp_path)
    assert found
    assert not any("no numeric point" in reason for _, _, reason in found), found


def test_a_rule_is_not_blamed_for_zones_that_are_no_zones(tmp_path: Path) -> None:
    text = MINIMAL + "cameras: [{id: c, url: 'rtsp://192.0.2.1/', zones: [], rules: [{kind: intrusion, zone: a}]}]\n"
    assert [reason for _, _, reason in reasons(text, tmp_path)] == ["keys and values are expected here"]


def test_two_corners_of_which_one_is_out_of_range_are_two_mistakes(tmp_path: Path) -> None:
    zones = "{two: [[0, 0], [1.5, 1]], three: [[0, 0], [1.5, 1], [1, 0]]}"
    found = reasons(MINIMAL + f"cameras: [{{id: c, url: 'rtsp://192.0.2.1/', zones: {zones}}}]\n", tmp_path)
    assert [where for _, where, _ in found] == [
        "cameras[0].zones.three[1][0]",
        "cameras[0].zones.two",
        "cameras[0].zones.two[1][0]",
    ]
    assert "at least 3 are needed, here are 2" in found[1][2]


SQUARE = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]


@pytest.mark.parametrize(
    ("corners", "crossing"),
    [
        (SQUARE, None),
        ([SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3]], (0, 2)),
        ([(0, 0), (1, 0), (0.5, 0)], (0, 1)),
        ([(0, 0), (0, 0), (1, 1)], (0, 1)),
        ([(0, 0), (1, 0), (1, 1), (0.5, 0), (0, 1)], (0, 2)),
        ([(0, 0), (0.5, 0), (1, 0), (1, 1), (0, 1)], None),
    ],
)
def test_outlines(corners: list[tuple[float, float]], crossing: tuple[int, int] | None) -> None:
    assert crossing_sides(corners) == crossing


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.builds(list),
    st.builds(dict),
    st.builds(lambda: [[]]),
)
"""Made anew each time: the test puts more junk into it."""


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_whatever_stands_there_is_a_mistake_and_never_a_crash(tmp_path: Path, data: st.DataObject) -> None:
    tree: Any = copy.deepcopy(yaml.safe_load(EXAMPLE))
    for _ in range(data.draw(st.integers(1, 3))):
        place = tree
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
                place[key] = data.draw(JUNK)
                break
            place = place[key]
    examine_text(yaml.safe_dump(tree), folder=tmp_path)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=200))
def test_any_text_is_answered(tmp_path: Path, text: str) -> None:
    examine_text(text, folder=tmp_path)


def test_mistakes_of_lines_are_told_with_their_line() -> None:
    long = "a" * 60
    text = (
        MINIMAL
        + f"""\
cameras:
  - id: c
    url: rtsp://192.0.2.1/
    lines:
      door: [[0.2, 0.5], [0.2, 0.5]]
      far: [[0, 0], [768, 0]]
    rules:
      - {{kind: line_crossing, line: dor}}
      - {{kind: line_crossing, line: door, forbidden: [up]}}
      - {{kind: line_crossing, id: {long}, line: door}}
      - {{kind: line_crossing, line: door, id: slow, interval_s: 7200}}
"""
    )
    first = MINIMAL.count("\n")
    _, mistakes = examine_text(text, folder=Path("/"))
    found = {(each.line - first, each.reason) for each in mistakes}
    for line, words in (
        (5, "its two ends are one point"),
        (6, "coordinates are shares of width and height, not pixels"),
        (8, "there is no line `dor`; this camera has door, far"),
        (9, "`up` is not possible; choose 'in' or 'out'"),
        (10, "give it an `id` of at most 54 signs"),
        (11, "out of range: at most 3600"),
    ):
        assert any(line == place and words in reason for place, reason in found), (line, words, found)
    assert len(found) == 6


def test_mistakes_of_schedules_are_told_with_their_line() -> None:
    text = (
        MINIMAL
        + """\
cameras:
  - id: c
    url: rtsp://192.0.2.1/
    zones: {a: [[0, 0], [1, 0], [1, 1]]}
    rules:
      - kind: intrusion
        zone: a
        schedule:
          - {start: 22:00, end: 06:00}
          - {start: 22.00}
          - {days: [monday]}
          - {start: "08:00", end: "08:00"}
        fold_s: 10m
"""
    )
    first = MINIMAL.count("\n")
    _, mistakes = examine_text(text, folder=Path("/"))
    found = {(each.line - first, each.reason) for each in mistakes}
    for line, words in (
        (10, "no time of day: write HH:MM"),
        (11, "`monday` is not possible; choose 'mon'"),
        (12, "begins and ends at the same time"),
        (13, "seconds, without a letter"),
    ):
        assert any(line == place and words in reason for place, reason in found), (line, words, found)
    assert len(found) == 4


def test_a_crowd_that_would_be_over_while_it_is_there_is_a_mistake() -> None:
    rule = "{kind: crowd, zone: a, at_least: 5, still_at_least: 6}"
    camera = f"{{id: c, url: 'rtsp://192.0.2.1/', zones: {{a: [[0, 0], [1, 0], [1, 1]]}}, rules: [{rule}]}}"
    _, mistakes = examine_text(MINIMAL + f"cameras: [{camera}]\n", folder=Path("/"))
    assert [(each.where, "more than `at_least` 5" in each.reason) for each in mistakes] == [
        ("cameras[0].rules[0].still_at_least", True)
    ]


def test_motion_is_a_class_of_line_crossings_alone_and_needs_no_model() -> None:
    camera = (
        "{id: c, url: 'rtsp://192.0.2.1/', model: MODEL, lines: {l: [[0, 0.5], [1, 0.5]]}, zones: {a: [[0, 0], [1, 0], [1, 1]]}, "
        "rules: [{kind: line_crossing, line: l, classes: [motion]}, {kind: intrusion, zone: a, classes: [motion]}]}"
    )
    for model, reason in (("yolox_nano_416", "no class `motion`"), ("null", "needs a `model`")):
        text = MINIMAL + f"cameras: [{camera.replace('MODEL', model)}]\n"
        _, mistakes = examine_text(text, folder=Path("/"))
        assert [each.where.startswith("cameras[0].rules[1]") for each in mistakes] == [True]
        assert reason in mistakes[0].reason


@pytest.mark.parametrize(
    "address",
    [
        "rtsp:/admin:Geheim1@10.0.0.5/live",
        "admin:Geheim1@10.0.0.5/live",
        "admin:Ge heim Geheim1@10.0.0.5/live",
        "rtsp://admin:Geheim/1@host",
        "rtsp://admin:Geheim1@[host",
        "rtsp://admin:a Geheim1@host",
        "rtsp//admin:Geheim1@host",
        "file:/admin:Geheim1@host",
        "mqtt://node:Geheim1@broker",
        "ftp://node:Geheim1@broker",
        "rtsp://" + "a" * 40 + ":Geheim1" + "b" * 40 + "@host",
        "gb28181://admin:Geheim1@x",
        "http://10.0.0.5/live?password=Geheim1",
    ],
)
def test_no_mistake_repeats_the_password_of_an_address(address: str, tmp_path: Path) -> None:
    quoted = json.dumps(address)
    told = (
        MINIMAL.replace("mqtt://127.0.0.1:1884", quoted).replace("http://127.0.0.1:8000", quoted)
        + f"local_mqtt: {{url: {quoted}}}\n{quoted}: 3\n"
        + f"cameras: [{{id: {quoted}, url: {quoted}, model: null}}, {{id: c, url: !!int {quoted}, model: null}}]\n"
        + f"gateways: [{{id: g, url: {quoted}, kind: {quoted}}}]\n"
    )
    found = list[Mistake]()
    for text in (told, told.replace("!!int ", "")):
        configuration, mistakes = examine_text(text, folder=tmp_path)
        assert configuration is None
        found += mistakes
    assert any("url" in mistake.where for mistake in found)
    assert "Geheim" not in "\n".join(f"{mistake} {mistake.text(tmp_path)}" for mistake in found)
