"""How far a figure may be from what more pictures would give. Pure."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.evaluation.average_precision import Matches

SURE: Final = 0.95
_SEED: Final = 7
_FEWEST_CLUSTERS: Final = 2


def interval_of(matches: Matches, clusters: NDArray[np.intp], draws: int) -> tuple[float, float] | None:
    """Where AP lies in 95 % of the draws (bootstrap, percentiles) of as many clusters of pictures, with repetition, as there are: pictures of
    one place say little more than one of them. `clusters` (pictures,) is the number of each picture's cluster, below 0 for pictures that don't
    count. None where fewer than two clusters show the class.
    """
    numbers = np.unique(clusters[clusters >= 0])
    shown = np.unique(clusters[(clusters >= 0) & (matches.things > 0)])
    if len(shown) < _FEWEST_CLUSTERS or draws < 1:
        return None
    random = np.random.default_rng(_SEED)
    place = np.searchsorted(numbers, np.maximum(clusters, numbers[0]))
    values = []
    for _ in range(draws):
        copies = np.bincount(random.integers(0, len(numbers), len(numbers)), minlength=len(numbers))
        weights = np.where(clusters >= 0, copies[place], 0).astype(np.intp)
        values.append(matches.curve(weights).average_precision)
    drawn = np.array(values)
    outer = (1 - SURE) / 2
    low, high = np.quantile(drawn[~np.isnan(drawn)], [outer, 1 - outer])
    return float(low), float(high)


def rate_interval(events: int) -> tuple[float, float]:
    """The 95 % interval (Garwood, exact) of the mean number of events where so many were counted."""
    outer = (1 - SURE) / 2
    low = 0.0 if events == 0 else _mean_where(events - 1, 1 - outer)
    return low, _mean_where(events, outer)


def _mean_where(most: int, chance: float) -> float:
    """The mean at which at most so many events (Poisson) have this chance."""
    low, high = 0.0, 10.0 + 3.0 * (most + 1)
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(most, middle) > chance:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _at_most(most: int, mean: float) -> float:
    terms = (events * math.log(mean) - mean - math.lgamma(events + 1) for events in range(most + 1))
    return math.fsum(math.exp(term) for term in terms) if mean > 0 else 1.0


def numbered(clusters: Sequence[Sequence[str]], keys: Sequence[str]) -> NDArray[np.intp]:
    """The number of each key's cluster: (keys,)."""
    number = {key: index for index, cluster in enumerate(clusters) for key in cluster}
    return np.array([number[key] for key in keys], np.intp)
