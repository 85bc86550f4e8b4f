from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.datasets.labels import LABELS, NUMBER, Label
from models.datasets.pictures import DataProblem, counts, read_labels, read_sets

CLASSES = ["person", "two_wheeler", "car", "truck", "bus", "dog"]
WANTED = (Label.PERSON, Label.CAR)


def labels_in(folder: Path, text: str) -> Path:
    file = folder / "one.txt"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_line_is_class_centre_and_size_in_parts_of_the_picture(tmp_path: Path) -> None:
    boxes, classes = read_labels(labels_in(tmp_path, "2 0.5 0.5 0.2 0.4\n"), CLASSES, WANTED)
    np.testing.assert_allclose(boxes, [[0.4, 0.3, 0.6, 0.7]], atol=1e-6)
    assert classes.tolist() == [NUMBER[Label.CAR]]


def test_classes_that_the_set_does_not_label_are_left_out(tmp_path: Path) -> None:
    boxes, classes = read_labels(labels_in(tmp_path, "5 .5 .5 .2 .2\n3 .5 .5 .2 .2\n0 .5 .5 .2 .2\n"), CLASSES, WANTED)
    assert (len(boxes), classes.tolist()) == (1, [NUMBER[Label.PERSON]])


@pytest.mark.parametrize(
    "line",
    ["0 .5 .5 .2", "0 .5 .5 .2 x", "9 .5 .5 .2 .2", "-1 .5 .5 .2 .2", "0 nan .5 .2 .2", "0 .5 .5 -1 .2", "a b c d e"],
)
def test_what_is_no_label_is_refused_with_file_and_line(tmp_path: Path, line: str) -> None:
    file = labels_in(tmp_path, f"0 .5 .5 .2 .2\n{line}\n")
    with pytest.raises(DataProblem, match=r"one\.txt, line 2"):
        read_labels(file, CLASSES, WANTED)


def test_a_label_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match="larger"):
        read_labels(labels_in(tmp_path, "0 .5 .5 .2 .2\n" * 100_000), CLASSES, WANTED)


def test_a_picture_without_a_label_file_shows_nothing(tmp_path: Path) -> None:
    boxes, classes = read_labels(tmp_path / "none.txt", CLASSES, WANTED)
    assert (boxes.shape, classes.shape) == ((0, 4), (0,))


@given(st.floats(-2, 3), st.floats(-2, 3), st.floats(0, 4), st.floats(0, 4))
def test_boxes_stay_inside_the_picture(
    tmp_path_factory: pytest.TempPathFactory, x: float, y: float, w: float, h: float
) -> None:
    boxes, classes = read_labels(labels_in(tmp_path_factory.mktemp("l"), f"0 {x} {y} {w} {h}\n"), CLASSES, WANTED)
    assert len(boxes) == len(classes) <= 1
    assert ((boxes >= 0) & (boxes <= 1)).all()
    assert (boxes[:, 2:] >= boxes[:, :2]).all()


def test_sets_are_read_in_the_order_of_names_with_their_original_names(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("\n".join(label.value for label in LABELS))
    folder = tmp_path / "persons_capston2"
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for name in ("b", "a"):
        cv2.imwrite(str(folder / "images" / f"{name}.jpg"), np.zeros((8, 8, 3), np.uint8))
    (folder / "labels" / "a.txt").write_text("0 .5 .5 .5 .5\n")
    (folder / "SOURCES.tsv").write_text("image\tsource path in repo\nb.jpg\tsome/where/cam_1_x.jpg\n")
    pictures = read_sets(tmp_path, ["persons_capston2"])
    assert [picture.key for picture in pictures] == ["persons_capston2/a", "persons_capston2/b"]
    assert [picture.original for picture in pictures] == ["a.jpg", "cam_1_x.jpg"]
    assert counts(pictures)[Label.PERSON] == 1


def test_a_folder_that_is_not_there_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match="--data"):
        read_sets(tmp_path / "nowhere")
    (tmp_path / "classes.txt").write_text("person\n")
    with pytest.raises(DataProblem, match="no pictures"):
        read_sets(tmp_path, ["persons_capston2"])
    with pytest.raises(DataProblem, match=r"sets\.py"):
        read_sets(tmp_path, ["unheard_of"])
