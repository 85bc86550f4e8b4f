import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from edge.supervisor import LONGEST_WAIT_S, LOOK_EVERY_S
from tests.edge.configuration.test_reading import MINIMAL
from tests.edge.waiting import wait_until

pytestmark = pytest.mark.system

PARENT = """
import sys
from edge.logs import log_to_stderr
from edge.supervisor import Supervisor
log_to_stderr()
raise SystemExit(Supervisor(sys.argv[1:], stop_patience_s=1.0).run())
"""

CHILD = """
import os, signal, sys, threading
mode, log = sys.argv[1:]
with open(log, "a") as file:
    file.write(f"{os.getpid()}\\n")
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True: signal.pause()
if mode == "crash":
    os.kill(os.getpid(), signal.SIGSEGV)
if mode == "wrong":
    sys.exit(2)
if mode == "done":
    sys.exit(0)
threading.Thread(target=lambda: (os.read(0, 1), os._exit(0)), daemon=True).start()
while True: signal.pause()
"""


class Parent:
    def __init__(self, mode: str, folder: Path) -> None:
        self.log = folder / "children"
        self.said = folder / "said"
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PARENT, sys.executable, "-c", CHILD, mode, str(self.log)], stderr=said
            )

    def waits_s(self) -> list[float]:
        """The waits between a crash and the next start, as the parent chose them."""
        lines = [json.loads(line) for line in self.said.read_text().splitlines() if line.startswith("{")]
        return [line["wait_s"] for line in lines if "wait_s" in line]

    def children(self) -> list[int]:
        return [int(line) for line in self.log.read_text().split()] if self.log.exists() else []


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("mode", ["good", "stubborn"])
def test_a_signal_takes_the_child_along(tmp_path: Path, mode: str, number: signal.Signals) -> None:
    parent = Parent(mode, tmp_path)
    wait_until(parent.children, "the child")
    parent.process.send_signal(number)
    assert parent.process.wait(10) == 0
    assert gone(parent.children()[0])


def test_a_crashed_child_runs_again_within_three_seconds(tmp_path: Path) -> None:
    parent = Parent("good", tmp_path)
    for life in range(1, 4):
        wait_until(lambda life=life: len(parent.children()) == life, "a child")  # type: ignore[misc]
        os.kill(parent.children()[-1], signal.SIGKILL)
        wait_until(lambda life=life: len(parent.children()) == life + 1, "the next child")  # type: ignore[misc]
        assert len(parent.waits_s()) == life
    parent.process.terminate()
    assert parent.process.wait(10) == 0
    assert all(gone(pid) for pid in parent.children())
    assert max(parent.waits_s()) <= LONGEST_WAIT_S
    assert LONGEST_WAIT_S + LOOK_EVERY_S < 3.0


def test_a_child_that_always_crashes_is_not_started_in_a_busy_loop(tmp_path: Path) -> None:
    parent = Parent("crash", tmp_path)
    began_s = time.monotonic()
    wait_until(lambda: len(parent.children()) >= 3, "three children")
    assert time.monotonic() - began_s >= 0.3 + 0.6
    parent.process.terminate()
    assert parent.process.wait(10) == 0


@pytest.mark.parametrize(("mode", "status"), [("wrong", 2), ("done", 0)])
def test_a_child_that_ends_of_its_own_will_is_not_started_again(tmp_path: Path, mode: str, status: int) -> None:
    parent = Parent(mode, tmp_path)
    assert parent.process.wait(10) == status
    assert len(parent.children()) == 1


def test_a_store_of_a_newer_version_is_no_reason_to_start_again_and_again(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(tmp_path / "data" / "outbox.db")) as store:
        store.execute("PRAGMA user_version = 99")
    file = tmp_path / "node.yaml"
    file.write_text(MINIMAL)
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli", "run", "--config", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "written by a newer version of this software: update it, or move it away" in done.stderr
    assert "is started anew" not in done.stderr
    assert "what it said last is the way out" in done.stderr


def test_a_killed_parent_leaves_no_child(tmp_path: Path) -> None:
    parent = Parent("good", tmp_path)
    wait_until(parent.children, "the child")
    parent.process.kill()
    parent.process.wait(10)
    wait_until(lambda: gone(parent.children()[0]), "the child's end")
