"""The search for the largest number of cameras that a machine carries. Pure.

One run of a number says little on a machine that does other things now and then: a number counts as carried when it was carried in
`CARRIED` runs before it was not in `REFUSED`. One hiccup decides nothing, neither way.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

CARRIED: Final = 3
"""The run that found it, and two that confirm it."""

REFUSED: Final = 2

_FIRST_STEP_DOWN: Final = 0.7


class Run(Protocol):
    """One number of cameras, tried once."""

    @property
    def cameras(self) -> int:
        """How many."""
        ...

    @property
    def carried(self) -> bool:
        """Whether each of them got what it needs."""
        ...

    @property
    def room(self) -> float:
        """How many times as much work the machine would have had time for."""
        ...


_R = TypeVar("_R", bound=Run)


def largest(attempt: Callable[[int], _R], first: int, tries: int) -> list[_R]:
    """Try numbers until the largest is known, or `tries` numbers were tried; all runs, in order."""
    runs: list[_R] = []
    while (number := following(runs, first, tries)) is not None:
        runs.append(attempt(number))
    return runs


def found(runs: Sequence[_R]) -> Sequence[_R]:
    """The runs that carried the largest number that counts as carried; none where none does."""
    by_number = _by_number(runs)
    best = max((number for number, each in by_number.items() if _is_carried(each)), default=None)
    return () if best is None else [run for run in by_number[best] if run.carried]


def following(runs: Sequence[Run], first: int, tries: int) -> int | None:
    """Which number to try next; None when there is nothing more to learn.

    At first by what a camera costs, then half-way between the largest that was carried and the smallest that was not. A first refusal
    is asked about again at once. A number that its own confirmation refutes gives the search a further try.
    """
    if not runs:
        return max(1, first)
    by_number = _by_number(runs)
    if _is_open(by_number[runs[-1].cameras]):
        return runs[-1].cameras
    refused = min((number for number, each in by_number.items() if _refusals(each) >= REFUSED), default=None)
    passed = max((number for number in by_number if refused is None or number < refused), default=0)
    refuted = sum(_refusals(each) >= REFUSED and any(run.carried for run in each) for each in by_number.values())
    if passed and (refused == passed + 1 or len(by_number) - refuted >= tries):
        return None if _is_carried(by_number[passed]) else passed
    if refused is None:
        return max(passed + 1, min(int(passed * runs[-1].room), passed * 3))
    if passed:
        return (passed + refused) // 2
    return int(refused * _FIRST_STEP_DOWN) or (1 if refused > 1 else None)


def _by_number(runs: Sequence[_R]) -> dict[int, list[_R]]:
    by_number: defaultdict[int, list[_R]] = defaultdict(list)
    for run in runs:
        by_number[run.cameras].append(run)
    return dict(by_number)


def _refusals(runs: Sequence[Run]) -> int:
    return sum(not run.carried for run in runs)


def _is_carried(runs: Sequence[Run]) -> bool:
    return _refusals(runs) < REFUSED and len(runs) - _refusals(runs) >= CARRIED


def _is_open(runs: Sequence[Run]) -> bool:
    """Whether it was refused as often as carried, and not often enough to be believed."""
    refusals = _refusals(runs)
    return 0 < refusals < REFUSED and len(runs) - refusals <= refusals
