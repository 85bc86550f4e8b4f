"""A rule whose class no model of its camera knows is refused before anything starts, with the way out."""

from pathlib import Path

import pytest

from edge.configuration.classes import OWN_CLASSES, PLACE_KINDS, model_incoherences
from edge.configuration.reading import examine_text
from tests.edge.configuration.test_reading import MINIMAL
from tests.fakes.own_model import OWN, take_in

CAMERA = "{{id: c, url: 'rtsp://192.0.2.1/', {model}zones: {{a: [[0, 0], [1, 0], [1, 1]]}}, rules: [{rules}]}}"


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWARD_MODELS", str(tmp_path / "models"))
    take_in(tmp_path)


def examined(rules: str, model: str | None = None) -> tuple[str | None, list[tuple[str, str]]]:
    """The model of the camera, and the mistakes by place."""
    camera = CAMERA.format(model="" if model is None else f"model: {model}, ", rules=rules)
    configuration, mistakes = examine_text(MINIMAL + f"cameras: [{camera}]\n", folder=Path("/"))
    found = [(each.where.removeprefix("cameras[0].rules"), each.reason) for each in mistakes]
    return None if configuration is None else configuration.cameras[0].model, found


@pytest.mark.parametrize("kind", PLACE_KINDS)
def test_a_camera_that_names_no_model_takes_one_that_knows_what_its_rules_watch(kind: str) -> None:
    assert examined(f"{{kind: {kind}, zone: a}}, {{kind: intrusion, zone: a}}") == (OWN, [])
    assert examined(f"{{kind: {kind}, zone: a}}", OWN) == (OWN, [])
    assert examined("{kind: intrusion, zone: a}") == ("auto", [])


@pytest.mark.parametrize("kind", PLACE_KINDS)
def test_a_named_model_that_does_not_know_it_is_refused_with_the_way_out(kind: str) -> None:
    model, [(where, reason)] = examined(f"{{kind: {kind}, zone: a}}", "yolox_nano_416")
    assert (model, where) == (None, "[0].kind")
    assert "write `model: auto`" in reason
    assert "needs a `model`" in examined(f"{{kind: {kind}, zone: a}}", "null")[1][0][1]


def test_what_has_a_place_is_no_class_of_a_rule_on_what_is_followed() -> None:
    _, [(where, reason)] = examined("{kind: intrusion, zone: a, classes: [litter]}")
    assert where == "[0].classes[0]"
    assert "a rule of the kind `litter` watches it" in reason
    _, [(_, reason)] = examined("{kind: intrusion, zone: a, classes: [bin]}")
    assert "of the kind" not in reason


def test_what_no_model_knows_is_refused_and_what_there_is_is_named() -> None:
    _, [(where, reason)] = examined("{kind: intrusion, zone: a, classes: [person, fire]}")
    assert where == "[0].classes[1]"
    assert "no class `fire` is looked for with any of yolox_nano_416" in reason
    assert "two_wheeler" in reason
    assert "litter" not in reason


def test_a_rule_without_classes_needs_one_of_its_own() -> None:
    _, [(where, reason)] = examined("{kind: two_wheeler, zone: a}", "lightperson_192")
    assert where == "[0].kind"
    assert "bicycle, motorcycle" in reason
    assert "write `model: auto`" in reason
    assert examined("{kind: two_wheeler, zone: a}", OWN) == (OWN, [])
    assert OWN_CLASSES["vehicle_dwell"] == ("car", "truck", "bus")


def test_what_no_one_model_knows_together_goes_to_two_entries() -> None:
    able = {"one": ("person", "fire"), "two": ("person", "litter")}
    rules = [{"kind": "litter", "zone": "a"}, {"kind": "intrusion", "zone": "a", "classes": ["fire"]}]
    [(where, reason)] = model_incoherences({"rules": rules}, (), able)
    assert where == ("rules",)
    assert "one fire; two litter" in reason
    assert list(model_incoherences({"rules": rules[:1]}, (), able)) == []
    assert list(model_incoherences({"rules": "wrong"}, (), able)) == []
