"""What stands around every request: headers that keep pages safe, and a limit to what is read."""

import asyncio
from http import HTTPStatus

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.api.problems import problem, unexpected

MAXIMUM_BODY_BYTES = 1 << 20
BODY_S = 30.0
_TOO_LARGE = f"a body has at most {MAXIMUM_BODY_BYTES} bytes"

_FILES = ("/api/v1/evidence/", "/api/v1/artifacts/")
_REPORTS = "/api/v1/reports/"
"""What is sent here is a file, with limits of its own."""

_OWN_HEAD = ("/api/v1/evidence/", "/api/v1/live")

_PAGE_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

_HEADERS = {
    "content-security-policy": _PAGE_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class HeadAsGet:
    """Answers HEAD as GET without the body, which the server leaves away; some routes have a HEAD of their own, or none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and scope["method"] == "HEAD" and not scope["path"].startswith(_OWN_HEAD):
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)


class Faults:
    """Makes a problem of what nobody expected, inside of `SafeHeaders`, for Starlette's own handler stands outside of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on. An answer that has begun is broken off: the exception goes through."""
        begun = False

        async def send_noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except Exception as error:
            if scope["type"] != "http" or begun:
                raise
            await unexpected(Request(scope), error)(scope, receive, send)


class SafeHeaders:
    """Adds the headers that a route did not set itself; answers of the API are never cached."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("cache-control", "no-store")
                if scope.get("scheme") == "https":
                    headers.setdefault("strict-transport-security", "max-age=31536000")
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _is_file(path: str) -> bool:
    return path.startswith(_FILES) or (path.startswith(_REPORTS) and "/pictures/" in path)


class BodyLimit:
    """Refuses bodies over `MAXIMUM_BODY_BYTES`, announced or not, and those that take longer than `BODY_S`.

    Uploads of files have their own limits.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http" or (scope["method"] == "PUT" and _is_file(scope["path"])):
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isascii() or not announced.isdigit() or int(announced[:20]) > MAXIMUM_BODY_BYTES:
            answer = problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE)
            await answer(scope, receive, send)
            return
        taken, whole = 0, False
        until = asyncio.get_running_loop().time() + BODY_S

        async def receive_some() -> Message:
            nonlocal taken, whole
            if whole:
                return await receive()  # what comes now is the end of the connection, whenever
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(
                    HTTPStatus.REQUEST_TIMEOUT, "the body came too slowly", headers={"Connection": "close"}
                ) from error
            whole = not message.get("more_body", False)
            taken += len(message.get("body", b""))
            if taken > MAXIMUM_BODY_BYTES:
                # this kind of error, for FastAPI tells any other of a body as 400
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE)
            return message

        await self._app(scope, receive_some, send)


def is_from_here(request: Request) -> bool:
    """Whether a request comes from this machine itself, through no proxy."""
    host = request.client.host if request.client is not None else ""
    forwarded = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip"))
    return not forwarded and host in {"127.0.0.1", "::1"}
