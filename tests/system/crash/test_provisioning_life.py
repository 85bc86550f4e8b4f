"""A node is ended at each single step of taking in a profile, a model and a program; it always begins with whole, verified ones."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.provisioning.in_force import Profiles, Standing
from edge.provisioning.store import Store
from tests.system.crash.nursery import Nursery, said
from tests.system.crash.provisioning_life import KIND, MODEL, PROGRAM, begins_with

pytestmark = pytest.mark.system

GO_ON_AFTER = 8
"""Of the lives that were ended so many-th are taken to their end; what they begin with is looked at in all."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as process:
        yield process


@pytest.fixture
def directories(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("GRIDWARD_MODELS", "/nowhere")  # set by each life; put back afterwards
    memory = Path("/dev/shm")  # noqa: S108 (a new folder of its own in it)
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as made:
        yield Path(made)


def live(nursery: Nursery, directory: Path, end_at: int | None = None) -> int:
    directory.mkdir(exist_ok=True)
    return nursery.live(directory, end_at, provisioning=True)


def finish(nursery: Nursery, directory: Path) -> None:
    status = live(nursery, directory)
    assert status == 0, (directory / "traceback").read_text()


def judge_beginning(directory: Path) -> None:
    """Whatever was under way: what begins is one of the versions, whole and verified, and none had to be passed over."""
    if not (directory / "node.yaml").exists():
        return
    found = begins_with(directory)
    assert found["program"] in {None, "9.0.0"}
    assert found["keep_days"] in {14, 5}
    assert found["model"] in {None, "1.0.0", "2.0.0"}
    assert found["by_hand"] in {"1.0.0", "2.0.0"}  # a device never loses its detector
    in_force = Profiles(directory / "data").of(KIND)
    assert in_force is not None
    assert in_force.passed_over == ()


def judge_end(directory: Path) -> None:
    """All was ordered, and the last of each runs, unless the crash counted as its own."""
    record = Store(directory / "data").record()
    running = {each.name: each.version for each in record.running()}
    assert running == {KIND: "2.0.0", MODEL: "2.0.0", PROGRAM: "9.0.0"} or _given_up(directory)
    assert record.trial is None
    found = begins_with(directory)
    assert (found["keep_days"], found["model"], found["by_hand"]) == (5, "2.0.0", "1.0.0")
    in_force = Profiles(directory / "data").of(KIND)
    assert in_force is not None
    assert in_force.standing is Standing.CURRENT


def _given_up(directory: Path) -> bool:
    """A process that ended between two writes of a program's trial: told as what it was, and what ran before runs."""
    steps = {each.name: each for each in Store(directory / "data").record().steps()}
    return (steps[PROGRAM].state, steps[PROGRAM].code) == ("rolled_back", "crashed")


def test_undisturbed_all_of_it_comes_to_run(nursery: Nursery, directories: Path) -> None:
    finish(nursery, directories / "undisturbed")
    judge_end(directories / "undisturbed")
    assert not _given_up(directories / "undisturbed")
    assert begins_with(directories / "undisturbed")["program"] == "9.0.0"
    assert said(directories / "undisturbed")["steps"] > 100


def test_ended_at_each_step_it_begins_with_something_whole_and_comes_to_its_end(
    nursery: Nursery, directories: Path
) -> None:
    finish(nursery, directories / "undisturbed")
    # each write passes two points, before and behind it; what one leaves behind is what the next one finds
    for number, end_at in enumerate(range(1, said(directories / "undisturbed")["steps"] + 1, 2)):
        directory = directories / f"ended-at-{end_at}"
        assert live(nursery, directory, end_at) == -signal.SIGKILL
        judge_beginning(directory)
        if number % GO_ON_AFTER == 0:
            finish(nursery, directory)
            judge_end(directory)
