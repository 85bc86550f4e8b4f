"""How good a network is on the validation part, quickly: AP50 per class, of whole pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.datasets.labels import LABELS, NUMBER, Label
from models.datasets.pictures import LabelledPicture
from models.datasets.sets import SETS
from models.evaluation.average_precision import Looked, curve
from models.training.network import BOX_NUMBERS, Detector, boxes_of, cells
from models.training.samples import Sample, letterboxed, sample_of

_LEAST_SCORE: Final = 0.01
_MOST_ROWS: Final = 200
_SUPPRESSED_FROM: Final = 0.65


@dataclass(frozen=True, slots=True)
class Answer:
    """What a network says of a picture: boxes (n, 4), scores (n,) and classes (n,), beside the picture and what is labelled there."""

    picture: LabelledPicture
    sample: Sample
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.intp]


def average_precisions(network: Detector, pictures: Sequence[LabelledPicture], size: int) -> dict[Label, float]:
    """AP50 of each class over the pictures of the sets that label it; classes that none shows are left out."""
    looked: dict[Label, list[Looked]] = {label: [] for label in LABELS}
    for answer in answers(network, pictures, size):
        for label in SETS[answer.picture.set_name].labelled:
            number = NUMBER[label]
            mine = answer.classes == number
            truth = answer.sample.boxes[answer.sample.classes == number]
            looked[label].append(Looked(truth, answer.boxes[mine], answer.scores[mine]))
    curves = {label: curve(of_label, 0.5) for label, of_label in looked.items()}
    return {label: one.average_precision for label, one in curves.items() if one.things}


def answers(
    network: Detector,
    pictures: Sequence[LabelledPicture],
    size: int,
    *,
    suppressed_from: float = _SUPPRESSED_FROM,
    batch: int = 16,
) -> Iterator[Answer]:
    """What the network says of each picture, brought to `size` × `size` pixels."""
    for start in range(0, len(pictures), batch):
        part = pictures[start : start + batch]
        samples = [sample_of(picture, None) for picture in part]
        for picture, told in zip(part, looked_at(network, samples, size, suppressed_from=suppressed_from), strict=True):
            yield Answer(picture, *told)


Told = tuple[Sample, NDArray[np.float32], NDArray[np.float32], NDArray[np.intp]]
"""A sample as the network saw it, and boxes, scores and classes that it said."""


@torch.no_grad()
def looked_at(
    network: Detector,
    samples: Sequence[Sample],
    size: int,
    *,
    suppressed_from: float = _SUPPRESSED_FROM,
    batch: int = 16,
) -> Iterator[Told]:
    """What the network says of each sample, brought to `size` × `size` pixels."""
    network.eval()
    device = next(network.parameters()).device
    for start in range(0, len(samples), batch):
        part = [letterboxed(sample, size) for sample in samples[start : start + batch]]
        pixels = torch.from_numpy(np.stack([sample.pixels for sample in part])).permute(0, 3, 1, 2).float()
        rows = network(pixels.to(device).contiguous(memory_format=torch.channels_last)).float().cpu()
        for sample, of_one in zip(part, rows, strict=True):
            yield sample, *_answer(of_one, size, suppressed_from)


def _answer(
    rows: Tensor, size: int, suppressed_from: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.intp]]:
    corners, strides = cells(size, size, rows.device)
    scores = rows[:, BOX_NUMBERS:].sigmoid()
    best, classes = scores.max(1)
    order = torch.argsort(best, descending=True)[:_MOST_ROWS]
    order = order[best[order] >= _LEAST_SCORE]
    boxes = boxes_of(rows[order], corners[order], strides[order]).numpy()
    values, numbers = best[order].numpy(), classes[order].numpy()
    shifted = boxes + (numbers[:, None] * (4 * size)).astype(np.float32)
    sides = np.concatenate([shifted[:, :2], shifted[:, 2:] - shifted[:, :2]], 1)
    kept = cv2.dnn.NMSBoxes(sides.tolist(), values.tolist(), _LEAST_SCORE, suppressed_from)
    index = np.array(kept, np.intp).reshape(-1)
    return boxes[index], values[index], numbers[index]
