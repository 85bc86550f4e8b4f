"""How well a detector finds what is labelled: a table by class, by set, by size. Pure but for reading pictures for their clusters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.perception.detector import LEAST_SCORE as NODES_LEAST_SCORE
from models.datasets.labels import LABELS, NUMBER, Label
from models.datasets.pictures import LabelledPicture
from models.datasets.sets import SETS
from models.datasets.split import clusters
from models.evaluation.average_precision import OVERLAPS, Looked, Matches, Point, matches
from models.evaluation.intervals import interval_of, numbered
from models.evaluation.looking import Found
from models.evaluation.sizes import Size, of_size

FEW: Final = 30
"""Of fewer boxes a figure says little, whatever its interval."""

ALL: Final = "all"
COMPLETE: Final = "complete"
"""Over what a row goes that is not of one set: all sets that label the class, and those of them in which no box is missing."""

NEITHER: Final[Mapping[Label, tuple[Label, ...]]] = MappingProxyType({Label.PERSON: (Label.FALLEN_PERSON,)})
"""Who has fallen is a person too: a detector that says so is neither right nor wrong. Telling that he fell counts for the other class."""


@dataclass(frozen=True, slots=True)
class OfSize:
    """Things of one size, and AP50 over them; what was found of another size is not wrong."""

    things: int
    ap50: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """One model and one class over some sets; None where there is nothing to find. `complete`: no box is missing in the labels, so that
    what is counted as wrong is wrong. `interval`: 95 % of AP50. `ap50_node`: AP50 without what a node would not be told of. `precisions`: the
    best precision from each of 101 recalls on.
    """

    model: str
    label: Label
    over: str
    complete: bool
    pictures: int
    clusters: int
    things: int
    ap50: float | None
    interval: tuple[float, float] | None
    ap50_95: float | None
    ap50_node: float | None
    best: Point | None
    sizes: Mapping[Size, OfSize]
    precisions: tuple[float, ...] = ()

    @property
    def few(self) -> bool:
        """Whether there are too few boxes to say much."""
        return self.things < FEW


class Ground:
    """Labelled pictures, and which of them stand for one place: what each model is held against."""

    def __init__(self, pictures: Sequence[LabelledPicture]) -> None:
        """Read the pictures for their clusters. Raises DataProblem."""
        self.pictures = tuple(pictures)
        together: list[list[str]] = []
        for name in sorted({picture.set_name for picture in pictures}):
            of_set = [picture for picture in pictures if picture.set_name == name]
            together += [[picture.key for picture in cluster] for cluster in clusters(of_set, SETS[name].site)]
        self.clusters = numbered(together, [picture.key for picture in pictures])


def rows_of(
    model: str, known: frozenset[Label], ground: Ground, found: Sequence[Found], *, draws: int
) -> Iterator[Row]:
    """The rows of one model, class by class; classes that it does not know or that no picture shows have none."""
    for label in LABELS:
        if label in known:
            yield from _rows_of_class(model, label, ground, found, draws)


def _rows_of_class(model: str, label: Label, ground: Ground, found: Sequence[Found], draws: int) -> Iterator[Row]:
    places = [n for n, picture in enumerate(ground.pictures) if label in SETS[picture.set_name].labelled]
    names = [ground.pictures[n].set_name for n in places]
    looked = [_looked(ground.pictures[n], found[n], label) for n in places]
    measured = _Measured(looked, ground.clusters[places])
    whole = sorted({name for name in names if SETS[name].complete})
    groups = {ALL: sorted(set(names)), COMPLETE: whole, **{name: [name] for name in sorted(set(names))}}
    if len(whole) in {0, len(groups[ALL])}:
        del groups[COMPLETE]
    for over, sets in groups.items():
        inside = np.array([name in sets for name in names], np.bool_)
        if measured.things(inside):
            yield measured.row(model, label, over, inside, complete=set(sets) <= set(whole), draws=draws)


def _looked(picture: LabelledPicture, found: Found, label: Label) -> Looked:
    also = [NUMBER[other] for other in NEITHER.get(label, ())]
    there = np.isin(picture.classes, [NUMBER[label], *also])
    mine = found.of_class(NUMBER[label])
    ignored = np.isin(picture.classes[there], also)
    return Looked(picture.boxes[there], found.boxes[mine], found.scores[mine], ignored)


class _Measured:
    """A class of one model, matched once over all pictures; each group of pictures is a choice of them."""

    def __init__(self, looked: Sequence[Looked], clusters_of: NDArray[np.intp]) -> None:
        self._clusters = clusters_of
        self._at = {overlap: matches(looked, overlap) for overlap in OVERLAPS}
        self._of_size = {size: matches([_only(one, size) for one in looked], OVERLAPS[0]) for size in Size}

    def things(self, inside: NDArray[np.bool_]) -> int:
        return int(self._at[OVERLAPS[0]].things[inside].sum())

    def row(self, model: str, label: Label, over: str, inside: NDArray[np.bool_], *, complete: bool, draws: int) -> Row:
        weights = inside.astype(np.intp)
        loosest = self._at[OVERLAPS[0]]
        curve = loosest.curve(weights)
        return Row(
            model=model,
            label=label,
            over=over,
            complete=complete,
            pictures=int(weights.sum()),
            clusters=len(np.unique(self._clusters[inside])),
            things=curve.things,
            ap50=_figure(loosest, weights),
            interval=interval_of(loosest, np.where(inside, self._clusters, -1), draws),
            ap50_95=float(np.mean([at.curve(weights).average_precision for at in self._at.values()])),
            ap50_node=_figure(loosest.from_score(NODES_LEAST_SCORE), weights),
            best=curve.best,
            sizes={
                size: OfSize(int((of.things * weights).sum()), _figure(of, weights))
                for size, of in self._of_size.items()
            },
            precisions=tuple(curve.best_precisions.tolist()) if over == ALL else (),
        )


def _figure(of: Matches, weights: NDArray[np.intp]) -> float | None:
    value = of.curve(weights).average_precision
    return None if np.isnan(value) else value


def _only(one: Looked, size: Size) -> Looked:
    already = np.zeros(len(one.truth), np.bool_) if one.ignored is None else one.ignored
    return Looked(one.truth, one.found, one.scores, already | ~of_size(one.truth, size), ~of_size(one.found, size))
