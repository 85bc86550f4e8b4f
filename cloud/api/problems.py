"""Errors as problems (RFC 9457). The one table of which error is which status."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import psycopg
import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from psycopg_pool import PoolTimeout, TooManyRequests
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from cloud import errors
from cloud.evidence.policy import OutsideOfFile
from cloud.evidence.service import WrongOffset

_log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

_STATUS: dict[type[errors.CloudError], HTTPStatus] = {
    errors.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    OutsideOfFile: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.TooSlow: HTTPStatus.REQUEST_TIMEOUT,
    errors.UnsupportedMedia: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.NotSignedIn: HTTPStatus.UNAUTHORIZED,
    errors.LockedOut: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unproven: HTTPStatus.FORBIDDEN,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.PurposeNeeded: HTTPStatus.PRECONDITION_REQUIRED,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Deleted: HTTPStatus.GONE,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.TooOften: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Retryable: HTTPStatus.SERVICE_UNAVAILABLE,
}


class Fault(BaseModel):
    """One value that was not understood, and where it stood."""

    where: str
    reason: str


class Problem(BaseModel):
    """What went wrong, for people and for programs."""

    type: str
    title: str
    status: int
    detail: str
    faults: list[Fault] = []


RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "A problem", "content": {MEDIA_TYPE: {}}},
    "5XX": {"model": Problem, "description": "A problem", "content": {MEDIA_TYPE: {}}},
}
"""For routers, so that the OpenAPI file tells of problems."""


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    kind: str = "about:blank",
    faults: list[Fault] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """A problem as an answer."""
    body = Problem(type=kind, title=status.phrase, status=status, detail=detail, faults=faults or [])
    return JSONResponse(
        body.model_dump(exclude_defaults=True), status_code=status, headers=headers, media_type=MEDIA_TYPE
    )


def status_of(error: errors.CloudError) -> HTTPStatus:
    """The status of the nearest class in the table."""
    for kind in type(error).__mro__:
        if kind in _STATUS:
            return _STATUS[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def install(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Have the application answer with problems; `routers` are those that it includes."""
    app.state.api_routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    app.add_exception_handler(errors.CloudError, _cloud_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(psycopg.Error, _database_error)
    app.add_exception_handler(PoolTimeout, _database_error)
    app.add_exception_handler(TooManyRequests, _database_error)


def _cloud_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, errors.CloudError):
        raise error
    status = status_of(error)
    headers: dict[str, str] = {}
    if isinstance(error, errors.LockedOut):
        headers["Retry-After"] = str(error.retry_after_s)
    elif isinstance(error, errors.Retryable):
        headers["Retry-After"] = "5"
    elif isinstance(error, errors.TooSlow):
        headers["Connection"] = "close"
    elif isinstance(error, errors.NotSignedIn):
        headers["WWW-Authenticate"] = 'Bearer realm="gridward"'
    elif isinstance(error, WrongOffset):
        headers["Upload-Offset"] = str(error.offset)
    elif isinstance(error, OutsideOfFile):
        headers["Content-Range"] = f"bytes */{error.total}"
    return problem(status, str(error), kind=f"urn:gridward:problem:{type(error).__name__}", headers=headers)


def _http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request))
    return problem(status, str(error.detail), headers=headers)


def _methods(request: Request) -> list[str]:
    """What the path of a request takes; the router itself tells only of the first route that has it."""
    routes: list[APIRoute] = request.app.state.api_routes
    here = (route.methods or set() for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return sorted(set().union(*here)) or ["GET", "HEAD"]


def _not_understood(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    # what was sent is not told back: it may be a password
    faults = [
        Fault(where=".".join(str(part) for part in fault["loc"])[:200], reason=str(fault["msg"])[:500])
        for fault in error.errors()[:20]
    ]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "the request was not understood", faults=faults)


def _database_error(request: Request, error: Exception) -> Response:
    if isinstance(error, psycopg.DataError):
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "a value can't be kept as it is")
    if isinstance(error, psycopg.OperationalError | PoolTimeout | TooManyRequests):
        _log.warning("database away", path=request.url.path, error=type(error).__name__)
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "the database is away", headers={"Retry-After": "2"})
    return unexpected(request, error)


def unexpected(request: Request, error: Exception) -> Response:
    """A mistake of ours: told to the log, not to the client."""
    _log.error("request failed", path=request.url.path, method=request.method, exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "this is our mistake; it was noted")
