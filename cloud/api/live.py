"""The live stream as server-sent events: the only part of the API that is asynchronous."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Annotated

import psycopg
from fastapi import APIRouter, Header, Query, Request
from psycopg_pool import PoolTimeout
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cloud.access import sessions
from cloud.access.model import Principal, SignedIn
from cloud.api.dependencies import AS_PERSON, Parts, Services, signed_in
from cloud.api.problems import RESPONSES
from cloud.db import live
from cloud.notify.stream import LiveHub, Message, Subscription, visible_to

router = APIRouter(prefix="/api/v1", tags=["live"], responses=RESPONSES)

_BACKLOG = 2_000
_SEND_S = 20.0
_HEARTBEAT = b":\n\n"
_PADDING = b"retry: 2000\n\n"


class EventStream(Response):
    """Sends what an iterator yields as it comes; a client that takes nothing for `_SEND_S` is left."""

    media_type = "text/event-stream"

    def __init__(self, hub: LiveHub, subscription: Subscription, chunks: AsyncIterator[bytes]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store"
        self.headers["x-accel-buffering"] = "no"
        self._hub = hub
        self._subscription = subscription
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the client leaves, the session ends or the client falls behind."""
        del scope
        gone = asyncio.create_task(self._watch(receive))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for chunk in self._chunks:
                async with asyncio.timeout(_SEND_S):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (OSError, TimeoutError, ClientDisconnect):
            return  # the client is gone, or as good as
        except (psycopg.Error, PoolTimeout):
            return  # nobody can say whether the session still runs; the client comes again
        finally:
            gone.cancel()
            self._hub.unsubscribe(self._subscription)

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._subscription.end()


@router.get(
    "/live",
    summary="What happens, as it happens",
    dependencies=AS_PERSON,
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def read_live(
    request: Request,
    parts: Parts,
    last_event_id: Annotated[str | None, Header(max_length=40)] = None,
    after: Annotated[str | None, Query(max_length=40, description="The same, for those who can't set a header")] = None,
) -> EventStream:
    """Server-sent events in my scope: `case.opened`, `case.updated`, `node.presence`, `node.health`, `device.presence`, `device.readings`,
    `command.updated`; and to one person alone `notice.new`.

    `hello` comes first with the cursor, and `who`, which is another one once my role, area or department is: then what was read before is not
    to be kept. `Last-Event-ID` goes on behind a cursor; `reset` says that it is too old: read anew.
    """
    session = await run_in_threadpool(_session, request, parts)
    cursor = _cursor(last_event_id if last_event_id is not None else after)
    subscription = await parts.hub.subscribe(session)
    return EventStream(parts.hub, subscription, _chunks(parts, subscription, cursor))


def _session(request: Request, parts: Services) -> SignedIn:
    with parts.pool.connection() as conn:
        return signed_in(request, conn, parts)


def _cursor(text: str | None) -> int | None:
    """The cursor as a number; one that is not ours counts as too old."""
    if text is None or not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


async def _chunks(parts: Services, subscription: Subscription, cursor: int | None) -> AsyncIterator[bytes]:
    backlog: list[Message] | None = []
    if cursor is not None:
        backlog = await run_in_threadpool(_backlog, parts, subscription, cursor)
    start = subscription.after if cursor is None or backlog is None else cursor
    yield _PADDING + _told("hello", start, who=_fingerprint(subscription.session.principal))
    if backlog is None:
        yield _told("reset", subscription.after)
    for message in backlog or ():
        yield message.text
    clock = asyncio.get_running_loop().time
    check_at = clock() + parts.settings.live_heartbeat_s
    while not subscription.is_over:
        if clock() >= check_at:  # by the clock, not in silence only: where much happens there is none
            if not await run_in_threadpool(_still_signed_in, parts, subscription.session):
                return
            check_at = clock() + parts.settings.live_heartbeat_s
            yield _HEARTBEAT
        try:
            async with asyncio.timeout_at(check_at):
                message_or_end = await subscription.queue.get()
        except TimeoutError:
            continue
        if message_or_end is None:
            return
        yield message_or_end.text


def _told(kind: str, cursor: int, **more: str) -> bytes:
    data = json.dumps({"cursor": str(cursor), **more}, separators=(",", ":"))
    return f"id: {cursor}\nevent: {kind}\ndata: {data}\n\n".encode()


def _fingerprint(who: Principal) -> str:
    """The same as long as a person sees the same: a page that hears another one keeps nothing of what it has loaded."""
    seen = repr((who.user_id, who.role.value, who.area_code, who.area_path, who.department_id))
    return hashlib.sha256(seen.encode()).hexdigest()[:16]


def _backlog(parts: Services, subscription: Subscription, cursor: int) -> list[Message] | None:
    """What happened between a cursor and the start of the subscription; None when that is too far back."""
    with parts.pool.connection() as conn:
        if live.is_too_old(conn, cursor, live.horizon(conn)):
            return None
        events = live.read(conn, after=cursor, upto=subscription.after, count=_BACKLOG + 1)
    return None if len(events) > _BACKLOG else visible_to(subscription.session.principal, events)


def _still_signed_in(parts: Services, session: SignedIn) -> bool:
    """Whether the session runs, with the same role and scope as when the stream began."""
    with parts.pool.connection() as conn:
        now = sessions.refresh(conn, session.session_id, now=parts.clock())
    return now is not None and now.principal == session.principal
