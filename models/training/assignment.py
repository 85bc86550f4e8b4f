"""Which cells answer for which thing: those whose score and box fit it best, chosen anew at each step.

Feng et al., "TOOD: Task-aligned One-stage Object Detection", 2021: a cell's fitness is score^α · overlap^β. Per thing the best cells with
their centre in it are taken; a cell that several things want goes to the one that it overlaps most.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

_SCORE_POWER: Final = 0.5
_OVERLAP_POWER: Final = 6.0
_CELLS_PER_THING: Final = 10
_EPSILON: Final = 1e-9
_THINGS_AT_ONCE: Final = 256
"""So many are compared with all cells of their pictures at a time: the memory it takes stays the same."""


@dataclass(frozen=True, slots=True)
class Things:
    """All things of a batch: `picture` (g,) says in which picture each is, `classes` (g,), `boxes` (g, 4) in pixels."""

    picture: Tensor
    classes: Tensor
    boxes: Tensor

    def to(self, device: torch.device) -> "Things":
        """The same on a device."""
        return Things(self.picture.to(device), self.classes.to(device), self.boxes.to(device))


@dataclass(frozen=True, slots=True)
class Assignment:
    """The cells that answer: picture and cell of each (p,), the thing it answers for (p,), and how well it should (p,), 0 to 1."""

    picture: Tensor
    cell: Tensor
    thing: Tensor
    goal: Tensor


@torch.no_grad()
def assign(scores: Tensor, boxes: Tensor, centres: Tensor, strides: Tensor, things: Things) -> Assignment:
    """Assign cells to things.

    scores (n, cells, labels) 0 to 1, boxes (n, cells, 4) in pixels, centres (cells, 2) in pixels, strides (cells, 1).
    """
    owners, fits, overlaps, cells = [], [], [], []
    for start in range(0, len(things.boxes), _THINGS_AT_ONCE):
        part = slice(start, start + _THINGS_AT_ONCE)
        fit, overlap, cell = _best_cells(scores, boxes, centres, strides, things=things, part=part)
        owners.append(torch.arange(len(fit), device=fit.device)[:, None].expand_as(fit) + start)
        fits.append(fit)
        overlaps.append(overlap)
        cells.append(cell)
    if not owners:
        empty = torch.zeros(0, dtype=torch.long, device=boxes.device)
        return Assignment(empty, empty, empty, torch.zeros(0, device=boxes.device))
    return _without_disputes(
        things, torch.cat(owners), torch.cat(fits), torch.cat(overlaps), torch.cat(cells), cell_count=boxes.shape[1]
    )


def _best_cells(
    scores: Tensor, boxes: Tensor, centres: Tensor, strides: Tensor, *, things: Things, part: slice
) -> tuple[Tensor, Tensor, Tensor]:
    """Fitness, overlap and cell (things, k) of the best cells of some things; fitness 0 where a cell can't answer."""
    picture, wanted = things.picture[part], things.boxes[part]
    overlap = iou(boxes[picture], wanted[:, None])
    score = scores[picture, :, things.classes[part]]
    middle = (wanted[:, :2] + wanted[:, 2:]) / 2
    reach = torch.maximum(((wanted[:, 2:] - wanted[:, :2]) / 2)[:, None], strides)
    inside = ((centres - middle[:, None]).abs() < reach).all(-1)
    fit = score.pow(_SCORE_POWER) * overlap.pow(_OVERLAP_POWER) * inside + _EPSILON * inside
    best, cell = fit.topk(min(_CELLS_PER_THING, fit.shape[1]), 1)
    return best, overlap.gather(1, cell), cell


def _without_disputes(
    things: Things, owners: Tensor, fits: Tensor, overlaps: Tensor, cells: Tensor, *, cell_count: int
) -> Assignment:
    able = fits > 0
    owner, fit, overlap, cell = owners[able], fits[able], overlaps[able], cells[able]
    picture = things.picture[owner]
    place = picture * cell_count + cell
    order = torch.argsort(overlap, descending=True, stable=True)
    order = order[torch.argsort(place[order], stable=True)]
    first = torch.ones(len(order), dtype=torch.bool, device=order.device)
    first[1:] = place[order][1:] != place[order][:-1]
    kept = order[first]
    owner, fit, overlap, cell, picture = owner[kept], fit[kept], overlap[kept], cell[kept], picture[kept]
    none = torch.zeros(len(things.boxes), device=fit.device)
    best_fit = none.scatter_reduce(0, owner, fit, "amax")
    best_overlap = none.scatter_reduce(0, owner, overlap, "amax")
    goal = fit / (best_fit[owner] + _EPSILON) * best_overlap[owner]
    return Assignment(picture, cell, owner, goal)


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4), which broadcast."""
    sides = torch.minimum(first[..., 2:], second[..., 2:]) - torch.maximum(first[..., :2], second[..., :2])
    common = sides.clamp(min=0).prod(-1)
    areas = (first[..., 2:] - first[..., :2]).prod(-1) + (second[..., 2:] - second[..., :2]).prod(-1)
    return common / (areas - common + _EPSILON)
