"""Labelled pictures of which the split knows the names, and a detector that finds the same three things in each of them."""

from pathlib import Path

import cv2
import numpy as np

from models.datasets.labels import LABELS, NUMBER, Label
from models.datasets.split import Part, read_split
from tests.fakes.graphs import HEIGHT, WIDTH, Kind, Thing, write_graph, yolox
from tests.fakes.own_model import BAG, FULL, LYING

FOUND = (
    (LYING, Label.FALLEN_PERSON),
    (BAG, Label.LITTER),
    (FULL, Label.BIN_OVERFLOW),
)


def data_in(folder: Path, count: int = 4, part: Part = Part.HELD_OUT) -> Path:
    """Two sets. What the detector finds is labelled in all pictures but the first of each set, which shows nothing."""
    (folder / "classes.txt").write_text("\n".join(LABELS))
    for name in ("fall_ward_cctv", "garbage_bins_atanu"):
        keys = sorted(key for key, of in read_split().items() if of is part and key.startswith(f"{name}/"))[:count]
        for sub in ("images", "labels"):
            (folder / name / sub).mkdir(parents=True)
        for number, key in enumerate(keys):
            stem = key.partition("/")[2]
            coarse = np.random.default_rng(number).integers(0, 256, (9, 6, 3), np.uint8)
            cv2.imwrite(str(folder / name / "images" / f"{stem}.png"), cv2.resize(coarse, (WIDTH, HEIGHT)))
            lines = [] if number == 0 else [_line(*thing) for thing in FOUND]
            (folder / name / "labels" / f"{stem}.txt").write_text("\n".join(lines))
    return folder


def _line(thing: Thing, label: Label) -> str:
    left, top, right, bottom = thing.box
    sizes = ((left + right) / 2 / WIDTH, (top + bottom) / 2 / HEIGHT, (right - left) / WIDTH, (bottom - top) / HEIGHT)
    return " ".join([str(NUMBER[label]), *(f"{size:.6f}" for size in sizes)])


def weights_in(folder: Path) -> Path:
    """A candidate of the project's own head."""
    head = yolox((LYING, BAG, FULL), labels=len(LABELS))
    return write_graph(folder / "candidate.onnx", head, Kind(width=WIDTH, height=HEIGHT))
