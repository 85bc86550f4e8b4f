"""Sessions: 256 random bits that only their holder knows; the table keeps the hash."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection

from cloud.access.model import Principal, Role, SignedIn, scope_of
from cloud.db import live
from cloud.db.queries import load

_queries = load("cloud.access")
MAXIMUM_SESSIONS = 50
_TOKEN_BYTES = 32
_LONGEST_TOKEN = 200


def start(
    conn: Connection[Any], account_id: int, *, now: datetime, lasts_s: float, address: str, agent: str
) -> tuple[str, int]:
    """Begin a session; the token and the session's id come back. The token is told once and kept nowhere.

    The oldest sessions of an account end when there are more than `MAXIMUM_SESSIONS`.
    """
    over = _queries.revoke_oldest_sessions(conn, account_id=account_id, kept=MAXIMUM_SESSIONS - 1, now=now)
    _end_streams(conn, over)
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    session_id: int = _queries.insert_session(
        conn,
        token_hash=_digest(token),
        account_id=account_id,
        now=now,
        expires_at=now + timedelta(seconds=lasts_s),
        address=address[:100],
        agent=agent.replace("\x00", "")[:200],
    )
    return token, session_id


def find(conn: Connection[Any], token: str, *, now: datetime, by_cookie: bool = False) -> SignedIn | None:
    """The running session of a token; None when it is unknown, over or revoked, or its account disabled."""
    if len(token) > _LONGEST_TOKEN:
        return None
    row = _queries.session_by_token(conn, token_hash=_digest(token), now=now)
    return _signed_in(row, by_cookie=by_cookie) if row is not None else None


def refresh(conn: Connection[Any], session_id: int, *, now: datetime) -> SignedIn | None:
    """The session again as it stands now; None when it is over."""
    row = _queries.session_by_id(conn, session_id=session_id, now=now)
    return _signed_in(row, by_cookie=False) if row is not None else None


def revoke(conn: Connection[Any], session_id: int, *, now: datetime) -> bool:
    """End a session and its streams; whether it was running comes back."""
    ended: int = _queries.revoke_session(conn, session_id=session_id, now=now)
    live.end_session(conn, session_id)
    return ended > 0


def revoke_all(conn: Connection[Any], account_id: int, *, now: datetime) -> int:
    """End every session of an account; how many comes back."""
    return _end_streams(conn, _queries.revoke_sessions_of(conn, account_id=account_id, now=now))


def end_streams(conn: Connection[Any], account_id: int, *, now: datetime) -> None:
    """End the live streams of an account, whose sessions go on: what it sees has changed, and its pages come again."""
    _end_streams(conn, _queries.sessions_of(conn, account_id=account_id, now=now))


@dataclass(frozen=True, slots=True)
class RunningSession:
    """A session as it is listed."""

    id: int
    account_id: int
    created_at: datetime
    expires_at: datetime
    address: str
    agent: str


def of_account(conn: Connection[Any], account_id: int, *, now: datetime) -> list[RunningSession]:
    """The running sessions of an account, the newest first."""
    return [RunningSession(**row._asdict()) for row in _queries.sessions_of(conn, account_id=account_id, now=now)]


def revoke_others(conn: Connection[Any], account_id: int, kept: int, *, now: datetime) -> int:
    """End every session of an account but one; how many comes back."""
    return _end_streams(conn, _queries.revoke_other_sessions(conn, account_id=account_id, kept=kept, now=now))


def prune(conn: Connection[Any], before: datetime) -> int:
    """Delete sessions that were over before a time, and old failed attempts; how many sessions comes back."""
    _queries.prune_attempts(conn, before=before)
    deleted: int = _queries.prune_sessions(conn, before=before)
    return deleted


def _end_streams(conn: Connection[Any], revoked: Iterable[Any]) -> int:
    ids = [row.id for row in revoked]
    for session_id in ids:
        live.end_session(conn, session_id)
    return len(ids)


def _digest(token: str) -> bytes:
    # an unsalted fast hash is right here: the token is 256 random bits, not a password
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _signed_in(row: Any, *, by_cookie: bool) -> SignedIn:
    path = scope_of(row.area_code, row.area_path)
    who = Principal(row.account_id, row.name, row.display_name, Role(row.role), row.area_code, path, row.department_id)
    return SignedIn(
        who,
        row.id,
        row.expires_at.astimezone(UTC),
        by_cookie=by_cookie,
        must_change_password=row.must_change_password,
    )
