"""Batches of an epoch: which pictures, in what order, changed how. All of it follows from the seed, the epoch and the place."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from models.datasets.labels import LABELS
from models.training.assignment import Things
from models.training.augmentation import Example, example_of_four, example_of_one
from models.training.loss import Truth
from models.training.pasting import Patch, patches_of
from models.training.recipe import Recipe, Stage
from models.training.samples import Sample


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures (n, 3, size, size) as uint8 and what is known of them."""

    pictures: Tensor
    truth: Truth


def weights(samples: Sequence[Sample], common: float) -> list[float]:
    """How often each sample comes per epoch: a picture with a rare class more than once (Gupta et al., "LVIS", 2019)."""
    shown = np.zeros(len(LABELS))
    for sample in samples:
        shown[np.unique(sample.classes)] += 1
    share = np.maximum(shown / max(len(samples), 1), 1e-9)
    factor = np.maximum(1.0, np.sqrt(common / share))
    return [float(factor[sample.classes].max()) if len(sample.classes) else 1.0 for sample in samples]


def order_of(how_often: Sequence[float], random: Generator) -> list[int]:
    """Indices of an epoch, shuffled: each as often as its weight says, the fraction by chance."""
    draws = [math.floor(weight + random.random()) for weight in how_often]
    indices = np.repeat(np.arange(len(draws)), draws)
    random.shuffle(indices)
    return [int(index) for index in indices]


class _Examples(Dataset[Example]):
    """The pictures of one epoch, each made when it is asked for, in whichever process."""

    def __init__(
        self, samples: Sequence[Sample], order: Sequence[int], recipe: Recipe, stage: Stage, epoch: int
    ) -> None:
        self._samples, self._order, self._recipe, self._stage, self._epoch = samples, order, recipe, stage, epoch
        self._patches = {label: patches_of(samples, label) for label, _ in recipe.pasted}

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, place: int) -> Example:
        random = np.random.default_rng([self._recipe.seed, self._epoch, place])
        first = self._samples[self._order[place]]
        patch = self._drawn(random)
        if random.random() >= self._stage.mosaic:
            return example_of_one(first, self._stage.size, random, patch=patch)
        others = [self._samples[self._order[int(random.integers(len(self._order)))]] for _ in range(3)]
        return example_of_four([first, *others], self._stage.size, random, patch=patch)

    def _drawn(self, random: Generator) -> Patch | None:
        drawn = None
        for label, chance in self._recipe.pasted:
            of_label = self._patches[label]
            if random.random() < chance and of_label:
                drawn = of_label[int(random.integers(len(of_label)))]
        return drawn


def batches(samples: Sequence[Sample], recipe: Recipe, epoch: int, *, workers: int) -> Iterator[Batch]:
    """The batches of one epoch; a last one that is not full is left out. `workers` processes make them, and change nothing in them."""
    random = np.random.default_rng([recipe.seed, epoch])
    order = order_of(weights(samples, recipe.common), random)
    examples = _Examples(samples, order, recipe, recipe.stage_at(epoch), epoch)
    yield from DataLoader(
        examples,
        recipe.batch,
        num_workers=workers,
        collate_fn=collate,
        drop_last=True,
        prefetch_factor=2 if workers else None,
    )


def batch_count(samples: Sequence[Sample], recipe: Recipe) -> int:
    """About how many batches an epoch has."""
    return max(1, int(sum(weights(samples, recipe.common))) // recipe.batch)


def collate(examples: Sequence[Example]) -> Batch:
    """Put examples of one size together."""
    pixels = torch.from_numpy(np.stack([example.pixels for example in examples])).permute(0, 3, 1, 2)
    known = torch.from_numpy(np.stack([example.known for example in examples]))
    things = _things([(example.boxes, example.classes) for example in examples])
    ignored = _things([(example.ignored, example.ignored_classes) for example in examples])
    return Batch(pixels, Truth(things, known, ignored))


def _things(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> Things:
    owner = np.repeat(np.arange(len(parts)), [len(boxes) for boxes, _ in parts])
    boxes = np.concatenate([boxes for boxes, _ in parts]).astype(np.float32)
    classes = np.concatenate([classes for _, classes in parts]).astype(np.int64)
    return Things(torch.from_numpy(owner), torch.from_numpy(classes), torch.from_numpy(boxes))
