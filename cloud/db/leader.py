"""Leadership: one process at a time holds a session advisory lock and does what only one may do."""

from enum import IntEnum

import psycopg

from cloud.db.pool import LINE, SERVER_LINE
from cloud.db.silence import cut_after

ANSWER_S = 3.0
LEASE_S = 20
"""A leader that has not asked for so long has lost its lead: the server ends its connection, however alive it looks."""


class Duty(IntEnum):
    """What a leader does; the number is the key of the lock."""

    JOBS = 0x6772_6964_0010
    PRESENCE = 0x6772_6964_0011


class Leadership:
    """Tries for one `Duty`. The lock lives and dies with its own connection; belongs to one thread."""

    def __init__(self, database_url: str, duty: Duty) -> None:
        self._database_url = database_url
        self._duty = duty
        self._conn: psycopg.Connection | None = None

    def held(self) -> bool:
        """Whether this process leads now; tries to take the lead when it does not.

        A lost connection is lost leadership: the server has freed the lock, another process may have it already.
        """
        try:
            if self._conn is not None:
                with cut_after(self._conn, ANSWER_S):
                    self._conn.execute("SELECT 1")
                return True
            self._conn = psycopg.connect(
                self._database_url,
                autocommit=True,
                options=f"-c idle_session_timeout={LEASE_S * 1000} {SERVER_LINE}",
                **LINE,
            )
            with cut_after(self._conn, ANSWER_S):
                row = self._conn.execute("SELECT pg_try_advisory_lock(%s)", [int(self._duty)]).fetchone()
        except psycopg.OperationalError:
            self.release()
            return False
        if row is None or not row[0]:
            self.release()
            return False
        return True

    def release(self) -> None:
        """Give the lead up; safe to call at any time."""
        if self._conn is not None:
            self._conn.close()
            self._conn = None
