"""How a simulator that runs by itself is told to end."""

import signal
import threading


def told_to_stop() -> threading.Event:
    """Set once the program is told to end (SIGTERM, SIGINT). The main thread's."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop
