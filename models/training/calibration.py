"""Scores that mean what they say: of what is found with a score of .6, six in ten are right.

A detector learns to order what it sees, and its scores lie where its loss left them: much too low, for the rare classes above all, so that
one threshold for all classes, which rules and trackers have, would leave most of them out. So each class gets a slope and an offset for its
logits, fitted on the validation part (Platt, "Probabilistic Outputs for Support Vector Machines", 1999; the targets and the steps are those of
Lin et al., "A Note on Platt's Probabilistic Outputs", 2007), and folded into the last convolution of an exported network. The order of
a class's scores stays as it was; since the surest class of a place is told, what is told can change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.datasets.labels import LABELS, NUMBER, Label
from models.datasets.pictures import LabelledPicture
from models.datasets.sets import SETS
from models.evaluation.accuracy import NEITHER
from models.evaluation.average_precision import Looked, Matches, matches
from models.training.network import BOX_NUMBERS, Detector
from models.training.validation import answers

FEW: Final = 20
"""A class of which fewer were found rightly takes what fits all classes together."""
_RIGHT_FROM: Final = 0.5
_SUPPRESSED_FROM: Final = 0.5
"""As the edge node has it: what it is told of is what is held against the labels."""
_STEPS: Final = 100
_DAMPING: Final = 1e-6
_LEAST_SLOPE: Final = 0.1
_CLIP: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Scale:
    """What the logit of a class is multiplied with, and what is added then."""

    slope: float = 1.0
    offset: float = 0.0

    @property
    def inverse(self) -> "Scale":
        """What takes this scale away again."""
        return Scale(1 / self.slope, -self.offset / self.slope)


def scales_of(network: Detector, pictures: Sequence[LabelledPicture], size: int) -> Mapping[Label, Scale]:
    """A scale for each class, from what the network says of labelled pictures that it has not learnt from."""
    looked: dict[Label, list[Looked]] = {label: [] for label in LABELS}
    for answer in answers(network, pictures, size, suppressed_from=_SUPPRESSED_FROM):
        one = SETS[answer.picture.set_name]
        for label in one.labelled if one.complete else ():
            also = [NUMBER[other] for other in NEITHER.get(label, ())]
            there = np.isin(answer.sample.classes, [NUMBER[label], *also])
            ignored = np.isin(answer.sample.classes[there], also)
            mine = answer.classes == NUMBER[label]
            looked[label].append(Looked(answer.sample.boxes[there], answer.boxes[mine], answer.scores[mine], ignored))
    return scales({label: matches(of_label, _RIGHT_FROM) for label, of_label in looked.items()})


def scales(found: Mapping[Label, Matches]) -> Mapping[Label, Scale]:
    """A scale for each class from what was found of it, right and wrong."""
    every = [one for one in found.values() if len(one.scores)]
    if not every:
        return MappingProxyType(dict.fromkeys(LABELS, Scale()))
    together = fitted(np.concatenate([one.scores for one in every]), np.concatenate([one.right for one in every]))
    return MappingProxyType(
        {
            label: fitted(one.scores, one.right)
            if (one := found.get(label)) is not None and one.right.sum() >= FEW
            else together
            for label in LABELS
        }
    )


def fitted(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> Scale:
    """The slope and offset with which logits of `scores` (n,) tell best which of them are `right` (n,)."""
    positive, negative = int(right.sum()), int((~right).sum())
    if not positive or not negative:
        return Scale()
    goals = np.where(right, (positive + 1) / (positive + 2), 1 / (negative + 2))
    kept = np.clip(scores, _CLIP, 1 - _CLIP)
    inputs = np.stack([np.log(kept / (1 - kept)), np.ones(len(kept))])
    weights, loss = np.array([1.0, 0.0]), np.inf
    step = np.zeros(2)
    for _ in range(_STEPS):
        tried = weights - step
        tried[0] = max(tried[0], _LEAST_SLOPE)
        logits = tried @ inputs
        now = float(np.logaddexp(0, logits).sum() - goals @ logits)
        if now > loss:
            step /= 2
            continue
        if loss - now < 1e-9 * max(now, 1.0):
            break
        weights, loss = tried, now
        shares = 1 / (1 + np.exp(-logits))
        curvature = (inputs * (shares * (1 - shares))) @ inputs.T + _DAMPING * np.eye(2)
        step = np.linalg.solve(curvature, inputs @ (shares - goals))
    return Scale(round(float(weights[0]), 4), round(float(weights[1]), 4))


@torch.no_grad()
def fold(network: Detector, by_class: Mapping[Label, Scale]) -> None:
    """Make the scales a part of the last convolutions, for a network that is exported."""
    for head in network.heads:
        assert isinstance(head, nn.Sequential)  # noqa: S101 - for the type checker
        last = head[-1]
        assert isinstance(last, nn.Conv2d)  # noqa: S101
        assert last.bias is not None  # noqa: S101
        for label, scale in by_class.items():
            row = BOX_NUMBERS + NUMBER[label]
            last.weight[row] *= scale.slope
            last.bias[row] = last.bias[row] * scale.slope + scale.offset
