"""Configurations that are broken or mean harm: refused with their line, in bounded time, and never by a fault of ours."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.configuration.printing import printable, unprintable
from edge.configuration.reading import MOST_MISTAKES, Mistake, examine, examine_text, load
from edge.errors import ConfigurationError
from tests.edge.configuration.test_reading import EXAMPLE, MINIMAL

CAMERA = "cameras: [{id: c, url: URL}]\n"
ANY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def found_in(text: str, folder: Path) -> list[Mistake]:
    configuration, mistakes = examine_text(text, folder=folder)
    assert (configuration is None) == bool(mistakes)
    return mistakes


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[" * 100_000, 1, "nested more deeply"),
        (MINIMAL + "x: " + "[" * 5_000 + "]" * 5_000, 1, "nested more deeply"),
        (MINIMAL + f"outbox: {{quota_mib: {'9' * 6_000}}}\n", 8, "is no int that can be read"),
        (MINIMAL + f"outbox: {{quota_mib: 0x{'f' * 6_000}}}\n", 8, "is no int that can be read"),
        (MINIMAL + f"outbox: {{quota_mib: {':'.join(['59'] * 4_000)}}}\n", 8, "is no int that can be read"),
        (MINIMAL + "outbox: {historical_after_s: 1e999}\n", 8, "is no number"),
        (MINIMAL + "outbox: {historical_after_s: .nan}\n", 8, "is no number"),
        (MINIMAL.replace("station-01", "!!bool maybe"), 2, "`maybe` is no bool"),
        (MINIMAL.replace("station-01", "!!timestamp x"), 2, "`x` is no timestamp"),
        (MINIMAL.replace("station-01", "!!binary aGVsbG8="), 2, "`tag:yaml.org,2002:binary` has no meaning"),
        (MINIMAL.replace("station-01", "!!python/name:os.system x"), 2, "has no meaning"),
        (MINIMAL + "<<: {node: 1}\n", 8, "there is no key `<<`"),
        (MINIMAL + "---\na: 1\n", 8, "another document"),
        (MINIMAL + "node: {id: b}\n", 8, "stands in line 1 already"),
        (MINIMAL.replace("\n  id", "\n\tid"), 2, "not YAML"),
        (MINIMAL.replace("./data", "~nobody-of-this-name/x"), 4, "nobody's home"),
        (MINIMAL.replace("./data", "/dev/null"), 4, "is no folder"),
        (MINIMAL.replace("./data", "x" * 5_000), 4, "not possible as a folder"),
        (MINIMAL + CAMERA.replace("URL", "a" * 1_900), 8, "there is no file"),
        (MINIMAL + CAMERA.replace("URL", "'rtsp://192.0.2.1:99999/'"), 8, "no address"),
        (MINIMAL + CAMERA.replace("URL", "'rtsp:///live'"), 8, "no address"),
        (MINIMAL + CAMERA.replace("URL", "'rtsp://[::1/live'"), 8, "no address"),
        (MINIMAL + CAMERA.replace("URL", "'rtsp://192.0.2.1/a b'"), 8, "a space"),
        (MINIMAL + CAMERA.replace("URL", "'file:///dev/zero'"), 8, "there is no file"),
        (MINIMAL + "  token_file: /dev/zero\n", 8, "there is no file"),
        (MINIMAL + "  token_file: /\n", 8, "there is no file"),
        (MINIMAL.replace("  data_directory", "  district_key: /dev/zero\n  data_directory"), 4, "a file of public"),
    ],
)
def test_what_may_not_be_is_refused_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    mistakes = found_in(text, tmp_path)
    assert any(each.line == line and words in each.reason for each in mistakes), [
        each.text(tmp_path) for each in mistakes
    ]


UNSEEN = ["\0", "\n", "\r", "\x1b", "\x7f", "\x85", "\u200f", "\u202e", "\u2028", "\u2066", "\ud800", "\ue000"]


@pytest.mark.parametrize("sign", UNSEEN)
@pytest.mark.parametrize(
    ("place", "where"),
    [
        ("node: {id: ID, district: '110105', data_directory: X}", "node.data_directory"),
        ("node: {id: ID, district: '110105', data_directory: d, name: X}", "node.name"),
        ("cameras: [{id: c, url: X}]", "cameras[0].url"),
        ("cameras: [{id: c, url: 'rtsp://192.0.2.1', user: X}]", "cameras[0].user"),
        ("sensors: [{id: s, topic: X, points: [{name: p}]}]", "sensors[0].topic"),
        ("sensors: [{id: s, topic: t, points: [{name: p, unit: X}]}]", "sensors[0].points[0].unit"),
    ],
)
def test_signs_that_nobody_sees_are_refused_everywhere_and_shown_by_number(
    tmp_path: Path, sign: str, place: str, where: str
) -> None:
    escaped = '"a' + "".join(f"\\u{ord(each):04x}" for each in sign) + 'b"'
    mistakes = found_in(place.replace("X", escaped) + "\n", tmp_path)
    [found] = [each for each in mistakes if each.where == where]
    assert found.reason == f"the sign U+{ord(sign):04X} can't be seen and may not stand here"
    assert all(unprintable(each.text(tmp_path / "node.yaml")) is None for each in mistakes)


HOSTILE_NAMES = [
    "../../etc/passwd",
    "a/b",
    "a'; DROP TABLE node; --",
    '"',
    "%s%n",
    "${HOME}",
    "a b",
    "A",
    ".",
    "-a",
    "x" * 65,
    "站点",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_an_identifier_is_nothing_but_an_identifier(tmp_path: Path, name: str) -> None:
    tree: dict[str, Any] = {
        "node": {"id": name, "district": "110105", "data_directory": "d"},
        "cloud": {"mqtt": "mqtt://127.0.0.1", "https": "http://127.0.0.1"},
        "local_mqtt": {"url": "mqtt://127.0.0.1"},
        "cameras": [
            {
                "id": name,
                "spot": name,
                "url": "rtsp://192.0.2.1",
                "zones": {name: [[0, 0], [1, 0], [1, 1]]},
                "rules": [{"kind": "intrusion", "zone": "z", "id": name}],
            }
        ],
        "sensors": [{"id": f"{name}2", "kind": name, "topic": "t", "points": [{"name": name}]}],
    }
    refused = {each.where for each in found_in(yaml.safe_dump(tree, allow_unicode=True), tmp_path)}
    assert {"node.id", "cameras[0].id", "cameras[0].spot", "cameras[0].rules[0].id", "sensors[0].kind"} <= refused
    assert any(where.startswith("cameras[0].zones") for where in refused)
    assert "sensors[0].points[0].name" in refused


def test_ids_that_meet_are_named(tmp_path: Path) -> None:
    text = MINIMAL + (
        "local_mqtt: {url: 'mqtt://127.0.0.1'}\n"
        "cameras:\n- {id: a, url: 'rtsp://192.0.2.1'}\n- {id: a, url: 'rtsp://192.0.2.1'}\n- {id: station-01, url: 'rtsp://192.0.2.1'}\n"
        "sensors:\n- {id: a, topic: t, points: [{name: p}, {name: p}]}\n"
    )
    assert [(each.line, each.where) for each in found_in(text, tmp_path)] == [
        (11, "cameras[1].id"),
        (12, "cameras[2].id"),
        (14, "sensors[0].id"),
        (14, "sensors[0].points[1].name"),
    ]


def test_a_thousand_mistakes_are_told_as_the_first_hundred(tmp_path: Path) -> None:
    mistakes = found_in(MINIMAL + "".join(f"key_{number}: 1\n" for number in range(1_000)), tmp_path)
    assert len(mistakes) <= MOST_MISTAKES + 1
    many = "cameras:\n" + "- {id: c, url: 'ftp://x', zonez: 1}\n" * 500
    mistakes = found_in(MINIMAL + many, tmp_path)
    assert len(mistakes) == MOST_MISTAKES + 1
    assert "more mistakes" in mistakes[-1].reason


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    pipe, linked, broken = tmp_path / "pipe", tmp_path / "linked.yaml", tmp_path / "broken.yaml"
    os.mkfifo(pipe)
    for file in (pipe, tmp_path, Path("/dev/zero")):
        configuration, [mistake] = examine(file)
        assert configuration is None
        assert "not a file with text in it" in mistake.reason or "directory" in mistake.reason
    (tmp_path / "real.yaml").write_text("\ufeff" + MINIMAL, encoding="utf-8")
    linked.symlink_to(tmp_path / "real.yaml")
    assert load(linked).node.id == "station-01"
    broken.symlink_to(broken)
    assert "can't be read" in examine(broken)[1][0].reason
    broken.unlink()
    broken.write_bytes(MINIMAL.encode() + b"\xff")
    assert (examine(broken)[1][0].line, "UTF-8" in examine(broken)[1][0].reason) == (8, True)
    broken.write_bytes(MINIMAL.encode("utf-16"))
    assert "UTF-8" in examine(broken)[1][0].reason


@pytest.mark.parametrize("name", ["password_file", "token"])
def test_a_secret_of_a_megabyte_is_none(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x" * (1 << 20))
    [mistake] = found_in(MINIMAL + f"  token_file: {name}\n", tmp_path)
    assert "too large for a secret" in mistake.reason


@ANY
@given(st.binary(max_size=400))
def test_any_bytes_are_a_configuration_or_a_mistake(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "node.yaml"
    file.write_bytes(content)
    configuration, mistakes = examine(file)
    if configuration is None:
        with pytest.raises(ConfigurationError) as caught:
            load(file)
        assert str(caught.value) == "\n".join(each.text(file) for each in mistakes)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.dates(),
    st.datetimes(),
    st.binary(max_size=5),
    st.sampled_from(["~x/y", "rtsp://[", "file://\0", "rtsp://a:b@c", "é" * 300, "mqtt://x", "-1", "1:1"]),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)
KEYS = st.sampled_from(
    [
        *("node", "cloud", "local_mqtt", "cameras", "sensors", "outbox", "id", "district", "name", "data_directory"),
        *("http_port", "mqtt", "https", "url", "user", "zones", "masks", "rules", "kind", "zone", "classes", "limit_s"),
        *("points", "topic", "path", "unit", "minimum", "maximum", "above", "below", "clear", "for_s", "token_file"),
    ]
)
NEAR_TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=6)),
    max_leaves=20,
)


@ANY
@given(st.one_of(TREES, NEAR_TREES))
def test_any_tree_is_a_configuration_or_a_mistake(tmp_path: Path, tree: Any) -> None:
    found_in(yaml.safe_dump(tree), tmp_path)
    found_in(
        yaml.safe_dump({**yaml.safe_load(MINIMAL), "cameras": [tree], "sensors": [tree], "outbox": tree}), tmp_path
    )


@ANY
@given(st.lists(st.tuples(st.integers(0, len(EXAMPLE)), st.text(max_size=6), st.integers(0, 20)), max_size=4))
def test_an_example_that_was_typed_over_is_a_configuration_or_a_mistake(
    tmp_path: Path, changes: list[tuple[int, str, int]]
) -> None:
    text = EXAMPLE
    for place, typed, gone in changes:
        text = text[:place] + typed + text[place + gone :]
    found_in(text, tmp_path)


@given(st.text())
def test_what_is_printed_holds_nothing_unseen(text: str) -> None:
    assert unprintable(printable(text)) is None
    assert unprintable(text) is not None or printable(text) == text
