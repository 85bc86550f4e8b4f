"""The threads that tell people: one plans, one for each kind of channel sends. A channel that answers slowly holds up no other."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg
import structlog
from prometheus_client import Counter
from psycopg_pool import PoolTimeout

from cloud.notify.delivery import AT_ONCE, Courier
from cloud.notify.model import ChannelKind
from cloud.notify.planner import Planner

LOOK_EVERY_S = 1.0
AFTER_ERROR_S = 3.0
STUCK = timedelta(seconds=120)
"""A look that takes longer does not come back by itself."""

_FAULTS = Counter("gridward_notice_round_failures", "Looks that ended in an error", ["round"])

_log = structlog.get_logger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class NoticeRounds:
    """Plans and sends until it is stopped. Several processes may: each takes what no other has."""

    def __init__(self, planner: Planner, courier: Courier, *, clock: Callable[[], datetime] = _utc_now) -> None:
        self._clock = clock
        self._stopping = threading.Event()
        self._looking_since: dict[str, datetime] = {}
        self._workers = {
            kind: ThreadPoolExecutor(AT_ONCE, thread_name_prefix=f"notice-{kind.value}") for kind in ChannelKind
        }
        looks: dict[str, Callable[[datetime], int]] = {"plan": planner.look}
        for kind, workers in self._workers.items():
            looks[kind.value] = partial(courier.look, kind, workers)
        self._threads = [
            threading.Thread(target=self._run, args=(name, look), name=f"notices-{name}", daemon=True)
            for name, look in looks.items()
        ]

    def start(self) -> None:
        """Begin to look."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End after the look under way; what is on its way and not marked is sent once more by the next process."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout_s)
        for workers in self._workers.values():
            workers.shutdown(wait=False, cancel_futures=True)

    def problem(self) -> str | None:
        """What keeps it from working, None when nothing does."""
        ended = [thread.name for thread in self._threads if not thread.is_alive()]
        if ended:
            return f"the thread {ended[0]} has ended"
        now = self._clock()
        stuck = [name for name, since in self._looking_since.copy().items() if now - since > STUCK]
        return f"the round {stuck[0]} is stuck" if stuck else None

    def _run(self, name: str, look: Callable[[datetime], int]) -> None:
        wait_s = LOOK_EVERY_S
        while not self._stopping.wait(wait_s):
            try:
                now = self._looking_since[name] = self._clock()
                wait_s = 0.0 if look(now) else LOOK_EVERY_S
            except (psycopg.OperationalError, PoolTimeout):
                _FAULTS.labels(name).inc()
                wait_s = AFTER_ERROR_S
            except Exception:  # noqa: BLE001  # the thread's top: counted, logged, and on it goes
                _FAULTS.labels(name).inc()
                _log.exception("notice_round_failed", round=name)
                wait_s = AFTER_ERROR_S
            finally:
                self._looking_since.pop(name, None)
