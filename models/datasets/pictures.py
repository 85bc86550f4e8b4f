"""Reading labelled pictures: one picture per file in `images/`, one text file of the same name in `labels/`.

A line of a label file is `class centre_x centre_y width height`, in parts of the picture (the YOLO text form); class numbers are
those of the folder's `classes.txt`.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.datasets.labels import LABELS, NUMBER, Label
from models.datasets.sets import SETS, PictureSet

_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png"})
_LARGEST_LABEL_FILE_BYTES: Final = 1 << 20


class DataProblem(Exception):
    """Labelled pictures can't be used; the message names the file and the way out."""


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture and the boxes in it: `boxes` (n, 4) left, top, right, bottom in parts of the picture, `classes` (n,) numbers of
    `LABELS`. `original` is the file's name where it was published.
    """

    set_name: str
    name: str
    file: Path
    original: str
    boxes: NDArray[np.float32]
    classes: NDArray[np.intp]

    @property
    def key(self) -> str:
        """What the picture is called in lists of the split."""
        return f"{self.set_name}/{self.name}"


def read_sets(root: Path, names: Sequence[str] = tuple(SETS)) -> list[LabelledPicture]:
    """All labelled pictures of the sets `names` below `root`, in the order of their names. Raises DataProblem."""
    classes = _class_names(root / "classes.txt")
    pictures = [picture for name in names for picture in _read_set(root, _known(name), classes)]
    if not pictures:
        raise DataProblem(f"{root} has no labelled pictures")
    return pictures


def _known(name: str) -> PictureSet:
    try:
        return SETS[name]
    except KeyError:
        raise DataProblem(
            f"{name} is no known set; known: {', '.join(SETS)}; add it in models/datasets/sets.py"
        ) from None


def _class_names(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").split()
    except OSError as error:
        raise DataProblem(
            f"{file} can't be read ({error.strerror}); name the folder that holds the sets and classes.txt with --data"
        ) from error


def _read_set(root: Path, one: PictureSet, classes: Sequence[str]) -> Iterator[LabelledPicture]:
    folder = root / one.name
    files = sorted(file for file in (folder / "images").glob("*") if file.suffix.lower() in _SUFFIXES)
    if not files:
        raise DataProblem(f"{folder / 'images'} has no pictures")
    originals = _originals(folder / "SOURCES.tsv")
    for file in files:
        boxes, numbers = read_labels(folder / "labels" / f"{file.stem}.txt", classes, one.labelled)
        yield LabelledPicture(one.name, file.stem, file, originals.get(file.name, file.name), boxes, numbers)


def _originals(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    with file.open(encoding="utf-8", newline="") as rows:
        return {row[0]: row[1].rsplit("/", 1)[-1] for row in csv.reader(rows, delimiter="\t") if len(row) >= 2}


def read_labels(
    file: Path, classes: Sequence[str], wanted: Sequence[Label]
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """The boxes (n, 4) and classes (n,) of one label file; those of other classes than `wanted` are left out.

    A file that is not there means a picture without boxes. Raises DataProblem, which names the line.
    """
    boxes: list[tuple[float, float, float, float]] = []
    numbers: list[int] = []
    for place, line in enumerate(_lines(file), start=1):
        if not line.strip():
            continue
        try:
            number, x, y, width, height = line.split()
            label = _named(int(number), classes)
            box = _corners(float(x), float(y), float(width), float(height))
        except ValueError as error:
            raise DataProblem(f"{file}, line {place}: {error}; expected: class x y width height, 0 to 1") from error
        if label in wanted and box is not None:
            boxes.append(box)
            numbers.append(NUMBER[Label(label)])
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(numbers, np.intp)


def _lines(file: Path) -> list[str]:
    try:
        if file.stat().st_size > _LARGEST_LABEL_FILE_BYTES:
            raise DataProblem(f"{file} is larger than labels of one picture can be")
        return file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise DataProblem(f"{file} can't be read: {error}") from error


def _named(number: int, classes: Sequence[str]) -> str:
    if not 0 <= number < len(classes):
        raise ValueError(f"there is no class {number}")
    return classes[number]


def _corners(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float] | None:
    """The box inside the picture, or None when nothing of it is there. Raises ValueError for what is no box."""
    if not (np.isfinite([x, y, width, height]).all() and width >= 0 and height >= 0):
        raise ValueError("no box")
    left, right = (min(max(side, 0.0), 1.0) for side in (x - width / 2, x + width / 2))
    top, bottom = (min(max(side, 0.0), 1.0) for side in (y - height / 2, y + height / 2))
    return (left, top, right, bottom) if right > left and bottom > top else None


def counts(pictures: Sequence[LabelledPicture]) -> dict[Label, int]:
    """How many boxes of each class there are."""
    numbers = np.concatenate([picture.classes for picture in pictures]) if pictures else np.empty(0, np.intp)
    return {label: int((numbers == number).sum()) for number, label in enumerate(LABELS)}
