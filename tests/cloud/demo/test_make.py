import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event

import psutil
import pytest

from cloud.demo.make import catches_interrupts, follow_make
from tests.waiting import wait_until

LIKE_THE_DEMO = """
import signal, sys, time
from pathlib import Path
from threading import Event
from cloud.demo.make import follow_make
stop = Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
follow_make(stop)
Path(sys.argv[1]).write_text("up")
stop.wait(60)
Path(sys.argv[1]).write_text("stopped")
"""

# A background job of a shell begins with SIGINT ignored, and hands that on: the one at a terminal does not.
AT_A_TERMINAL = [
    sys.executable,
    "-c",
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])",
]


def test_without_make_nothing_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAKELEVEL", raising=False)
    stop = Event()
    follow_make(stop)
    assert not stop.is_set()


def test_a_process_that_is_gone_catches_nothing() -> None:
    assert not catches_interrupts(2**22 + 1)


@pytest.mark.system
@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make on this machine")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_for_make_alone_stops_the_demo(tmp_path: Path, number: signal.Signals) -> None:
    said = tmp_path / "said"
    (tmp_path / "demo.py").write_text(LIKE_THE_DEMO)
    (tmp_path / "Makefile").write_text(f"demo:\n\t@exec {sys.executable} {tmp_path}/demo.py {said}\n")
    command = [*AT_A_TERMINAL, "make", "-C", str(tmp_path), "demo"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as make:
        wait_until(lambda: said.exists() and said.read_text() == "up")
        children = psutil.Process(make.pid).children(recursive=True)
        make.send_signal(number)
        wait_until(lambda: said.read_text() == "stopped")
        assert make.wait(10) != 0
    psutil.wait_procs(children, timeout=10)
    assert not any(child.is_running() for child in children)
