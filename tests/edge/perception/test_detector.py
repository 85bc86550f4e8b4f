"""Parts of pictures, and inputs of their shape, on the weights that the node uses by default."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from edge.flow import Box, Detections, Image
from edge.perception.detector import OnnxDetector, open_detector, watched_labels
from edge.perception.views import around
from edge.video import Video
from models import catalogue

MOMENT_S = 12.0


@cache
def detector() -> OnnxDetector:
    return open_detector("yolox_nano_416")


@cache
def picture() -> Image:
    """Someone stands at the table."""
    with Video(catalogue.clip("one_by_one_person_detection")) as video:
        return next(decoded.picture.image for decoded in video.frames() if (decoded.pts_s or 0) >= MOMENT_S)


def person(found: Detections) -> tuple[Box, float]:
    [index] = [number for number, score in enumerate(found.scores) if score >= 0.5 and found.labels[number] == "person"]
    left, top, right, bottom = found.boxes[index].tolist()
    return (left, top, right, bottom), float(found.scores[index])


def test_a_model_of_ones_own_may_know_fire_and_smoke_and_none_of_the_catalogue_does() -> None:
    known = catalogue.models()
    assert not any({"fire", "smoke"} & set(watched_labels(manifest)) for manifest in known.values())
    own = replace(known["yolox_nano_416"], labels=("chair", "fire", "smoke"))
    assert watched_labels(own) == ("fire", "smoke")


def test_without_the_padding_the_same_is_found() -> None:
    tensor, placement = detector().prepare(picture())
    square = detector()._told(detector().infer(tensor), placement)
    box, score = person(detector().detect(picture()))
    expected, expected_score = person(square)
    assert box == pytest.approx(expected, abs=0.01)
    assert score == pytest.approx(expected_score, abs=0.05)


@pytest.mark.parametrize("margin", [0.02, 0.06, 0.12])
def test_in_a_part_the_same_is_found_at_the_same_place(margin: float) -> None:
    assert detector().looks_at_parts
    box, score = person(detector().detect(picture()))
    region = (box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin)
    found = detector().detect(picture(), [region])
    again, score_again = person(found)
    assert found.region == around([region])
    assert again[:3] == pytest.approx(box[:3], abs=0.03)  # heads are up there, and are masked by it
    assert again[3] == pytest.approx(box[3], abs=0.05)
    assert score_again == pytest.approx(score, abs=0.15)


def test_a_part_in_which_nobody_is_shows_nobody() -> None:
    box, _ = person(detector().detect(picture()))
    beside = (0.0, 0.0, box[0] - 0.1, 0.5) if box[0] > 0.4 else (box[2] + 0.1, 0.0, 1.0, 0.5)
    found = detector().detect(picture(), [beside])
    assert found.region == beside
    assert not [label for label, score in zip(found.labels, found.scores, strict=True) if score >= 0.5]


def test_a_network_for_one_size_looks_at_all_of_the_picture() -> None:
    small = open_detector("fastestdet_352")
    assert not small.looks_at_parts
    found = small.detect(picture(), [(0.4, 0.4, 0.5, 0.5)])
    assert found.region is None
    assert np.array_equal(found.boxes, small.detect(picture()).boxes)
