"""Signing in and out."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Request, Response
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, StringConstraints

from cloud.access import accounts, areas, audit, sessions
from cloud.access.accounts import SignIn
from cloud.access.model import Principal, Role
from cloud.api.dependencies import COOKIE, Conn, Parts, Session, client_address
from cloud.api.problems import RESPONSES
from cloud.errors import LockedOut, NotSignedIn

_SIGN_INS = Counter("gridward_sign_ins_total", "Attempts to sign in by how they ended", ["outcome"])

router = APIRouter(prefix="/api/v1/session", tags=["session"], responses=RESPONSES)


class Credentials(BaseModel):
    """A name and a password."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class AreaOfUser(BaseModel):
    """The area that a person's scope begins at."""

    code: str
    name: str
    level: str


class SignedInUser(BaseModel):
    """The person behind a session; without an area the scope is everything."""

    id: int
    name: str
    display_name: str
    role: Role
    area: AreaOfUser | None


class SessionState(BaseModel):
    """A running session."""

    user: SignedInUser
    expires_at: datetime


class NewSession(SessionState):
    """A session that has just begun; `token` is told only here."""

    token: str


@router.post("", summary="Sign in")
def sign_in(credentials: Credentials, request: Request, response: Response, parts: Parts) -> NewSession:
    """Begin a session. Too many wrong passwords answer 429 with Retry-After, per name and per address."""
    attempt = SignIn(
        credentials.name, credentials.password, client_address(request), request.headers.get("user-agent", "")
    )
    try:
        admitted = accounts.sign_in(parts.pool, attempt, clock=parts.clock, lasts_s=parts.settings.session_s)
    except (NotSignedIn, LockedOut) as error:
        _SIGN_INS.labels("locked_out" if isinstance(error, LockedOut) else "wrong").inc()
        raise
    _SIGN_INS.labels("admitted").inc()
    response.set_cookie(
        COOKIE,
        admitted.token,
        max_age=int(parts.settings.session_s),
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    with parts.pool.connection() as conn:
        user = _user(conn, admitted.session.principal)
    return NewSession(token=admitted.token, user=user, expires_at=admitted.session.expires_at)


@router.get("", summary="Who am I")
def read_session(session: Session, conn: Conn) -> SessionState:
    """The running session."""
    return SessionState(user=_user(conn, session.principal), expires_at=session.expires_at)


@router.delete("", status_code=HTTPStatus.NO_CONTENT, summary="Sign out")
def sign_out(session: Session, conn: Conn, request: Request, response: Response, parts: Parts) -> None:
    """End the session and its live streams."""
    sessions.revoke(conn, session.session_id, now=parts.clock())
    audit.write(
        conn,
        "session.ended",
        f"account:{session.principal.name}",
        actor=session.principal,
        address=client_address(request),
    )
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https")


def _user(conn: Conn, principal: Principal) -> SignedInUser:
    area = areas.find(conn, principal.area_code) if principal.area_code is not None else None
    return SignedInUser(
        id=principal.user_id,
        name=principal.name,
        display_name=principal.display_name,
        role=principal.role,
        area=AreaOfUser(code=area.code, name=area.name, level=area.level) if area is not None else None,
    )
