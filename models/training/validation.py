"""How good a network is on the validation part, quickly: AP50 per class, of whole pictures."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import torch
from torch import Tensor

from models.datasets.labels import LABELS, NUMBER, Label
from models.datasets.pictures import LabelledPicture
from models.datasets.sets import SETS
from models.evaluation.average_precision import Looked, curve
from models.training.network import BOX_NUMBERS, Detector, boxes_of, cells
from models.training.samples import letterboxed, sample_of

_LEAST_SCORE: Final = 0.01
_MOST_ROWS: Final = 200
_SUPPRESSED_FROM: Final = 0.65


@torch.no_grad()
def average_precisions(
    network: Detector, pictures: Sequence[LabelledPicture], size: int, batch: int = 16
) -> dict[Label, float]:
    """AP50 of each class over the pictures of the sets that label it; classes that none shows are left out."""
    network.eval()
    looked: dict[Label, list[Looked]] = {label: [] for label in LABELS}
    for start in range(0, len(pictures), batch):
        part = pictures[start : start + batch]
        samples = [letterboxed(sample_of(picture, None), size) for picture in part]
        pixels = torch.from_numpy(np.stack([sample.pixels for sample in samples])).permute(0, 3, 1, 2).float()
        rows = network(pixels.contiguous(memory_format=torch.channels_last)).float()
        for picture, sample, of_one in zip(part, samples, rows, strict=True):
            boxes, scores, classes = _answer(of_one, size)
            for label in SETS[picture.set_name].labelled:
                number = NUMBER[label]
                mine = classes == number
                looked[label].append(Looked(sample.boxes[sample.classes == number], boxes[mine], scores[mine]))
    curves = {label: curve(of_label, 0.5) for label, of_label in looked.items()}
    return {label: one.average_precision for label, one in curves.items() if one.things}


def _answer(rows: Tensor, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    corners, strides = cells(size, size)
    scores = rows[:, BOX_NUMBERS:].sigmoid()
    best, classes = scores.max(1)
    order = torch.argsort(best, descending=True)[:_MOST_ROWS]
    order = order[best[order] >= _LEAST_SCORE]
    boxes = boxes_of(rows[order], corners[order], strides[order]).numpy()
    values, numbers = best[order].numpy(), classes[order].numpy()
    shifted = boxes + (numbers[:, None] * (4 * size)).astype(np.float32)
    sides = np.concatenate([shifted[:, :2], shifted[:, 2:] - shifted[:, :2]], 1)
    kept = cv2.dnn.NMSBoxes(sides.tolist(), values.tolist(), _LEAST_SCORE, _SUPPRESSED_FROM)
    index = np.array(kept, np.intp).reshape(-1)
    return boxes[index], values[index], numbers[index]
