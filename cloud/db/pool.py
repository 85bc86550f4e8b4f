"""The connection pool of a process."""

from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

Pool = ConnectionPool[Connection[TupleRow]]

CONNECT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_S = 60
SILENT_SERVER_MS = 20_000


def open_pool(database_url: str, *, size: int, statement_timeout_s: float = STATEMENT_TIMEOUT_S) -> Pool:
    """Open at most `size` connections to `database_url`, in UTC, each statement ended after `statement_timeout_s`.

    `with pool.connection() as conn:` is one transaction: committed at its end, rolled back by an exception. A connection
    that the server closed is replaced before it is handed out. Raises psycopg_pool.PoolTimeout when the server can't be
    reached; the pool is closed then.
    """
    pool: Pool = ConnectionPool(
        database_url,
        min_size=1,
        max_size=size,
        open=False,
        timeout=CONNECT_TIMEOUT_S,
        check=ConnectionPool.check_connection,
        kwargs={
            "application_name": "gridward",
            "connect_timeout": CONNECT_TIMEOUT_S,
            "tcp_user_timeout": SILENT_SERVER_MS,
            "options": f"-c timezone=UTC -c statement_timeout={round(statement_timeout_s * 1000)}",
        },
        name="gridward",
    )
    try:
        pool.open(wait=True, timeout=CONNECT_TIMEOUT_S)
    except BaseException:
        pool.close()
        raise
    return pool
