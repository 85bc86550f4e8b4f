"""Many piles are asked for a firmware at a time: who is silent delays nobody, and one thread alone writes what came of it."""

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from edge.contract.artifacts import StepCode, StepState
from edge.contract.device_command import DeviceAction
from edge.disk import write_file
from edge.errors import CommandRefused, DeviceUnreachable
from edge.node.firmware_asking import AT_ONCE
from edge.node.firmware_job import Book
from edge.provisioning.store import RECORD
from tests.edge.node.test_firmware_desk import Piles, Rig
from tests.edge.waiting import wait_until

PATIENT_S = 20.0


@dataclass
class SlowPiles(Piles):
    """Each answers once it may: the silent ones when their gate is opened. `problems` are answers that are none."""

    gates: dict[str, threading.Event] = field(default_factory=dict)
    problems: dict[str, Exception] = field(default_factory=dict)
    under_way: list[str] = field(default_factory=list)
    most_at_once: int = 0
    twice: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def act(self, device: str, action: DeviceAction, arguments: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        assert action is DeviceAction.UPDATE_FIRMWARE
        with self.lock:
            self.twice += [device] if device in self.under_way else []
            self.under_way.append(device)
            self.most_at_once = max(self.most_at_once, len(self.under_way))
            self.asked.append((device, arguments["location"]))
        if device in self.gates:
            assert self.gates[device].wait(PATIENT_S)
        with self.lock:
            self.under_way.remove(device)
        if device in self.problems:
            raise self.problems[device]
        return {}


def names(count: int) -> list[str]:
    return [f"pile-{number}" for number in range(1, count + 1)]


@contextmanager
def asking(directory: Path, count: int, **more: Any) -> Iterator[tuple[Rig, SlowPiles]]:
    """A desk that has the firmware of so many piles and has asked nobody yet."""
    rig = Rig(directory, **more)
    view = rig.piles.told["pile-1"]
    piles = SlowPiles({name: replace(view, is_idle=False) for name in names(count)})
    rig.piles = piles
    for number, name in enumerate(names(count), 1):
        rig.desk.receive(rig.order(number, device=name))
    rig.turns(2)
    assert not piles.asked
    for name in names(count):
        piles.tell(name, is_idle=True)
    try:
        yield rig, piles
    finally:
        for gate in piles.gates.values():
            gate.set()
        rig.end()


def in_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()


def is_asked(rig: Rig, device: str) -> bool:
    job = rig.desk.book.entry(device).job
    return job is not None and job.is_asked


def test_a_silent_pile_delays_no_other(tmp_path: Path) -> None:
    with asking(tmp_path, 3, spawn=in_thread) as (rig, piles):
        piles.gates["pile-1"] = threading.Event()
        rig.desk.start()
        wait_until(lambda: is_asked(rig, "pile-2") and is_asked(rig, "pile-3"), "the answers of the others")
        assert piles.under_way == ["pile-1"]
        assert not is_asked(rig, "pile-1")
        assert rig.code("pile-1") == (StepState.TRYING, None), "written down before it was asked"
        piles.gates["pile-1"].set()
        wait_until(lambda: is_asked(rig, "pile-1"), "its own answer")


def test_so_many_are_asked_at_a_time_and_each_by_one(tmp_path: Path) -> None:
    count = AT_ONCE * 2 + 1
    with asking(tmp_path, count, spawn=in_thread) as (rig, piles):
        piles.gates = {name: threading.Event() for name in names(count)}
        rig.turns(1)
        wait_until(lambda: len(piles.under_way) == AT_ONCE, "as many as may be")
        rig.turns(5)
        assert len(piles.asked) == AT_ONCE
        untouched = [each for each in rig.desk.book.entries if each.job is not None and each.job.asked_at is None]
        assert len(untouched) == count - AT_ONCE, "who is not asked yet is not written down as asked"
        for gate in piles.gates.values():
            gate.set()
        rig.desk.start()
        wait_until(lambda: all(is_asked(rig, name) for name in names(count)), "all of them")
        assert piles.most_at_once == AT_ONCE
        assert sorted(name for name, _ in piles.asked) == sorted(names(count))
        assert not piles.twice


def test_another_order_does_not_have_a_pile_asked_while_it_is_asked(tmp_path: Path) -> None:
    with asking(tmp_path, 1, spawn=in_thread) as (rig, piles):
        piles.gates["pile-1"] = threading.Event()
        piles.problems["pile-1"] = CommandRefused("not that one")
        rig.turns(1)
        wait_until(lambda: piles.under_way, "the question")
        rig.give(rig.order(9, version="V1.11"))
        assert len(piles.asked) == 1
        assert rig.step().version == "V1.11"
        piles.gates["pile-1"].set()
        wait_until(lambda: not piles.under_way, "the answer to the first")
        piles.problems.clear()
        rig.desk.start()
        wait_until(lambda: is_asked(rig, "pile-1"), "the second question")
        assert rig.step().version == "V1.11"
        assert rig.code() == (StepState.TRYING, None), "what it said to the first says nothing of the second"
        assert not piles.twice


def test_one_thread_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writers: set[str] = set()

    def noted(*given: Any, **more: Any) -> None:
        writers.add(threading.current_thread().name)
        write_file(*given, **more)

    with asking(tmp_path, AT_ONCE * 2, spawn=in_thread) as (rig, piles):
        piles.problems = {name: DeviceUnreachable("late") for name in names(3)} | {"pile-4": CommandRefused("no")}
        monkeypatch.setattr("edge.node.firmware_desk.write_file", noted)
        rig.desk.start()
        wait_until(lambda: all(is_asked(rig, name) for name in names(AT_ONCE * 2)[4:]), "the answers")
        wait_until(lambda: rig.code("pile-4")[0] == StepState.REFUSED, "the refusal")
    assert writers == {"firmware-desk"}


def test_a_mistake_in_asking_is_that_piles_alone(rig_of_three: tuple[Rig, SlowPiles]) -> None:
    rig, piles = rig_of_three
    piles.problems["pile-1"] = ZeroDivisionError("a mistake")
    rig.turns()
    assert is_asked(rig, "pile-2")
    assert is_asked(rig, "pile-3")
    assert rig.code("pile-1") == (StepState.TRYING, None), "it may have heard"
    assert rig.desk.faults == len([name for name, _ in piles.asked if name == "pile-1"]) - 1, "one is not heard of yet"
    piles.problems.clear()
    rig.turns()
    assert is_asked(rig, "pile-1"), "it is asked again, for the same"
    assert len({location for name, location in piles.asked if name == "pile-1"}) == 1


def test_an_end_waits_for_no_pile(tmp_path: Path) -> None:
    with asking(tmp_path, 2, spawn=in_thread) as (rig, piles):
        piles.gates = {name: threading.Event() for name in names(2)}
        rig.desk.start()
        wait_until(lambda: len(piles.under_way) == 2, "both are asked")
        rig.end()
        assert not [each for each in threading.enumerate() if each.name == "firmware-desk"]
        record = (rig.store.folder / RECORD).read_bytes()
        for gate in piles.gates.values():
            gate.set()
        wait_until(lambda: not piles.under_way, "late answers")
        assert (rig.store.folder / RECORD).read_bytes() == record, "after the end nobody writes"
        rig.begin()
        assert rig.code("pile-1") == (StepState.TRYING, None)


def test_without_a_thread_to_be_had_it_is_asked_later(tmp_path: Path) -> None:
    def spawn(work: Callable[[], None]) -> None:
        if not is_room:
            raise RuntimeError("can't start new thread")
        work()

    is_room = False
    with asking(tmp_path, 1, spawn=spawn) as (rig, piles):
        rig.turns(2)
        assert not piles.asked
        is_room = True
        rig.turns()
        assert is_asked(rig, "pile-1")


@pytest.fixture
def rig_of_three(tmp_path: Path) -> Iterator[tuple[Rig, SlowPiles]]:
    with asking(tmp_path, 3) as made:
        yield made


PROBLEMS: list[Exception | None] = [
    None, CommandRefused("no"), DeviceUnreachable("late"), ZeroDivisionError("a mistake"),
]  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(PROBLEMS), st.booleans()), min_size=2, max_size=6).flatmap(
        lambda piles: st.tuples(st.just(piles), st.permutations(range(len(piles))), st.permutations(range(len(piles))))
    ),
    st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_answers_in_any_order_give_the_same_book(
    told: tuple[list[tuple[Exception | None, bool]], list[int], list[int]], turns_between: list[bool]
) -> None:
    piles, *orders = told
    books = [answered(piles, order, turns_between) for order in orders]
    assert books[0] == books[1]


def answered(told: list[tuple[Exception | None, bool]], order: list[int], turns_between: list[bool]) -> Book:
    """The book after answers came in an order; the flag of a pile is that it has told before that it downloads."""
    works: list[Callable[[], None]] = []
    with tempfile.TemporaryDirectory() as folder, asking(Path(folder), len(told), spawn=works.append) as (rig, piles):
        rig.desk.turn()
        assert len(works) == len(told)
        asked_at = rig.now
        for name, (problem, downloads) in zip(names(len(told)), told, strict=True):
            if problem is not None:
                piles.problems[name] = problem
            if downloads:
                piles.tell(name, status="downloading", status_at=asked_at)
        for number, turns in zip(order, turns_between, strict=False):
            works[number]()
            if turns:
                rig.desk.turn()
        rig.desk.turn()
        assert len(piles.asked) == len(told), "nobody is asked again before it is time"
        entries = sorted(rig.desk.book.entries, key=lambda each: each.device)
        for entry, (problem, downloads) in zip(entries, told, strict=True):
            assert entry.job is not None
            refused = isinstance(problem, CommandRefused)
            assert entry.job.step.code == (StepCode.UNSUPPORTED if refused else None)
            assert entry.job.is_asked or refused or not (problem is None or downloads)
        return Book(
            entries=tuple(
                changed(each, job=None if each.job is None else changed(each.job, token=None)) for each in entries
            )
        )
