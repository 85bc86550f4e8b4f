from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edge.flow import Detections
from models.datasets.coco import OF_COCO, ours
from models.datasets.labels import LABELS, NUMBER, Label
from models.datasets.pictures import LabelledPicture, read_sets
from models.evaluation.accuracy import ALL, COMPLETE, Ground, Row, rows_of
from models.evaluation.looking import Found, in_our_classes
from models.evaluation.sheets import failures
from models.evaluation.sizes import Size
from tests.models.evaluation.made_up import data_in

EVERYTHING = frozenset(LABELS)
HERE, THERE = (0.1, 0.1, 0.4, 0.4), (0.6, 0.6, 0.9, 0.9)

Thing = tuple[Label, tuple[float, float, float, float]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return read_sets(data_in(tmp_path), ["fall_ward_cctv"])[0].file


def picture(file: Path, set_name: str, name: str, *things: Thing) -> LabelledPicture:
    boxes = np.array([box for _, box in things], np.float32).reshape(-1, 4)
    return LabelledPicture(set_name, name, file, name, boxes, np.array([NUMBER[label] for label, _ in things], np.intp))


def found(*things: Thing, score: float = 0.9) -> Found:
    boxes = np.array([box for _, box in things], np.float32).reshape(-1, 4)
    classes = np.array([NUMBER[label] for label, _ in things], np.intp)
    return Found(boxes, np.full(len(things), score, np.float32), classes)


def rows(pictures: Sequence[LabelledPicture], every: Sequence[Found]) -> dict[tuple[Label, str], Row]:
    made = rows_of("m", EVERYTHING, Ground(pictures), every, draws=5)
    return {(row.label, row.over): row for row in made}


def test_a_class_counts_only_in_sets_that_label_it(file: Path) -> None:
    pictures = [
        picture(file, "persons_capston2", "a", (Label.PERSON, HERE)),
        picture(file, "trash_taco_rf", "b", (Label.LITTER, HERE)),
    ]
    made = rows(pictures, [found((Label.PERSON, HERE)), found((Label.LITTER, HERE), (Label.PERSON, THERE))])
    assert made[Label.PERSON, ALL].ap50 == 1
    assert set(made) == {
        (Label.PERSON, ALL),
        (Label.PERSON, "persons_capston2"),
        (Label.LITTER, ALL),
        (Label.LITTER, "trash_taco_rf"),
    }


def test_sets_with_boxes_missing_are_said_so_and_left_out_of_a_row(file: Path) -> None:
    pictures = [
        picture(file, "highway_objects_tidar", "a", (Label.CAR, HERE)),
        picture(file, "openimages_vehicles", "b", (Label.CAR, HERE)),
    ]
    made = rows(pictures, [found((Label.CAR, HERE)), found()])
    assert [made[Label.CAR, over].complete for over in (ALL, COMPLETE, "openimages_vehicles")] == [False, True, False]
    assert made[Label.CAR, COMPLETE].ap50 == 1
    assert made[Label.CAR, ALL].ap50 == pytest.approx(51 / 101)
    assert made[Label.CAR, ALL].few


def test_a_person_found_on_somebody_fallen_is_neither_right_nor_wrong(file: Path) -> None:
    pictures = [picture(file, "fall_ward_cctv", "a", (Label.PERSON, HERE), (Label.FALLEN_PERSON, THERE))]
    made = rows(pictures, [found((Label.PERSON, THERE), (Label.PERSON, HERE))])
    assert made[Label.PERSON, ALL].ap50 == 1
    assert made[Label.PERSON, ALL].things == 1
    assert made[Label.FALLEN_PERSON, ALL].ap50 == 0


def test_what_a_node_is_not_told_of_counts_for_the_curve_alone(file: Path) -> None:
    pictures = [picture(file, "persons_capston2", "a", (Label.PERSON, HERE))]
    row = rows(pictures, [found((Label.PERSON, HERE), score=0.01)])[Label.PERSON, ALL]
    assert (row.ap50, row.ap50_node) == (1, 0)


def test_things_of_another_size_are_neither_to_be_found_nor_wrong(file: Path) -> None:
    small = (0.5, 0.5, 0.53, 0.53)
    pictures = [picture(file, "persons_capston2", "a", (Label.PERSON, HERE), (Label.PERSON, small))]
    row = rows(pictures, [found((Label.PERSON, HERE), (Label.PERSON, THERE))])[Label.PERSON, ALL]
    assert row.sizes[Size.SMALL].things == row.sizes[Size.LARGE].things == 1
    assert row.sizes[Size.SMALL].ap50 == 0
    assert row.sizes[Size.LARGE].ap50 == 1
    assert row.sizes[Size.MEDIUM].ap50 is None


def test_a_model_has_no_rows_of_classes_that_it_does_not_know(file: Path) -> None:
    ground = Ground([picture(file, "fall_ward_cctv", "a", (Label.PERSON, HERE), (Label.FALLEN_PERSON, THERE))])
    assert {row.label for row in rows_of("m", frozenset({Label.PERSON}), ground, [found()], draws=0)} == {Label.PERSON}


def test_a_bicycle_and_a_motorcycle_in_one_place_are_one_two_wheeler() -> None:
    boxes = np.array([HERE, HERE, HERE, THERE], np.float32)
    told = Detections(boxes, np.array([0.6, 0.8, 0.7, 0.9], np.float32), ("bicycle", "motorcycle", "car", "dog"))
    mapped = in_our_classes(told)
    assert [
        (LABELS[number], round(float(score), 1)) for number, score in zip(mapped.classes, mapped.scores, strict=True)
    ] == [
        (Label.TWO_WHEELER, 0.8),
        (Label.CAR, 0.7),
    ]


def test_boxes_reach_to_the_edge_and_no_box_is_outside() -> None:
    boxes = np.array([(-0.2, 0.5, 0.5, 1.3), (0.2, 1.1, 0.4, 1.4)], np.float32)
    mapped = in_our_classes(Detections(boxes, np.array([0.9, 0.8], np.float32), ("person", "person")))
    np.testing.assert_allclose(mapped.boxes, [(0, 0.5, 0.5, 1)])


def test_names_of_coco_and_our_own_mean_our_classes() -> None:
    assert {ours(name) for name in OF_COCO} < set(LABELS)
    assert [ours(label) for label in LABELS] == list(LABELS)
    assert ours("dog") is None


def test_failures_are_the_surest_wrong_boxes_and_the_largest_misses(file: Path) -> None:
    pictures = [
        picture(file, "persons_capston2", "a", (Label.PERSON, HERE)),
        picture(file, "persons_capston2", "b", (Label.PERSON, (0.0, 0.0, 0.9, 0.9))),
        picture(file, "persons_capston2", "c"),
        picture(file, "openimages_vehicles", "d"),
    ]
    everything = [
        found(),
        found((Label.PERSON, THERE), score=0.6),
        found((Label.PERSON, THERE), score=0.8),
        found((Label.CAR, THERE), score=0.99),
    ]
    told = [(failure.kind, failure.picture.name) for failure in failures(Label.PERSON, 0.5, pictures, everything)]
    assert told == [("wrong", "c"), ("wrong", "b"), ("missed", "b"), ("missed", "a")]
    assert failures(Label.CAR, 0.5, pictures, everything) == []
