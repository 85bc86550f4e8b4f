"""The guard of one child process: nothing that it started outlives the process that asked for it.

`guard.py SIGNAL GRACE_S [--user UID:GID] -- COMMAND…`, standard library alone, started by `cloud.embedded.process` in a
session of its own. Its standard input is a lifeline: when the other end closes, however that came about, the child is
told to stop with SIGNAL and killed after GRACE_S seconds. It writes the child's process id on its standard output, and
leaves with the child's exit status. The child's own output goes to the guard's standard error.

Where the system can, what the child leaves behind is adopted and killed as well, and the child is told to stop even when
the guard itself is killed. A parent-death signal from the asking process would not do: it fires when the *thread* that
started the child ends.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 1.0


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def die_with_parent(number: int) -> None:
    """Have the system send this process a signal when the thread that started it ends. Linux alone; elsewhere nothing."""
    _prctl(_PR_SET_PDEATHSIG, number)


def _descendants() -> list[int]:
    """The process ids of this process's present children, its adopted ones among them."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    try:
        return [int(word) for word in listed.read_text().split()]
    except OSError:
        return []


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


class Guard:
    """Watches one child until it has ended."""

    def __init__(self, stop_signal: int, grace_s: float) -> None:
        self._stop_signal = stop_signal
        self._grace_s = grace_s
        self._asked_to_stop = False
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self, command: list[str], user: int | None, group: int | None) -> int:
        """Start the command, wait for its end, leave nothing behind; the exit status as a shell would say it."""
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno(),
                user=user,
                group=group,
                extra_groups=[] if user is not None else None,
                start_new_session=True,
                preexec_fn=lambda: die_with_parent(self._stop_signal),  # noqa: PLW1509 - one thread here
            )
        except (OSError, subprocess.SubprocessError) as error:
            print(f"{command[0]} can't be started: {error}", file=sys.stderr)  # noqa: T201 - the child's log
            return 127
        os.write(sys.stdout.fileno(), f"{child.pid}\n".encode())
        status = self._watch(child)
        self._sweep(child.pid)
        return status if status >= 0 else 128 - status

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._asked_to_stop = True

    def _watch(self, child: subprocess.Popen[bytes]) -> int:
        lifeline = sys.stdin.fileno()
        watched = [lifeline, self._wake_reader]
        while child.poll() is None and not self._asked_to_stop:
            ready, _, _ = select.select(watched, [], [], _POLL_S)
            if lifeline in ready and not os.read(lifeline, 64):
                self._asked_to_stop = True
            self._drain_wakeups()
        return self._stop(child)

    def _stop(self, child: subprocess.Popen[bytes]) -> int:
        if child.poll() is None:
            _signal(child.pid, self._stop_signal)
        until = time.monotonic() + self._grace_s
        while child.poll() is None and (left := until - time.monotonic()) > 0:
            select.select([self._wake_reader], [], [], min(left, _POLL_S))
            self._drain_wakeups()
        if child.poll() is None:
            child.kill()
        return child.wait()

    def _drain_wakeups(self) -> None:
        try:
            while os.read(self._wake_reader, 512):
                pass
        except BlockingIOError:
            pass

    def _sweep(self, session: int) -> None:
        """Kill what the child left behind: in its session, and whatever was adopted since."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(session, signal.SIGKILL)
        until = time.monotonic() + self._grace_s
        while (left := _descendants()) and time.monotonic() < until:
            for pid in left:
                _signal(pid, signal.SIGKILL)
            for pid in left:
                try:
                    os.waitpid(pid, 0)
                except ChildProcessError:
                    continue


def main(arguments: list[str]) -> int:
    """Read the command line and guard."""
    split = arguments.index("--")
    options, command = arguments[:split], arguments[split + 1 :]
    user = group = None
    if "--user" in options:
        user, group = (int(part) for part in options[options.index("--user") + 1].split(":"))
    return Guard(int(options[0]), float(options[1])).run(command, user, group)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
