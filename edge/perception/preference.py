"""Which detector looks (模型选择): the one that a camera names, or for one that names none the first of the catalogue's order that can be had.

The order is `models.catalogue.PREFERRED`. A camera whose rules watch what only some of these models know is looked at with the first of
those: one detector looks at one camera, for two would see two of everything.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from edge.errors import ModelUnusable
from edge.perception.detector import OnnxDetector, open_detector, usable, watched_labels
from edge.settings import AUTO, MOTION, CameraSettings, PlaceSettings, SceneRuleSettings
from edge.settings.vocabulary import knows
from models.catalogue import PREFERRED, models


@dataclass(frozen=True, slots=True)
class Opened:
    """A detector, and why it is this one."""

    detector: OnnxDetector
    because: str


def watched_classes(rule: SceneRuleSettings) -> tuple[str, ...]:
    """What a model has to know for a rule."""
    if isinstance(rule, PlaceSettings):
        return (rule.kind,)
    return tuple(name for name in getattr(rule, "classes", ()) if name != MOTION)


def candidates() -> Mapping[str, tuple[str, ...]]:
    """The models of the order that this version can read, and what it looks for with each. Raises ManifestWrong."""
    known = models()
    readable = (name for name in PREFERRED if name in known and usable(known[name]))
    return {name: watched_labels(known[name]) for name in readable}


def fitting(classes: Iterable[str]) -> tuple[str, ...]:
    """Those of the order that know all of these classes. Raises ManifestWrong."""
    wanted = tuple(classes)
    return tuple(name for name, labels in candidates().items() if all(knows(labels, each) for each in wanted))


def settled(camera: CameraSettings) -> CameraSettings:
    """The camera with the model that its rules leave: of the order that is one, or it stays open until one is opened. Raises ManifestWrong."""
    if camera.model != AUTO:
        return camera
    able = fitting({name for rule in camera.rules for name in watched_classes(rule)})
    if not able or able == tuple(candidates()):
        return camera
    return camera.model_copy(update={"model": able[0]})


def opened(name: str, open_model: Callable[[str], OnnxDetector] = open_detector) -> Opened:
    """The detector of a model, or for `auto` the first of the order that can be had. Raises ModelUnusable when there is none."""
    if name != AUTO:
        return Opened(open_model(name), "it is named")
    problems: list[str] = []
    for each in candidates():
        try:
            detector = open_model(each)
        except ModelUnusable as problem:
            problems.append(str(problem))
        else:
            return Opened(detector, _because(problems))
    raise ModelUnusable("; ".join(problems) or f"none of {', '.join(PREFERRED)} is in the catalogue")


def _because(problems: Iterable[str]) -> str:
    said = "; ".join(problems)
    return f"until the next start, since what is preferred is not there: {said}" if said else "the first of the order"
