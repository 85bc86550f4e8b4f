"""A model of one's own that knows what the project's detector knows, and sees the same three things in every picture."""

import hashlib
from dataclasses import replace
from pathlib import Path

from edge.perception.detector import OnnxDetector
from models import imported
from models.catalogue import ResolvedModel, label_lists
from models.manifest import Imported, Layout, Manifest
from tests.edge.records import START
from tests.fakes.graphs import HEIGHT, WIDTH, Kind, Thing, manifest, write_graph, yolox

OWN = "gridward_nano_320"
LABELS = label_lists()["gridward"]
LYING = Thing((8, 40, 40, 56), LABELS.index("fallen_person"), 0.9)
BAG = Thing((40, 8, 56, 24), LABELS.index("litter"), 0.8)
FULL = Thing((0, 0, 16, 24), LABELS.index("bin_overflow"), 0.7)


def own_model(folder: Path, name: str = OWN) -> tuple[Manifest, Path]:
    """Manifest and weights in a folder."""
    head = yolox((LYING, BAG, FULL), labels=len(LABELS))
    file = write_graph(folder / "own.onnx", head, Kind(width=WIDTH, height=HEIGHT, layout=Layout.NCHW))
    content = file.read_bytes()
    made = replace(
        manifest("yolox", labels=LABELS),
        id=name,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        source=Imported("own.onnx", START),
    )
    return made, file


def take_in(folder: Path, name: str = OWN) -> Manifest:
    """Into the catalogue of this machine ($GRIDWARD_MODELS), where the project's own is not there itself."""
    made, file = own_model(folder, name)
    imported.keep(made, file)
    return made


def own_detector(folder: Path) -> OnnxDetector:
    """The detector of it."""
    made, file = own_model(folder)
    return OnnxDetector(ResolvedModel(made, file))
