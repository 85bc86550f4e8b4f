"""The command: `python -m cloud.demo`, `gridward-cloud demo`, `make demo`."""

import signal
import sys
import time
from pathlib import Path
from threading import Event, Lock
from types import FrameType

from cloud.demo.demonstration import Demonstration
from cloud.demo.directory import DemoDirectory
from cloud.demo.make import follow_make
from cloud.errors import CloudError


class Progress:
    """Lines with the time since the start, from any thread."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._lock = Lock()

    def say(self, text: str) -> None:
        """Write one line."""
        with self._lock:
            sys.stdout.write(f"[{time.monotonic() - self._begun:6.1f} s] {text}\n")
            sys.stdout.flush()


def main(directory: Path = Path(".demo")) -> int:
    """Run the demo until Ctrl-C or SIGTERM; 0 then, 1 when something can't run."""
    progress = Progress()
    stop = Event()
    follow_make(stop)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup asks to outlive the terminal
        signal.signal(signal.SIGHUP, on_signal)
    try:
        with DemoDirectory(directory) as taken:
            taken.fresh_logs()
            Demonstration(taken, progress.say, stop).run()
    except CloudError as problem:
        progress.say(f"the demo can't go on: {problem}")
        return 1
    except KeyboardInterrupt:
        pass
    progress.say("everything has stopped")
    return 0
