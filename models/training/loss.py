"""The loss: how far boxes and scores are from what is known, and nothing where nobody knows."""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from models.training.assignment import Things, assign, iou
from models.training.network import BOX_NUMBERS, STRIDES, boxes_of, cells

_BOX_WEIGHT: Final = 7.5
_CLASS_WEIGHT: Final = 1.0
_EPSILON: Final = 1e-7


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a batch. `known` (n, h/8, w/8) holds a bit per class: whether the labels tell of that class at that place;
    `ignored` are boxes beside which a score of their class is neither right nor wrong.
    """

    things: Things
    known: Tensor
    ignored: Things

    def to(self, device: torch.device) -> "Truth":
        """The same on a device."""
        return Truth(self.things.to(device), self.known.to(device), self.ignored.to(device))


@dataclass(frozen=True, slots=True)
class Losses:
    """The parts of the loss, for the log, and their sum."""

    box: Tensor
    classes: Tensor

    @property
    def total(self) -> Tensor:
        """What is made small."""
        return _BOX_WEIGHT * self.box + _CLASS_WEIGHT * self.classes


def losses(rows: Tensor, truth: Truth, height: int, width: int) -> Losses:
    """The losses of raw rows (n, cells, 4 + labels) for pictures of `height` × `width` pixels."""
    corners, strides = cells(height, width, rows.device)
    centres = (corners + 0.5) * strides
    boxes = boxes_of(rows, corners, strides)
    logits = rows[..., BOX_NUMBERS:]
    found = assign(logits.detach().sigmoid(), boxes.detach(), centres, strides, truth.things)
    goals = torch.zeros_like(logits)
    goals[found.picture, found.cell, truth.things.classes[found.thing]] = found.goal
    weight = _known_at(truth, centres, logits.shape[-1], height, width) * _not_ignored(truth.ignored, centres, logits)
    weight = torch.maximum(weight, (goals > 0).float())
    count = found.goal.sum().clamp(min=1.0)
    classes = (functional.binary_cross_entropy_with_logits(logits, goals, reduction="none") * weight).sum() / count
    overlap = _complete_iou(boxes[found.picture, found.cell], truth.things.boxes[found.thing])
    box = ((1 - overlap) * found.goal).sum() / count
    return Losses(box, classes)


def _known_at(truth: Truth, centres: Tensor, labels: int, height: int, width: int) -> Tensor:
    """1 where a class is known at a cell (n, cells, labels)."""
    places = (centres / STRIDES[0]).long()
    columns = places[:, 0].clamp(max=width // STRIDES[0] - 1)
    lines = places[:, 1].clamp(max=height // STRIDES[0] - 1)
    bits = truth.known[:, lines, columns]
    return (bits[..., None] >> torch.arange(labels, device=bits.device) & 1).float()


def _not_ignored(ignored: Things, centres: Tensor, logits: Tensor) -> Tensor:
    weight = torch.ones_like(logits)
    for picture, number, box in zip(ignored.picture.tolist(), ignored.classes.tolist(), ignored.boxes, strict=True):
        inside = ((centres > box[:2]) & (centres < box[2:])).all(-1)
        weight[picture, inside, number] = 0
    return weight


def _complete_iou(first: Tensor, second: Tensor) -> Tensor:
    """Overlap less the distance of the centres and the difference of the shapes (Zheng et al., "Distance-IoU Loss", 2020)."""
    overlap = iou(first, second)
    low = torch.minimum(first[:, :2], second[:, :2])
    high = torch.maximum(first[:, 2:], second[:, 2:])
    diagonal = (high - low).square().sum(-1) + _EPSILON
    apart = (first[:, :2] + first[:, 2:] - second[:, :2] - second[:, 2:]).square().sum(-1) / 4
    sizes, wanted = first[:, 2:] - first[:, :2], second[:, 2:] - second[:, :2]
    turned = torch.atan2(wanted[:, 0], wanted[:, 1]) - torch.atan2(sizes[:, 0], sizes[:, 1])
    shape = 4 / math.pi**2 * turned.square()
    with torch.no_grad():
        share = shape / (1 - overlap + shape + _EPSILON)
    return overlap - apart / diagonal - share * shape
