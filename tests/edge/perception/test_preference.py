"""Which model looks where none is named, and what is said of it."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from edge.errors import ModelUnusable
from edge.perception.detector import OnnxDetector
from edge.perception.preference import fitting, opened, settled, watched_classes
from edge.settings import AUTO, CameraSettings
from edge.settings.vocabulary import meant
from models import catalogue
from models.catalogue import PREFERRED
from models.datasets.labels import LABELS
from tests.fakes.own_model import OWN, own_detector, take_in

EVERYDAY = PREFERRED[0]


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWARD_MODELS", str(tmp_path / "models"))
    take_in(tmp_path)


class Shelved:
    """Models that are there, and which of them were asked for."""

    def __init__(self, *there: str) -> None:
        self.there, self.asked = there, list[str]()

    def __call__(self, name: str) -> OnnxDetector:
        self.asked.append(name)
        if name not in self.there:
            raise ModelUnusable(f"{name} can't be had")
        return cast("OnnxDetector", name)


def camera(*rules: dict[str, Any], model: str | None = AUTO) -> CameraSettings:
    tree = {"id": "c", "url": "c.mp4", "model": model, "zones": {"a": [[0, 0], [1, 0], [1, 1]]}, "rules": rules}
    return CameraSettings.model_validate(tree)


def test_the_everyday_model_comes_first_and_the_own_one_where_it_is_not_there() -> None:
    both, alone = Shelved(EVERYDAY, OWN), Shelved(OWN)
    assert (str(opened(AUTO, both).detector), both.asked) == (EVERYDAY, [EVERYDAY])
    found = opened(AUTO, alone)
    assert (str(found.detector), alone.asked) == (OWN, [EVERYDAY, OWN])
    assert f"{EVERYDAY} can't be had" in found.because
    assert "until the next start" in found.because


def test_a_model_that_is_named_is_never_replaced() -> None:
    shelved = Shelved(OWN)
    with pytest.raises(ModelUnusable, match=EVERYDAY):
        opened(EVERYDAY, shelved)
    assert shelved.asked == [EVERYDAY]


def test_where_nothing_is_there_every_reason_is_told() -> None:
    with pytest.raises(ModelUnusable, match=f"{EVERYDAY} can't be had; {OWN} can't be had"):
        opened(AUTO, Shelved())


@pytest.mark.parametrize(
    ("rules", "model"),
    [
        ([], AUTO),
        ([{"kind": "intrusion", "zone": "a"}], AUTO),
        ([{"kind": "two_wheeler", "zone": "a"}], AUTO),
        ([{"kind": "two_wheeler", "zone": "a", "classes": ["two_wheeler"]}], AUTO),
        ([{"kind": "litter", "zone": "a"}], OWN),
        ([{"kind": "bin_overflow", "zone": "a"}, {"kind": "loitering", "zone": "a", "limit_s": 9}], OWN),
        ([{"kind": "intrusion", "zone": "a", "classes": ["fallen_person"]}], OWN),
        ([{"kind": "intrusion", "zone": "a", "classes": ["fire"]}], AUTO),
    ],
)
def test_rules_leave_the_models_that_know_what_they_watch(rules: list[dict[str, Any]], model: str) -> None:
    assert settled(camera(*rules)).model == model


def test_what_is_named_or_none_stays() -> None:
    for model in (EVERYDAY, None):
        assert settled(camera({"kind": "litter", "zone": "a"}, model=model)).model == model


def test_what_no_model_knows_fits_none() -> None:
    assert fitting(["fire"]) == ()
    assert fitting(["person", "two_wheeler", "car"]) == PREFERRED
    assert watched_classes(camera({"kind": "camera_trouble"}).rules[0]) == ()


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        (["car"], {"car"}),
        (["bicycle"], {"bicycle", "two_wheeler"}),
        (["two_wheeler"], {"two_wheeler", "bicycle", "motorcycle"}),
        (["person"], {"person", "fallen_person"}),
        (["fallen_person"], {"fallen_person"}),
    ],
)
def test_a_rule_means_the_same_with_either_model(classes: list[str], labels: set[str]) -> None:
    assert meant(classes) == labels


def test_the_own_labels_are_found_in_a_picture(tmp_path: Path) -> None:
    detector = own_detector(tmp_path)
    given = detector.manifest.input
    found = detector.detect(np.full((given.height, given.width, 3), 99, dtype=np.uint8))
    assert set(found.labels) == {"fallen_person", "litter", "bin_overflow"}


def test_the_own_labels_stand_in_the_order_that_its_networks_give() -> None:
    assert catalogue.label_lists()["gridward"] == tuple(LABELS)
    assert catalogue.label_lists()["gridward"] == (
        *("person", "two_wheeler", "car", "truck", "bus", "fallen_person", "litter", "bin", "bin_overflow"),
    )
