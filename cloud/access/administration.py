"""What administrators do with accounts: list, change, close, open again, a new password, lift a lock-out. The caller's transaction.

An administrator with an area has to do with the accounts in it. Nobody changes his own role or closes his own account, and one
who may do everything everywhere always stays.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from cloud.access import accounts, areas, audit, departments, independence, policy, sessions
from cloud.access.model import Principal, Role
from cloud.access.sessions import RunningSession
from cloud.db.queries import load
from cloud.errors import Conflict, Invalid, NotFound

_queries = load("cloud.access")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A person's account as it is listed. `locked_s`: so many seconds nobody gets in from some address, for what was tried in vain."""

    id: int
    name: str
    display_name: str
    role: Role
    area_code: str | None
    area_name: str | None
    department: str | None
    created_at: datetime
    disabled_at: datetime | None
    password_changed_at: datetime
    must_change_password: bool
    signed_in_at: datetime | None
    locked_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFilter:
    """Which accounts; None is any. `text` is a part of a name."""

    role: Role | None = None
    text: str | None = None
    closed: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountWish:
    """What an account is to be."""

    display_name: str
    role: Role
    area_code: str | None
    department: str | None


def page(
    conn: Connection[Any], actor: Principal, wanted: AccountFilter, *, after: str = "", count: int, now: datetime
) -> list[Account]:
    """Accounts by name, those behind `after`."""
    rows = _queries.accounts_page(
        conn,
        scope=actor.area_path,
        role=wanted.role.value if wanted.role is not None else None,
        text=wanted.text,
        closed=wanted.closed,
        after=after,
        count=count,
        account_id=None,
    )
    return [_account(row, _locked_s(conn, row.name, now)) for row in list(rows)]


def find(conn: Connection[Any], actor: Principal, account_id: int, *, now: datetime) -> Account:
    """One account. Raises NotFound, also outside of the administrator's scope."""
    rows = list(
        _queries.accounts_page(
            conn, scope=actor.area_path, role=None, text=None, closed=None, after="", count=1, account_id=account_id
        )
    )
    if not rows:
        raise NotFound("there is no such account in your scope")
    return _account(rows[0], _locked_s(conn, rows[0].name, now))


def add(
    conn: Connection[Any], actor: Principal, name: str, wish: AccountWish, *, now: datetime, address: str
) -> tuple[Account, str]:
    """Add a person; the account and a password for one log-in come back, which is told only here.

    Raises Invalid, Conflict, NotFound for an area outside of the administrator's scope.
    """
    _check_reach(conn, actor, wish)
    password = secrets.token_urlsafe(12)
    account_id = accounts.add(
        conn,
        name=name,
        password=password,
        role=wish.role,
        display_name=wish.display_name,
        area_code=wish.area_code,
        department=wish.department,
        must_change=True,
        now=now,
        actor=actor,
        address=address,
    )
    return find(conn, actor, account_id, now=now), password


def change(
    conn: Connection[Any], actor: Principal, account_id: int, wish: AccountWish, *, now: datetime, address: str
) -> Account:
    """Give a person another name, role, area or department; it holds from the next request on.

    Raises NotFound, Invalid, Conflict where it is the administrator's own role or area, or the last one's.
    """
    _queries.lock_accounts(conn)
    before = find(conn, actor, account_id, now=now)
    if account_id == actor.user_id and (wish.role, wish.area_code) != (before.role, before.area_code):
        raise Conflict("nobody changes his own role or area: ask another administrator")
    _check_reach(conn, actor, wish)
    accounts.check_person(
        conn,
        display_name=wish.display_name,
        role=wish.role,
        area_code=wish.area_code,
        department=wish.department,
    )
    _queries.change_account(
        conn,
        display_name=wish.display_name,
        role=wish.role.value,
        area_code=wish.area_code,
        department_id=departments.by_code(conn, wish.department) if wish.department is not None else None,
        account_id=account_id,
    )
    _check_somebody_stays(conn)
    changed = {
        field: {"from": getattr(before, field), "to": getattr(wish, field)}
        for field in ("display_name", "role", "area_code", "department")
        if getattr(before, field) != getattr(wish, field)
    }
    if changed.keys() - {"display_name"}:
        sessions.end_streams(conn, account_id, now=now)
    _note(conn, actor, "account.changed", before.name, address, **changed)
    return find(conn, actor, account_id, now=now)


def close(conn: Connection[Any], actor: Principal, account_id: int, *, now: datetime, address: str) -> Account:
    """Close an account and end its sessions; its history stays. Raises NotFound, Conflict."""
    _queries.lock_accounts(conn)
    found = find(conn, actor, account_id, now=now)
    if account_id == actor.user_id:
        raise Conflict("nobody closes his own account: ask another administrator")
    if _queries.disable_account(conn, account_id=account_id, now=now) == 0:
        raise Conflict("the account is closed already")
    _check_somebody_stays(conn)
    ended = sessions.revoke_all(conn, account_id, now=now)
    _note(conn, actor, "account.disabled", found.name, address, sessions=ended)
    return find(conn, actor, account_id, now=now)


def reopen(conn: Connection[Any], actor: Principal, account_id: int, *, now: datetime, address: str) -> Account:
    """Open a closed account again, with its old password. Raises NotFound, Conflict."""
    found = find(conn, actor, account_id, now=now)
    if _queries.enable_account(conn, account_id=account_id) == 0:
        raise Conflict("the account is not closed")
    _note(conn, actor, "account.enabled", found.name, address)
    return find(conn, actor, account_id, now=now)


def reset_password(
    conn: Connection[Any], actor: Principal, account_id: int, *, now: datetime, address: str
) -> tuple[Account, str]:
    """A new password for one log-in, told only here; the person is signed out everywhere. Raises NotFound, Conflict."""
    found = find(conn, actor, account_id, now=now)
    if account_id == actor.user_id:
        raise Conflict("change your own password where you are signed in")
    password = secrets.token_urlsafe(12)
    accounts.replace_password(conn, account_id, found.name, password, must_change=True, now=now)
    independence.issued(conn, account_id, by=actor.user_id, at=now)
    sessions.revoke_all(conn, account_id, now=now)
    _note(conn, actor, "account.password_reset", found.name, address)
    return find(conn, actor, account_id, now=now), password


def unlock(conn: Connection[Any], actor: Principal, account_id: int, *, now: datetime, address: str) -> Account:
    """What was tried in vain at the account counts no more. Raises NotFound."""
    found = find(conn, actor, account_id, now=now)
    accounts.forget_all_attempts(conn, found.name)
    _note(conn, actor, "account.unlocked", found.name, address)
    return find(conn, actor, account_id, now=now)


def sessions_of(conn: Connection[Any], actor: Principal, account_id: int, *, now: datetime) -> list[RunningSession]:
    """Where a person is signed in. Raises NotFound."""
    find(conn, actor, account_id, now=now)
    return sessions.of_account(conn, account_id, now=now)


def end_sessions(conn: Connection[Any], actor: Principal, account_id: int, *, now: datetime, address: str) -> int:
    """Sign a person out everywhere; how many sessions ended. Raises NotFound."""
    found = find(conn, actor, account_id, now=now)
    ended = sessions.revoke_all(conn, account_id, now=now)
    _note(conn, actor, "account.signed_out", found.name, address, sessions=ended)
    return ended


def _check_reach(conn: Connection[Any], actor: Principal, wish: AccountWish) -> None:
    """An administrator gives no more than he has."""
    if not actor.area_path:
        return
    if wish.area_code is None:
        raise Invalid("say in which area of yours the person works")
    areas.find_in_scope(conn, actor, wish.area_code)


def _check_somebody_stays(conn: Connection[Any]) -> None:
    if _queries.count_chief_administrators(conn) == 0:
        raise Conflict("nobody would be left who may do everything everywhere")


def _locked_s(conn: Connection[Any], name: str, now: datetime) -> int:
    """The longest wait that anybody has who tries this name."""
    own = policy.account_subject(name)
    waits = [
        policy.wait_left_s(
            policy.PER_ACCOUNT if row.subject == own else policy.PER_ACCOUNT_AND_ADDRESS,
            policy.remaining_failures(row.failures, row.last_at, now),
            row.last_at,
            now,
        )
        for row in _queries.attempts_of(conn, account=own, pairs=policy.pair_subject(name, ""))
    ]
    return max(waits, default=0)


def _account(row: Any, locked_s: int) -> Account:
    fields = row._asdict()
    return Account(**fields | {"role": Role(row.role), "locked_s": locked_s})


def _note(conn: Connection[Any], actor: Principal, action: str, name: str, address: str, **detail: object) -> None:
    audit.write(conn, action, f"account:{name}", actor=actor, address=address, detail=detail)
