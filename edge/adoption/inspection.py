"""Are the weights of the catalogue what they should be, and do they run: hash, then a look at a sample picture."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from edge.adoption.sample import Sample
from edge.errors import EdgeError
from edge.perception.detector import OnnxDetector, usable
from models import catalogue
from models.catalogue import ResolvedModel
from models.manifest import Manifest, ModelProblem


@dataclass(frozen=True, slots=True)
class Inspection:
    """What came of one model. `found` are label and score, None where nothing was tried, and `note` says why not."""

    id: str
    ok: bool
    path: str | None = None
    problem: str | None = None
    found: tuple[tuple[str, float], ...] | None = None
    look_ms: float | None = None
    note: str | None = None

    def __str__(self) -> str:
        if not self.ok:
            return f"{self.id}: {self.problem}"
        if self.found is None:
            return f"{self.id}: {self.path}; not tried: {self.note}"
        sights = ", ".join(f"{label} {score:.2f}" for label, score in self.found) or "nothing"
        return f"{self.id}: {self.path}; finds {sights} in {self.look_ms:.0f} ms"


def inspect(manifest: Manifest, sample: Callable[[], Sample]) -> Inspection:
    """Read the weights through, and have them look at a picture if a head of this version reads them."""
    path: str | None = None
    try:
        file = catalogue.verified(manifest)
        path = str(file)
        if not usable(manifest):
            return Inspection(manifest.id, ok=True, path=path, note="no head of this version reads it")
        try:
            picture = sample()
        except (EdgeError, ModelProblem) as problem:
            return Inspection(manifest.id, ok=True, path=path, note=f"there is no picture ({problem})")
        detector = OnnxDetector(ResolvedModel(manifest, file))
        began_s = time.perf_counter()
        found = detector.detect(picture.image)
        look_ms = (time.perf_counter() - began_s) * 1000
    except (EdgeError, ModelProblem) as problem:
        return Inspection(manifest.id, ok=False, path=path, problem=str(problem))
    sights = tuple(
        (label, round(float(score), 3))
        for label, score in zip(found.labels, found.scores, strict=True)
        if score >= 0.25
    )
    return Inspection(manifest.id, ok=True, path=path, found=sights, look_ms=round(look_ms, 1))
