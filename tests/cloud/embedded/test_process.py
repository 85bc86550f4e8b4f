import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from cloud.embedded.process import (
    Account,
    Child,
    Command,
    EmbeddedProblem,
    log_tail,
    passable,
    server_directory,
    unprivileged_account,
    write_private,
)
from tests.waiting import wait_until

SLEEP = "import time\ntime.sleep(600)"
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(600)"
)
WITH_GRANDCHILD = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""


def command(log: Path, code: str, *, grace_s: float = 5.0) -> Command:
    return Command(name="child", arguments=[sys.executable, "-u", "-c", code], log=log, grace_s=grace_s)


def test_a_child_runs_and_stops(tmp_path: Path) -> None:
    with Child(command(tmp_path / "log", SLEEP)) as child:
        assert child.exit_status() is None
        assert psutil.pid_exists(child.pid)
    assert not child.running
    assert not psutil.pid_exists(child.pid)


def test_its_exit_status_and_words_come_back(tmp_path: Path) -> None:
    child = Child(command(tmp_path / "log", "print('last words'); raise SystemExit(7)")).start()
    assert child.wait(10) == 7
    assert child.stop() == 7
    assert "last words" in log_tail(tmp_path / "log")
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0


def test_a_program_that_is_not_there_is_a_problem_in_words(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedProblem, match="nothing-like-this"):
        Child(Command(name="ghost", arguments=["/nothing-like-this"], log=tmp_path / "log")).start()


def test_one_that_ignores_the_request_is_killed_after_its_grace(tmp_path: Path) -> None:
    child = Child(command(tmp_path / "log", STUBBORN, grace_s=0.3)).start()
    wait_until(lambda: "up" in log_tail(tmp_path / "log"))
    assert child.stop() == 128 + signal.SIGKILL


def test_it_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    started: list[Child] = []
    thread = threading.Thread(target=lambda: started.append(Child(command(tmp_path / "log", SLEEP)).start()))
    thread.start()
    thread.join()
    child = started[0]
    try:
        assert child.wait(0.3) is None
    finally:
        child.stop()


@pytest.mark.system
def test_nothing_outlives_a_killed_parent(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom cloud.embedded.process import Child, Command\n"
        f"child = Child(Command(name='c', arguments=[sys.executable, '-c', {WITH_GRANDCHILD!r}], "
        f"log=Path({str(log)!r}))).start()\nprint(child.pid, flush=True)\ntime.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent, parent.stdout:
        child = int(parent.stdout.readline())
        wait_until(lambda: log.read_text().strip().isdecimal())
        grandchild = int(log.read_text())
        assert psutil.pid_exists(grandchild)
        parent.kill()
    wait_until(lambda: not psutil.pid_exists(child), what="the child is gone")
    wait_until(lambda: not psutil.pid_exists(grandchild), what="the grandchild is gone")


@pytest.mark.system
def test_a_killed_guard_takes_its_child_with_it(tmp_path: Path) -> None:
    child = Child(command(tmp_path / "log", SLEEP)).start()
    guard = psutil.Process(child.pid).ppid()
    os.kill(guard, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(child.pid))
    child.stop()


def test_a_private_file_is_whole_and_closed_to_others(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    write_private(file, b"one")
    write_private(file, b"two")
    assert file.read_bytes() == b"two"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_closed_folders_are_seen() -> None:
    stranger = Account("stranger", 64_999, 64_999)
    assert passable(Path("/usr/bin/env"), stranger)
    assert passable(Path("/anything"), None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers under another account")
def test_roots_servers_get_a_folder_that_their_account_can_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server_directory_root: Path
) -> None:
    account = unprivileged_account()
    assert account is not None
    monkeypatch.setattr("cloud.embedded.process._ROOT_STATE", server_directory_root / "state")
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    chosen = server_directory(closed / "cluster", account)
    assert server_directory_root in chosen.parents
    assert closed.stat().st_mode & 0o777 == 0o700
    assert (chosen.stat().st_uid, chosen.stat().st_mode & 0o777) == (account.user, 0o700)
    assert server_directory(closed / "cluster", account) == chosen


@pytest.fixture
def server_directory_root(server_directory: Path) -> Path:
    return server_directory


def test_a_strangers_folder_is_refused(tmp_path: Path) -> None:
    wanted = tmp_path / "cluster"
    (tmp_path / "elsewhere").mkdir()
    wanted.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EmbeddedProblem, match="another account"):
        server_directory(wanted, None)
