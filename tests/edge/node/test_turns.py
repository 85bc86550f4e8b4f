import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from edge.node.turns import Cores, Turns, cores
from edge.perception.scheduler import Attention
from tests.waiting import wait_until


class Queue:
    """Threads that want turns, and end them when they are told to."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.having: list[str] = []
        self.went_without: list[str] = []
        self.ends: dict[str, threading.Event] = {}
        self.threads: list[threading.Thread] = []

    def come(self, camera: str, wanted: Callable[[], bool] = lambda: True) -> None:
        self.ends[camera] = threading.Event()
        thread = threading.Thread(target=self._take, args=(camera, wanted), daemon=True)
        self.threads.append(thread)
        thread.start()

    def _take(self, camera: str, wanted: Callable[[], bool]) -> None:
        with self.turns.turn(camera, period_s=0.2, attention=Attention.QUIET, wanted=wanted) as waited_s:
            if waited_s is None:
                self.went_without.append(camera)
                return
            self.having.append(camera)
            self.ends[camera].wait(30)

    def end(self, camera: str) -> None:
        self.ends[camera].set()


@contextmanager
def queue(places: int, clock: Callable[[], float]) -> Iterator[Queue]:
    found = Queue(Turns(places, clock=clock))
    yield found
    for end in found.ends.values():
        end.set()
    for thread in found.threads:
        thread.join(10)
        assert not thread.is_alive()


def waiting(queue: Queue) -> int:
    return queue.turns._schedule.waiting


def test_as_many_as_there_are_places_and_the_others_in_the_order_in_which_they_are_due() -> None:
    with queue(2, lambda: 0.0) as found:
        for camera in "abcd":
            found.come(camera)
            wait_until(lambda: len(found.having) + waiting(found) == len(found.threads))
        assert sorted(found.having) == ["a", "b"]
        found.end("b")
        wait_until(lambda: len(found.having) == 3)
        found.end("a")
        wait_until(lambda: len(found.having) == 4)
        assert found.having[2:] == ["c", "d"]


def test_who_is_stopped_while_he_waits_goes_without() -> None:
    stopping = threading.Event()
    with queue(1, lambda: 0.0) as found:
        found.come("a")
        wait_until(lambda: found.having == ["a"])
        found.come("b", wanted=lambda: not stopping.is_set())
        wait_until(lambda: waiting(found) == 1)
        stopping.set()
        wait_until(lambda: found.went_without == ["b"])
        assert waiting(found) == 0


def test_a_turn_that_hangs_keeps_nobody_waiting_for_ever() -> None:
    now = [0.0]
    with queue(1, lambda: now[0]) as found:
        found.come("hanging")
        wait_until(lambda: found.having == ["hanging"])
        found.come("other")
        wait_until(lambda: waiting(found) == 1)
        now[0] = 60.0
        wait_until(lambda: found.having == ["hanging", "other"])


def test_a_camera_that_was_opened_again_gets_its_turn_when_its_old_thread_gives_up() -> None:
    stopping = threading.Event()
    with queue(1, lambda: 0.0) as found:
        found.come("busy")
        wait_until(lambda: found.having == ["busy"])
        found.come("a", wanted=lambda: not stopping.is_set())
        wait_until(lambda: waiting(found) == 1)
        before = found.turns._waiting["a"]
        found.come("a")
        wait_until(lambda: found.turns._waiting["a"] is not before)
        stopping.set()
        wait_until(lambda: found.went_without == ["a"])
        found.end("busy")
        wait_until(lambda: found.having == ["busy", "a"])


def test_an_error_inside_of_a_turn_ends_it() -> None:
    turns = Turns(1)
    for _ in range(2):
        with (
            pytest.raises(ZeroDivisionError),
            turns.turn("a", period_s=0.2, attention=Attention.QUIET, wanted=lambda: True),
        ):
            raise ZeroDivisionError
    assert turns._schedule.busy == 0
    assert cores() >= 1


def test_what_is_not_urgent_has_a_turn_only_where_a_place_is_free_that_nobody_waits_for() -> None:
    with queue(2, lambda: 0.0) as found:
        found.come("a")
        wait_until(lambda: found.having == ["a"])
        with found.turns.spare("x") as free:
            assert free
            with found.turns.spare("y") as second:
                assert not second
            found.come("b")
            wait_until(lambda: waiting(found) == 1)
        wait_until(lambda: found.having == ["a", "b"])
        found.come("c")
        wait_until(lambda: waiting(found) == 1)
        with found.turns.spare("x") as free:
            assert not free
        assert waiting(found) == 1
        found.end("a")
        wait_until(lambda: found.having == ["a", "b", "c"])
    assert found.turns._schedule.busy == 0


def test_each_thread_has_a_core_of_its_own_and_none_is_given_twice() -> None:
    given = Cores()
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("there is one core, and nothing to give out")
    taken: dict[int, set[int]] = {}
    everybody = threading.Barrier(len(allowed) + 1)

    def work(place: int) -> None:
        core = given.take()
        taken[place] = os.sched_getaffinity(0)
        assert taken[place] == {core}
        everybody.wait(30)
        everybody.wait(30)
        given.give_back(core)
        assert os.sched_getaffinity(0) == allowed
        if place == 0:
            assert given.take() == core  # the one that it had last
            given.give_back(core)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(allowed))]
    for thread in threads:
        thread.start()
    everybody.wait(30)
    assert set.union(*taken.values()) == allowed
    assert given.take() is None
    assert os.sched_getaffinity(0) == allowed  # nothing has changed for who got none
    everybody.wait(30)
    for thread in threads:
        thread.join(30)
