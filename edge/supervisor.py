"""The small parent: starts the node's process, starts it anew after a crash, and takes it along when it ends.

`python -m edge.supervisor [--program FOLDER] COMMAND …` keeps a command running. It imports next to nothing: what the node needs in
memory, the parent does not need twice. With a folder of slots it chooses before each start which program that is (`edge.provisioning.slots`);
it itself is always the installed one.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import structlog

from edge.errors import ConfigurationError
from edge.logs import log_to_stderr
from edge.provisioning.retreat import Retreat
from edge.provisioning.slots import CONFIRM_WITHIN_S, Chosen, choose, give_up, read_selection

FIRST_WAIT_S = 0.3
LONGEST_WAIT_S = 2.5
"""A crashed node runs again within three seconds, however often it crashes."""

LOOK_EVERY_S = 0.2
STEADY_S = 60.0
STOP_PATIENCE_S = 7.0
STATUS_NOT_STARTABLE = 2
"""The child could not start and would not the next time: somebody has to change something, and it has said what."""

_log = structlog.get_logger(__name__)


class Supervisor:
    """Keeps one child running. The child's standard input is a pipe that closes when this process ends in any way."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        on_start: Callable[[int], None] = lambda _pid: None,
        stop_patience_s: float = STOP_PATIENCE_S,
        program: Path | None = None,
        confirm_within_s: float = CONFIRM_WITHIN_S,
    ) -> None:
        self._command = list(command)
        self._program = program
        self._confirm_within_s = confirm_within_s
        self._chosen = Chosen()
        self._retreat = Retreat()
        self._on_start = on_start
        self._stop_patience_s = stop_patience_s
        self._stopping = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self.crashes = 0

    def run(self) -> int:
        """Run until a signal, or until the child ends of its own will; its exit status comes back."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_hang_up)
        wait_s = FIRST_WAIT_S
        while True:
            began_s = time.monotonic()
            status = self._run_once()
            if self._stopping.is_set() or status == 0:
                return 0
            if self._chosen.is_trial and self._program is not None and status == STATUS_NOT_STARTABLE:
                give_up(self._program, "it can't be started as things are here")
            elif status == STATUS_NOT_STARTABLE and self._retreat.left is None:
                _log.error("the node can't be started as things are; what it said last is the way out", status=status)
                return status
            self._note_end(status, time.monotonic() - began_s)
            self.crashes += 1
            wait_s = FIRST_WAIT_S if time.monotonic() - began_s >= STEADY_S else wait_s
            _log.error("the node ended and is started anew", status=status, crashes=self.crashes, wait_s=wait_s)
            if self._stopping.wait(wait_s):
                return 0
            wait_s = min(LONGEST_WAIT_S, wait_s * 2)

    def _note_end(self, status: int, lived_s: float) -> None:
        before = self._retreat.left
        self._retreat.ended(self._chosen, lived_s=lived_s, is_startable=status != STATUS_NOT_STARTABLE)
        left = self._retreat.left
        if left is not None and left != before:
            _log.error("a program ends again and again; what ran before it is started", version=left.version)
        elif left is None and before is not None and not self._chosen.is_trial:
            _log.error("what ran before does no better; the newer program is started again", version=before.version)

    def stop(self) -> None:
        """Ask the child to end; may be called from a signal handler."""
        self._stopping.set()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stop()

    def _on_hang_up(self, _number: int, _frame: FrameType | None) -> None:
        """A terminal that closes takes the node along; to a service the signal means: read the configuration anew."""
        child = self._child
        if os.isatty(0):
            self.stop()
        elif child is not None and child.poll() is None:
            child.send_signal(signal.SIGHUP)

    def _run_once(self) -> int:
        self._chosen = Chosen() if self._program is None else choose(self._program, but_not=self._retreat.left)
        environment = {**os.environ, **self._chosen.environment(self._program)}
        try:
            child = subprocess.Popen(
                self._chosen.command(self._command), stdin=subprocess.PIPE, start_new_session=True, env=environment
            )
        except OSError as error:
            raise ConfigurationError(f"the node's process can't be started: {error}") from error
        with child:
            self._child = child
            self._on_start(child.pid)
            began_s = time.monotonic()
            while True:
                try:
                    return child.wait(timeout=LOOK_EVERY_S)
                except subprocess.TimeoutExpired:
                    if self._stopping.is_set():
                        return self._end(child)
                    if self._is_overdue(began_s):
                        return self._end(child)

    def _is_overdue(self, began_s: float) -> bool:
        """Whether a program that is tried has not said in time that it is well; it is given up then."""
        if self._program is None or not self._chosen.is_trial or time.monotonic() - began_s < self._confirm_within_s:
            return False
        trial = read_selection(self._program).trial
        if trial is None or trial != self._chosen.filled:
            self._chosen = Chosen(self._chosen.filled)
            return False
        give_up(self._program, f"it was not found to be well within {self._confirm_within_s:.0f} s")
        return True

    def _end(self, child: "subprocess.Popen[bytes]") -> int:
        child.terminate()
        try:
            return child.wait(self._stop_patience_s)
        except subprocess.TimeoutExpired:
            _log.error("the node did not end in time and is killed", pid=child.pid)
            child.kill()
            return child.wait()


if __name__ == "__main__":
    log_to_stderr()
    arguments = sys.argv[1:]
    folder = Path(arguments[1]) if arguments[:1] == ["--program"] else None
    sys.exit(Supervisor(arguments[2:] if folder is not None else arguments, program=folder).run())
