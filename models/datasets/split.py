"""Which pictures are held out: by clusters of near-duplicates, so that no scene stands on both sides.

Pictures belong together when their small grey versions correlate, when they are copies of one photograph, turned or spoilt by whoever
published them, or when their names tell of the same camera; clusters are whole on one side. The result is written down in `split.txt`, and training and evaluation read it from there: a split computed anew with another
decoder of pictures would move some of them.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib.resources import files
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.datasets.labels import LABELS
from models.datasets.pictures import DataProblem, LabelledPicture
from models.datasets.sets import SETS

_SIDE_PIXELS: Final = 24
_LEAST_CORRELATION: Final = 0.9
"""Looked at by hand: above it the same place from the same spot, below it other places; the sets' own near-duplicates are gone
already, so what is left are films and cameras."""
_COPY_MARK: Final = ".rf."
"""In the names of copies that Roboflow makes: before it stands the name of the photograph."""
_SHARES: Final = {"held_out": 0.17, "validation": 0.06}


class Part(StrEnum):
    """What a picture serves for."""

    TRAINING = "training"
    VALIDATION = "validation"
    """Looked at while training, to choose between ways of training."""
    HELD_OUT = "held_out"
    """Figures that are published."""


def read_split() -> Mapping[str, Part]:
    """The part of each picture by its key, as written down. Raises DataProblem."""
    split: dict[str, Part] = {}
    for line in (files("models.datasets") / "split.txt").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            part, _, key = line.partition(" ")
            split[key] = Part(part)
    return split


def part_of(pictures: Sequence[LabelledPicture], part: Part) -> list[LabelledPicture]:
    """The pictures of one part. Raises DataProblem when the split does not know a picture, and names the way out."""
    split = read_split()
    unknown = [picture.key for picture in pictures if picture.key not in split]
    if unknown:
        raise DataProblem(
            f"{len(unknown)} pictures are not in the split, {unknown[0]} for one; write it anew with "
            f"`python -m models.training split`"
        )
    return [picture for picture in pictures if split[picture.key] is part]


def compute_split(pictures: Sequence[LabelledPicture]) -> dict[str, Part]:
    """Put whole clusters to the parts, set by set, until each class of the set has its share; the same for the same pictures."""
    split: dict[str, Part] = {}
    by_set: dict[str, list[LabelledPicture]] = defaultdict(list)
    for picture in pictures:
        by_set[picture.set_name].append(picture)
    for name, of_set in sorted(by_set.items()):
        for cluster, part in _dealt(clusters(of_set, SETS[name].site)):
            split |= {picture.key: part for picture in cluster}
    return split


def clusters(pictures: Sequence[LabelledPicture], site: str | None = None) -> list[list[LabelledPicture]]:
    """Near-duplicates together; `site` is the pattern whose first group names the camera in a file's original name."""
    faces = np.stack([_face(picture) for picture in pictures])
    groups = _Groups(len(pictures))
    for first, second in np.argwhere(np.triu(faces @ faces.T, 1) > _LEAST_CORRELATION):
        groups.join(int(first), int(second))
    cameras: dict[str, int] = {}
    photographs: dict[str, int] = {}
    for index, picture in enumerate(pictures):
        photograph, mark, _ = picture.original.partition(_COPY_MARK)
        if mark:
            groups.join(index, photographs.setdefault(photograph, index))
        found = re.match(site, picture.original) if site else None
        if found:
            groups.join(index, cameras.setdefault(found.group(1), index))
    together: dict[int, list[LabelledPicture]] = defaultdict(list)
    for index, picture in enumerate(pictures):
        together[groups.of(index)].append(picture)
    return list(together.values())


def _face(picture: LabelledPicture) -> NDArray[np.float32]:
    """A small grey version as a unit vector (576,), so that a product of two is their correlation."""
    grey = cv2.imread(str(picture.file), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise DataProblem(f"{picture.file} is no picture that can be read")
    small = cv2.resize(grey, (_SIDE_PIXELS, _SIDE_PIXELS), interpolation=cv2.INTER_AREA).astype(np.float32)
    values = cv2.GaussianBlur(small, (3, 3), 0).reshape(-1)
    values = values - values.mean()
    return np.asarray(values / (np.linalg.norm(values) + 1e-6), np.float32)


class _Groups:
    """Union and find."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def of(self, index: int) -> int:
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, first: int, second: int) -> None:
        self._parent[self.of(first)] = self.of(second)


def _dealt(found: list[list[LabelledPicture]]) -> list[tuple[list[LabelledPicture], Part]]:
    """Each cluster with its part. Clusters come in the order of a hash of their names, so that no order of files matters; one is
    taken for a part when it brings the part nearer to its share of pictures and of each class's boxes.
    """
    weights = [_weight(cluster) for cluster in found]
    total = np.sum(weights, axis=0)
    rest = sorted(range(len(found)), key=lambda index: _order(found[index]))
    parts = dict.fromkeys(rest, Part.TRAINING)
    for part, share in _SHARES.items():
        goal, have = share * total, np.zeros_like(total)
        for index in list(rest):
            if _distance(have + weights[index], goal) < _distance(have, goal):
                have = have + weights[index]
                parts[index] = Part(part)
                rest.remove(index)
    return [(found[index], part) for index, part in sorted(parts.items())]


def _weight(cluster: Sequence[LabelledPicture]) -> NDArray[np.float64]:
    """Pictures and boxes of each class: (1 + labels,)."""
    numbers = np.concatenate([picture.classes for picture in cluster])
    return np.array([len(cluster), *np.bincount(numbers, minlength=len(LABELS))], np.float64)


def _distance(have: NDArray[np.float64], goal: NDArray[np.float64]) -> float:
    there = goal > 0
    return float(np.abs(have[there] / goal[there] - 1).sum())


def _order(cluster: Sequence[LabelledPicture]) -> str:
    return min(hashlib.sha256(picture.key.encode()).hexdigest() for picture in cluster)
