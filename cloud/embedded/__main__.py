"""Run the embedded database of a folder by itself, such as the demo's while the demo is stopped, to restore a backup into it.

    python -m cloud.embedded .demo/postgres

Tells the address on stdout, with its password, and runs until SIGINT or SIGTERM.
"""

import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from cloud.embedded.postgres import EmbeddedPostgres
from cloud.embedded.process import EmbeddedProblem

_LOOK_S = 0.5


def main() -> int:
    """Run it; 1 when it can't run, 2 without a folder."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m cloud.embedded DIRECTORY\n")
        return 2
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
    try:
        with EmbeddedPostgres(Path(sys.argv[1])) as server:
            sys.stdout.write(f"{server.create_database()}\n")
            sys.stdout.flush()
            while not stop.wait(_LOOK_S):
                if not server.running:
                    sys.stderr.write("error: the database has ended by itself; its log says why\n")
                    return 1
    except EmbeddedProblem as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
