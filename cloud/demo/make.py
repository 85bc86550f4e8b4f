"""The `make` that started the demo: when it is told to stop, or is gone, the demo stops as well.

Ctrl-C in a terminal reaches both. A signal for `make` alone does not: it then waits for its children, for ever. What can
be seen from here is that it has put the signal's default action back, which it does on its way out.
"""

import os
import signal
from pathlib import Path
from threading import Event, Thread

from cloud.embedded.guard import die_with_parent

_PERIOD_S = 0.5
_INTERRUPT_BIT = 1 << (signal.SIGINT - 1)


def follow_make(stop: Event) -> None:
    """Set `stop` when the `make` above is interrupted; nothing where there is none."""
    if "MAKELEVEL" not in os.environ:
        return
    die_with_parent(signal.SIGTERM)
    parent = os.getppid()
    if catches_interrupts(parent):
        Thread(target=_watch, args=(parent, stop), name="demo-make", daemon=True).start()


def catches_interrupts(pid: int) -> bool:
    """Whether a process has a handler of its own for SIGINT; False where that can't be known, or it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    caught = next((line for line in status.splitlines() if line.startswith("SigCgt:")), "SigCgt: 0")
    return bool(int(caught.split()[1], 16) & _INTERRUPT_BIT)


def _watch(parent: int, stop: Event) -> None:
    while not stop.wait(_PERIOD_S):
        if not catches_interrupts(parent):
            stop.set()
