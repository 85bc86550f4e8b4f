"""Dead letters (死信) for an operator: looked at, sent again or thrown away while the node runs or does not."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from edge.clock import NodeClock
from edge.contract.incident import Incident
from edge.contract.telemetry import from_microseconds
from edge.contract.topics import Channel
from edge.errors import OutboxFull, Permanent
from edge.outbox.opening import SCHEMA_VERSION, STORE
from edge.outbox.statements import QUERIES
from edge.outbox.store import Store

LISTED = 1_000

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Letter:
    """A rejected message or file. `number` is its own in this store; `size_bytes` what is kept of it."""

    number: int
    subject: str
    channel: str
    reason: str
    at: datetime
    size_bytes: int

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "number": self.number,
            "subject": self.subject,
            "channel": self.channel,
            "reason": self.reason,
            "at": self.at.isoformat(),
            "size_bytes": self.size_bytes,
        }

    def __str__(self) -> str:
        """One line."""
        return f"{self.number:>6}  {self.at:%Y-%m-%d %H:%M:%S}  {self.channel:<13} {self.reason[:100]}"


class Letters:
    """The letters of the store in `directory`, which its node may have open: each call is one short transaction."""

    def __init__(self, directory: Path) -> None:
        """Raises Permanent where there is no store, or one of another version."""
        path = directory / STORE
        if not path.is_file():
            raise Permanent(f"there is no outbox at {path}: has the node run with this configuration?")
        self._path = path
        version = self._do(lambda connection: connection.execute("PRAGMA user_version").fetchone()[0])
        if version != SCHEMA_VERSION:
            raise Permanent(f"the outbox {path} is of version {version}, not {SCHEMA_VERSION}: start the node once")

    def newest(self) -> list[Letter]:
        """The newest thousand, newest first. Raises OutboxFull while the store can't be read."""
        rows = self._do(lambda connection: connection.execute(QUERIES["letters"], {"limit": LISTED}).fetchall())
        return [
            Letter(number, subject, channel, reason, from_microseconds(at_us), size_bytes)
            for number, subject, channel, reason, at_us, size_bytes in rows
        ]

    def body(self, number: int) -> bytes:
        """What is kept of one. Raises Permanent when there is none of this number."""
        return self._do(lambda connection: _found(connection, number)[1])

    def send_again(self, numbers: Sequence[int], *, clock: NodeClock | None = None) -> None:
        """Let incidents wait anew, as new messages; they leave with the next thing that the node keeps. All or none. Raises
        Permanent for what is no incident: the loss of readings was declared, and their messages are not kept whole. `clock`
        is the node's: by its time, not by the wall's, the node tells what is old.
        """
        now = (clock or NodeClock.of_node(self._path.parent))()

        def work(connection: sqlite3.Connection) -> None:
            store = Store(connection)
            for number in numbers:
                channel, body, timebase = _found(connection, number)
                if channel != Channel.INCIDENT:
                    raise Permanent(f"letter {number} is no incident and can't be sent again")
                store.send_again(_incident(number, body), (), now=now, timebase=timebase)
                connection.execute(QUERIES["letter_remove"], {"number": number})

        self._do(work)

    def discard(self, numbers: Sequence[int]) -> None:
        """Throw letters away. All or none. Raises Permanent when there is none of a number."""

        def work(connection: sqlite3.Connection) -> None:
            for number in numbers:
                _found(connection, number)
                connection.execute(QUERIES["letter_remove"], {"number": number})

        self._do(work)

    def _do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        try:
            with closing(sqlite3.connect(self._path, isolation_level=None, timeout=10.0)) as connection:
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("BEGIN IMMEDIATE")
                result = work(connection)
                connection.execute("COMMIT")
                return result
        except sqlite3.Error as error:
            raise OutboxFull(f"the outbox {self._path} can't be read or written: {error}") from error


def _incident(number: int, body: bytes) -> Incident:
    try:
        return msgspec.json.decode(body, type=Incident)
    except msgspec.DecodeError as error:
        raise Permanent(f"letter {number} holds nothing that can be sent: {error}; show it, then discard it") from error


def _found(connection: sqlite3.Connection, number: int) -> tuple[str, bytes, int | None]:
    row = connection.execute(QUERIES["letter"], {"number": number}).fetchone()
    if row is None:
        raise Permanent(f"there is no letter {number}")
    return row[0], row[1], row[2]
