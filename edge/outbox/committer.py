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

from edge.errors import OutboxDamaged, OutboxFull
from edge.faults import FAULTS, Place
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

    `mark` and then `on_commit` are called after each commit, from that thread, the former before anybody hears of the
    commit; `on_damage` once, when the file turns out to be broken: the
    process has to end then, the next start sets the file aside.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        on_commit: Callable[[], None] = lambda: None,
        mark: Callable[[Store], None] = lambda _store: None,
        on_damage: Callable[[str], None] = lambda _reason: None,
        window_s: float = GROUP_WINDOW_S,
    ) -> None:
        self.store = Store(connection)
        self._connection = connection
        self._on_commit = on_commit
        self._mark = mark
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
        """All tickets in one transaction; one that fails is undone alone. Where the transaction itself fails, each is tried
        by itself: readings that find no room must not take an incident with them.
        """
        try:
            done = self._transact(tickets)
        except Exception as error:  # noqa: BLE001 (the top of the thread: nobody may wait for ever)
            self._undo(error)
            alone = len(tickets) == 1 or (isinstance(error, sqlite3.Error) and is_damage(error))
            for ticket in tickets:
                if ticket.future.done():
                    continue
                if alone:
                    ticket.future.set_exception(_told(error))
                else:
                    self._commit([ticket])
            return
        self._note()
        for ticket, result in done:
            ticket.future.set_result(result)
        self._tell(self._on_commit)

    def _transact(self, tickets: list[_Ticket]) -> list[tuple[_Ticket, Any]]:
        """The tickets that are committed when this returns, with their results. What goes wrong in a ticket is told to who
        waits for it; what goes wrong with the transaction is raised.
        """
        done: list[tuple[_Ticket, Any]] = []
        refused: list[tuple[_Ticket, Exception]] = []
        self._connection.execute("BEGIN IMMEDIATE")
        for ticket in tickets:
            self._connection.execute("SAVEPOINT ticket")
            try:
                done.append((ticket, ticket.work(self.store)))
            except Exception as error:
                if isinstance(error, sqlite3.OperationalError | sqlite3.InternalError) or not self._stands:
                    raise
                if isinstance(error, sqlite3.Error) and is_damage(error):
                    raise
                self._connection.execute("ROLLBACK TO ticket")
                self.store.forget()
                refused.append((ticket, error))
            self._connection.execute("RELEASE ticket")
        self._connection.execute("COMMIT")
        for ticket, reason in refused:
            ticket.future.set_exception(_told(reason))
        return done

    def _note(self) -> None:
        try:
            self._mark(self.store)
        except Exception as error:  # noqa: BLE001 (the top of the thread: a changed byte may make anything of a row)
            FAULTS.count(Place.OUTBOX)
            _log.error("the outbox could not be marked", reason=str(error))
            self._look_into(error)

    def _look_into(self, error: Exception) -> None:
        if isinstance(error, sqlite3.Error) and is_damage(error):
            self._tell(self._on_damage, str(error))

    @property
    def _stands(self) -> bool:
        """Whether the transaction is still open: SQLite ends it by itself after some failures."""
        return self._connection.in_transaction

    def _undo(self, error: Exception) -> None:
        _log.error("the outbox could not commit", reason=str(error), kind=type(error).__name__)
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self.store.forget()
        self._look_into(error)

    def _tell(self, whom: Callable[..., None], *what: str) -> None:
        """Call back; what goes wrong there must not end the one thread that everybody waits for."""
        try:
            whom(*what)
        except Exception:  # noqa: BLE001 (the top of the thread)
            FAULTS.count(Place.OUTBOX)
            _log.exception("who listens to the outbox failed")

    def _attempt(self, ticket: _Ticket) -> None:
        try:
            result = ticket.work(self.store)
        except Exception as error:  # noqa: BLE001 (the top of the thread: the asker gets it)
            self._look_into(error)
            ticket.future.set_exception(_told(error))
        else:
            ticket.future.set_result(result)


def _told(error: Exception) -> Exception:
    """An error as the rest of the node knows it: the store's own speak of damage, or of a disk that takes nothing."""
    if not isinstance(error, sqlite3.Error):
        return error
    if is_damage(error):
        return OutboxDamaged(str(error))
    return OutboxFull(f"the outbox can't be read or written: {error}")
