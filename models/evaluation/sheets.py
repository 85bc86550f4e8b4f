"""Contact sheets of failures: per class the surest wrong boxes and the largest things that were missed. Truth is green, what was found red.

The pictures are openly licensed, and the people in them never asked to be an example: heads and plates are painted over as a node paints
over what leaves it, also where somebody is only perhaps. Whom neither labels nor the detector tell of is not painted over: look at each sheet
before it is shown to anybody.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.evidence.privacy import masked
from edge.flow import Box, PrivateParts
from models.datasets.labels import NUMBER, Label
from models.datasets.pictures import DataProblem, LabelledPicture
from models.datasets.sets import SETS
from models.evaluation.accuracy import ALL, NEITHER, Row
from models.evaluation.average_precision import matched, overlap_of
from models.evaluation.looking import Found, pixels_of

EACH: Final = 4
"""So many wrong boxes and so many misses are shown of a class."""

_OVERLAP: Final = 0.5
_PERHAPS: Final = 0.1
"""Who is found with this score is painted over."""
_COLOURS: Final = 6
_PEOPLE: Final = (Label.PERSON, Label.FALLEN_PERSON)
_VEHICLES: Final = (Label.CAR, Label.TRUCK, Label.BUS)
_WIDTH, _HEIGHT, _CAPTION = 300, 225, 16
_GREEN, _RED, _INK, _PAPER = (60, 160, 40), (40, 40, 210), (40, 40, 40), (255, 255, 255)
_QUALITY: Final = 78


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture in which a class was wrongly found or missed, and how bad that is: the score, or the share of the picture."""

    picture: LabelledPicture
    kind: str
    badness: float
    truth: NDArray[np.float32]
    found: NDArray[np.float32]
    private: PrivateParts


def sheets(
    model: str, rows: Sequence[Row], pictures: Sequence[LabelledPicture], found: Sequence[Found], folder: Path
) -> list[Path]:
    """Write a sheet for each class of a model that fails anywhere, at the score of its best F1. Raises DataProblem."""
    paths = []
    for label, best in ((row.label, row.best) for row in rows if row.over == ALL):
        worst = failures(label, best.score, pictures, found) if best is not None else []
        if best is not None and worst:
            path = folder / f"failures_{model}_{label}.jpg"
            title = f"{model}, {label}, from score {best.score:.2f} on: green labelled, red found"
            _write(path, _sheet(title, worst))
            paths.append(path)
    return paths


def failures(
    label: Label, least_score: float, pictures: Sequence[LabelledPicture], found: Sequence[Found], each: int = EACH
) -> list[Failure]:
    """The surest wrong boxes, then the largest misses, a picture at most once in each. Where labels are incomplete nothing is called wrong."""
    every = [
        failure
        for picture, of_one in zip(pictures, found, strict=True)
        if label in SETS[picture.set_name].labelled
        for failure in _of_one(label, least_score, picture, of_one)
    ]
    by_badness = sorted(every, key=lambda failure: -failure.badness)
    return [
        failure
        for kind in ("wrong", "missed")
        for failure in [failure for failure in by_badness if failure.kind == kind][:each]
    ]


def _of_one(label: Label, least_score: float, picture: LabelledPicture, found: Found) -> Iterator[Failure]:
    also = [NUMBER[other] for other in NEITHER.get(label, ())]
    there = np.isin(picture.classes, [NUMBER[label], *also])
    ignored = np.isin(picture.classes[there], also)
    truth = picture.boxes[there]
    mine = found.of_class(NUMBER[label], least_score)
    boxes, scores = found.boxes[mine], found.scores[mine]
    right, neither = matched(truth, ignored, boxes, _OVERLAP)
    wrong = ~(right | neither)
    private = private_parts(picture, found)
    if wrong.any() and SETS[picture.set_name].complete:
        yield Failure(picture, "wrong", float(scores[wrong].max()), truth, boxes, private)
    reached = overlap_of(truth, boxes[right]).max(axis=1, initial=0.0) >= _OVERLAP
    missed = ~(reached | ignored)
    if missed.any():
        areas = (truth[missed, 2:] - truth[missed, :2]).prod(axis=1)
        yield Failure(picture, "missed", float(areas.max()), truth, boxes, private)


def private_parts(picture: LabelledPicture, found: Found) -> PrivateParts:
    """Who and what is in a picture by its labels, and by what was perhaps found."""

    def of(labels: Sequence[Label]) -> tuple[Box, ...]:
        numbers = [NUMBER[label] for label in labels]
        there = picture.boxes[np.isin(picture.classes, numbers)]
        perhaps = found.boxes[np.isin(found.classes, numbers) & (found.scores >= _PERHAPS)]
        rows = [*there.tolist(), *perhaps.tolist()]
        return tuple((left, top, right, bottom) for left, top, right, bottom in rows)

    return PrivateParts(datetime.min.replace(tzinfo=UTC), people=of(_PEOPLE), vehicles=of(_VEHICLES))


def _sheet(title: str, worst: Sequence[Failure]) -> NDArray[np.uint8]:
    tiles = [_tile(failure) for failure in worst]
    blank = np.full_like(tiles[0], 255)
    rows = [tiles[start : start + EACH] for start in range(0, len(tiles), EACH)]
    body = np.vstack([np.hstack([*row, *[blank] * (EACH - len(row))]) for row in rows])
    names = sorted({failure.picture.set_name for failure in worst})
    credit = "; ".join(f"{name}: {SETS[name].licence}" for name in names)
    return np.asarray(np.vstack([_line(title, body.shape[1]), body, _line(credit, body.shape[1])]), np.uint8)


def _tile(failure: Failure) -> NDArray[np.uint8]:
    pixels = masked(pixels_of(failure.picture), failure.private, (), colours=_COLOURS)
    scale = min(_WIDTH / pixels.shape[1], _HEIGHT / pixels.shape[0])
    width, height = max(round(pixels.shape[1] * scale), 1), max(round(pixels.shape[0] * scale), 1)
    small: Any = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    for boxes, colour in ((failure.truth, _GREEN), (failure.found, _RED)):
        for left, top, right, bottom in (boxes * [width, height, width, height]).round().astype(int).tolist():
            cv2.rectangle(small, (left, top), (right, bottom), colour, 2)
    tile = np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)
    tile[:height, :width] = small
    amount = f"{failure.badness:.2f}" if failure.kind == "wrong" else f"{failure.badness:.1%} of the picture"
    return np.vstack([tile, _line(f"{failure.kind}: {amount}", _WIDTH)])


def _line(text: str, width: int) -> NDArray[np.uint8]:
    line: Any = np.full((_CAPTION, width, 3), _PAPER, np.uint8)
    cv2.putText(line, text, (4, _CAPTION - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.36, _INK, 1, cv2.LINE_AA)
    return np.asarray(line, np.uint8)


def _write(path: Path, sheet: NDArray[np.uint8]) -> None:
    if not cv2.imwrite(str(path), sheet, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]):
        raise DataProblem(f"{path} can't be written; name another folder with --out")
