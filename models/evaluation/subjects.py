"""The detectors that are evaluated: those of the catalogue, and a file of weights that may join it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from edge.errors import ModelUnusable
from edge.inference import declared
from edge.perception.detector import OnnxDetector, usable
from models import catalogue
from models.catalogue import ResolvedModel, resolve
from models.datasets.coco import ours
from models.datasets.labels import LABELS, Label
from models.manifest import Colour, Fit, Input, Layout, Manifest, ModelProblem, Shipped

LEAST_SCORE: Final = 0.001
"""From here on boxes count for a curve. A node begins at `edge.perception.detector.LEAST_SCORE`, which would cut the faint end off."""

_CHANNELS: Final = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """A detector with faint boxes and all (`detector`), as a node opens it (`model`), and the classes of ours that it knows."""

    model: ResolvedModel
    detector: OnnxDetector
    known: frozenset[Label]

    @property
    def id(self) -> str:
        """Its name in tables."""
        return self.model.manifest.id


def of_catalogue(names: Sequence[str] = ()) -> tuple[list[Subject], dict[str, str]]:
    """The catalogue's detectors, those of `names` or all that know a class of ours, and why each other one of them is left out.

    Raises ModelProblem, ModelUnusable when one that is asked for by name can't be had.
    """
    if names:
        return [_opened(resolve(name)) for name in names], {}
    subjects, left_out = [], {}
    for name, manifest in catalogue.models().items():
        if not _known(manifest):
            left_out[name] = "knows none of the classes"
        elif not usable(manifest):
            left_out[name] = f"no decoder `{manifest.decoder}`"
        else:
            try:
                subjects.append(_opened(resolve(name)))
            except (ModelProblem, ModelUnusable) as problem:
                left_out[name] = str(problem)
    return subjects, left_out


def of_file(path: Path) -> Subject:
    """Weights with the project's own head and classes, named by their file. Raises ModelUnusable when they are others."""
    name = path.stem
    if not path.is_file():
        raise ModelUnusable(f"{path} is not there; name the ONNX file that training has written with --weights")
    inputs = declared(path, name).inputs
    shape = inputs[0].shape if len(inputs) == 1 else ()
    match shape:
        case (1 | None, int(channels), int(height), int(width)) if channels == _CHANNELS:
            return _opened(ResolvedModel(_manifest(name, path, width, height), path))
        case _:
            raise ModelUnusable(
                f"{name}: an input [1, 3, height, width] is expected, not {list(shape)}; export it with `models.training`, or bring it "
                "into the catalogue with `gridward-edge models import` and name it with --models"
            )


def _manifest(name: str, path: Path, width: int, height: int) -> Manifest:
    content = path.read_bytes()
    return Manifest(
        id=name,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        licence="Apache-2.0",
        licence_note="A candidate of this project",
        source=Shipped(path.name),
        mirror=path.name,
        version="0",
        title="A candidate",
        input=Input(width, height, Layout.NCHW, Colour.BGR, Fit.LETTERBOX, 114, 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        decoder="yolox",
        labels=tuple(LABELS),
        figures=MappingProxyType({}),
    )


def _known(manifest: Manifest) -> frozenset[Label]:
    return frozenset(label for name in manifest.labels if (label := ours(name)) is not None)


def _opened(model: ResolvedModel) -> Subject:
    """Only what is a class of ours competes for a box."""
    watched = frozenset(name for name in model.manifest.labels if ours(name) is not None)
    return Subject(model, OnnxDetector(model, watched=watched, least_score=LEAST_SCORE), _known(model.manifest))
