"""The mean of weights that were learnt one from the other: what the later ones learnt, less of what they forgot.

Wortsman et al., "Robust Fine-Tuning of Zero-Shot Models", CVPR 2022: weights that share a beginning can be averaged number by number.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from models.datasets.pictures import DataProblem
from models.training import checkpoint
from models.training.checkpoint import CHECKPOINT
from models.training.recipe import Recipe
from models.training.run import LOG
from models.training.weights_file import Base, read_base


def write_mean(files: Sequence[Path], folder: Path, recipe: Recipe) -> tuple[Base, ...]:
    """Write the mean of exported weights into a new folder, as a run would have left it; `export` makes files of it. Raises DataProblem."""
    if len(files) < 2:
        raise DataProblem("one file has no mean: name two or more exported files with --of")
    if (folder / CHECKPOINT).exists() or (folder / LOG).exists():
        raise DataProblem(f"{folder} holds a run; name another folder with --run")
    bases = tuple(read_base(file, recipe.shape) for file in files)
    folder.mkdir(parents=True, exist_ok=True)
    mean = {name: _mean([base.state[name] for base in bases]) for name in bases[0].state}
    checkpoint.write(folder / CHECKPOINT, {"averaged": mean})
    return bases


def _mean(values: Sequence[Tensor]) -> Tensor:
    """Of numbers; what counts steps stays that of the first."""
    return torch.stack(list(values)).mean(0) if values[0].dtype.is_floating_point else values[0].clone()
