"""What a run keeps of itself in its folder after each epoch. Only numbers are read back from it, never code."""

from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

import torch

from models.datasets.pictures import DataProblem

CHECKPOINT: Final = "checkpoint.pt"
ALL: Final = frozenset({"recipe", "epoch", "steps", "network", "averaged", "optimizer"})
"""What a run needs to go on."""


def write(file: Path, held: dict[str, Any]) -> None:
    """Write it whole or not at all."""
    part = file.with_name(f"{file.name}.part")
    torch.save(held, part)
    part.replace(file)


def read(file: Path, needed: AbstractSet[str]) -> dict[str, Any]:
    """Read what `write` has written. Raises DataProblem when it is damaged or lacks one of the parts that are `needed`."""
    try:
        held = torch.load(file, weights_only=True)
    except OSError as error:
        raise DataProblem(
            f"{file} can't be read ({error.strerror}); a run is begun with `python -m models.training train`"
        ) from error
    except Exception as error:  # whatever its reader stumbles over
        raise DataProblem(_useless(file)) from error
    if not isinstance(held, dict) or not held.keys() >= needed:
        raise DataProblem(_useless(file))
    return held


def _useless(file: Path) -> str:
    return f"{file} is damaged or no checkpoint of a run; begin anew with another folder as --run, or delete it"
