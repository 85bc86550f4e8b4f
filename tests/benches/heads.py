"""What each detector means by its scores: precision and recall of persons on labelled pictures, and the exponent that brings its
scores to the measure of the default detector. `python -m tests.benches.heads [--json] [--pictures 150]`.

An exponent k is right at a score s where what the default detector finds from s on is as often right as what this one finds
from s ** (1 / k) on. It is given where the tracker is sure (0.5) and where faint sights carry a track (0.3, 0.2).
"""

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.flow import Boxes
from edge.geometry import intersection_over_union
from edge.perception.detector import OnnxDetector, open_detector, usable
from models import catalogue

DEFAULT = "yolox_nano_416"
SETS = ("persons_capston2", "highway_objects_tidar")
"""The sets in which every person is labelled."""

SCORES = (0.5, 0.3, 0.2)
OVERLAP = 0.5


@dataclass(frozen=True)
class Curve:
    """Surest first: scores before any exponent, precision and recall down to each."""

    scores: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    def at(self, score: float) -> int:
        return max(int((self.scores >= score).sum()) - 1, 0)


def pictures(root: Path, each: int) -> list[Path]:
    found: list[Path] = []
    for name in SETS:
        files = sorted((root / name / "images").iterdir()) if (root / name / "images").is_dir() else []
        found += files[:: max(1, len(files) // each)]
    return found


def persons(picture: Path, person: int) -> Boxes:
    labels = picture.parent.parent / "labels" / f"{picture.stem}.txt"
    rows = [line.split() for line in labels.read_text().splitlines()] if labels.exists() else []
    middles = np.array([row[1:5] for row in rows if int(row[0]) == person], dtype=np.float32).reshape(-1, 4)
    half = middles[:, 2:] / 2
    return np.concatenate([middles[:, :2] - half, middles[:, :2] + half], axis=1)


def curve(detector: OnnxDetector, files: list[Path], person: int) -> Curve:
    scores: list[float] = []
    right: list[bool] = []
    labelled = 0
    for file in files:
        image = cv2.imread(str(file))
        if image is None:
            continue
        truth, taken = persons(file, person), set[int]()
        labelled += len(truth)
        found = detector.detect(np.asarray(image, dtype=np.uint8))
        for box, score, label in zip(found.boxes, found.scores, found.labels, strict=True):
            if label != "person":
                continue
            fits = intersection_over_union(box[None], truth)[0] if len(truth) else np.zeros(0)
            best = int(fits.argmax()) if len(fits) else -1
            hit = best >= 0 and fits[best] >= OVERLAP and best not in taken
            taken |= {best} if hit else set()
            scores.append(float(score) ** (1 / detector.manifest.score_exponent))
            right.append(bool(hit))
    order = np.argsort(-np.array(scores), kind="stable")
    hits = np.cumsum(np.array(right, dtype=float)[order])
    return Curve(np.array(scores)[order], hits / np.arange(1, len(hits) + 1), hits / max(labelled, 1))


def exponents(own: Curve, default: Curve) -> dict[str, float | None]:
    told: dict[str, float | None] = {}
    for score in SCORES:
        as_right = np.flatnonzero(own.precision >= default.precision[default.at(score)])
        told[str(score)] = (
            round(math.log(score) / math.log(own.scores[as_right[-1]]), 2)
            if len(as_right) and own.scores[as_right[-1]] < 1
            else None
        )
    return told


def measure(each: int) -> dict[str, Any]:
    root = catalogue.assets_directory() / "datasets"
    files = pictures(root, each)
    if not files:
        return {"bench": "heads", "skipped": f"no labelled pictures in {root.name}/"}
    person = (root / "classes.txt").read_text().split().index("person")
    names = [name for name, manifest in catalogue.models().items() if usable(manifest) and "person" in manifest.labels]
    curves = {name: curve(open_detector(name), files, person) for name in names}
    rows = [
        {
            "id": name,
            "score_exponent": catalogue.models()[name].score_exponent,
            "precision": {str(score): round(float(one.precision[one.at(score)]), 3) for score in SCORES},
            "recall": {str(score): round(float(one.recall[one.at(score)]), 3) for score in SCORES},
            "exponent": exponents(one, curves[DEFAULT]),
        }
        for name, one in curves.items()
    ]
    return {"bench": "heads", "pictures": len(files), "sets": list(SETS), "models": rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=150, help="about how many of each set")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    result = measure(options.pictures)
    if options.json or "skipped" in result:
        print(json.dumps(result, indent=2))
        return 0
    for row in result["models"]:
        print(
            f"{row['id']:20} exponent {row['score_exponent']}: measured {row['exponent']}, precision {row['precision']}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
