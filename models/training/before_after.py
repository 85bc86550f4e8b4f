"""Whether fine-tuning was worth it: the same figures before and after, of pictures that were not learnt from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.datasets.labels import LABELS, NUMBER, Label
from models.evaluation.accuracy import NEITHER
from models.evaluation.average_precision import Looked, curve
from models.training.network import Detector
from models.training.samples import ALL_KNOWN, Sample
from models.training.validation import looked_at

FEWEST_BOXES: Final = 10
"""From fewer held-out boxes nobody can tell whether it became better."""
LEAST_GAIN: Final = 0.01
MOST_LOSS: Final = 0.03
"""What AP50 may fall elsewhere, on the mean of all classes."""
TOLD_FROM: Final = 0.25
"""A detection with this score counts as told again at a place where there was a false alarm."""
_RIGHT_FROM: Final = 0.5


@dataclass(frozen=True, slots=True)
class Figures:
    """AP50 and how many boxes there are, by class; of `false_alarms` places where nothing was, `told_again` are told of as before."""

    ap50: Mapping[Label, float]
    boxes: Mapping[Label, int]
    false_alarms: int = 0
    told_again: int = 0

    @property
    def mean(self) -> float:
        """The mean over classes; NaN where there are no boxes."""
        return float(np.mean(list(self.ap50.values()))) if self.ap50 else math.nan

    def as_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "mean_ap50": None if math.isnan(self.mean) else round(self.mean, 4),
            "ap50": {label.value: round(value, 4) for label, value in self.ap50.items()},
            "boxes": {label.value: count for label, count in self.boxes.items()},
            "false_alarms": self.false_alarms,
            "told_again": self.told_again,
        }


def figures(network: Detector, samples: Sequence[Sample], size: int) -> Figures:
    """What the network finds in samples. Where only some places were judged, what it finds elsewhere is neither right nor wrong."""
    looked: dict[Label, list[Looked]] = {label: [] for label in LABELS}
    told_again = 0
    for sample, boxes, scores, classes in looked_at(network, samples, size):
        for label in LABELS:
            looked[label].append(
                _looked(sample, label, boxes[classes == NUMBER[label]], scores[classes == NUMBER[label]])
            )
        for place, number in zip(sample.absent, sample.absent_classes, strict=True):
            there = (classes == number) & (scores >= TOLD_FROM)
            told_again += bool(_inside(boxes[there], place[None]).any())
    curves = {label: curve(of_label, _RIGHT_FROM) for label, of_label in looked.items()}
    shown = {label: one for label, one in curves.items() if one.things}
    return Figures(
        {label: one.average_precision for label, one in shown.items()},
        {label: one.things for label, one in shown.items()},
        sum(len(sample.absent) for sample in samples),
        told_again,
    )


def _looked(sample: Sample, label: Label, found: NDArray[np.float32], scores: NDArray[np.float32]) -> Looked:
    also = [NUMBER[other] for other in NEITHER.get(label, ())]
    mine = np.isin(sample.classes, [NUMBER[label], *also])
    truth, ignored = sample.boxes[mine], np.isin(sample.classes[mine], also)
    if sample.known == ALL_KNOWN:
        return Looked(truth, found, scores, ignored)
    judged = np.concatenate([truth, sample.absent[sample.absent_classes == NUMBER[label]]])
    return Looked(truth, found, scores, ignored, outside=~_inside(found, judged))


def _inside(boxes: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of the boxes (n, 4) have their middle in one of the places (m, 4)."""
    middles = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2
    return np.asarray(((middles >= places[None, :, :2]) & (middles <= places[None, :, 2:])).all(-1).any(-1))


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether the tuned network may be called better, and why in words."""

    is_better: bool
    why: str


def judged(site: tuple[Figures, Figures], elsewhere: Mapping[str, tuple[Figures, Figures]]) -> Judgement:
    """Hold figures after against figures before."""
    before, after = site
    count = sum(before.boxes.values())
    if count < FEWEST_BOXES:
        return Judgement(
            False,
            f"{count} held-out boxes are too few to tell, {FEWEST_BOXES} are needed: export more days or cameras",
        )
    gain = after.mean - before.mean
    if not gain >= LEAST_GAIN:
        return Judgement(False, f"AP50 on the site's held-out pictures went from {before.mean:.3f} to {after.mean:.3f}")
    for name, (then, now) in elsewhere.items():
        if not then.mean - now.mean <= MOST_LOSS:
            return Judgement(False, f"it forgot: AP50 on {name} fell from {then.mean:.3f} to {now.mean:.3f}")
    if after.told_again > before.told_again:
        return Judgement(
            False,
            f"more false alarms are told again: {after.told_again} of {after.false_alarms}, {before.told_again} before",
        )
    return Judgement(True, f"AP50 on the site's held-out pictures rose from {before.mean:.3f} to {after.mean:.3f}")
