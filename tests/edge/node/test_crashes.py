import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.flow import NativeStep
from edge.node.crashes import crash_of
from edge.node.marks import CAMERAS, ROLES, Marked, MarkSheet, read_marks

REPORT = b"""Fatal Python error: Aborted

Thread 0x00007f76bc4c16c1 (most recent call first):
  File "threading.py", line 320 in wait

Current thread 0x00007f76bc4c16c0 (most recent call first):
  File "video.py", line 216 in _next
"""
THREAD = 0x7F76BC4C16C0


def marked(camera: str, step: NativeStep, *, thread: int = 1, role: str = "source") -> Marked:
    return Marked(camera, role, thread, step)


def test_the_thread_of_the_signal_names_the_camera_whatever_others_do() -> None:
    marks = [
        marked("a", NativeStep.DECODING),
        marked("b", NativeStep.WAITING, thread=THREAD),
        marked("c", NativeStep.ANALYSING),
    ]
    crash = crash_of(REPORT, marks)
    assert crash is not None
    assert (crash.signal, crash.cameras, crash.certain) == ("Aborted", ("b",), True)


def test_a_signal_elsewhere_makes_suspects_of_all_that_were_at_work() -> None:
    marks = [
        marked("a", NativeStep.DECODING),
        marked("b", NativeStep.WAITING),
        marked("c", NativeStep.ANALYSING, role="analysis"),
        marked("c", NativeStep.OPENING),
        marked("d", NativeStep.NONE),
    ]
    for report in (REPORT, b"Fatal Python error: Segmentation fault\n\n"):
        crash = crash_of(report, marks)
        assert crash is not None
        assert (crash.cameras, crash.certain) == (("a", "c"), False)


def test_a_signal_in_a_camera_s_thread_outside_of_foreign_code_is_not_the_camera_s() -> None:
    crash = crash_of(REPORT, [marked("a", NativeStep.NONE, thread=THREAD)])
    assert crash is not None
    assert crash.cameras == ()


@pytest.mark.parametrize("report", [b"", bytes(65536), b"Timeout (0:00:10)!\n", b"\xff\xfe"])
def test_without_a_report_nobody_is_suspected(report: bytes) -> None:
    assert crash_of(report, [marked("a", NativeStep.DECODING)]) is None


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_whatever_stands_in_the_report_is_answered(head: bytes, tail: bytes) -> None:
    crash_of(head + REPORT + tail, [marked("a", NativeStep.DECODING)])


def test_what_a_thread_told_can_be_read_while_it_goes_on_and_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "marks"
    sheet = MarkSheet(file, ["a", "b" * 64])
    sheet.mark("b" * 64, "analysis").tell(NativeStep.ANALYSING)
    told = {(mark.camera, mark.role): mark for mark in read_marks(file)}
    assert told["b" * 64, "analysis"].step is NativeStep.ANALYSING
    assert told["b" * 64, "analysis"].thread != 0
    assert told["a", "source"] == Marked("a", "source", 0, NativeStep.NONE)
    MarkSheet(file, ["a"])
    assert {mark.step for mark in read_marks(file)} == {NativeStep.NONE}


@given(st.binary(max_size=400))
def test_a_sheet_of_rubbish_tells_nothing_that_harms(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("marks") / "marks"
    file.write_bytes(content)
    assert crash_of(REPORT, read_marks(file)) is not None


def test_cameras_come_and_go_and_threads_that_stay_tell_on(tmp_path: Path) -> None:
    file = tmp_path / "marks"
    sheet = MarkSheet(file, ["a", "b"])
    staying = sheet.mark("b", "source")
    for number in range(3 * CAMERAS):
        sheet.adopt([f"c{number}", "b"])
        sheet.mark(f"c{number}", "analysis").tell(NativeStep.ANALYSING)
    staying.tell(NativeStep.DECODING)
    told = {(mark.camera, mark.role): mark.step for mark in read_marks(file)}
    assert told["b", "source"] is NativeStep.DECODING
    assert told[f"c{3 * CAMERAS - 1}", "analysis"] is NativeStep.ANALYSING
    assert len(told) == CAMERAS * len(ROLES)


def test_without_a_place_for_the_sheet_the_cameras_run_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "none" / "marks"
    MarkSheet(file, ["a"]).mark("a", "source").tell(NativeStep.DECODING)
    assert read_marks(file) == ()


DYING = """
import ctypes, faulthandler, os, sys, threading
from pathlib import Path
from edge.flow import NativeStep
from edge.node.marks import MarkSheet
folder, how = Path(sys.argv[1]), sys.argv[2]
report = open(folder / "report", "w+b", buffering=0)
os.posix_fallocate(report.fileno(), 0, 65536)
faulthandler.enable(report, all_threads=True)
sheet = MarkSheet(folder / "marks", ["idle", "poison"])
waiting = threading.Event()
def idle():
    sheet.mark("idle", "source").tell(NativeStep.DECODING)
    waiting.set()
    threading.Event().wait()
def poison():
    waiting.wait()
    sheet.mark("poison", "source").tell(NativeStep.DECODING)
    {"abort": os.abort, "null": lambda: ctypes.string_at(8), "kill": lambda: os.kill(os.getpid(), 9)}[how]()
threading.Thread(target=idle, daemon=True).start()
threading.Thread(target=poison, daemon=True).start()
threading.Event().wait()
"""


@pytest.mark.system
@pytest.mark.parametrize(
    ("how", "number", "suspects"),
    [("abort", signal.SIGABRT, ("poison",)), ("null", signal.SIGSEGV, ("poison",)), ("kill", signal.SIGKILL, None)],
)
def test_a_process_that_really_dies_tells_in_which_thread(
    tmp_path: Path, how: str, number: signal.Signals, suspects: tuple[str, ...] | None
) -> None:
    done = subprocess.run([sys.executable, "-c", DYING, str(tmp_path), how], check=False, timeout=60)
    assert done.returncode == -number
    crash = crash_of((tmp_path / "report").read_bytes(), read_marks(tmp_path / "marks"))
    assert (None if crash is None else (crash.cameras, crash.certain)) == (suspects and (suspects, True))
