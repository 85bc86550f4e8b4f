"""The parent and the two slots, as real processes: what is tried has to say that it is well, or what ran before runs again."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from edge.provisioning.retreat import MOST_IN_A_ROW
from edge.provisioning.slots import Selection, read_selection, write_selection
from edge.provisioning.wheel import unpack
from tests.edge.provisioning.test_slots import wheel
from tests.edge.waiting import wait_until

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]

PARENT = """
import sys
from pathlib import Path
from edge.logs import log_to_stderr
from edge.supervisor import Supervisor
log_to_stderr()
parent = Supervisor(sys.argv[3:], stop_patience_s=1.0, program=Path(sys.argv[1]), confirm_within_s=float(sys.argv[2]))
raise SystemExit(parent.run())
"""

LIVES = """
import os, signal, sys, threading
from pathlib import Path
from edge.provisioning.slots import read_selection, write_selection
def live(mode):
    folder = Path(os.environ["GRIDWARD_PROGRAM"])
    with (folder / "lives").open("a") as log:
        log.write(f"{mode} {os.getpid()} {os.environ.get('GRIDWARD_SLOT', '-')}\\n")
    if mode == "crash": os.kill(os.getpid(), signal.SIGSEGV)
    if mode == "wrong": sys.exit(2)
    if mode == "sours" and (folder / "sour").exists(): os.kill(os.getpid(), signal.SIGSEGV)
    if mode in {"well", "sours"}: write_selection(folder, read_selection(folder).confirmed())
    threading.Thread(target=lambda: (os.read(0, 1), os._exit(0)), daemon=True).start()
    while True: signal.pause()
"""


class House:
    """A parent, its slots, and the installed program, which only lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "program"
        self.folder.mkdir()
        (folder / "lives_of.py").write_text(LIVES)
        (folder / "prog.py").write_text("from lives_of import live\nlive('installed')\n")
        self._path = str(folder)
        self._process: subprocess.Popen[bytes] | None = None

    def stage(self, mode: str, version: str, slot: str) -> None:
        files: Mapping[str, str] = {"prog.py": f"from lives_of import live\nlive({mode!r})\n", "lives_of.py": LIVES}
        # the slot stands before everything else, so it has to bring the part of this package that it uses
        for name in ("edge/__init__.py", "edge/disk.py", "edge/provisioning/__init__.py", "edge/provisioning/slots.py"):
            files = {**files, name: (ROOT / name).read_text()}
        file, signature = wheel(self.folder.parent, version, files=files)
        filled = unpack(file, self.folder, slot, signature)
        write_selection(self.folder, read_selection(self.folder).tried(filled))

    def start(self, confirm_within_s: float = 60.0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(self.folder), str(confirm_within_s), sys.executable, "-m", "prog"],
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{self._path}"},
            stderr=subprocess.DEVNULL,
        )

    def lives(self) -> list[tuple[str, int, str]]:
        log = self.folder / "lives"
        lines = log.read_text().splitlines() if log.exists() else []
        return [(mode, int(pid), slot) for mode, pid, slot in (line.split() for line in lines if line.count(" ") == 2)]

    def modes(self) -> list[str]:
        return [mode for mode, _, _ in self.lives()]

    def end_the_node(self) -> None:
        os.kill(self.lives()[-1][1], signal.SIGKILL)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.stop()


def test_a_program_that_is_well_stays_also_over_crashes(house: House) -> None:
    house.start()
    wait_until(lambda: house.modes() == ["installed"], "the installed program")
    house.stage("well", "2.0.0", "a")
    house.end_the_node()
    wait_until(lambda: house.modes() == ["installed", "well"], "the new program")
    wait_until(lambda: read_selection(house.folder).trial is None, "its confirmation")
    house.end_the_node()
    wait_until(lambda: house.modes() == ["installed", "well", "well"], "the same again")
    assert house.lives()[-1][2] == "a"


@pytest.mark.parametrize("mode", ["crash", "wrong"])
def test_a_program_that_ends_by_itself_is_given_up(house: House, mode: str) -> None:
    house.stage(mode, "2.0.0", "a")
    house.start()
    wait_until(lambda: "installed" in house.modes(), "what ran before")
    assert house.modes() == [mode] * (3 if mode == "crash" else 1) + ["installed"]
    selection = read_selection(house.folder)
    assert (selection.trial, bool(selection.given_up)) == (None, True)


def test_a_program_that_never_says_that_it_is_well_is_given_up(house: House) -> None:
    house.stage("hang", "2.0.0", "a")
    house.start(confirm_within_s=0.5)
    # where starting Python takes longer than that, the process is ended before it could say that it was there
    wait_until(lambda: house.modes()[-1:] == ["installed"], "what ran before")
    assert set(house.modes()) <= {"hang", "installed"}
    assert "not found to be well" in read_selection(house.folder).given_up


def test_a_program_that_was_confirmed_is_not_given_up_for_its_time(house: House) -> None:
    house.stage("well", "2.0.0", "a")
    for confirm_within_s in (1.0, 5.0, 25.0):  # longer where starting Python takes longer than that
        house.start(confirm_within_s)
        wait_until(
            lambda: read_selection(house.folder).trial is None, "what becomes of it", timeout_s=confirm_within_s + 20
        )
        if not read_selection(house.folder).given_up:
            break
        house.stop()
        write_selection(house.folder, Selection())
        house.stage("well", "2.0.0", "a")
    else:
        pytest.fail("starting Python takes longer than half a minute here")
    house.stage("hang", "3.0.0", "b")  # staged while the confirmed one runs: its own time begins with its own process
    before = len(house.modes())
    house.end_the_node()
    wait_until(
        lambda: "not found to be well" in read_selection(house.folder).given_up,
        "its end",
        timeout_s=confirm_within_s + 20,
    )
    wait_until(lambda: house.modes()[before:] in (["hang", "well"], ["well"]), "the one before")


def test_a_program_that_was_well_and_ends_again_and_again_is_left_for_the_one_before(house: House) -> None:
    house.stage("well", "2.0.0", "a")
    write_selection(house.folder, read_selection(house.folder).confirmed())
    house.stage("sours", "3.0.0", "b")
    house.start()
    wait_until(lambda: read_selection(house.folder).trial is None, "the newer program, found to be well")
    (house.folder / "sour").touch()
    house.end_the_node()
    wait_until(lambda: house.modes()[-1] == "well", "the program before")
    lives = house.lives()
    assert 1 + MOST_IN_A_ROW <= house.modes().count("sours") <= 2 + MOST_IN_A_ROW
    assert lives[-1][2] == "a"
    current = read_selection(house.folder).current
    assert current is not None
    assert current.version == "3.0.0", "what was given is written nowhere else than where the node wrote it"
