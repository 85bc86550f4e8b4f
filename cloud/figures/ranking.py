"""The ranking of areas (大排名) by quantity and quality. Pure.

Each measure gives 0 to 100 points: `closed` in proportion to the area that closed most, shares by what they come to (where less is
better, by what is left to 100). A measure of which an area has nothing is left out, and the weights of the others make up for it; the
score is the weighted mean; so is one of which it has too few for a share to say something. An area with fewer closed cases than `least_cases` has no rank: its shares would be chance.
"""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cloud.errors import Invalid
from cloud.figures.definitions import BY_NAME, Better, value_of
from cloud.figures.tally import Fact, Tally

QUANTITY: Final = "closed"
MEASURES: Final = (
    QUANTITY,
    "on_time_verification",
    "on_time_closure",
    "rework_rate",
    "return_rate",
    "reopen_rate",
    "missed_rate",
)
MOST_LEAST_CASES: Final = 100_000
_DIGITS = 1


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each measure counts; they add up to 1. `least_cases`: closed cases that an area needs to be ranked."""

    by_measure: Mapping[str, float]
    least_cases: int = 10

    @classmethod
    def checked(cls, by_measure: Mapping[str, float], least_cases: int) -> "Weights":
        """Weights in the right proportion. Raises Invalid for a measure that there is not, or where none counts."""
        unknown = sorted(by_measure.keys() - set(MEASURES))
        if unknown:
            raise Invalid(
                f"no such measure: {', '.join(each[:50] for each in unknown)}; there are {', '.join(MEASURES)}"
            )
        if any(not 0 <= weight <= 1_000 for weight in by_measure.values()):
            raise Invalid("a weight lies between 0 and 1000")
        whole = sum(by_measure.values())
        if whole <= 0:
            raise Invalid("at least one measure has to count")
        if not 1 <= least_cases <= MOST_LEAST_CASES:
            raise Invalid(f"`least_cases` lies between 1 and {MOST_LEAST_CASES}")
        shares = {measure: by_measure[measure] / whole for measure in MEASURES if by_measure.get(measure)}
        return cls(shares, least_cases)


USUAL_WEIGHTS: Final = Weights(
    {
        QUANTITY: 0.2,
        "on_time_verification": 0.2,
        "on_time_closure": 0.3,
        "rework_rate": 0.1,
        "return_rate": 0.05,
        "reopen_rate": 0.1,
        "missed_rate": 0.05,
    }
)
"""What holds until an administrator says otherwise."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a measure comes to, and its points of 100: None where there is nothing that it is made of, points also where that is few."""

    measure: str
    value: float | None
    points: float | None
    weight: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """An area in a ranking. `rank` and `score` are None for one with too few cases."""

    code: str
    rank: int | None
    score: float | None
    tally: Tally
    parts: tuple[Part, ...]


def ranked(tallies: Mapping[str, Tally], weights: Weights) -> list[Ranked]:
    """Areas by code, the best first. Equal scores (to a tenth) share a rank, and the next has the rank that it would have without."""
    most = max((each.count(Fact.CLOSED) for each in tallies.values()), default=0)
    found: list[tuple[str, float | None, Tally, tuple[Part, ...]]] = []
    for code, tally in tallies.items():
        parts = _parts(tally, weights, most)
        enough = tally.count(Fact.CLOSED) >= weights.least_cases
        found.append((code, _score(parts) if enough else None, tally, parts))
    found.sort(key=lambda each: (each[1] is None, -(each[1] or 0.0), -each[2].count(Fact.CLOSED), each[0]))
    return _with_ranks(found)


def same_field(past: Sequence[Ranked], present: Sequence[Ranked]) -> tuple[dict[str, int], dict[str, int]]:
    """Ranks before and now among the areas that were ranked both times: who newly came in, or dropped out, moves nobody."""
    both = {each.code for each in past if each.rank is not None} & {
        each.code for each in present if each.rank is not None
    }
    return _places(past, both), _places(present, both)


def _places(found: Sequence[Ranked], of: Collection[str]) -> dict[str, int]:
    ranks = sorted(each.rank for each in found if each.rank is not None and each.code in of)
    return {each.code: bisect_left(ranks, each.rank) + 1 for each in found if each.rank is not None and each.code in of}


def _with_ranks(found: Sequence[tuple[str, float | None, Tally, tuple[Part, ...]]]) -> list[Ranked]:
    answer: list[Ranked] = []
    for place, (code, score, tally, parts) in enumerate(found, start=1):
        equal = bool(answer) and score is not None and answer[-1].score == score
        rank = None if score is None else answer[-1].rank if equal else place
        answer.append(Ranked(code, rank, score, tally, parts))
    return answer


def _parts(tally: Tally, weights: Weights, most: int) -> tuple[Part, ...]:
    found: list[Part] = []
    for measure, weight in weights.by_measure.items():
        found_value = value_of(BY_NAME[measure], tally)
        value = found_value.value
        points: float | None = None
        if measure == QUANTITY:
            points = 100 * tally.count(Fact.CLOSED) / most if most else None
        elif value is not None and not found_value.is_few:
            points = 100 * (value if BY_NAME[measure].better is Better.MORE else 1 - value)
        found.append(Part(measure, value, points, weight))
    return tuple(found)


def _score(parts: Sequence[Part]) -> float | None:
    told = [(each.points, each.weight) for each in parts if each.points is not None]
    whole = sum(weight for _, weight in told)
    return round(sum(points * weight for points, weight in told) / whole, _DIGITS) if whole > 0 else None
