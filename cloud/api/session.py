"""Signing in and out."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, StringConstraints

from cloud.access import accounts, areas, audit, sessions
from cloud.access.accounts import SignIn
from cloud.access.model import Principal, Role
from cloud.access.sessions import RunningSession
from cloud.api.dependencies import AnySession, Conn, Parts, Session, client_address, cookie_name
from cloud.api.paging import LARGEST_ID
from cloud.api.problems import RESPONSES
from cloud.errors import LockedOut, NotFound, NotSignedIn

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
    """A running session. `must_change_password`: until that is done it opens nothing else."""

    user: SignedInUser
    expires_at: datetime
    must_change_password: bool


class NewSession(SessionState):
    """A session that has just begun; `token` is told only here."""

    token: str


class SessionItem(BaseModel):
    """Where somebody is signed in; `current` is the session that asks."""

    id: int
    created_at: datetime
    expires_at: datetime
    address: str
    agent: str
    current: bool

    @classmethod
    def of(cls, session: RunningSession, *, current: int | None) -> "SessionItem":
        """The session as it is told."""
        return cls(
            id=session.id,
            created_at=session.created_at,
            expires_at=session.expires_at,
            address=session.address,
            agent=session.agent,
            current=session.id == current,
        )


class SessionList(BaseModel):
    """Running sessions, the newest first."""

    items: list[SessionItem]


class PasswordChange(BaseModel):
    """The present password and a new one."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    current: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=200)]


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
        cookie_name(request),
        admitted.token,
        max_age=int(parts.settings.session_s),
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    with parts.pool.connection() as conn:
        user = _user(conn, admitted.session.principal)
    return NewSession(
        token=admitted.token,
        user=user,
        expires_at=admitted.session.expires_at,
        must_change_password=admitted.session.must_change_password,
    )


@router.get("", summary="Who am I")
def read_session(session: AnySession, conn: Conn) -> SessionState:
    """The running session."""
    return SessionState(
        user=_user(conn, session.principal),
        expires_at=session.expires_at,
        must_change_password=session.must_change_password,
    )


@router.delete("", status_code=HTTPStatus.NO_CONTENT, summary="Sign out")
def sign_out(session: AnySession, conn: Conn, request: Request, response: Response, parts: Parts) -> None:
    """End the session and its live streams."""
    sessions.revoke(conn, session.session_id, now=parts.clock())
    audit.write(
        conn,
        "session.ended",
        f"account:{session.principal.name}",
        actor=session.principal,
        address=client_address(request),
    )
    response.delete_cookie(
        cookie_name(request), path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )


@router.post("/password", status_code=HTTPStatus.NO_CONTENT, summary="Change my password")
def change_password(session: AnySession, change: PasswordChange, request: Request, parts: Parts) -> None:
    """My other sessions end. 403 for a wrong present password, which counts as signing in with it does; 429 after many."""
    accounts.change_own_password(
        parts.pool, session, change.current, change.password, clock=parts.clock, address=client_address(request)
    )


@router.get("/all", summary="Where I am signed in")
def list_own_sessions(session: Session, conn: Conn, parts: Parts) -> SessionList:
    """My running sessions, the newest first."""
    found = sessions.of_account(conn, session.principal.user_id, now=parts.clock())
    return SessionList(items=[SessionItem.of(each, current=session.session_id) for each in found])


@router.delete("/all/{session_id}", status_code=HTTPStatus.NO_CONTENT, summary="End one of my sessions")
def end_own_session(
    session: Session,
    session_id: Annotated[int, Path(ge=1, le=LARGEST_ID)],
    conn: Conn,
    request: Request,
    parts: Parts,
) -> None:
    """A device that was lost is signed out by this. 404 for one that is not mine, or over."""
    who = session.principal
    mine = {each.id for each in sessions.of_account(conn, who.user_id, now=parts.clock())}
    if session_id not in mine or not sessions.revoke(conn, session_id, now=parts.clock()):
        raise NotFound("you have no such session")
    audit.write(
        conn,
        "session.ended",
        f"account:{who.name}",
        actor=who,
        address=client_address(request),
        detail={"session": session_id},
    )


def _user(conn: Conn, principal: Principal) -> SignedInUser:
    area = areas.find(conn, principal.area_code) if principal.area_code is not None else None
    return SignedInUser(
        id=principal.user_id,
        name=principal.name,
        display_name=principal.display_name,
        role=principal.role,
        area=AreaOfUser(code=area.code, name=area.name, level=area.level) if area is not None else None,
    )
