"""Under what a run began: all that its result depends on, so that whoever repeats it can tell why theirs is another."""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

from edge.benches.machine import this_machine
from models.datasets.pictures import LabelledPicture
from models.datasets.split import Part
from models.evaluation.report import data_of
from models.training.recipe import Recipe

_LIBRARIES: Final = ("torch", "numpy", "opencv-python-headless", "av", "onnx")
_CODE: Final = ("models.training", "models.datasets", "edge.simulators.scene")
"""What makes samples and learns from them."""


def circumstances(recipe: Recipe, learnt_from: Sequence[LabelledPicture]) -> dict[str, Any]:
    """For the log's first line; reads all pictures."""
    data = data_of(Part.TRAINING, learnt_from)
    return {
        "recipe": recipe.as_json(),
        "pictures": len(learnt_from),
        "data_sha256": data.sha256,
        "split_sha256": data.split_sha256,
        "code_sha256": code_hash(),
        "versions": {library: version(library) for library in _LIBRARIES},
        "processor": this_machine(recipe.threads).processor,
        "device": "cpu",
    }


def code_hash() -> str:
    """SHA-256 over the modules that samples and weights come from: names and bytes, in the order of their names."""
    digest = hashlib.sha256()
    for package in _CODE:
        for module in sorted(files(package).iterdir(), key=lambda each: each.name):
            if module.name.endswith(".py"):
                digest.update(f"{package}/{module.name}\n".encode() + module.read_bytes())
    return digest.hexdigest()
