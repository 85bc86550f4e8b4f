from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edge.errors import ModelUnusable
from edge.perception.decoders.registry import decoder
from edge.perception.decoders.suppression import suppressed
from edge.perception.decoders.yolox import YoloxDecoder
from models.catalogue import models
from models.manifest import Manifest

PERSON, CAR = 0, 2


def manifest(**changes: object) -> Manifest:
    return replace(models()["yolox_nano_416"], **changes)  # type: ignore[arg-type]


def raw(
    *cells: tuple[int, tuple[float, float, float, float], float, int, float],
) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Outputs in which single cells speak: index, (dx, dy, log w, log h), objectness, class, class score."""
    rows = np.zeros((1, 3549, 85), dtype=np.float32)
    for index, place, objectness, label, score in cells:
        rows[0, index, :4] = place
        rows[0, index, 4] = objectness
        rows[0, index, 5 + label] = score
    return [rows]


def test_a_cell_of_each_stride_is_where_it_should_be() -> None:
    head = YoloxDecoder(manifest(), [PERSON])
    middle_8, middle_16, middle_32 = 52 * 26 + 26, 2704 + 26 * 13 + 13, 2704 + 676 + 13 * 6 + 6
    for index, stride, cell in ((middle_8, 8, 26), (middle_16, 16, 13), (middle_32, 32, 6)):
        boxes, scores, classes = head.decode(
            raw((index, (0.5, 0.25, 0.0, np.log(2)), 0.9, PERSON, 0.8)), least_score=0.1
        )
        x, y = (cell + 0.5) * stride, (cell + 0.25) * stride
        assert np.allclose(boxes, [[x - stride / 2, y - stride, x + stride / 2, y + stride]], atol=1e-3)
        assert np.allclose(scores, [0.72])
        assert list(classes) == [PERSON]


def test_only_watched_classes_compete() -> None:
    outputs = raw((100, (0, 0, 2, 2), 1.0, PERSON, 0.4))
    outputs[0][0, 100, 5 + 56] = 0.9
    _, scores, classes = YoloxDecoder(manifest(), [PERSON, CAR]).decode(outputs, least_score=0.1)
    assert list(classes) == [PERSON]
    assert np.allclose(scores, [0.4])


def test_of_two_boxes_on_one_thing_the_surer_stays_unless_they_are_different_things() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [50, 50, 60, 60]], dtype=np.float32)
    scores = np.array([0.6, 0.9, 0.5, 0.4], dtype=np.float32)
    assert list(suppressed(boxes, scores, np.array([0, 0, 2, 0]), overlap=0.5)) == [1, 2, 3]


@hypothesis_settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 100.0, float("nan"), float("inf")]))
def test_whatever_a_network_says_boxes_come_sorted_and_few(seed: int, spice: float) -> None:
    rows = np.random.default_rng(seed).random((1, 3549, 85), dtype=np.float32)
    rows[0, ::7, :] *= np.float32(spice)
    with np.errstate(all="ignore"):
        boxes, scores, classes = YoloxDecoder(manifest(), [PERSON, CAR]).decode([rows], least_score=0.1)
    assert len(boxes) == len(scores) == len(classes) <= 300
    assert np.isfinite(scores).all()
    assert (np.diff(scores) <= 0).all()
    assert set(classes.tolist()) <= {PERSON, CAR}


def test_an_unknown_head_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ModelUnusable, match=r"`segmenter`.*yolox"):
        decoder(manifest(decoder="segmenter"), [PERSON])


def test_an_input_that_does_not_divide_into_cells_is_refused() -> None:
    given_input = replace(manifest().input, width=400)
    with pytest.raises(ModelUnusable, match="400"):
        decoder(manifest(input=given_input), [PERSON])
