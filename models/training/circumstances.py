"""Under what a run began: all that its result depends on, so that whoever repeats it can tell why theirs is another."""

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from edge.benches.machine import this_machine
from models.datasets.pictures import DataProblem, LabelledPicture
from models.datasets.split import Part
from models.evaluation.report import data_of
from models.training.recipe import Recipe
from models.training.run import LOG

_LIBRARIES: Final = ("torch", "numpy", "opencv-python-headless", "av", "onnx")
_CODE: Final = ("models.training", "models.datasets", "edge.simulators.scene")
"""What makes samples and learns from them."""


def circumstances(
    recipe: Recipe, learnt_from: Sequence[LabelledPicture], device: str, start: str | None = None
) -> dict[str, Any]:
    """For the log's first line; reads all pictures. `start`: the hash of the weights that it began with, None where those were random."""
    data = data_of(Part.TRAINING, learnt_from)
    return {
        "recipe": recipe.as_json(),
        "pictures": len(learnt_from),
        "data_sha256": data.sha256,
        "split_sha256": data.split_sha256,
        "code_sha256": code_hash(),
        "versions": {library: version(library) for library in _LIBRARIES},
        "processor": this_machine(recipe.threads).processor,
        "device": device,
        "start": start,
    }


def began(folder: Path) -> dict[str, Any]:
    """Under what the run of a folder began, as its log tells; empty where it does not."""
    log = folder / LOG
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
        with contextlib.suppress(ValueError, TypeError, KeyError):
            return dict(json.loads(line)["began"])
    return {}


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In words what is not as it was and changes the result. Raises DataProblem where the pictures are others, or the weights to
    begin with.
    """
    if then.get("data_sha256", now["data_sha256"]) != now["data_sha256"]:
        raise DataProblem(
            "this run began with other pictures or labels; name the folder of those with --data, or another folder with --run"
        )
    if then and then.get("start") != now.get("start"):
        raise DataProblem(
            f"this run began with {_start(then)}, not with {_start(now)}; say so with --from, or name another folder with --run"
        )
    named = {
        "code_sha256": "other code",
        "versions": "other versions of libraries",
        "processor": "another processor",
        "device": "another device",
    }
    return [words for name, words in named.items() if then.get(name, now.get(name)) != now.get(name)]


def _start(told: Mapping[str, Any]) -> str:
    start = told.get("start")
    return f"the weights {str(start)[:12]}" if start else "random weights"


def code_hash() -> str:
    """SHA-256 over the modules that samples and weights come from: names and bytes, in the order of their names."""
    digest = hashlib.sha256()
    for package in _CODE:
        for module in sorted(files(package).iterdir(), key=lambda each: each.name):
            if module.name.endswith(".py"):
                digest.update(f"{package}/{module.name}\n".encode() + module.read_bytes())
    return digest.hexdigest()
