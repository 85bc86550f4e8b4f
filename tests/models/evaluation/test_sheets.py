from pathlib import Path

import numpy as np

from edge.evidence.privacy import masked
from models.datasets.labels import NUMBER, Label
from models.datasets.pictures import read_sets
from models.evaluation.looking import Found, pixels_of
from models.evaluation.sheets import failures, private_parts
from tests.models.evaluation.made_up import data_in

NOBODY = Found(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.intp))


def only(label: Label, score: float) -> Found:
    box = np.array([[0.5, 0.5, 0.75, 0.75]], np.float32)
    return Found(box, np.array([score], np.float32), np.array([NUMBER[label]], np.intp))


def test_who_is_labelled_or_perhaps_found_is_painted_over(tmp_path: Path) -> None:
    pictures = read_sets(data_in(tmp_path), ["fall_ward_cctv"])
    empty, with_somebody = pictures[0], pictures[1]
    assert private_parts(empty, NOBODY).people == ()
    assert len(private_parts(with_somebody, NOBODY).people) == 1
    perhaps = private_parts(empty, only(Label.PERSON, 0.12))
    assert len(perhaps.people) == 1
    assert len(private_parts(empty, only(Label.CAR, 0.12)).vehicles) == 1
    assert private_parts(empty, only(Label.BIN, 0.9)).people == ()
    assert (masked(pixels_of(empty), perhaps, ()) != pixels_of(empty)).any()


def test_a_failure_carries_all_that_is_private_in_its_picture(tmp_path: Path) -> None:
    pictures = read_sets(data_in(tmp_path), ["fall_ward_cctv"])
    found = [only(Label.PERSON, 0.5) for _ in pictures]
    worst = failures(Label.FALLEN_PERSON, 0.3, pictures, found)
    assert {failure.kind for failure in worst} == {"missed"}
    assert all(len(failure.private.people) == 2 for failure in worst)
