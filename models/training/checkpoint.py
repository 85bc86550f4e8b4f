"""What a run keeps of itself in its folder after each epoch. Only numbers are read back from it, never code."""

import contextlib
import io
import os
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

import torch

from models.datasets.pictures import DataProblem

CHECKPOINT: Final = "checkpoint.pt"
ALL: Final = frozenset({"recipe", "epoch", "steps", "network", "averaged", "optimizer"})
"""What a run needs to go on."""


def write(file: Path, held: dict[str, Any]) -> None:
    """Write it whole or not at all, so that it outlives a power cut. Raises DataProblem where it can't be written."""
    content = io.BytesIO()
    torch.save(held, content)
    keep(file, content.getvalue())


def keep(file: Path, content: bytes) -> None:
    """Write a file of a run whole or not at all. Raises DataProblem where it can't be written."""
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("wb") as written:
            written.write(content)
            written.flush()
            os.fsync(written.fileno())
        part.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise DataProblem(
            f"{file} can't be written ({error.strerror}); make room, then the same command goes on"
        ) from error


def read(file: Path, needed: AbstractSet[str]) -> dict[str, Any]:
    """Read what `write` has written. Raises DataProblem when it is damaged or lacks one of the parts that are `needed`."""
    try:
        held = torch.load(file, map_location="cpu", weights_only=True)
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
