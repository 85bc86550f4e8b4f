"""The thread that gives commands to the broker, in the process that is connected to it."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import structlog
from prometheus_client import Counter
from psycopg_pool import PoolTimeout

from cloud.commands import service
from cloud.db.pool import Pool
from cloud.mqtt import Subscriber
from cloud.signing import Signer

LOOK_EVERY_S = 0.25
AFTER_ERROR_S = 3.0

_SENT = Counter("gridward_commands_sent_total", "Commands given to the broker, those sent again included")
_FAILURES = Counter("gridward_commands_dispatch_failures_total", "Looks for commands that failed")

_log = structlog.get_logger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Dispatch:
    """Sends what the table holds while there is a broker. Several may run: each takes what no other has."""

    def __init__(
        self,
        pool: Pool,
        subscriber: Subscriber,
        *,
        signer: Signer | None = None,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        """Without `signer` commands go unsigned: a node that was enrolled with a key refuses them."""
        self._pool = pool
        self._signer = signer
        self._subscriber = subscriber
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="command-dispatch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End after the look under way."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def problem(self) -> str | None:
        """What keeps it from working, None when nothing does."""
        return None if self._thread.is_alive() else "the thread that sends commands has ended"

    def _run(self) -> None:
        wait_s = LOOK_EVERY_S
        while not self._stopping.wait(wait_s):
            wait_s = LOOK_EVERY_S
            if not self._subscriber.connected:
                continue
            try:
                _SENT.inc(self.look())
            except (psycopg.OperationalError, PoolTimeout):
                _FAILURES.inc()
                wait_s = AFTER_ERROR_S
            except Exception:  # noqa: BLE001  # the thread's top: counted, logged, and on it goes
                _FAILURES.inc()
                _log.exception("command_dispatch_failed")
                wait_s = AFTER_ERROR_S

    def look(self) -> int:
        """Send what is due now; how many."""
        with self._pool.connection() as conn:
            return service.send(conn, self._subscriber.publish, signer=self._signer, now=self._clock())
