"""Lives of the ingest service, each a fork of a process that has imported everything, ended at the n-th step of its work.

The fuse burns only inside of the one function that a test looks at, so that what the service does by the clock beside it
does not count. Lines of JSON in, lines of JSON out, as in `tests.system.crash.nursery`.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import psycopg
import structlog

from cloud.db.pool import open_pool
from cloud.ingest.intake import Intake
from cloud.ingest.service import IngestService
from cloud.ingest.writer import Writer
from cloud.mqtt import Endpoint, Subscriber
from tests.fakes.node import AT
from tests.system.crash.fuse import Fuse, Point


class Section(StrEnum):
    """What is fused: taking in what nodes send, or taking in what was released from quarantine."""

    TAKE_IN = "_commit"
    RELEASE = "_replay"


@dataclass(frozen=True, slots=True)
class Orders:
    """One life. Without `end_at` it runs until SIGTERM."""

    database_url: str
    broker_url: str
    ended_in: str
    section: Section = Section.TAKE_IN
    end_at: int | None = None


class IngestNursery:
    """The process, as a test uses it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.system.crash.ingest_life"],
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

    def start(self, orders: Orders) -> int:
        """Begin a life; its process id."""
        return self._ask({"start": asdict(orders)})

    def wait(self, pid: int) -> int:
        """Wait for the end of a life; its exit status, negative for a signal."""
        return self._ask({"wait": pid})

    def _ask(self, order: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def lay(fuse: Fuse, section: Section) -> None:
    """Lead every statement, commit and answer of the section through the fuse. For a process that ends with it."""
    inside = threading.local()
    work, execute, commit = getattr(Writer, section), psycopg.Cursor.execute, psycopg.Connection.commit
    publish, acknowledge = Subscriber.publish, Subscriber.acknowledge

    def fused_work(self: Writer, *values: Any) -> Any:
        inside.now = True
        try:
            return work(self, *values)
        finally:
            inside.now = False

    def fused_execute(self: Any, *values: Any, **options: Any) -> Any:
        if getattr(inside, "now", False):
            fuse.burn(Point.STATEMENT)
        return execute(self, *values, **options)

    def fused_commit(self: Any) -> None:
        if not getattr(inside, "now", False):
            commit(self)
            return
        fuse.burn(Point.COMMIT)
        commit(self)
        fuse.burn(Point.COMMITTED)

    def fused_publish(self: Subscriber, *values: Any) -> Any:
        fuse.burn(Point.PUBLISH)
        sent = publish(self, *values)
        fuse.burn(Point.PUBLISHED)
        return sent

    def fused_acknowledge(self: Subscriber, *values: Any) -> None:
        fuse.burn(Point.SOURCE_ACK)
        acknowledge(self, *values)
        fuse.burn(Point.SOURCE_ACKED)

    setattr(Writer, section, fused_work)
    psycopg.Cursor.execute = fused_execute  # type: ignore[method-assign]
    psycopg.Connection.commit = fused_commit  # type: ignore[method-assign]
    if section is Section.TAKE_IN:
        Subscriber.publish = fused_publish  # type: ignore[method-assign,assignment]
        Subscriber.acknowledge = fused_acknowledge  # type: ignore[method-assign,assignment]


def _live(orders: Orders) -> None:
    ended_in = Path(orders.ended_in)
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(ended_in.with_suffix(".log").open("a")))

    def on_end() -> None:
        ended_in.write_text(json.dumps(fuse.passed))

    fuse = Fuse(orders.end_at, on_end=on_end)
    lay(fuse, orders.section)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    pool = open_pool(orders.database_url, size=3)
    endpoint = Endpoint.of(orders.broker_url, user="cloud", password="cloud")
    service = IngestService(pool, Intake(endpoint), clock=lambda: AT)
    service.start()
    ended.wait()
    service.stop()
    pool.close()


def _main() -> None:
    for line in sys.stdin:
        match json.loads(line):
            case {"start": orders}:
                child = os.fork()
                if child == 0:
                    try:
                        _live(Orders(**orders | {"section": Section(orders["section"])}))
                    finally:
                        os._exit(0)
                answer = child
            case {"wait": int(child)}:
                answer = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
