"""What routes ask for: a transaction, the person, the node, the services.

`Conn` commits before the answer leaves (`scope="function"`): what a client has read as done is done.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from psycopg import Connection
from psycopg_pool import ConnectionPool

from cloud.access import api_keys, sessions
from cloud.access.api_keys import KeyScope, MachinePrincipal
from cloud.access.model import Principal, Role, SignedIn
from cloud.api.pace import AddressPace, KeyPace
from cloud.errors import Forbidden, NotSignedIn, PasswordToChange
from cloud.evidence.service import EvidenceService
from cloud.fleet import service as fleet
from cloud.notify.stream import LiveHub
from cloud.notify.vault import Vault
from cloud.settings import CloudSettings

COOKIE = "gridward_session"
HOST_COOKIE = f"__Host-{COOKIE}"
"""Over HTTPS: no neighbour under the same domain, and nobody without TLS, can set one of this name (RFC 6265bis §4.1.3.2)."""
CSRF_HEADER = "X-Gridward-CSRF"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def utc_now() -> datetime:
    """The clock of the API, replaced in tests."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What one process holds for its routes; made by `cloud.main`, kept at `app.state.services`."""

    settings: CloudSettings
    pool: ConnectionPool[Connection[Any]]
    evidence: EvidenceService
    hub: LiveHub
    vault: Vault
    clock: Callable[[], datetime] = utc_now
    public_pace: AddressPace = field(default_factory=AddressPace)
    key_pace: KeyPace = field(default_factory=KeyPace)
    readiness: dict[str, Callable[[], str | None]] = field(default_factory=dict)
    """Name of a part → a quick check that answers None or what is wrong."""


def services(request: Request) -> Services:
    """The services of this process."""
    return cast("Services", request.app.state.services)


Parts = Annotated[Services, Depends(services)]


def connection(parts: Parts) -> Iterator[Connection[Any]]:
    """One transaction: committed when the route returns, rolled back when it raises."""
    with parts.pool.connection() as conn:
        yield conn


Conn = Annotated[Connection[Any], Depends(connection, scope="function")]


def bearer_token(request: Request) -> str | None:
    """The token of `Authorization: Bearer …`, None when there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def cookie_name(request: Request) -> str:
    """The name of the session's cookie on this connection."""
    return HOST_COOKIE if request.url.scheme == "https" else COOKIE


def signed_in(request: Request, conn: Conn, parts: Parts) -> SignedIn:
    """The session behind a bearer token or cookie, of a person whose password is his own.

    Raises NotSignedIn, PasswordToChange, and Forbidden where a cookie alone would let another site act in the person's name.
    """
    session = any_session(request, conn, parts)
    if session.must_change_password:
        raise PasswordToChange("change your password first: somebody else has made it")
    return session


def any_session(request: Request, conn: Conn, parts: Parts) -> SignedIn:
    """The same, also of a person who has to change his password first. Raises NotSignedIn, Forbidden."""
    token = bearer_token(request)
    by_cookie = token is None
    if token is None:
        token = request.cookies.get(cookie_name(request))
    if token is None:
        raise NotSignedIn("sign in first")
    session = sessions.find(conn, token, now=parts.clock(), by_cookie=by_cookie)
    if session is None:
        raise NotSignedIn("the session is over; sign in again")
    if by_cookie and request.method not in _SAFE_METHODS and request.headers.get(CSRF_HEADER) != "1":
        raise Forbidden(f"requests with a cookie need the header {CSRF_HEADER}: 1")
    return session


session_token = HTTPBearer(scheme_name="session", description="The token of a session", auto_error=False)
session_cookie = APIKeyCookie(
    name=COOKIE,
    scheme_name="cookie",
    description=f"The same token as a cookie; what changes anything needs `{CSRF_HEADER}: 1` too",
    auto_error=False,
)
node_token = HTTPBearer(scheme_name="node", description="The token of an enrolled node", auto_error=False)
api_key = HTTPBearer(scheme_name="key", description="An API key `gwk_…` of another program", auto_error=False)

AS_PERSON = [Depends(session_token), Depends(session_cookie)]
"""For routes that look for the session themselves: these only tell the OpenAPI file of it."""
AS_NODE = [Depends(node_token)]


def session_of(
    request: Request,
    conn: Conn,
    parts: Parts,
    _token: Annotated[object, Depends(session_token)],
    _cookie: Annotated[object, Depends(session_cookie)],
) -> SignedIn:
    """The session of a request, as a dependency that the OpenAPI file knows of. Raises as `signed_in` does."""
    return signed_in(request, conn, parts)


def any_session_of(
    request: Request,
    conn: Conn,
    parts: Parts,
    _token: Annotated[object, Depends(session_token)],
    _cookie: Annotated[object, Depends(session_cookie)],
) -> SignedIn:
    """The session of a request, whatever is to be done first. Raises as `any_session` does."""
    return any_session(request, conn, parts)


Session = Annotated[SignedIn, Depends(session_of)]
AnySession = Annotated[SignedIn, Depends(any_session_of)]
"""For what one has to be able to do with a password that is good for one log-in: see oneself, change it, sign out."""


def principal(session: Session) -> Principal:
    """The signed-in person."""
    return session.principal


User = Annotated[Principal, Depends(principal)]


def require(*roles: Role) -> Callable[[Principal], Principal]:
    """A dependency that lets only these roles pass. Raises Forbidden.

    Use: `user: Annotated[Principal, Depends(require(Role.MAINTAINER, Role.ADMINISTRATOR))]`.
    """
    allowed = frozenset(roles)

    def check(user: User) -> Principal:
        if user.role not in allowed:
            raise Forbidden(f"this is for the roles {', '.join(sorted(allowed))}")
        return user

    return check


Insider = Annotated[Principal, Depends(require(*(role for role in Role if role is not Role.DEPARTMENT)))]
"""Anybody who works for the district itself: how it keeps its machines is no business of the departments that it calls."""


@dataclass(frozen=True, slots=True)
class NodePrincipal:
    """An enrolled node that showed its token. `generation` of its credentials: None for the secrets of `node add`."""

    node: str
    generation: int | None = None


def node_principal(request: Request, conn: Conn) -> NodePrincipal:
    """The node behind a bearer token. Raises NotSignedIn."""
    token = bearer_token(request)
    found = fleet.node_of_token(conn, token, now=services(request).clock()) if token is not None else None
    if found is None:
        raise NotSignedIn("the token of an accepted node is needed")
    return NodePrincipal(*found)


def node_of(request: Request, conn: Conn, _token: Annotated[object, Depends(node_token)]) -> NodePrincipal:
    """The node of a request, as a dependency that the OpenAPI file knows of. Raises NotSignedIn."""
    return node_principal(request, conn)


Node = Annotated[NodePrincipal, Depends(node_of)]


def machine(scope: KeyScope | None) -> Callable[..., MachinePrincipal]:
    """A dependency: the program behind `Authorization: Bearer gwk_…`, whose key opens `scope` (None: whatever it opens).

    Raises NotSignedIn, Forbidden for a key that opens other things, TooOften, and LockedOut after many wrong keys.
    Use: `caller: Annotated[MachinePrincipal, Depends(machine(KeyScope.INTAKE))]`, or `IntakeMachine`.
    """

    def check(
        request: Request, conn: Conn, parts: Parts, _token: Annotated[object, Depends(api_key)]
    ) -> MachinePrincipal:
        token, now = bearer_token(request), parts.clock()
        if token is None:
            raise NotSignedIn("an API key is needed")
        found = api_keys.find(conn, token, now=now)
        if found is None:
            api_keys.count_wrong(conn, address=client_address(request), now=now)
            conn.commit()  # before the answer: what is raised next takes back what the transaction did
            raise NotSignedIn("the API key is unknown, over or revoked")
        conn.commit()  # that it was used holds whatever becomes of the request, and nobody waits for it meanwhile
        parts.key_pace.admit(found.key_id, now.timestamp(), per_minute=found.per_minute)
        if scope is not None and scope not in found.scopes:
            raise Forbidden(f"this key does not open {scope.value}")
        return found

    return check


Machine = Annotated[MachinePrincipal, Depends(machine(None))]
IntakeMachine = Annotated[MachinePrincipal, Depends(machine(KeyScope.INTAKE))]


def client_address(request: Request) -> str:
    """The peer's address; behind a proxy, uvicorn has already put the forwarded one in its place."""
    return request.client.host if request.client is not None else "unknown"
