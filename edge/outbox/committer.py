"""Group commit: one thread owns the connection; who hands work over gets its result only after the commit."""

import contextlib
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from edge.errors import EdgeError, OutboxDamaged, OutboxFull
from edge.outbox.opening import is_damage
from edge.outbox.store import Store

GROUP_WINDOW_S = 0.1
"""How long readings may wait for others to share a commit with; incidents never wait."""

Result = TypeVar("Result")

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Ticket:
    """Work that waits for its turn; `due_s` (monotonic) is when the commit has to begin."""

    work: Callable[[Store], Any]
    due_s: float
    writes: bool
    future: "Future[Any]" = field(default_factory=Future)


class Committer:
    """The thread `outbox` with the only connection.

    `on_commit` is called after each commit, from that thread; `on_damage` once, when the file turns out to be broken: the
    process has to end then, the next start sets the file aside.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        on_commit: Callable[[], None] = lambda: None,
        on_damage: Callable[[str], None] = lambda _reason: None,
        window_s: float = GROUP_WINDOW_S,
    ) -> None:
        self.store = Store(connection)
        self._connection = connection
        self._on_commit = on_commit
        self._on_damage = on_damage
        self._window_s = window_s
        self._tickets: deque[_Ticket] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what waits, close the connection."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()
        self._connection.close()

    def write(self, work: Callable[[Store], Result], *, urgent: bool = True) -> Result:
        """Run `work` in a transaction and return after its commit. Raises what `work` raised, or OutboxFull."""
        return self.submit(work, urgent=urgent).result()

    def read(self, work: Callable[[Store], Result]) -> Result:
        """Run `work`, which changes nothing, between two transactions."""
        result: Result = self._hand_over(_Ticket(work, due_s=0.0, writes=False)).result()
        return result

    def submit(self, work: Callable[[Store], Result], *, urgent: bool = True) -> "Future[Result]":
        """Hand work over without waiting for it."""
        due_s = 0.0 if urgent else time.monotonic() + self._window_s
        return self._hand_over(_Ticket(work, due_s=due_s, writes=True))

    def _hand_over(self, ticket: _Ticket) -> "Future[Any]":
        with self._wake:
            if self._stopping:
                raise OutboxFull("the outbox is closed")
            self._tickets.append(ticket)
            self._wake.notify()
        return ticket.future

    def _run(self) -> None:
        while True:
            reads, writes, ended = self._next()
            for ticket in reads:
                self._attempt(ticket)
            if writes:
                self._commit(writes)
            if ended:
                return

    def _next(self) -> tuple[list[_Ticket], list[_Ticket], bool]:
        """Wait until there is something to do: all reads at once, and the writes if the first of them is due."""
        with self._wake:
            while True:
                reads = [ticket for ticket in self._tickets if not ticket.writes]
                writes = [ticket for ticket in self._tickets if ticket.writes]
                wait_s = min((ticket.due_s for ticket in writes), default=float("inf")) - time.monotonic()
                if wait_s <= 0 or self._stopping:
                    self._tickets.clear()
                    return reads, writes, self._stopping
                if reads:
                    self._tickets = deque(writes)
                    return reads, [], False
                self._wake.wait(None if wait_s == float("inf") else wait_s)

    def _commit(self, tickets: list[_Ticket]) -> None:
        """All tickets in one transaction; one that fails is undone alone."""
        done: list[tuple[_Ticket, Any]] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for ticket in tickets:
                self._connection.execute("SAVEPOINT ticket")
                try:
                    done.append((ticket, ticket.work(self.store)))
                except (EdgeError, ValueError, OverflowError) as error:
                    self._connection.execute("ROLLBACK TO ticket")
                    self.store.forget()
                    ticket.future.set_exception(error)
                self._connection.execute("RELEASE ticket")
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 (the top of the thread: nobody may wait for ever)
            self._fail(tickets, error)
            return
        for ticket, result in done:
            ticket.future.set_result(result)
        self._on_commit()

    def _fail(self, tickets: list[_Ticket], error: Exception) -> None:
        _log.error("the outbox could not commit", reason=str(error), kind=type(error).__name__)
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self.store.forget()
        answer: Exception = error
        if isinstance(error, sqlite3.Error):
            answer = OutboxDamaged(str(error)) if is_damage(error) else OutboxFull(f"the outbox can't write: {error}")
        if isinstance(answer, OutboxDamaged):
            self._on_damage(str(error))
        for ticket in tickets:
            if not ticket.future.done():
                ticket.future.set_exception(answer)

    def _attempt(self, ticket: _Ticket) -> None:
        try:
            ticket.future.set_result(ticket.work(self.store))
        except Exception as error:  # noqa: BLE001 (the top of the thread: the asker gets it)
            if isinstance(error, sqlite3.Error) and is_damage(error):
                self._on_damage(str(error))
            ticket.future.set_exception(error)
