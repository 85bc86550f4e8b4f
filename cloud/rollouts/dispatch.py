"""The thread that tells nodes what they shall run, in the process that is connected to the broker."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import structlog
from prometheus_client import Counter
from psycopg_pool import PoolTimeout

from cloud.db.pool import Pool
from cloud.mqtt import Subscriber
from cloud.rollouts import orders

LOOK_EVERY_S = 1.0
AFTER_ERROR_S = 3.0

_SENT = Counter("gridward_orders_sent_total", "What nodes shall run, given to the broker; those sent again included")
_FAILURES = Counter("gridward_orders_dispatch_failures_total", "Looks for orders that failed")

_log = structlog.get_logger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class OrderDispatch:
    """Sends what is wanted while there is a broker. Several may run: each takes what no other has."""

    def __init__(
        self,
        pool: Pool,
        subscriber: Subscriber,
        *,
        sign: Callable[[bytes], str] | None = None,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._pool = pool
        self._subscriber = subscriber
        self._sign = sign
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="order-dispatch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End after the look under way."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def problem(self) -> str | None:
        """What keeps it from working, None when nothing does."""
        return None if self._thread.is_alive() else "the thread that sends orders has ended"

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
                _log.exception("order_dispatch_failed")
                wait_s = AFTER_ERROR_S

    def look(self) -> int:
        """Send what is due now; how many."""
        with self._pool.connection() as conn:
            return orders.send(conn, self._subscriber.publish, now=self._clock(), sign=self._sign)
