from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from edge.benches.search import CARRIED, REFUSED, following, found, largest


@dataclass(frozen=True)
class Tried:
    cameras: int
    carried: bool
    room: float = 2.0


def up_to(limit: int, room: float = 2.0) -> list[Tried]:
    return largest(lambda cameras: Tried(cameras, cameras <= limit, room), first=8, tries=10_000)


def carried_by(runs: list[Tried]) -> int:
    return found(runs)[0].cameras if found(runs) else 0


@given(limit=st.integers(0, 300), room=st.floats(0.0, 50.0))
def test_with_tries_enough_the_true_limit_is_found_and_confirmed_twice(limit: int, room: float) -> None:
    runs = up_to(limit, room)
    assert carried_by(runs) == limit
    assert limit == 0 or len(found(runs)) == CARRIED


@given(first=st.integers(1, 40), tries=st.integers(1, 10), verdicts=st.lists(st.booleans(), min_size=1, max_size=60))
def test_whatever_noise_there_is_the_answer_was_confirmed_and_the_search_ends(
    first: int, tries: int, verdicts: list[bool]
) -> None:
    left = iter(verdicts)
    runs = largest(lambda cameras: Tried(cameras, next(left, False)), first, tries)
    assert len(runs) < 300
    assert all(run.cameras >= 1 for run in runs)
    answer = carried_by(runs)
    refusals = Counter(run.cameras for run in runs if not run.carried)
    assert refusals[answer] < REFUSED
    assert answer == 0 or len(found(runs)) == CARRIED
    assert all(answer < number for number, count in refusals.items() if count >= REFUSED)


def answering(*verdicts: bool) -> Iterator[bool]:
    return iter(verdicts)


def test_a_number_that_its_confirmation_refutes_is_not_the_answer() -> None:
    at_ten = answering(True, False, False)
    runs = largest(lambda cameras: Tried(cameras, next(at_ten) if cameras == 10 else cameras < 10), first=10, tries=9)
    assert carried_by(runs) == 9


def test_one_hiccup_decides_nothing() -> None:
    at_ten = answering(False, True, True, True)
    runs = largest(lambda cameras: Tried(cameras, next(at_ten) if cameras == 10 else cameras < 10), first=10, tries=9)
    assert carried_by(runs) == 10
    assert len(found(runs)) == CARRIED


def test_one_try_is_one_number() -> None:
    runs = largest(lambda cameras: Tried(cameras, carried=True), first=5, tries=1)
    assert [run.cameras for run in runs] == [5, 5, 5]


def test_the_next_number_goes_by_what_a_camera_costs_and_three_times_as_far_at_most() -> None:
    assert following([Tried(10, carried=True, room=1.4)], 10, 5) == 14
    assert following([Tried(10, carried=True, room=9.0)], 10, 5) == 30
    assert following([Tried(10, carried=True, room=0.5)], 10, 5) == 11
    assert following([Tried(10, carried=False)], 10, 5) == 10
    assert following([Tried(10, carried=False)] * 2, 10, 5) == 7
    assert following([Tried(1, carried=False)] * 2, 10, 5) is None
