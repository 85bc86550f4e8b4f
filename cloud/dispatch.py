"""A thread that gives what is due to the broker, in the process that is connected to it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import psycopg
import structlog
from prometheus_client import Counter
from psycopg import Connection
from psycopg_pool import PoolTimeout

from cloud.db.pool import Pool

AFTER_ERROR_S = 3.0

_log = structlog.get_logger(__name__)

Publish = Callable[[str, bytes], bool]
"""Gives topic and payload to the broker; False where it takes nothing now."""


class Link(Protocol):
    """The connection to the broker, as far as sending needs it."""

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""

    def publish(self, topic: str, payload: bytes) -> bool:
        """Give a message to the broker; False where it takes nothing now."""


@dataclass(frozen=True, slots=True)
class Duty:
    """What a thread sends: the use case `send` (in a transaction of its own; how many it gave away), how often it is looked for, and
    where it is counted.
    """

    name: str
    send: Callable[[Connection[Any], Publish, datetime], int]
    look_every_s: float
    sent: Counter
    failures: Counter


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Dispatch:
    """Sends what is due while there is a broker. Several may run: each takes what no other has."""

    def __init__(self, duty: Duty, pool: Pool, link: Link, *, clock: Callable[[], datetime] = _utc_now) -> None:
        self._duty = duty
        self._pool = pool
        self._link = link
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{duty.name}-dispatch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End after the look under way."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def problem(self) -> str | None:
        """What keeps it from working, None when nothing does."""
        return None if self._thread.is_alive() else f"the thread that sends {self._duty.name}s has ended"

    def _run(self) -> None:
        duty = self._duty
        wait_s = duty.look_every_s
        while not self._stopping.wait(wait_s):
            wait_s = duty.look_every_s
            if not self._link.connected:
                continue
            try:
                duty.sent.inc(self.look())
            except (psycopg.OperationalError, PoolTimeout):
                duty.failures.inc()
                wait_s = AFTER_ERROR_S
            except Exception:  # noqa: BLE001  # the thread's top: counted, logged, and on it goes
                duty.failures.inc()
                _log.exception("dispatch_failed", sends=duty.name)
                wait_s = AFTER_ERROR_S

    def look(self) -> int:
        """Send what is due now; how many."""
        with self._pool.connection() as conn:
            return self._duty.send(conn, self._link.publish, self._clock())
