"""A labelled export (标注集导出) as labelled pictures: what people found on the spot, for a detector to learn from.

A confirmed incident is a box of its class; one where nothing was there is a box in which the class is known to be absent; of all else in
a picture nobody has said anything, and nobody is taken to have.

What is held out are whole camera days, as the export draws them by a hash of node, device and day: a site wants its own cameras looked at
well, so other days of the same cameras are what it is measured on. A case that stands on both sides is learnt from as a whole, since its
pictures show the same thing; so is one that shares a picture with such a case, and so on.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.datasets.jpeg import NoJpeg, jpeg_size
from models.datasets.labels import NUMBER, Label
from models.datasets.pictures import DataProblem
from models.datasets.verdict_files import ExportFiles, TooLarge, opened
from models.datasets.verdict_form import Box, Image, read_annotations, read_manifest

KINDS: Final[Mapping[str, Label]] = MappingProxyType(
    {
        "bin_overflow": Label.BIN_OVERFLOW,
        "fallen_person": Label.FALLEN_PERSON,
        "litter": Label.LITTER,
        "two_wheeler": Label.TWO_WHEELER,
    }
)
"""Kinds of incidents that name a class. What a rule of another kind watches, the export does not tell: whoever reads it has to say."""

_LARGEST_PICTURE_BYTES: Final = 16 << 20
_MOST_PIXELS: Final = 40_000_000
_LEAST_SIDE_PIXELS: Final = 3.0
_KINDS_TOLD: Final = 10


class LeftOut(StrEnum):
    """Why a picture or a box is not used."""

    UNCLEAR = "nobody could say what was there"
    NO_CLASS = "its kind names no class"
    NO_BOX = "it has no box"
    OUTSIDE = "its box is not in the picture"
    CONTRADICTORY = "two entries of the same picture do not fit each other"
    GONE = "its picture is missing"
    DAMAGED = "its picture is not what its hash says"
    NO_PICTURE = "its picture can't be read"
    TOO_LARGE = "its picture is too large"
    OTHER_SIZE = "its picture has another size than the export says"
    TOO_MANY = "there are more pictures than are taken at once"


class PictureUnusable(Exception):
    """A picture of an export that can't be learnt from; others can."""

    def __init__(self, why: LeftOut) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True, slots=True)
class JudgedPicture:
    """A picture with boxes (n, 4) left, top, right, bottom in its parts: `boxes` of `classes` (n,) are there; in `absent` (m, 4) nothing of
    `absent_classes` (m,) is.
    """

    file_name: str
    sha256: str
    size: tuple[int, int]
    camera: str
    case: str
    is_held_out: bool
    boxes: NDArray[np.float32]
    classes: NDArray[np.intp]
    absent: NDArray[np.float32]
    absent_classes: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class VerdictSet:
    """What an export says: its pictures in the order of their names, what was left out and why, and the kinds that named no class."""

    export: str
    pictures: tuple[JudgedPicture, ...]
    left_out: Mapping[LeftOut, int]
    without_class: Mapping[str, int]
    files: ExportFiles

    def pixels(self, picture: JudgedPicture) -> NDArray[np.uint8]:
        """The picture (height, width, 3), BGR. Raises PictureUnusable."""
        try:
            content = self.files.read(picture.file_name, _LARGEST_PICTURE_BYTES)
        except TooLarge as problem:
            raise PictureUnusable(LeftOut.TOO_LARGE) from problem
        except DataProblem as problem:
            raise PictureUnusable(LeftOut.NO_PICTURE) from problem
        if content is None:
            raise PictureUnusable(LeftOut.GONE)
        if hashlib.sha256(content).hexdigest() != picture.sha256:
            raise PictureUnusable(LeftOut.DAMAGED)
        return _decoded(content, picture.size)


@contextmanager
def verdict_set(path: Path, kinds: Mapping[str, Label] = KINDS) -> Iterator[VerdictSet]:
    """Open an export, a zip or a folder; pictures are read one by one while it is open. Raises DataProblem."""
    with opened(path) as files:
        manifest = read_manifest(files)
        annotations = read_annotations(files)
        boxes = {box.image_id: box for box in annotations.annotations}
        numbers = [image.id for image in annotations.images]
        if len(set(numbers)) != len(numbers) or len(boxes) != len(annotations.annotations):
            raise DataProblem("annotations.json: a number stands there twice; export it again")
        left_out: Counter[LeftOut] = Counter()
        without: Counter[str] = Counter()
        for image in annotations.images:
            if image.incident_kind not in kinds:
                without[image.incident_kind] += 1
        pictures = tuple(_pictures(annotations.images, boxes, kinds, left_out))
        yield VerdictSet(manifest.export, pictures, left_out, dict(without.most_common(_KINDS_TOLD)), files)


def _pictures(
    images: Sequence[Image], boxes: Mapping[int, Box], kinds: Mapping[str, Label], left_out: Counter[LeftOut]
) -> Iterator[JudgedPicture]:
    """One per picture, whatever many incidents it shows."""
    learnt_cases = _learnt_cases(images)
    together: dict[str, list[Image]] = {}
    for image in images:
        together.setdefault(image.sha256, []).append(image)
    for same in sorted(together.values(), key=lambda entries: entries[0].file_name):
        first = same[0]
        there, absent = _Boxes(), _Boxes()
        for image in same:
            if (image.width, image.height, image.node, image.device) != (
                first.width,
                first.height,
                first.node,
                first.device,
            ):
                left_out[LeftOut.CONTRADICTORY] += 1
                continue
            found = _judged(image, boxes.get(image.id), kinds)
            if isinstance(found, LeftOut):
                left_out[found] += 1
                continue
            (there if image.sight == "there" else absent).add(*found)
        if there or absent:
            yield JudgedPicture(
                file_name=first.file_name,
                sha256=first.sha256,
                size=(first.width, first.height),
                camera=f"{first.node}/{first.device}",
                case=first.case,
                is_held_out=not any(image.case in learnt_cases for image in same),
                boxes=there.corners,
                classes=there.classes,
                absent=absent.corners,
                absent_classes=absent.classes,
            )


def _learnt_cases(images: Sequence[Image]) -> set[str]:
    """Cases with an entry to learn from, and whatever shares a picture with one of those, over however many steps."""
    pictures: defaultdict[str, set[str]] = defaultdict(set)
    cases: defaultdict[str, set[str]] = defaultdict(set)
    for image in images:
        pictures[image.case].add(image.sha256)
        cases[image.sha256].add(image.case)
    learnt: set[str] = set()
    waiting = {image.case for image in images if image.split == "train"}
    while waiting:
        case = waiting.pop()
        learnt.add(case)
        waiting.update(other for picture in pictures[case] for other in cases.pop(picture, ()) if other not in learnt)
    return learnt


class _Boxes:
    def __init__(self) -> None:
        self._corners: list[tuple[float, float, float, float]] = []
        self._numbers: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._numbers)

    def add(self, label: Label, corners: tuple[float, float, float, float]) -> None:
        self._corners.append(corners)
        self._numbers.append(NUMBER[label])

    @property
    def corners(self) -> NDArray[np.float32]:
        return np.array(self._corners, np.float32).reshape(-1, 4)

    @property
    def classes(self) -> NDArray[np.intp]:
        return np.array(self._numbers, np.intp)


def _judged(
    image: Image, box: Box | None, kinds: Mapping[str, Label]
) -> tuple[Label, tuple[float, float, float, float]] | LeftOut:
    """The class and the box in parts of the picture, or why there is none."""
    if image.sight == "unknown":
        return LeftOut.UNCLEAR
    if image.incident_kind not in kinds:
        return LeftOut.NO_CLASS
    if box is None:
        return LeftOut.NO_BOX
    corners = _corners(box.bbox, image.width, image.height)
    return LeftOut.OUTSIDE if corners is None else (kinds[image.incident_kind], corners)


def _corners(
    bbox: tuple[float, float, float, float], width: int, height: int
) -> tuple[float, float, float, float] | None:
    """The box inside the picture; None where hardly anything of it is there."""
    left, top, wide, high = bbox
    if not np.isfinite([left, top, wide, high, left + wide, top + high]).all():
        return None
    x0, x1 = (min(max(side, 0.0), float(width)) for side in (left, left + wide))
    y0, y1 = (min(max(side, 0.0), float(height)) for side in (top, top + high))
    if x1 - x0 < _LEAST_SIDE_PIXELS or y1 - y0 < _LEAST_SIDE_PIXELS:
        return None
    return x0 / width, y0 / height, x1 / width, y1 / height


def _decoded(content: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The pixels of a JPEG of that width and height: what it will take is known before it is unpacked."""
    try:
        width, height = jpeg_size(content)
    except NoJpeg as error:
        raise PictureUnusable(LeftOut.NO_PICTURE) from error
    if width * height > _MOST_PIXELS:
        raise PictureUnusable(LeftOut.TOO_LARGE)
    if (width, height) != size:
        raise PictureUnusable(LeftOut.OTHER_SIZE)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error as error:
        raise PictureUnusable(LeftOut.NO_PICTURE) from error
    if pixels is None or pixels.shape[:2] != (height, width):
        raise PictureUnusable(LeftOut.NO_PICTURE)
    return np.asarray(pixels, np.uint8)
