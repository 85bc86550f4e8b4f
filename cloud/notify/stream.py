"""The live stream: one listening connection per process, fanned out to the clients whose scope an event concerns.

All of it runs on the event loop of the API, the only asynchronous part of the cloud.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog
from prometheus_client import Counter, Gauge
from psycopg import AsyncConnection, sql

from cloud.access.model import Principal, Role, SignedIn
from cloud.db import live
from cloud.db.live import Event, Horizon
from cloud.db.pool import LINE, SERVER_LINE
from cloud.db.silence import cut
from cloud.errors import DatabaseAway, Retryable

_log = structlog.get_logger(__name__)

_CLIENTS = Gauge("gridward_live_clients", "Clients of the live stream")
_DROPPED = Counter("gridward_live_clients_dropped", "Clients that were too slow for the live stream")
_EVENTS = Counter("gridward_live_events", "Events that were read for the live stream")

_FAULTS = Counter("gridward_live_faults", "Mistakes of ours in reading the live stream")

_EVERYONE = frozenset(Role)
_READERS = {"command.updated": frozenset({Role.MAINTAINER, Role.ADMINISTRATOR})}
"""Events of what only some roles may read."""

_OF_AREAS = ("case.", "device.", "node.", "order.")
"""Events that are everybody's in whose area they happen: of these a department hears of its cases alone."""

_BATCH = 500
_READY_S = 5.0
_STREAMS_PER_SESSION = 6
_STREAMS_PER_ACCOUNT = 60
_POLL_S = 1.0  # a lost NOTIFY costs at most this
_UNSETTLED_POLL_S = 0.02  # somebody holds an id and may roll back without a word
_RETRY_S = (0.2, 5.0)
_ANSWER_S = 10.0  # a link that will never answer looks like a slow one


class TooManyStreams(Retryable):
    """This process holds as many streams as it may."""


@dataclass(frozen=True, slots=True)
class Message:
    """An event in the form in which it travels, made once for all clients."""

    event_id: int
    area_path: str
    text: bytes


@dataclass(eq=False, slots=True)
class Subscription:
    """One client: what it may see, and the messages that wait for it. `after` is the id up to which it reads from the table."""

    session: SignedIn
    after: int
    queue: asyncio.Queue[Message | None]
    is_over: bool = field(default=False)

    def offer(self, message: Message) -> bool:
        """Put a message in the queue; False when the client is too slow for it."""
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            return False
        return True

    def end(self) -> None:
        """Have the stream end, at once: what still waits is not told."""
        self.is_over = True
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


def render(event: Event) -> Message:
    """An event as server-sent event (WHATWG HTML §9.2)."""
    data = json.dumps(event.payload, ensure_ascii=False, separators=(",", ":"))
    text = f"id: {event.event_id}\nevent: {event.kind}\ndata: {data}\n\n"
    return Message(event.event_id, event.area_path, text.encode())


def visible_to(principal: Principal, events: Iterable[Event]) -> list[Message]:
    """Those events that a person may see, rendered."""
    return [render(event) for event in events if is_for(principal, event)]


def is_for(principal: Principal, event: Event) -> bool:
    """Whether a person may see an event: it lies in his area, and he may read what it speaks of.

    What is told to one person (`notice.new`) is for him alone, whatever anybody's area. Who works for a department hears of the cases that it has in hand, and of nothing else that has an area only.
    """
    if event.kind.startswith("notice."):
        return bool(event.payload.get("account_id") == principal.user_id)
    if event.kind.startswith("drill."):
        return _is_in_drill(principal, event)
    if not principal.sees(event.area_path) or principal.role not in _READERS.get(event.kind, _EVERYONE):
        return False
    if principal.department_id is None or not event.kind.startswith(_OF_AREAS):
        return True
    if not event.kind.startswith("case."):
        return False
    return bool((event.payload.get("department") or {}).get("id") == principal.department_id)


def _is_in_drill(principal: Principal, event: Event) -> bool:
    """Whether a drill concerns somebody: one around his area does as well; a department hears of those in which it takes part."""
    if principal.department_id is not None:
        return principal.department_id in event.payload.get("departments", ())
    return principal.sees(event.area_path) or principal.area_path.startswith(event.area_path)


class LiveHub:
    """Reads events as they settle and hands them to the subscriptions. Use on one event loop only."""

    def __init__(self, database_url: str, *, queue_size: int, maximum_clients: int = 1_000) -> None:
        self._database_url = database_url
        self._queue_size = queue_size
        self._maximum_clients = maximum_clients
        self._subscriptions: dict[Subscription, None] = {}  # in the order in which they came
        self._cursor = 0
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._listening = False

    def start(self) -> None:
        """Begin to listen, as a task of the running loop."""
        self._task = asyncio.create_task(self._run(), name="live-hub")

    async def stop(self) -> None:
        """End all streams and the listening."""
        self.close_streams()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def close_streams(self) -> None:
        """End all streams and take no more: the process is about to stop."""
        self._closed = True
        for subscription in list(self._subscriptions):
            subscription.end()

    @property
    def is_listening(self) -> bool:
        """Whether events arrive."""
        return self._listening

    async def subscribe(self, session: SignedIn) -> Subscription:
        """A place in the stream from now on. Waits until the hub listens; the caller must `unsubscribe`.

        A session and a person have few places: a further stream takes that of their oldest. Raises DatabaseAway, TooManyStreams.
        """
        try:
            async with asyncio.timeout(_READY_S):
                await self._ready.wait()
        except TimeoutError as error:
            raise DatabaseAway("the live stream is not connected") from error
        self._make_room(session)
        if len(self._subscriptions) >= self._maximum_clients:
            raise TooManyStreams("no place in the live stream now")
        subscription = Subscription(session, self._cursor, asyncio.Queue(self._queue_size))
        self._subscriptions[subscription] = None
        _CLIENTS.set(len(self._subscriptions))
        if self._closed:
            subscription.end()
        return subscription

    def _make_room(self, session: SignedIn) -> None:
        """End the oldest streams of a session and of its person that would be too many with one more."""
        who = session.principal.user_id
        of_person = [other for other in self._subscriptions if other.session.principal.user_id == who]
        of_session = [other for other in of_person if other.session.session_id == session.session_id]
        too_many = of_session[: max(0, len(of_session) - _STREAMS_PER_SESSION + 1)]
        too_many += of_person[: max(0, len(of_person) - _STREAMS_PER_ACCOUNT + 1)]
        for oldest in too_many:
            oldest.end()
            self.unsubscribe(oldest)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Give the place back."""
        self._subscriptions.pop(subscription, None)
        _CLIENTS.set(len(self._subscriptions))

    async def _run(self) -> None:
        retry_s = _RETRY_S[0]
        lost = 0
        while True:
            try:
                async with await AsyncConnection.connect(
                    self._database_url, autocommit=True, options=SERVER_LINE, **LINE
                ) as conn:
                    with _answered(conn):
                        await self._begin(conn)
                    retry_s, lost = _RETRY_S[0], 0
                    self._listening = True
                    await self._listen(conn)
            except psycopg.Error as error:
                lost += 1
                if lost & (lost - 1) == 0:  # the first, second, fourth, eighth … in a row
                    _log.warning("live stream lost the database", error=type(error).__name__, in_a_row=lost)
            except Exception:  # noqa: BLE001 - the task's top: without it every stream would fall silent for good
                _FAULTS.inc()
                _log.exception("live stream failed")
            finally:
                self._listening = False
            await asyncio.sleep(retry_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
            retry_s = min(retry_s * 2, _RETRY_S[1])

    async def _begin(self, conn: AsyncConnection[Any]) -> None:
        for channel in (live.CHANNEL, live.SESSION_CHANNEL):
            await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        horizon = await _horizon(conn)
        if not self._ready.is_set():
            self._cursor = horizon.settled
            self._ready.set()
        elif self._cursor > horizon.handed_out:  # another database, or an older copy: all cursors are void
            self._cursor = horizon.settled
            for subscription in list(self._subscriptions):
                subscription.end()

    async def _listen(self, conn: AsyncConnection[Any]) -> None:
        while True:
            with _answered(conn):
                horizon = await self._catch_up(conn)
            timeout = _POLL_S if horizon.complete else _UNSETTLED_POLL_S
            async for notify in conn.notifies(timeout=timeout, stop_after=1):
                if notify.channel == live.SESSION_CHANNEL:
                    self._end_session(notify.payload)

    async def _catch_up(self, conn: AsyncConnection[Any]) -> Horizon:
        """Hand out everything that has settled."""
        horizon = await _horizon(conn)
        while self._cursor < horizon.settled:
            parameters = {"after": self._cursor, "upto": horizon.settled, "count": _BATCH}
            rows = await (await conn.execute(live.BETWEEN_SQL, parameters)).fetchall()
            for row in rows:
                self._hand_out(Event(*row))
            # a batch that is not full is the end: ids that were rolled back leave holes
            self._cursor = rows[-1][0] if len(rows) == _BATCH else horizon.settled
            _EVENTS.inc(len(rows))
        return horizon

    def _hand_out(self, event: Event) -> None:
        message: Message | None = None
        for subscription in list(self._subscriptions):
            if subscription.is_over or not is_for(subscription.session.principal, event):
                continue
            message = message or render(event)
            if not subscription.offer(message):
                _DROPPED.inc()
                subscription.end()

    def _end_session(self, payload: str) -> None:
        for subscription in list(self._subscriptions):
            if payload in {str(subscription.session.session_id), live.EVERY_SESSION}:
                subscription.end()


@contextlib.contextmanager
def _answered(conn: AsyncConnection[Any]) -> Iterator[None]:
    """Give the database `_ANSWER_S` to answer what is asked in the block; then the connection is cut, and made anew."""
    timer = asyncio.get_running_loop().call_later(_ANSWER_S, cut, conn)
    try:
        yield
    finally:
        timer.cancel()


async def _horizon(conn: AsyncConnection[Any]) -> Horizon:
    handed_out = await _value(conn, live.HANDED_OUT_SQL, {})
    return Horizon(await _value(conn, live.SETTLED_SQL, {"handed_out": handed_out}), handed_out)


async def _value(conn: AsyncConnection[Any], statement: str, parameters: dict[str, Any]) -> int:
    row = await (await conn.execute(statement, parameters)).fetchone()
    if row is None:
        raise psycopg.DataError("a statement of the live stream answered nothing")
    value: int = row[0]
    return value
