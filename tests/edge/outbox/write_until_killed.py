"""A child that keeps readings and incidents and says so on standard output after each commit, until it is killed."""

import sys
from pathlib import Path

from edge.outbox.outbox import Outbox
from edge.settings import OutboxSettings
from tests.edge.records import incident, reading


def main() -> None:
    outbox = Outbox(Path(sys.argv[1]), OutboxSettings(), window_s=0.002)
    start = int(sys.argv[2])
    for number in range(start, start + 1_000_000):
        outbox.readings([reading(number)])
        sys.stdout.write(f"r {number}\n")
        outbox.incident(incident(number + 1))
        sys.stdout.write(f"i {number + 1}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
