"""For those who run the service: is it alive, is it ready, what does it count."""

import hmac
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from cloud.access.model import Role
from cloud.api.dependencies import AS_PERSON, Parts, bearer_token, signed_in
from cloud.api.guards import is_from_here
from cloud.api.problems import RESPONSES
from cloud.errors import Forbidden

router = APIRouter(tags=["operations"], responses=RESPONSES)


class Readiness(BaseModel):
    """Whether the service can work; each part with what is wrong, null when nothing is."""

    ready: bool
    parts: dict[str, str | None]


@router.get("/healthz", summary="The process lives", response_class=PlainTextResponse)
def read_health() -> str:
    """Always `ok`: who reads it knows that the process answers."""
    return "ok"


@router.get("/readyz", summary="The service can work", responses={503: {"model": Readiness}})
def read_readiness(parts: Parts, response: Response) -> Readiness:
    """503 while a part is not there: database, migrations, broker, live stream."""
    found = {name: check() for name, check in parts.readiness.items()}
    ready = all(problem is None for problem in found.values())
    if not ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return Readiness(ready=ready, parts=found)


def may_read_metrics(request: Request, parts: Parts) -> None:
    """This machine itself, the token of the setting, or an administrator. Raises Forbidden, NotSignedIn."""
    token = bearer_token(request)
    wanted = parts.settings.metrics_token
    if (
        token is not None
        and wanted is not None
        and hmac.compare_digest(token.encode(), wanted.get_secret_value().encode())
    ):
        return
    if token is None and is_from_here(request):
        return
    with parts.pool.connection() as conn:
        session = signed_in(request, conn, parts)
    if session.principal.role is not Role.ADMINISTRATOR:
        raise Forbidden("metrics are for administrators")


@router.get("/metrics", summary="Counters for Prometheus", response_class=Response, dependencies=AS_PERSON)
def read_metrics(_allowed: Annotated[None, Depends(may_read_metrics)]) -> Response:
    """In the text format of Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
