"""API keys: with what another program shows that it may call the service, and how far that reaches.

A key is `gwk_<selector>_<secret>`: the selector finds the row, the secret is 256 random bits of which the hash is kept. It is
told once, ends on a day, and can be revoked at any time.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from psycopg import Connection

from cloud.access import areas, audit
from cloud.access.accounts import count_attempt
from cloud.access.model import Principal, scope_of
from cloud.access.policy import PER_ADDRESS, key_subject, network_of
from cloud.db.queries import load
from cloud.errors import Conflict, Invalid, NotFound

_queries = load("cloud.access")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_KEY = re.compile(r"gwk_(?P<selector>[0-9a-f]{16})_(?P<secret>[A-Za-z0-9_-]{43})")
_NOBODYS_HASH: Final = hashlib.sha256(b"").digest()

USED_AT_WITHIN = timedelta(minutes=10)
"""The last use is noted no more exactly than that: a row is not written with every request."""

LONGEST_DAYS: Final = 730
MAXIMUM_PER_MINUTE: Final = 6_000
MAXIMUM_KEYS: Final = 200


class KeyScope(StrEnum):
    """What a key opens; a route asks for one of them."""

    INTAKE = "intake"
    """Hand in reports of a hotline or another platform, and ask what became of them."""


@dataclass(frozen=True, slots=True)
class MachinePrincipal:
    """Another program that showed its key. `area_path` is where it may act, empty for everywhere."""

    key_id: int
    name: str
    scopes: frozenset[KeyScope]
    area_code: str | None
    area_path: str
    per_minute: int

    @property
    def actor_name(self) -> str:
        """How the audit log and a case's history call it: no person's name has a colon."""
        return f"key:{self.name}"

    def sees(self, area_path: str) -> bool:
        """Whether an area lies where this key may act."""
        return area_path.startswith(self.area_path)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWish:
    """What a key is to be: `days` until it ends, at most `per_minute` requests."""

    name: str
    scopes: frozenset[KeyScope]
    area_code: str | None = None
    days: int = 365
    per_minute: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it is listed: without its secret."""

    id: int
    name: str
    begins_with: str
    scopes: tuple[KeyScope, ...]
    area_code: str | None
    per_minute: int
    made_by: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key; `secret` is the whole of it, told only here."""

    key: ApiKey
    secret: str


def make(
    conn: Connection[Any],
    wish: KeyWish,
    *,
    now: datetime,
    actor: Principal | None = None,
    address: str | None = None,
) -> MadeKey:
    """Make a key; without `actor` by the command line. A person gives no more than his own area.

    Raises Invalid, NotFound for an area outside of the person's scope, Conflict for a name in use or too many keys.
    """
    _check(conn, wish, actor)
    _queries.lock_api_keys(conn)
    if _queries.count_api_keys(conn, now=now) >= MAXIMUM_KEYS:
        raise Conflict(f"there are {MAXIMUM_KEYS} keys already: revoke those that nobody uses")
    selector, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    row = _queries.insert_api_key(
        conn,
        selector=selector,
        secret_hash=_digest(secret),
        name=wish.name,
        scopes=sorted(wish.scopes),
        area_code=wish.area_code,
        per_minute=wish.per_minute,
        made_by=actor.name if actor is not None else "command line",
        now=now,
        expires_at=now + timedelta(days=wish.days),
    )
    if row is None:
        raise Conflict(f"there is already a key {wish.name!r}")
    detail = {"scopes": sorted(wish.scopes), "area": wish.area_code, "days": wish.days, "per_minute": wish.per_minute}
    _note(conn, "api_key.made", wish.name, actor=actor, address=address, detail=detail)
    return MadeKey(_listed(row), f"gwk_{selector}_{secret}")


def revoke(
    conn: Connection[Any],
    key_id: int,
    *,
    now: datetime,
    actor: Principal | None = None,
    address: str | None = None,
) -> None:
    """End a key at once. Raises NotFound, also for one whose area lies outside of the person's scope."""
    found = next((key for key in everything(conn, actor) if key.id == key_id and key.revoked_at is None), None)
    if found is None or _queries.revoke_api_key(conn, key_id=key_id, now=now) == 0:
        raise NotFound("there is no such key, or it is revoked already")
    _note(conn, "api_key.revoked", found.name, actor=actor, address=address, detail={})


def everything(conn: Connection[Any], actor: Principal | None = None) -> list[ApiKey]:
    """All keys, the newest first, those of former days too; of a person with an area only those in it."""
    rows = _queries.api_keys(conn)
    return [
        _listed(row)
        for row in rows
        if actor is None or not actor.area_path or (row.area_path is not None and actor.sees(row.area_path))
    ]


def find(conn: Connection[Any], key: str, *, now: datetime) -> MachinePrincipal | None:
    """The program that holds a key; None when it is unknown, over or revoked."""
    match = _KEY.fullmatch(key)
    row = _queries.api_key_by_selector(conn, selector=match["selector"], now=now) if match is not None else None
    offered = _digest(match["secret"]) if match is not None else b""
    fits = hmac.compare_digest(offered, bytes(row.secret_hash) if row is not None else _NOBODYS_HASH)
    if row is None or not fits:
        return None
    if row.used_at is None or not timedelta(0) <= now - row.used_at < USED_AT_WITHIN:
        _queries.note_api_key_used(conn, key_id=row.id, now=now)
    return _machine(row)


def count_wrong(conn: Connection[Any], *, address: str, now: datetime) -> None:
    """A wrong key came from an address: the caller commits before he answers. Raises LockedOut when too many did.

    A right key is never shut out by others' wrong ones, nor a person by a machine: 256 bits are not guessed, so that this only
    bounds what somebody can have written down here.
    """
    count_attempt(conn, {key_subject(network_of(address)): PER_ADDRESS}, now)
    audit.write(conn, "api_key.refused", "api_key:?", actor_name="?", address=address)


def _check(conn: Connection[Any], wish: KeyWish, actor: Principal | None) -> None:
    if _NAME.fullmatch(wish.name) is None:
        raise Invalid("the name of a key has 1 to 64 characters out of a-z, 0-9, dot, dash and underscore")
    if not wish.scopes:
        raise Invalid("a key opens at least one thing")
    if not 1 <= wish.days <= LONGEST_DAYS:
        raise Invalid(f"a key lives 1 to {LONGEST_DAYS} days")
    if not 1 <= wish.per_minute <= MAXIMUM_PER_MINUTE:
        raise Invalid(f"a key may be used 1 to {MAXIMUM_PER_MINUTE} times a minute")
    if actor is not None and actor.area_path:
        if wish.area_code is None:
            raise Invalid("say in which area of yours the key may act")
        areas.find_in_scope(conn, actor, wish.area_code)
    elif wish.area_code is not None and areas.find(conn, wish.area_code) is None:
        raise Invalid(f"no valid area has the code {wish.area_code!r}")


def _note(
    conn: Connection[Any],
    action: str,
    name: str,
    *,
    actor: Principal | None,
    address: str | None,
    detail: dict[str, Any],
) -> None:
    audit.write(
        conn,
        action,
        f"api_key:{name}",
        actor=actor,
        actor_name=None if actor is not None else "command line",
        address=address,
        detail=detail,
    )


def _digest(secret: str) -> bytes:
    # an unsalted fast hash is right here, as for sessions: the secret is 256 random bits
    return hashlib.sha256(secret.encode("ascii")).digest()


def _scopes(row: Any) -> tuple[KeyScope, ...]:
    # one that this program does not know, of a newer program, opens nothing here
    return tuple(scope for scope in KeyScope if scope in row.scopes)


def _machine(row: Any) -> MachinePrincipal:
    return MachinePrincipal(
        row.id, row.name, frozenset(_scopes(row)), row.area_code, scope_of(row.area_code, row.area_path), row.per_minute
    )


def _listed(row: Any) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        begins_with=f"gwk_{row.selector}",
        scopes=_scopes(row),
        area_code=row.area_code,
        per_minute=row.per_minute,
        made_by=row.made_by,
        made_at=row.made_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        used_at=row.used_at,
    )
