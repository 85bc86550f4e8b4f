"""The connection pool of a process."""

from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from cloud.db.silence import SilenceWatch

Pool = ConnectionPool[Connection[TupleRow]]

CONNECT_TIMEOUT_S = 4
"""To connect, and for a connection to be free. Short: who waits tries again, and finds a database that is back at once."""

START_TIMEOUT_S = 10
GIVEN_UP_S = 2.0
"""The pool's own attempts end so soon and begin anew with the next demand: left alone, their pauses grow to minutes."""

STATEMENT_TIMEOUT_S = 60
SILENT_SERVER_MS = 10_000
IDLE_TRANSACTION_S = 30
"""A client that vanished in the middle of a transaction keeps its locks no longer than this."""

LINE: dict[str, Any] = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "tcp_user_timeout": SILENT_SERVER_MS,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""How a connection finds out that the other side's system is gone."""

SERVER_LINE = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"
"""The same for the server's side of it."""

PLANNING = "-c jit=off -c max_parallel_workers_per_gather=0 -c plan_cache_mode=force_custom_plan"
"""How questions are planned. They answer in milliseconds: compiling one, or sharing it among processes, costs more than it does. Each is
planned for what is asked: a filter that was not set is no filter, and what is rare is found by its own index; a plan for any values knows
neither."""


class WatchedPool(ConnectionPool[Connection[TupleRow]]):
    """A pool whose connections are watched for silence."""

    def __init__(self, database_url: str, **options: Any) -> None:
        self._watch = SilenceWatch(database_url)
        super().__init__(database_url, open=False, configure=self._watch.add, **options)

    def open(self, wait: bool = False, timeout: float = START_TIMEOUT_S) -> None:
        """Open the pool and begin to watch. Raises PoolTimeout."""
        super().open(wait, timeout)
        self._watch.start()

    def close(self, timeout: float = 5.0) -> None:
        """Close all connections, end the watch."""
        self._watch.stop()
        super().close(timeout)


def open_pool(database_url: str, *, size: int, statement_timeout_s: float = STATEMENT_TIMEOUT_S) -> Pool:
    """Open at most `size` connections to `database_url`, in UTC, each statement ended after `statement_timeout_s`.

    `with pool.connection() as conn:` is one transaction: committed at its end, rolled back by an exception. A connection
    that the server closed is replaced before it is handed out; one that will never answer is closed while it is waited for.
    Raises psycopg_pool.PoolTimeout when the server can't be reached; the pool is closed then.
    """
    pool = WatchedPool(
        database_url,
        min_size=1,
        max_size=size,
        timeout=CONNECT_TIMEOUT_S,
        reconnect_timeout=GIVEN_UP_S,
        check=ConnectionPool.check_connection,
        kwargs={
            **LINE,
            "application_name": "gridward",
            "options": (
                f"-c timezone=UTC -c statement_timeout={round(statement_timeout_s * 1000)} "
                f"-c idle_in_transaction_session_timeout={IDLE_TRANSACTION_S * 1000} {SERVER_LINE} {PLANNING}"
            ),
        },
        name="gridward",
    )
    try:
        pool.open(wait=True)
    except BaseException:
        pool.close()
        raise
    return pool


def open_session(database_url: str, name: str) -> Connection[TupleRow]:
    """One connection for work that takes its time, without a transaction until one is begun, shown as `name` by the server.

    A server that does not answer is given up. Raises psycopg.OperationalError.
    """
    return psycopg.connect(
        database_url,
        autocommit=True,
        application_name=name,
        connect_timeout=CONNECT_TIMEOUT_S,
        tcp_user_timeout=SILENT_SERVER_MS,
    )
