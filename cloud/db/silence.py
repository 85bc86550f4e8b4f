"""Connections to the database that will never answer, found and closed: half-open ones, behind a way that has forgotten them.

TCP finds out for itself only where the other side's system is gone; where something on the way still answers for it, a
statement would be waited for without end. So a second look is taken past the silent connection: when the server has long
finished what this side still waits for, or knows nothing of the connection, no answer will come.
"""

import contextlib
import os
import socket
import threading
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import structlog
from prometheus_client import Counter
from psycopg import AsyncConnection, Connection
from psycopg.pq import TransactionStatus

from cloud.db.queries import load

LOOK_EVERY_S = 2.0
"""Between two looks; what both show alike is believed."""

LOOK_TIMEOUT_S = 3.0

_queries = load("cloud.db")
_CLOSED = Counter("gridward_database_silent_connections_total", "Connections closed because no answer would ever come")
_FAULTS = Counter("gridward_database_silence_watch_faults_total", "Looks at silent connections that failed")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the server sees one connection: None for `since` when it knows nothing of it."""

    rests: bool
    since: datetime | None


def is_lost(earlier: Standing | None, now: Standing) -> bool:
    """Whether a connection whose side here waits for an answer at both looks will never get one."""
    return earlier is not None and earlier == now and now.rests


class SilenceWatch:
    """A thread that looks at connections while they wait; those that are done cost nothing.

    `add` may be called from any thread; a connection is forgotten when its owner lets it go.
    """

    def __init__(self, database_url: str, *, every_s: float = LOOK_EVERY_S) -> None:
        self._database_url = database_url
        self._every_s = every_s
        self._connections: weakref.WeakSet[Connection[Any]] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._seen: dict[int, Standing] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="database-silence", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(LOOK_TIMEOUT_S)

    def add(self, conn: Connection[Any]) -> None:
        """Watch a connection that nobody uses yet, from now on. Not one behind a pooler, which numbers connections for itself:
        the server would seem to know nothing of it. Raises psycopg.Error.
        """
        with conn.transaction():
            if _queries.own_pid(conn) != conn.pgconn.backend_pid:
                return
        with self._lock:
            self._connections.add(conn)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self.look()
            except psycopg.Error:
                self._seen.clear()  # nobody can say now; the connections may be as dead as this one
            except Exception:  # noqa: BLE001  # the thread's top: counted, logged, and on it goes
                _FAULTS.inc()
                _log.exception("silence_watch_failed")

    def look(self) -> int:
        """One look at those that wait; how many were closed. Raises psycopg.Error when the database can't be asked."""
        waiting = self._waiting()
        if not waiting:
            self._seen.clear()
            return 0
        standings = _standings(self._database_url, waiting)
        lost = {pid: conn for pid, conn in waiting.items() if is_lost(self._seen.get(pid), standings[pid])}
        self._seen = standings
        for pid, conn in lost.items():
            _log.warning("database_connection_silent", pid=pid)
            _CLOSED.inc()
            cut(conn)
        if lost:
            self._cut_idle()
            _end_backends(self._database_url, lost)
        return len(lost)

    def _cut_idle(self) -> None:
        """Those at rest went the same way: made anew at once, they are not found silent one after the other."""
        with self._lock:
            known = list(self._connections)
        for conn in known:
            if not conn.closed and conn.pgconn.transaction_status == TransactionStatus.IDLE:
                cut(conn)

    def _waiting(self) -> dict[int, Connection[Any]]:
        with self._lock:
            known = list(self._connections)
        return {
            conn.pgconn.backend_pid: conn
            for conn in known
            if not conn.closed and conn.pgconn.transaction_status == TransactionStatus.ACTIVE
        }


def _standings(database_url: str, pids: Iterable[int]) -> dict[int, Standing]:
    wanted = list(pids)
    with _bounded(database_url) as conn:
        found = {row.pid: Standing(row.rests, row.since) for row in _queries.standing_of_backends(conn, pids=wanted)}
    return {pid: found.get(pid, Standing(rests=True, since=None)) for pid in wanted}


def _end_backends(database_url: str, pids: Iterable[int]) -> None:
    """The server would keep the locks of a transaction whose client is gone."""
    with _bounded(database_url) as conn:
        list(_queries.end_backends(conn, pids=list(pids)))


@contextlib.contextmanager
def _bounded(database_url: str) -> Iterator[Connection[Any]]:
    """A connection of its own that is cut after `LOOK_TIMEOUT_S`, whatever it waits for."""
    conn = psycopg.connect(database_url, autocommit=True, connect_timeout=round(LOOK_TIMEOUT_S))
    try:
        with cut_after(conn, LOOK_TIMEOUT_S):
            yield conn
    finally:
        conn.close()


@contextlib.contextmanager
def cut_after(conn: Connection[Any], seconds: float) -> Iterator[None]:
    """Give what is asked in the block so long to be answered; then the connection is cut, and waiting ends with
    psycopg.OperationalError.
    """
    timer = threading.Timer(seconds, cut, [conn])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def cut(conn: Connection[Any] | AsyncConnection[Any]) -> None:
    """End what a connection waits for, from any thread: its owner sees that the server has closed it."""
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(conn.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
