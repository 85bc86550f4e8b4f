"""The search for the largest number of cameras that a machine carries. Pure.

One run of a number says little on a machine that does other things now and then: a number counts as carried when it was carried in each of
`RUNS` runs, and as too many as soon as it was not in one. What noise there is makes the answer smaller, never larger.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

RUNS: Final = 3
"""The run that found it, and two that confirm it."""

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
    """The runs of the largest number that was carried each time; none where none was."""
    by_number = _by_number(runs)
    carried = [number for number, each in by_number.items() if len(each) >= RUNS and all(run.carried for run in each)]
    return by_number[max(carried)] if carried else ()


def following(runs: Sequence[Run], first: int, tries: int) -> int | None:
    """Which number to try next; None when there is nothing more to learn.

    At first by what a camera costs, then half-way between the largest that was carried and the smallest that was not. A
    number that its own confirmation refutes gives the search a further try.
    """
    if not runs:
        return max(1, first)
    by_number = _by_number(runs)
    refused = min((number for number, each in by_number.items() if not all(run.carried for run in each)), default=None)
    passed = max((number for number in by_number if refused is None or number < refused), default=0)
    refuted = sum(len(each) > 1 and not all(run.carried for run in each) for each in by_number.values())
    if passed and (refused == passed + 1 or len(by_number) - refuted >= tries):
        return passed if len(by_number[passed]) < RUNS else None
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
