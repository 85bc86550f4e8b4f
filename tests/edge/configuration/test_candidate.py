"""Candidates say what they change, with lines where they are wrong."""

from typing import Any

import pytest

from edge.configuration.candidate import candidates
from edge.errors import ConfigurationError
from edge.settings import CameraSettings, IntrusionSettings, LoiteringSettings

WHOLE = [[0, 0], [1, 0], [1, 1], [0, 1]]


def camera(name: str = "gate", **settings: Any) -> CameraSettings:
    parts: dict[str, Any] = {
        "zones": {"floor": WHOLE, "lane": WHOLE},
        "lines": {"door": [[0, 0.5], [1, 0.5]]},
        "rules": [{"kind": "intrusion", "zone": "floor"}],
    }
    return CameraSettings.model_validate({"id": name, "url": f"rtsp://{name}", **parts, **settings})


def test_what_is_not_said_stays_as_it_is() -> None:
    text = "zones:\n  floor: [[0, 0], [0.5, 0], [0.5, 1]]\n"
    [tried] = candidates(text, [camera()])
    assert list(tried.zones["floor"]) == [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0)]
    assert tried.zones["lane"] == camera().zones["lane"]
    assert (tried.lines, tried.rules, tried.url) == (camera().lines, camera().rules, camera().url)


def test_rules_take_the_place_of_all_rules() -> None:
    [tried] = candidates("rules: [{kind: loitering, zone: lane, limit_s: 9}]", [camera()])
    assert [type(rule) for rule in tried.rules] == [LoiteringSettings]


def test_several_cameras_by_their_ids_and_one_chosen() -> None:
    text = "cameras:\n  - {id: b, rules: []}\n  - {id: a, rules: []}\n"
    both = [camera("a"), camera("b"), camera("c")]
    assert [each.id for each in candidates(text, both)] == ["b", "a"]
    assert [each.id for each in candidates(text, both, camera="a")] == ["a"]
    assert [each.id for each in candidates("rules: []", both, camera="c")] == ["c"]


def test_a_whole_configuration_may_be_given() -> None:
    text = (
        "node: {id: n, district: '110105', data_directory: d}\n"
        "cloud: {mqtt: 'mqtt://c', https: 'https://c'}\n"
        "cameras:\n  - {id: gate, url: 'rtsp://elsewhere', zones: {floor: [[0, 0], [1, 0], [0, 1]]}, rules: []}\n"
    )
    [tried] = candidates(text, [camera()])
    assert (tried.url, tried.rules, len(tried.zones["floor"])) == ("rtsp://gate", (), 3)


def test_unchanged_are_all_or_the_chosen_one() -> None:
    both = [camera("a"), camera("b")]
    assert candidates("", both, unchanged=True) == tuple(both)
    assert candidates("", both, camera="b", unchanged=True) == (both[1],)
    assert isinstance(both[0].rules[0], IntrusionSettings)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("zones:\n  floor: [[0, 0], [1, 0]]\n", "new.yaml:2: zones.floor"),
        ("rules:\n  - kind: intrusion\n    zone: roof\n", "new.yaml:3: rules[0].zone: there is no zone `roof`"),
        ("cameras:\n  - id: other\n", "new.yaml:2: cameras[0].id: there is no camera `other`"),
        ("cameras:\n" + "  - id: gate\n" * 3, "new.yaml:3: cameras[1].id: `gate` stands here before"),
        ("cameras:\n  - id: gate\n    masks: []\n", "new.yaml:3: cameras[0].masks: has no meaning here"),
        ("zones: {}\nmasks: []\n", "new.yaml:2: masks: has no meaning here"),
        ("zones: {floor: [[0, 0], [1, 1], [1, 0], [0, 1]]}", "the outline crosses itself"),
        ("rules: [{kind: loitering, zone: floor}]", "rules[0].limit_s"),
        ("rules: [{kind: dancing, zone: floor}]", "dancing"),
        ("cameras: []", "no camera to be tried"),
        ("[]", "keys and values are wanted"),
        ("", "keys and values are wanted"),
        ("zones: [", "not YAML"),
        ("cameras: 5", "no camera to be tried"),
        ("cameras: [5]", "there is no camera `None`"),
        ("zones: 5", "zones"),
    ],
)
def test_mistakes_are_told_with_their_lines(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        candidates(text, [camera()], source="new.yaml")
    assert words in str(told.value)


def test_which_camera_must_be_clear() -> None:
    with pytest.raises(ConfigurationError, match="choose a camera"):
        candidates("rules: []", [camera("a"), camera("b")])
    with pytest.raises(ConfigurationError, match="there is no camera `c`"):
        candidates("rules: []", [camera("a")], camera="c")
