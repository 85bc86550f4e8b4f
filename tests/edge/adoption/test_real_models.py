"""Published weights of six families, brought as somebody would bring them: recognised, tried on a frame of a clip, people found."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.adoption.examination import Stated, examine
from edge.adoption.sample import Sample, sample_of
from edge.errors import ModelUnusable
from models import catalogue
from models.manifest import ModelProblem

AT = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def frame() -> Sample:
    try:
        return sample_of(None)
    except ModelProblem as problem:
        pytest.skip(str(problem))


@pytest.mark.parametrize(
    ("name", "labels", "head"),
    [
        ("yolox_nano_416", None, "yolox"),
        ("lightperson_192", "person", "yolox"),
        ("nanodet_m_416", None, "nanodet"),
        ("fastestdet_352", None, "fastestdet"),
        ("deimv2_femto", "coco", "detr_postprocessed"),
    ],
)
def test_people_are_found(
    model: Callable[[str], Path], frame: Sample, name: str, labels: str | None, head: str
) -> None:
    examined = examine(model(name), Stated(licence="as the catalogue says", labels=labels), frame, at=AT)
    assert examined.manifest.decoder == head
    found = examined.chosen.found
    people = [
        (score, box)
        for score, box, label in zip(found.scores, found.boxes, found.labels, strict=True)
        if label == "person"
    ]
    score, (left, top, right, bottom) = max(people, key=lambda person: person[0])
    assert score > 0.4  # before any exponent: nobody who brings a model knows one
    assert (left, top, right, bottom) == pytest.approx((0.497, 0.03, 0.68, 0.915), abs=0.04)
    own = catalogue.own_models()[name]
    assert examined.manifest.sha256 == own.sha256
    told, known = examined.manifest.input, own.input
    assert (told.width, told.height, told.layout, told.colour, told.fit) == (
        known.width,
        known.height,
        known.layout,
        known.colour,
        known.fit,
    )
    assert told.scale == pytest.approx(known.scale)
    assert told.mean == pytest.approx(known.mean, abs=0.1)


def test_faces_are_no_detector_of_ours(model: Callable[[str], Path], frame: Sample) -> None:
    with pytest.raises(ModelUnusable, match=r"can't be recognised: the graph gives `cls_8` \(1, 1600, 1\)"):
        examine(model("yunet_n_320"), Stated(licence="Apache-2.0", labels="face"), frame, at=AT)
