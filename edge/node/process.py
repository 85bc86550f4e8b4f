"""The node's process: from its configuration to its exit status."""

import faulthandler
import gc
import os
import signal
import threading
from pathlib import Path
from types import FrameType

import structlog

from edge.node.assembly import Node
from edge.settings import NodeConfiguration

STOPPED = 0
FAILED = 70
"""Start me anew (EX_SOFTWARE)."""

_log = structlog.get_logger(__name__)


def run_node(configuration: NodeConfiguration, *, file: Path | None = None, parent_pipe: bool = False) -> int:
    """Run until a signal, until the parent is gone (its end of standard input closes), or until something is broken.

    With SIGHUP the node reads `file` anew and goes on with it.

    Raises ConfigurationError, OutboxTooNew and whatever else is Permanent where no other start can help, OutboxDamaged and
    other Retryable errors where one can.
    """
    ended = threading.Event()
    hung_up = threading.Event()
    reasons: list[str] = []
    running: list[Node] = []

    def on_fatal(reason: str) -> None:
        reasons.append(reason)
        ended.set()

    def on_hang_up(_number: int, _frame: FrameType | None) -> None:
        hung_up.set()
        for node in running:
            node.reload()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    signal.signal(signal.SIGHUP, on_hang_up)
    if parent_pipe:
        threading.Thread(target=_await_parent, args=(ended,), name="parent", daemon=True).start()
    node = Node(configuration, on_fatal=on_fatal, file=file)
    running.append(node)
    if hung_up.is_set():  # before there was a node to hear it
        node.reload()
    report = node.cameras.quarantine.open_report()
    if report is not None:
        faulthandler.enable(report, all_threads=True)
    node.start()
    # What is there now stays. To look through it for garbage again and again would hold up every camera for a tenth of a second; what a
    # reload leaves of it is freed as it is let go, but for what refers to itself.
    gc.collect()
    gc.freeze()
    ended.wait()
    if reasons:
        _log.error("the node has to start anew", reason=reasons[0])
    node.stop()
    return FAILED if reasons else STOPPED


def _await_parent(ended: threading.Event) -> None:
    """Standard input ends with the parent, however it ended."""
    while os.read(
        0, 1024
    ):  # the descriptor itself: a buffered reader holds a lock that the interpreter's end waits for
        pass
    ended.set()
