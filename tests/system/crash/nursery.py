"""A process that has imported everything and forks: one life costs milliseconds. Lines of JSON in, lines of JSON out.

In: `{"directory": …, "end_at": n or null, "defect": word or null, "link": fields or null, "provisioning": bool}`. Out: `{"status": exit status, negative for a signal}`; what the life itself has to
say it leaves in `life.json` in its directory.
"""

import json
import os
import subprocess
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import structlog

from edge.outbox.store import Counter
from tests.system.crash.fuse import Fuse, lay
from tests.system.crash.life import Defect, Life
from tests.system.crash.provisioning_life import ProvisioningLife
from tests.system.crash.wire_life import Link, WireLife

SAID = "life.json"


class Nursery:
    """The process, as a test uses it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.system.crash.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.kill()
        with self._process:
            pass

    def live(
        self,
        directory: Path,
        end_at: int | None = None,
        *,
        defect: Defect | None = None,
        link: Link | None = None,
        provisioning: bool = False,
    ) -> int:
        """One life in `directory`, at a real broker where there is a link, or of what a node is given to run; its exit status."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {
            "directory": os.fspath(directory),
            "end_at": end_at,
            "defect": defect,
            "link": link and asdict(link),
            "provisioning": provisioning,
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(json.loads(self._process.stdout.readline())["status"])


def said(directory: Path) -> dict[str, Any]:
    """What the last life that came to its end has left."""
    told: dict[str, Any] = json.loads((directory / SAID).read_text())
    return told


def _live_provisioning(directory: Path, end_at: int | None) -> None:
    structlog.configure(logger_factory=structlog.WriteLoggerFactory((directory / "log").open("a")))
    fuse = Fuse(end_at)
    lay(fuse, directory)
    ProvisioningLife(directory).run()
    (directory / SAID).write_text(json.dumps({"steps": fuse.steps, "passed": fuse.passed}))


def _live(directory: Path, end_at: int | None, defect: Defect | None, link: Link | None) -> None:
    structlog.configure(logger_factory=structlog.WriteLoggerFactory((directory / "log").open("a")))
    fuse = Fuse(end_at)
    lay(fuse, directory)
    life = Life(directory, fuse, defect) if link is None else WireLife(directory, fuse, link)
    life.run()
    figures = life.outbox.figures()
    letters = [(letter.subject, letter.channel, len(letter.body)) for letter in life.outbox.dead_letters()]
    life.outbox.close()
    told = {
        "steps": fuse.steps,
        "passed": fuse.passed,
        "counters": {counter: figures.counters[counter] for counter in Counter},
        "readings_waiting": figures.readings_waiting,
        "messages_waiting": sum(figures.messages_waiting.values()),
        "evidence_bytes": figures.evidence_bytes,
        "letters": letters,
    }
    (directory / SAID).write_text(json.dumps(told))


def _main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                if order["provisioning"]:
                    _live_provisioning(Path(order["directory"]), order["end_at"])
                    os._exit(0)
                defect = order["defect"] and Defect(order["defect"])
                link = order["link"] and Link(**order["link"])
                _live(Path(order["directory"]), order["end_at"], defect, link)
                status = 0
            except BaseException:  # noqa: BLE001 (a child must never go on as its parent)
                (Path(order["directory"]) / "traceback").write_text(traceback.format_exc())
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps({"status": os.waitstatus_to_exitcode(status)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
