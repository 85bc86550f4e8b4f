"""How much a station is used (人气指数). Pure.

The index is 100 × (visits a day in the window) / (visits a day in the four weeks before it): each station is measured against itself, for
a busy corner is not better kept than a quiet one. A visit is one that a counting line counted inwards (`….in_count`, told for each interval)
or a use of a machine (`use_count`, which only grows, and begins again at nought when the machine is exchanged), by devices whose spot has the
station's code. Days on which nothing was counted at all are no days.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

BEFORE_DAYS: Final = 28
LEAST_DAYS_BEFORE: Final = 7
LEAST_VISITS_BEFORE: Final = 20


class Unranked(StrEnum):
    """Why a station has no index: nothing counts there, nothing was counted, too little was counted before to compare with."""

    NO_COUNTER = "no_counter"
    NOT_COUNTED = "not_counted"
    TOO_LITTLE_BEFORE = "too_little_before"


@dataclass(frozen=True, slots=True)
class Footfall:
    """What was counted at a station, on how many days, now and before."""

    counters: int
    visits: float
    days: int
    visits_before: float
    days_before: int


def index_of(footfall: Footfall) -> float | Unranked:
    """The index, or why there is none."""
    if footfall.counters == 0:
        return Unranked.NO_COUNTER
    if footfall.days == 0:
        return Unranked.NOT_COUNTED
    if footfall.days_before < LEAST_DAYS_BEFORE or footfall.visits_before < LEAST_VISITS_BEFORE:
        return Unranked.TOO_LITTLE_BEFORE
    return round(
        100 * (footfall.visits / footfall.days) / (footfall.visits_before / footfall.days_before),
        1,
    )
