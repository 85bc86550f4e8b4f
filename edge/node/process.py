"""The node's process: from its configuration to its exit status."""

import faulthandler
import os
import signal
import threading
from types import FrameType

import structlog

from edge.node.assembly import Node
from edge.settings import NodeConfiguration

STOPPED = 0
FAILED = 70
"""Start me anew (EX_SOFTWARE)."""

_log = structlog.get_logger(__name__)


def run_node(configuration: NodeConfiguration, *, parent_pipe: bool = False) -> int:
    """Run until a signal, until the parent is gone (its end of standard input closes), or until something is broken.

    Raises ConfigurationError, OutboxTooNew and whatever else is Permanent where no other start can help, OutboxDamaged and
    other Retryable errors where one can.
    """
    ended = threading.Event()
    reasons: list[str] = []

    def on_fatal(reason: str) -> None:
        reasons.append(reason)
        ended.set()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    if parent_pipe:
        threading.Thread(target=_await_parent, args=(ended,), name="parent", daemon=True).start()
    node = Node(configuration, on_fatal=on_fatal)
    report = node.cameras.quarantine.open_report()
    if report is not None:
        faulthandler.enable(report, all_threads=True)
    node.start()
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
